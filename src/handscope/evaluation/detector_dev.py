"""A quick score for training the detector: people's photographs of sources held out, seen as at run time.

dev = DetectorDev("../shared/data")
dev.score(lambda image: (scores, boxes, up, crops, right))
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from handscope.data.people import HELD_OUT
from handscope.data.scenes import People
from handscope.evaluation import metrics
from handscope.evaluation.matching import Matched, match
from handscope.geometry.boxes import best_of_each, same_place
from handscope.geometry.looks import shrunk, to_picture

Answer = tuple[NDArray, NDArray, NDArray, NDArray, NDArray]
"""scores (g,), boxes (g, 4), up (g, 2), crops (g, 3) and right (g,), px of what the network sees."""

LEAST = 0.05
"""Answers below are not looked at."""
SMALL_PX = 32.0
"""Hands of this size and more, where the picture's longer side is 640 px, are also told apart."""


@dataclass(frozen=True, kw_only=True)
class Found:
    """What the detector says of one hand."""

    box: NDArray[np.float64]
    score: float
    handedness: str
    track: int | None = None


class DetectorDev:
    """The held-out photographs, seen with a longer side of `size` px."""

    def __init__(self, data: Path | str, *, size: int = 320) -> None:
        self.size = size
        self.people = People(data, split="train", sources=HELD_OUT)

    def score(self, detect: Callable[[NDArray[np.uint8]], Answer]) -> dict[str, float]:
        """Average precision at the usual overlap, of all hands and of those of `SMALL_PX` and more."""
        matched = []
        for scene, image in self.people:
            small, scale = shrunk(image, self.size)
            matched.append(match(scene, found_in(detect(small[None]), scale)))
        return {
            "average_precision": average_precision(matched),
            "average_precision_larger": average_precision(matched, SMALL_PX),
            "found_at_0.3": found(matched, 0.3),
            "false_at_0.3": false(matched, 0.3),
        }


def found_in(answer: Answer, scale: NDArray[np.float64]) -> list[Found]:
    """Each hand once, in picture px."""
    scores, boxes, _, crops, right = answer
    keep = np.flatnonzero(scores >= LEAST)
    boxes = to_picture(boxes[keep].reshape(-1, 2, 2), scale).reshape(-1, 4)
    centres, extents = to_picture(crops[keep, :2], scale), crops[keep, 2] / scale.mean()
    best = best_of_each(scores[keep], same_place(boxes, centres, extents))
    sides = np.where(right[keep] > 0.5, "right", "left")
    return [Found(box=boxes[k], score=float(scores[keep[k]]), handedness=str(sides[k])) for k in best]


def average_precision(matched: list[Matched], least_px: float = 0.0) -> float:
    """Area under precision over recall; only hands of `least_px` and more count, smaller ones neither way."""
    scores, right = [], []
    hands = 0
    for one in matched:
        large = one.scene.sizes >= least_px
        hands += int(large.sum())
        if one.scene.crowd:
            continue
        for k, n in enumerate(one.hand):
            if one.false[k] or (n >= 0 and large[n]):
                scores.append(one.scores[k])
                right.append(n >= 0)
    return metrics.average_precision(scores, right, hands)


def found(matched: list[Matched], least_score: float) -> float:
    """Share of the hands that are found."""
    at = np.concatenate([one.found_at for one in matched])
    return float((at >= least_score).mean())


def false(matched: list[Matched], least_score: float) -> float:
    """False hands a picture."""
    return float(np.mean([(one.false & (one.scores >= least_score)).sum() for one in matched if not one.scene.crowd]))
