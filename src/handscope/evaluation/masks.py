"""Mask scores: IoU-PCK, whose full area is the mean IoU, and mIoU from a confusion accumulated over the set; and the
mask that a mesh would have.

No reference code for the paper's "IoU PCK" (Figure 8) was found; the definition here is the natural one.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from handscope.geometry.boxes import pixel_window
from handscope.geometry.camera import project
from handscope.types import Hand

SAMPLES = 4
"""The mesh is drawn with so many samples a pixel, each way."""
_SHIFT = 4
_NEAREST_M = 0.01


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


def mesh_mask(hand: Hand, height: int, width: int) -> NDArray[np.bool_]:
    """The picture's pixels (height, width) that the projected mesh of `hand` covers by half or more.

    Every triangle is filled, whichever way it faces, `SAMPLES` times enlarged; triangles nearer than a centimetre
    are left out.
    """
    mask = np.zeros((height, width), np.bool_)
    if len(hand.vertices) == 0:
        return mask
    seen = project(hand.vertices, hand.K)
    x0, y0, x1, y1 = pixel_window(seen, height, width)
    columns, rows = x1 - x0, y1 - y0
    if columns <= 0 or rows <= 0:
        return mask
    fine = np.zeros((rows * SAMPLES, columns * SAMPLES), np.uint8)
    points = np.round(((seen - (x0, y0) + 0.5) * SAMPLES - 0.5) * (1 << _SHIFT)).astype(np.int32)
    before = (hand.vertices[:, 2] > _NEAREST_M)[hand.faces].all(1)
    for triangle in points[hand.faces[before]]:
        cv2.fillConvexPoly(fine, triangle, 255, cv2.LINE_8, _SHIFT)
    share = cv2.resize(fine, (columns, rows), interpolation=cv2.INTER_AREA)
    mask[y0:y1, x0:x1] = share >= 128
    return mask
