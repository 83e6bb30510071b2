"""Two hands that meet in the picture are told in one space: not in each other, and not far apart if they may touch.

Every hand is read from a crop of its own, which tells its distance to some 8 %: hands that touch come out centimetres
apart, or in each other. Both are moved along their lines of sight, which changes next to nothing of what they look
like, until their capsules (`hand.capsules`) are apart; a weak pull brings hands together that could touch. Settings
were chosen on rendered pairs and clips of pairs (docs/two-hands.md).

That both are one size, and that masks say which one is before the other, was tried too: sizes that single crops tell,
and masks of hands that cover each other, are not sure enough to help.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from handscope.geometry.boxes import box_area, shared_area
from handscope.geometry.camera import NEAR_M
from handscope.hand.capsules import hand_size, overlaps
from handscope.types import Hand

AnyHand = TypeVar("AnyHand", bound=Hand)
Floats = NDArray[np.float64]

DOUBT = 0.08
"""Standard deviation of how far one hand is behind the other as they were read, of their distance."""
PRESS_M = 0.002
"""The same of how deep flesh gives way."""
PULL, REACH_M = 1.0, 0.03
"""What hands that could touch lose by a gap g: PULL log(1 + (g / REACH)^2), which hardly asks after large ones."""
NEAR_MISS_M = 0.005
"""Hands could touch if their capsules come as near as that on their lines of sight."""
FARTHEST, GRID = 3, 24
"""They are moved against each other by so many deviations at most, found on a grid with so many steps to each side, and
then on a finer one round the best."""


def kept_apart(hands: Sequence[AnyHand]) -> list[AnyHand]:
    """The `hands` of one picture, in their order; of those that meet in it `joints_3d`, `vertices` and `T` are moved.

    Joints are the hand model's own.
    """
    told = list(hands)
    for i, j in meeting([hand.box for hand in hands]):
        told[i], told[j] = _apart(told[i], told[j])
    return told


def meeting(boxes: Sequence[NDArray[np.floating]]) -> list[tuple[int, int]]:
    """Pairs of `boxes` (4,) px that overlap, those first whose smaller one is covered most; each box once at most."""
    each = np.reshape(boxes, (-1, 4)).astype(np.float64)
    smaller = np.maximum(np.minimum(box_area(each)[:, None], box_area(each)), 1e-9)
    covered = np.triu(shared_area(each[:, None], each) / smaller, 1)
    pairs: list[tuple[int, int]] = []
    while covered.size and covered.max() > 0:
        i, j = (int(k) for k in np.unravel_index(covered.argmax(), covered.shape))
        pairs.append((i, j))
        covered[[i, j]] = covered[:, [i, j]] = 0
    return pairs


def _apart(one: AnyHand, two: AnyHand) -> tuple[AnyHand, AnyHand]:
    """Both moved along their lines of sight, the less sure one further."""
    sure = np.clip([one.joint_scores.mean(), two.joint_scores.mean()], 0, 0.98)
    shares = (1 - sure) / (1 - sure).sum() * (-1, 1)
    ways = [share * _line_of_sight(hand) for share, hand in zip(shares, (one, two), strict=True)]
    sizes = hand_size(one.joints_3d), hand_size(two.joints_3d)
    doubt = DOUBT * float(one.joints_3d[:, 2].mean() + two.joints_3d[:, 2].mean()) / 2

    def gaps(shifts: Floats) -> Floats:
        away = shifts[:, None, None]
        return -overlaps(one.joints_3d + away * ways[0], two.joints_3d + away * ways[1], sizes).max((-1, -2))

    def best(shifts: Floats, apart: Floats) -> float:
        cost = np.square(shifts / doubt) + np.square(np.minimum(apart, 0) / PRESS_M)
        return float(shifts[np.argmin(cost + pull * np.log1p(np.square(np.maximum(apart, 0) / REACH_M)))])

    steps = np.linspace(-1, 1, 2 * GRID + 1)
    coarse = FARTHEST * doubt * steps
    apart = gaps(coarse)
    pull = PULL if apart.min() < NEAR_MISS_M else 0.0
    fine = best(coarse, apart) + FARTHEST * doubt / GRID * steps
    shift = best(fine, gaps(fine))
    return _moved(one, shift * ways[0]), _moved(two, shift * ways[1])


def _line_of_sight(hand: Hand) -> Floats:
    """From the camera to the middle of the joints (3,), one metre deep."""
    middle = np.asarray(hand.joints_3d, np.float64).mean(0)
    return middle / max(middle[2], NEAR_M)


def _moved(hand: AnyHand, way: Floats) -> AnyHand:
    side = np.array([-1.0 if hand.handedness == "left" else 1.0, 1.0, 1.0])
    return replace(hand, joints_3d=hand.joints_3d + way, vertices=hand.vertices + way, T=hand.T + side * way)
