"""Boxes in a picture, (x0, y0, x1, y1) px: tight ones, how far they overlap, and of findings that repeat the best.

Boxes are rectangles of the plane, not ranges of pixels: one around a single point has no area. What comes in as
float32 stays so; overlaps are reckoned in float64.
"""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

Float = TypeVar("Float", bound=np.floating)
SAME_IOU, SAME_CENTRE = 0.5, 0.2
"""When two detections are one hand (`same_place`)."""
HAND_MARGIN = 0.08
"""How much further a box of a hand by eye reaches than its joints', in the latter's longer side: of 0.02 to 0.15 the
mean IoU of the two is within 0.01 of the best on people's photographs (0.80, best at 0.1) and on the older ones (0.83,
best at 0.06)."""


def tight_box(points: NDArray[Float], margin: float = 0.0) -> NDArray[Float]:
    """The box (..., 4) around points (..., n, 2), each edge moved outwards by `margin` times the longer side."""
    low, high = points.min(-2), points.max(-2)
    if margin:
        reach = margin * (high - low).max(-1, keepdims=True)
        low, high = low - reach, high + reach
    return np.concatenate([low, high], -1)


def box_centre(box: NDArray[np.floating]) -> NDArray[np.floating]:
    """The middles (..., 2) of boxes (..., 4)."""
    return (box[..., :2] + box[..., 2:]) / 2


def longer_side(box: NDArray[Float]) -> NDArray[Float]:
    """The longer sides (...) of boxes (..., 4)."""
    return np.asarray((box[..., 2:] - box[..., :2]).max(-1))


def box_area(box: NDArray[Float]) -> NDArray[Float]:
    """The areas (...) of boxes (..., 4)."""
    return np.asarray((box[..., 2:] - box[..., :2]).prod(-1))


def shared_area(one: ArrayLike, two: ArrayLike) -> NDArray[np.float64]:
    """The area (...) that boxes (..., 4), which broadcast, have in common; 0 if they only touch."""
    one, two = np.asarray(one, np.float64), np.asarray(two, np.float64)
    sides = np.minimum(one[..., 2:], two[..., 2:]) - np.maximum(one[..., :2], two[..., :2])
    return np.asarray(np.maximum(sides, 0.0).prod(-1))


def box_iou(one: ArrayLike, two: ArrayLike) -> NDArray[np.float64]:
    """Intersection over union (...) of boxes (..., 4) that broadcast; 0 where both are empty."""
    one, two = np.asarray(one, np.float64), np.asarray(two, np.float64)
    shared = shared_area(one, two)
    union = box_area(one) + box_area(two) - shared
    return np.where(union > 0, shared / np.where(union > 0, union, 1.0), 0.0)


def best_of_each(scores: ArrayLike, same: NDArray[np.bool_]) -> list[int]:
    """Which of n findings to keep, best first: each yields to a kept one of a better score (n,) that shows the same.

    `same` (n, n), symmetric, says which pairs show one thing; of equal scores the earlier finding is the better one.
    """
    kept: list[int] = []
    for one in np.argsort(-np.asarray(scores), kind="stable").tolist():
        if not same[one, kept].any():
            kept.append(one)
    return kept


def same_place(
    boxes: NDArray[np.floating],
    centres: NDArray[np.floating],
    extents: NDArray[np.floating],
) -> NDArray[np.bool_]:
    """Which of n detections show one hand (n, n): of a box IoU above `SAME_IOU`, or with centres (n, 2) of their crops
    nearer than `SAME_CENTRE` of the smaller crop's extent (n,); `boxes` (n, 4).
    """
    apart = np.hypot(*(centres[:, None] - centres).transpose(2, 0, 1))
    return (box_iou(boxes[:, None], boxes) > SAME_IOU) | (apart < SAME_CENTRE * np.minimum(extents[:, None], extents))


def pixel_window(points: ArrayLike, height: int, width: int, *, margin: int = 0) -> tuple[int, int, int, int]:
    """The pixels x0 <= x < x1, y0 <= y < y1 of a picture that hold points (n, 2) and `margin` px around them.

    As (x0, y0, x1, y1); empty, x1 <= x0 or y1 <= y0, if all of them lie outside.
    """
    points = np.asarray(points)
    x0, y0 = np.clip(np.floor(points.min(0)) - margin, 0, (width, height)).astype(int).tolist()
    x1, y1 = np.clip(np.ceil(points.max(0)) + margin + 1, 0, (width, height)).astype(int).tolist()
    return x0, y0, x1, y1
