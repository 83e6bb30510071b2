"""Which hand is shown (ours): the logit of a right one. One crop in five is mirrored the wrong way to teach it."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from handscope.tasks.task import HeadTask
from handscope.tasks.terms import Term, known_sample
from handscope.types import Batch


def side_error(logit: Float[Tensor, "b 1"], batch: Batch) -> Term:
    """Cross-entropy of the logit of a right hand, where the side is known."""
    error = F.binary_cross_entropy_with_logits(logit[:, 0], batch.right, reduction="none")
    return known_sample(error, batch.right_known)


SIDE = HeadTask(
    name="right",
    outputs=1,
    labels=lambda hand: {},  # the crop's own: what it shows depends on how it was mirrored
    term=side_error,
    weight=2.0,
    read=torch.sigmoid,
    exported="right",
)
