"""Mask scores: IoU-PCK, whose full area is the mean IoU, and mIoU from a confusion accumulated over the set.

No reference code for the paper's "IoU PCK" (Figure 8) was found; the definition here is the natural one.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray


def iou_pck(ious: ArrayLike, thresholds: ArrayLike) -> NDArray[np.float64]:
    """Share (t,) of pictures whose IoU is at least each threshold."""
    ious = np.sort(np.asarray(ious, np.float64))
    return 1 - np.searchsorted(ious, np.asarray(thresholds), side="left") / max(len(ious), 1)


def iou_pck_area(ious: ArrayLike) -> float:
    """The area under IoU-PCK from 0 to 1, exactly: the integral of P(IoU >= t), which is the mean IoU."""
    ious = np.sort(np.asarray(ious, np.float64))
    widths = np.diff(np.concatenate([[0.0], ious]))
    return float((widths * (1 - np.arange(len(ious)) / max(len(ious), 1))).sum())


class Confusion(NamedTuple):
    """Pixels by what they are and what was said: both hand, hand only in the prediction, only in truth, neither."""

    both: int = 0
    said: int = 0
    missed: int = 0
    neither: int = 0

    def __add__(self, other: object) -> Confusion:
        if not isinstance(other, Confusion):
            return NotImplemented
        return Confusion(*(a + b for a, b in zip(self, other, strict=True)))

    @property
    def hand_iou(self) -> float:
        """IoU of the hand class over the whole set; 1 if nobody ever saw a hand."""
        union = self.both + self.said + self.missed
        return self.both / union if union else 1.0

    @property
    def mean_iou(self) -> float:
        """Mean of the IoU of hand and of background (DeepLab's convention)."""
        union = self.neither + self.said + self.missed
        return (self.hand_iou + (self.neither / union if union else 1.0)) / 2


def confusion(predicted: NDArray[np.bool_], true: NDArray[np.bool_]) -> Confusion:
    """The confusion of one picture's masks (H, W)."""
    both, said, real = int((predicted & true).sum()), int(predicted.sum()), int(true.sum())
    return Confusion(both, said - both, real - both, true.size - said - real + both)


def total(confusions: Iterable[Confusion]) -> Confusion:
    """The confusion accumulated over a set."""
    return sum(confusions, start=Confusion())
