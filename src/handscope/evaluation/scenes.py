"""`handscope bench scenes`: hands in people's photographs and in clips of people signing, which nobody trained on.

Found means a box IoU of `matching.FOUND_IOU` or more, answers choosing greedily by score. Sizes are square roots of the
labelled boxes' areas where the picture's longer side is 640 px. A hit on an `ignore` box counts neither way, pictures
of crowds count for recall only. Clips are tracked from their first frame, and told hands are compared on the labelled
frames. Brackets are 95 % bootstrap intervals over pictures.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from handscope.data.scenes import LabelledClip, People
from handscope.evaluation.matching import (
    Counts,
    Matched,
    count,
    false_runs,
    interval,
    least_score_for,
    match,
    sides_right,
)
from handscope.evaluation.side_by_side import side_by_side
from handscope.types import Hand

EDGES = (0.0, 32.0, 48.0, 64.0, 96.0, 160.0, math.inf)
NAMES = ("under 32 px", "32 to 48 px", "48 to 64 px", "64 to 96 px", "96 to 160 px", "160 px and more")
LARGER = slice(1, None)
"""The size groups of 32 px and more."""
PRECISION = 0.95
"""Recall is also told at the least score that gives this precision."""
LONGEST_RUN = 2
"""So many labelled frames in a row a false track may last."""

Picture: TypeAlias = NDArray[np.uint8]
Model: TypeAlias = Callable[[Picture], Sequence[Hand]]
Track: TypeAlias = Callable[[LabelledClip], Iterator[Sequence[Hand]]]
"""The hands of every frame of a clip, in order."""
Progress: TypeAlias = Callable[[str, int, int], None]
"""Told the set, the number of pictures done and their total."""


@dataclass(frozen=True)
class Figure:
    """One number of a table as `form` writes it, with its 95 % interval where that was drawn."""

    value: float
    form: str = "{:.1f} %"
    interval: tuple[float, float] | None = None

    def __str__(self) -> str:
        if math.isnan(self.value):
            return "-"
        factor = 100 if self.form.endswith("%") else 1
        text = self.form.format(factor * self.value)
        if self.interval is None:
            return text
        low, high = (self.form.format(factor * end).removesuffix(" %") for end in self.interval)
        return f"{text} ({low} to {high})"


Figures: TypeAlias = dict[str, Figure]


@dataclass(frozen=True)
class Column:
    """A model: what it says of a picture, and of a clip's frames."""

    name: str
    model: Model
    track: Track


def bench(
    people: People,
    clips: Sequence[LabelledClip],
    column: Column,
    *,
    chosen: Iterable[int] | None = None,
    progress: Progress = lambda name, done, total: None,
) -> dict[str, Figures]:
    """The figures of one column by set; `chosen` are the numbers of the photographs to look at."""
    numbers = list(range(len(people)) if chosen is None else chosen)
    matched = []
    for done, i in enumerate(numbers):
        scene, picture = people[i]
        matched.append(match(scene, column.model(picture)))
        progress(f"people, {column.name}", done + 1, len(numbers))
    frames = []
    for done, clip in enumerate(clips):
        frames.append(match_clip(clip, column.track))
        progress(f"clips, {column.name}", done + 1, len(clips))
    figures = {"people/dev": people_figures(matched)} if matched else {}
    return figures | ({"clips": clip_figures(frames)} if frames else {})


def match_clip(clip: LabelledClip, track: Track) -> list[Matched]:
    """The labelled frames of one clip, in order."""
    told = {i: hands for i, hands in enumerate(track(clip)) if i in clip.frames}
    return [match(clip.frames[i], told.get(i, ())) for i in sorted(clip.frames)]


def people_figures(matched: Sequence[Matched]) -> Figures:
    """As the model answers, by size, and at the least score that gives `PRECISION`."""
    counts = count(matched, EDGES)
    empty = int(counts.empty.sum())
    figures = {
        "pictures": Figure(len(matched), "{:.0f}"),
        "labelled hands": Figure(int(counts.hands.sum()), "{:.0f}"),
        "found, of 32 px and more": _share(counts, lambda c: c.recall(LARGER)),
        "found, of all": _share(counts, Counts.recall),
        "precision": _share(counts, lambda c: c.precision),
        f"false hands on {empty} pictures without any": Figure(counts.false_on_empty, "{:.0f}"),
        "left or right": Figure(sides_right(matched)),
    }
    for i, name in enumerate(NAMES):
        hands = int(counts.hands[:, i].sum())
        figures[f"found, {name} ({hands})"] = Figure(counts.recall(slice(i, i + 1)), "{:.0f} %")
    least = least_score_for(matched, PRECISION)
    at = f"at a precision of {100 * PRECISION:.0f} %"
    figures[f"{at}: least score"] = Figure(math.nan if least is None else least, "{:.2f}")
    strict = count(matched, EDGES, math.inf if least is None else least)
    figures[f"{at}: found, of 32 px and more"] = _share(strict, lambda c: c.recall(LARGER))
    figures[f"{at}: found, of all"] = _share(strict, Counts.recall)
    figures[f"{at}: false hands on pictures without any"] = Figure(strict.false_on_empty, "{:.0f}")
    return figures


def clip_figures(clips: Sequence[Sequence[Matched]]) -> Figures:
    """Of the labelled frames of all clips together."""
    frames = [frame for clip in clips for frame in clip]
    counts = count(frames, (0.0, math.inf))
    runs = [length for clip in clips for length in false_runs(clip)]
    return {
        "labelled frames": Figure(len(frames), "{:.0f}"),
        "labelled hands": Figure(int(counts.hands.sum()), "{:.0f}"),
        "found": _share(counts, Counts.recall),
        "precision": _share(counts, lambda c: c.precision),
        "false hands": Figure(int(counts.wrong.sum()), "{:.0f}"),
        "left or right": Figure(sides_right(frames)),
        f"false tracks over {LONGEST_RUN} labelled frames in a row": Figure(
            sum(length > LONGEST_RUN for length in runs), "{:.0f}"
        ),
    }


def _share(counts: Counts, figure: Callable[[Counts], float]) -> Figure:
    return Figure(figure(counts), interval=interval(counts, figure))


def report(results: dict[str, dict[str, Figures]]) -> str:
    """The figures by column, set and measure as one Markdown table; "-" where there is no such number."""
    return side_by_side(
        {
            name: {group: {measure: str(f) for measure, f in figures.items()} for group, figures in sets.items()}
            for name, sets in results.items()
        }
    )


def as_json(results: dict[str, dict[str, Figures]]) -> dict[str, dict[str, dict[str, object]]]:
    """The same as plain numbers: value, and the interval's ends where it was drawn."""
    plain = lambda f: {"value": None if math.isnan(f.value) else f.value, "interval": f.interval}  # noqa: E731
    return {
        name: {group: {measure: plain(f) for measure, f in figures.items()} for group, figures in sets.items()}
        for name, sets in results.items()
    }
