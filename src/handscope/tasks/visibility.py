"""Which joints are seen (ours): neither behind the hand itself nor behind an object, and inside the picture. Synthesis
knows; few photographs do.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from handscope.skeleton import JOINT_NAMES
from handscope.tasks.task import HeadTask, Labels
from handscope.tasks.terms import Term, known_mean
from handscope.types import Batch, HandLabel


def visibility_labels(hand: HandLabel) -> Labels:
    """One where a joint is seen."""
    seen = np.zeros(len(JOINT_NAMES), bool) if hand.visible is None else np.asarray(hand.visible, bool)
    return {"visible": seen.astype(np.float32), "visible_known": np.full(len(seen), hand.visible is not None)}


def visibility_error(logits: Float[Tensor, "b 21"], batch: Batch) -> Term:
    """Cross-entropy of each joint's visibility, where it is known."""
    error = F.binary_cross_entropy_with_logits(logits, batch.labels["visible"], reduction="none")
    return known_mean(error, batch.labels["visible_known"])


VISIBILITY = HeadTask(
    name="visible",
    outputs=len(JOINT_NAMES),
    labels=visibility_labels,
    term=visibility_error,
    weight=1.0,
    read=torch.sigmoid,
    exported="joint_visibility",
)
