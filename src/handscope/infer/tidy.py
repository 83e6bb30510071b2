"""Hands over time as a tidy table: a row a hand a frame, a named column a number.

Gaps are marked: between the first and the last frame in which a track is told it has a row in every frame, whose `seen`
is false and whose numbers are missing where the hand was not seen.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from handscope.hand.angles import ANGLE_NAMES
from handscope.infer.formats import joint_angles
from handscope.infer.video import VideoFrame
from handscope.skeleton import JOINT_NAMES
from handscope.types import Hand, Handedness

KEYS = ("frame", "time", "track", "handedness", "seen")
"""The columns before the numbers: the frame's number, its time in seconds by a player's clock, and so on."""
LONGEST_GAP_S = 10.0
"""A track that was not seen for longer has ended: the tracker would not have kept its number."""


class Number(NamedTuple):
    """A column, and the decimal places that it is worth in text."""

    name: str
    digits: int


def _numbers() -> tuple[Number, ...]:
    columns = [Number("score", 4), *[Number(f"box_{edge}_px", 2) for edge in ("x0", "y0", "x1", "y1")]]
    for joint in JOINT_NAMES:
        columns += [Number(f"{joint}_{axis}_px", 2) for axis in "xy"]
        columns += [Number(f"{joint}_score", 4)]
        columns += [Number(f"{joint}_{axis}_m", 5) for axis in "xyz"]
    return (*columns, *[Number(f"{name}_deg", 2) for name in ANGLE_NAMES])


NUMBERS = _numbers()
"""Score and box, then of every joint its place in the picture (px), score and place in the camera frame (metres, x
right, y down, z forward), then the joint angles (degrees)."""


class Row(NamedTuple):
    """`numbers` (179,) float32 are those of `NUMBERS`; None where the hand was not seen."""

    frame: int
    time: float
    track: int
    handedness: Handedness
    numbers: NDArray[np.float32] | None

    @property
    def seen(self) -> bool:
        """Whether the hand was seen in this frame."""
        return self.numbers is not None


def numbers_of(hand: Hand) -> NDArray[np.float32]:
    """The numbers (179,) of one hand."""
    places = np.concatenate([hand.joints_2d, hand.joint_scores[:, None], hand.joints_3d], 1)
    angles = list(joint_angles(hand).values())
    return np.concatenate([[hand.score], hand.box, places.ravel(), angles]).astype(np.float32)


@dataclass
class _Frame:
    index: int
    time: float
    rows: dict[int, Row]


class Gaps:
    """Call `add` with frame after frame for the rows that are complete by now, and `rest` at the end for the others.

    Rows come by frame, then by track. A frame waits for as long as a hand may come back that is not seen in it.
    """

    def __init__(self) -> None:
        self._waiting: list[_Frame] = []
        self._last: dict[int, tuple[float, Handedness]] = {}
        """Of every track when it was last seen, and as which hand."""

    def add(self, frame: VideoFrame) -> list[Row]:
        """Take the next frame."""
        here = _Frame(frame.index, frame.time, {})
        for hand in frame.hands:
            track = int(hand.track or 0)
            if track in self._last:
                self._fill(track, *self._last[track])
            here.rows[track] = Row(frame.index, frame.time, track, hand.handedness, numbers_of(hand))
            self._last[track] = (frame.time, hand.handedness)
        self._waiting.append(here)
        self._last = {n: last for n, last in self._last.items() if frame.time - last[0] <= LONGEST_GAP_S}
        unseen = [last[0] for track, last in self._last.items() if track not in here.rows]
        return list(self._let_go(min(unseen, default=np.inf)))

    def rest(self) -> list[Row]:
        """The rows of the frames that still waited."""
        return list(self._let_go(np.inf))

    def _fill(self, track: int, since: float, handedness: Handedness) -> None:
        for frame in self._waiting:
            if frame.time > since:
                frame.rows[track] = Row(frame.index, frame.time, track, handedness, None)

    def _let_go(self, until: float) -> Iterator[Row]:
        """Rows of the frames up to that time."""
        while self._waiting and self._waiting[0].time <= until:
            rows = self._waiting.pop(0).rows
            yield from (rows[track] for track in sorted(rows))


def columns_of(rows: Sequence[Row]) -> dict[str, list[Any]]:
    """The columns of some rows by their names, `KEYS` and `NUMBERS`; None where there is no number."""
    keys = {name: [getattr(row, name) for row in rows] for name in KEYS}
    missing = [None] * len(NUMBERS)
    cells = zip(*[missing if row.numbers is None else row.numbers.tolist() for row in rows], strict=True)
    return {**keys, **{column.name: list(values) for column, values in zip(NUMBERS, cells, strict=True)}}
