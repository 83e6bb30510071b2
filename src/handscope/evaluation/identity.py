"""Whether hands stay who they are while they are followed: swaps through touches, crossings and absences."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from handscope.geometry.boxes import box_iou

FOUND_IOU = 0.3
AGREE = 0.5
"""Share of the frames that decide who a hand is."""


@dataclass(frozen=True)
class Told:
    """One hand of an answer: its box (4,) px, and who it is said to be (a track's number, or left and right)."""

    box: NDArray[np.floating]
    who: Hashable


def identities(truth: Sequence[NDArray[np.floating] | None], told: Sequence[Told]) -> list[Hashable | None]:
    """Who each true hand, by its box (None where it is not to be seen), is said to be; None where it is not told. Pairs
    of the greatest overlap come first.
    """
    who: list[Hashable | None] = [None] * len(truth)
    overlaps = [
        (float(box_iou(box, hand.box)), t, k)
        for t, box in enumerate(truth)
        for k, hand in enumerate(told)
        if box is not None
    ]
    taken: set[int] = set()
    for overlap, t, k in sorted(overlaps, reverse=True):
        if overlap >= FOUND_IOU and who[t] is None and k not in taken:
            who[t] = told[k].who
            taken.add(k)
    return who


def settled(who: Sequence[Hashable | None]) -> Hashable | None:
    """Who a hand is said to be in most of some frames, None if it is in less than `AGREE` of them."""
    counted = Counter(one for one in who if one is not None).most_common(1)
    return counted[0][0] if counted and counted[0][1] >= AGREE * len(who) else None


def outcomes(who: Sequence[Sequence[Hashable | None]], frames: int) -> list[str]:
    """Of each hand, by who it was said to be in every frame (n, hands) and the first and last `frames` of them: "same",
    "swapped", "new" or "lost".
    """
    columns = list(zip(*who, strict=True))
    before = [settled(column[:frames]) for column in columns]
    after = [settled(column[-frames:]) for column in columns]
    found = []
    for k, (one, other) in enumerate(zip(before, after, strict=True)):
        if one is None or other is None:
            found.append("lost")
        elif one == other:
            found.append("same")
        else:
            found.append("swapped" if other in before[:k] + before[k + 1 :] else "new")
    return found
