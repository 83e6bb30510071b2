"""How well gestures are told: the ten built in on rendered hands of unseen seeds, whole path; learnt ones on counts of
fingers in photographs, each source by what the others taught.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from handscope.geometry.boxes import box_iou, tight_box
from handscope.types import Hand, Sample

FOUND_IOU = 0.3
Answer = Callable[[NDArray[np.uint8]], Sequence[Hand]]
Teller = Callable[[Hand], str | None]
"""A hand's gesture, or None."""
Learner = Callable[[NDArray[np.floating], list[str]], Callable[[NDArray[np.floating]], list[str]]]
"""Of features (n, f) and classes (n) what tells the classes of other features (m, f)."""


@dataclass(frozen=True)
class Case:
    """One hand: the gesture it shows (None of the ten), what was told of it, whether it was found at all."""

    truth: str | None
    told: str | None
    found: bool


def cases_of(shown: Iterable[tuple[str | None, Sample]], model: Answer, tell: Teller) -> Iterator[Case]:
    """What is told of each hand, whole path: of the gestures and pictures that `synth.gesture_set` renders."""
    for truth, sample in shown:
        hand = same_hand(sample, model(sample.image))
        yield Case(truth, None if hand is None else tell(hand), hand is not None)


def same_hand(sample: Sample, hands: Sequence[Hand]) -> Hand | None:
    """The answer that shows the labelled hand."""
    label = sample.hands[0].joints_2d
    assert label is not None
    if not hands:
        return None
    overlaps = box_iou(tight_box(label), np.array([tight_box(hand.joints_2d) for hand in hands]))
    return hands[int(overlaps.argmax())] if overlaps.max() >= FOUND_IOU else None


@dataclass(frozen=True)
class GestureRow:
    """Of one gesture: hands that show it, share that was found, share of the found told rightly, and of other hands'
    answers the share that said it wrongly.
    """

    gesture: str
    count: int
    found: float
    recall: float
    false_rate: float


def summary(cases: Sequence[Case]) -> list[GestureRow]:
    """A row for each gesture that was shown, and a last one for hands that show none (its recall: told as none)."""
    rows = []
    for gesture in (*dict.fromkeys(case.truth for case in cases if case.truth is not None), None):
        own = [case for case in cases if case.truth == gesture]
        seen = [case for case in own if case.found]
        others = [case for case in cases if case.truth != gesture and case.found]
        rows.append(
            GestureRow(
                gesture or "none of them",
                len(own),
                len(seen) / max(len(own), 1),
                sum(case.told == gesture for case in seen) / max(len(seen), 1),
                sum(case.told == gesture for case in others) / max(len(others), 1),
            )
        )
    return rows


@dataclass(frozen=True)
class SourceRow:
    """Of a source that taught nothing: its hands, the share told rightly, and the commonest mistakes."""

    source: str
    count: int
    right: float
    mistakes: str


def leave_one_source_out(sources: dict[str, tuple[NDArray[np.floating], list[str]]], learn: Learner) -> list[SourceRow]:
    """`sources` are features (n, f) and classes (n) by name; each is told by what all the others taught."""
    rows = []
    for name, (samples, labels) in sources.items():
        others = [content for other, content in sources.items() if other != name]
        tell = learn(np.concatenate([given for given, _ in others]), [label for _, given in others for label in given])
        pairs = zip(labels, tell(samples), strict=True)
        wrong = Counter(f"{truth} as {answer}" for truth, answer in pairs if truth != answer)
        common = ", ".join(f"{what} {count}" for what, count in wrong.most_common(3))
        rows.append(SourceRow(name, len(labels), 1 - sum(wrong.values()) / max(len(labels), 1), common))
    return rows
