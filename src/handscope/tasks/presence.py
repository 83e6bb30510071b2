"""Whether there is a hand at all (ours): the logit of one. Detectors and lost tracks take faces, sleeves and clothes
for hands; such places are in the training as labels that say so (`HandLabel.present`).
"""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from handscope.tasks.task import HeadTask
from handscope.tasks.terms import Term, known_cross_entropy
from handscope.types import Batch


def presence_error(logit: Float[Tensor, "b 1"], batch: Batch) -> Term:
    """Cross-entropy of the logit of a hand, where it is known whether there is one."""
    return known_cross_entropy(logit, batch.present, batch.present_known)


def probability(logit: Float[Tensor, "b 1"]) -> Float[Tensor, " b"]:
    """That of a hand."""
    return logit[:, 0].sigmoid()


PRESENCE = HeadTask(
    name="present",
    outputs=1,
    labels=lambda hand: {},  # a field of every batch: what is no hand teaches nothing else
    term=presence_error,
    weight=1.0,
    read=probability,
    exported="presence",
    pooled=True,
)
