"""Which answers are labelled hands: greedy by score, one answer a hand, box IoU at least `FOUND_IOU`.

An answer that finds no hand but an `ignore` box counts neither way. As better answers choose first, the matches above
any least score are those of the answers above it, so that one matching serves a whole sweep of scores.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from handscope.data.scenes import Scene
from handscope.geometry.boxes import box_iou

FOUND_IOU = 0.3
"""Boxes by eye enclose what is seen of a hand, ours its joints and mask; of small hands these differ by pixels."""


@runtime_checkable
class Answer(Protocol):
    """What is matched: a hand of whatever found it."""

    @property
    def box(self) -> NDArray[np.floating]:
        """Picture px (4,)."""
        ...

    @property
    def score(self) -> float:
        """In [0, 1]."""
        ...

    @property
    def handedness(self) -> str:
        """ "left" or "right"."""
        ...

    @property
    def track(self) -> int | None:
        """Which hand of a video this is."""
        ...


@dataclass(frozen=True, kw_only=True)
class Matched:
    """One picture's `scene` and what was answered: `boxes` (p, 4), `tracks` and `scores` (p,), and for each answer the
    number of the hand it is (`hand`, (p,), -1 for none) and whether it counts as `false` (p,). `found_at` (n,) is the
    score at which each labelled hand is found (-inf for never), `sided` (n,) whether it then is of the right side.
    """

    scene: Scene
    boxes: NDArray[np.float64]
    tracks: tuple[int | None, ...]
    scores: NDArray[np.float64]
    hand: NDArray[np.int64]
    false: NDArray[np.bool_]
    found_at: NDArray[np.float64]
    sided: NDArray[np.bool_]


def match(scene: Scene, answers: Sequence[Answer]) -> Matched:
    """The answers of one picture against its labels."""
    scores = np.array([answer.score for answer in answers], np.float64)
    hand = np.full(len(answers), -1)
    false = np.zeros(len(answers), bool)
    found_at = np.full(len(scene.boxes), -np.inf)
    sided = np.zeros(len(scene.boxes), bool)
    for k in np.argsort(-scores, kind="stable"):
        free = np.isneginf(found_at)
        overlaps = np.where(free, box_iou(answers[k].box, scene.boxes), 0.0)
        if len(overlaps) and overlaps.max() >= FOUND_IOU:
            n = hand[k] = int(overlaps.argmax())
            found_at[n], sided[n] = scores[k], answers[k].handedness == scene.sides[n]
        else:
            false[k] = not (box_iou(answers[k].box, scene.ignore) >= FOUND_IOU).any()
    return Matched(
        scene=scene,
        boxes=np.array([answer.box for answer in answers], np.float64).reshape(-1, 4),
        tracks=tuple(answer.track for answer in answers),
        scores=scores,
        hand=hand,
        false=false,
        found_at=found_at,
        sided=sided,
    )


@dataclass(frozen=True)
class Counts:
    """Of pictures, one by one, at some least score: hands there are and found, answers that are right and wrong.

    `hands` and `found` (pictures, groups) are in size groups; `right` and `wrong` (pictures,) leave crowds out.
    """

    hands: NDArray[np.int64]
    found: NDArray[np.int64]
    right: NDArray[np.int64]
    wrong: NDArray[np.int64]
    empty: NDArray[np.bool_]

    def recall(self, groups: slice = slice(None)) -> float:
        """Share of the hands of these groups that are found; NaN if there are none."""
        hands = int(self.hands[:, groups].sum())
        return int(self.found[:, groups].sum()) / hands if hands else float("nan")

    @property
    def precision(self) -> float:
        """Share of the answers that are right; NaN if there are none."""
        answers = int(self.right.sum() + self.wrong.sum())
        return int(self.right.sum()) / answers if answers else float("nan")

    @property
    def false_on_empty(self) -> int:
        """False hands on the pictures without any."""
        return int(self.wrong[self.empty].sum())

    def of(self, pictures: NDArray[np.int64]) -> Counts:
        """The counts of some pictures, any of them repeatedly."""
        return Counts(
            self.hands[pictures],
            self.found[pictures],
            self.right[pictures],
            self.wrong[pictures],
            self.empty[pictures],
        )


def count(matched: Sequence[Matched], edges: Sequence[float], least_score: float = 0.0) -> Counts:
    """Counts with the answers of `least_score` and more; `edges` part the sizes into groups, first 0, last infinity."""
    table = np.zeros((2, len(matched), len(edges) - 1), int)
    answers = np.zeros((2, len(matched)), int)
    for i, one in enumerate(matched):
        group = np.searchsorted(edges, one.scene.sizes, side="right") - 1
        np.add.at(table[0, i], group, 1)
        np.add.at(table[1, i], group[one.found_at >= least_score], 1)
        if not one.scene.crowd:
            told = one.scores >= least_score
            answers[:, i] = (told & (one.hand >= 0)).sum(), (told & one.false).sum()
    empty = np.array([one.scene.is_empty for one in matched], bool)
    return Counts(table[0], table[1], answers[0], answers[1], empty)


def least_score_for(matched: Sequence[Matched], precision: float) -> float | None:
    """The score above which most hands are found at no less than this precision; None if no score gives it."""
    scores = np.unique(np.concatenate([[], *[one.scores for one in matched]]))
    for least in scores:
        if count(matched, (0, np.inf), least).precision >= precision:
            return float(least)
    return None


def sides_right(matched: Sequence[Matched], least_score: float = 0.0) -> float:
    """Share of the found hands, where the label has a side, whose side is right; NaN without any."""
    right = [
        one.sided[n]
        for one in matched
        for n, side in enumerate(one.scene.sides)
        if side is not None and one.found_at[n] >= least_score
    ]
    return float(np.mean(right)) if right else float("nan")


def false_runs(frames: Sequence[Matched]) -> list[int]:
    """How many labelled frames in a row each false hand of a clip lasts, by the frames in their order.

    It is the same one if it has the same track, or if its box overlaps the last one's by `FOUND_IOU`.
    """
    ended: list[int] = []
    living: list[tuple[NDArray[np.float64], int | None, int]] = []
    for frame in frames:
        now = []
        for k in np.flatnonzero(frame.false).tolist():
            box, track = frame.boxes[k], frame.tracks[k]
            before = [
                one for one in living if (track is not None and one[1] == track) or box_iou(one[0], box) >= FOUND_IOU
            ]
            now.append((box, track, 1 + max((length for _, _, length in before), default=0)))
            living = [one for one in living if not any(one is other for other in before)]
        ended += [length for _, _, length in living]
        living = now
    return ended + [length for _, _, length in living]


def interval(
    counts: Counts, figure: Callable[[Counts], float], *, draws: int = 1000, seed: int = 0
) -> tuple[float, float] | None:
    """95 % bootstrap interval, over pictures, of a `figure` of the counts; None where no draw has the figure."""
    rng = np.random.default_rng(seed)
    total = len(counts.right)
    values = np.array([figure(counts.of(rng.integers(0, total, total))) for _ in range(draws)])
    told = values[~np.isnan(values)]
    if not len(told):
        return None
    low, high = np.percentile(told, [2.5, 97.5])
    return float(low), float(high)
