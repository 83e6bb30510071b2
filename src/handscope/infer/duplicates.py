"""Which of several answers show the same hand, by where their joints lie."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from handscope.geometry.boxes import best_of_each, box_area, box_iou, longer_side, shared_area, tight_box
from handscope.types import Hand

AnyHand = TypeVar("AnyHand", bound=Hand)


NESTED = 0.8
"""Share of the smaller of two hands' boxes that they have in common, from which the worse is a part of the better."""


def drop_repeated(hands: Sequence[AnyHand]) -> list[AnyHand]:
    """Best first, without those `distinct` leaves out and without those `NESTED` in a better one, or round it."""
    kept = [hands[i] for i in distinct([hand.joints_2d for hand in hands], [hand.score for hand in hands])]
    boxes = np.array([hand.box for hand in kept]).reshape(-1, 4)
    smaller = np.minimum(box_area(boxes)[:, None], box_area(boxes))
    nested = shared_area(boxes[:, None], boxes) > NESTED * smaller
    return [kept[i] for i in best_of_each([hand.score for hand in kept], nested)]


def distinct(
    joints: Sequence[NDArray[np.floating]], scores: Sequence[float], *, iou: float = 0.6, closeness: float = 0.15
) -> list[int]:
    """Which of several hands' joints, (21, 2) px each, show hands of their own, best first.

    A hand yields to a better one if their mean joint distance is under `closeness` of the larger box side, or if
    their boxes overlap by more than `iou` with the middles of their joints nearer than that.
    """
    if len(joints) == 0:
        return []
    points = np.stack(joints)
    boxes = tight_box(points)
    limit = closeness * np.maximum(longer_side(boxes)[:, None], longer_side(boxes))
    apart = np.linalg.norm(points[:, None] - points, axis=-1).mean(-1)
    middles = np.linalg.norm(points.mean(1)[:, None] - points.mean(1), axis=-1)
    same = (apart < limit) | ((middles < limit) & (box_iou(boxes[:, None], boxes) > iou))
    return best_of_each(scores, same)


def same_hand(one: NDArray[np.floating], two: NDArray[np.floating]) -> bool:
    """Whether two sets of joints (21, 2) px lie on each other: nearer in the mean than 0.15 of the larger box."""
    size = max(float(longer_side(tight_box(joints))) for joints in (one, two))
    return bool(np.linalg.norm(one - two, axis=1).mean() < 0.15 * size)
