"""Which hand is shown (ours): the logit of a right one. One crop in five is mirrored the wrong way to teach it."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from handscope.tasks.task import HeadTask
from handscope.tasks.terms import Term, known_cross_entropy
from handscope.types import Batch


def side_error(logit: Float[Tensor, "b 1"], batch: Batch) -> Term:
    """Cross-entropy of the logit of a right hand, where the side is known."""
    return known_cross_entropy(logit, batch.right, batch.right_known)


SIDE = HeadTask(
    name="right",
    outputs=1,
    labels=lambda hand: {},  # the crop's own: what it shows depends on how it was mirrored
    term=side_error,
    weight=2.0,
    read=torch.sigmoid,
    exported="right",
)
