"""`handscope bench scenes`: hands in people's photographs, in clips of people signing and in rendered scenes, which
nobody trained on.

Found means a box IoU of `matching.FOUND_IOU` or more, answers choosing greedily by score. Sizes are square roots of the
labelled boxes' areas where the picture's longer side is 640 px. A hit on an `ignore` box counts neither way, pictures
of crowds count for recall only. Clips are tracked from their first frame, and told hands are compared on the labelled
frames. A rendered hand's box is that of what shows of it. Brackets are 95 % bootstrap intervals over pictures.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from handscope.data.scenes import LabelledClip, People, Scene
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
from handscope.evaluation.pairs import penetration, relative_root_error
from handscope.evaluation.side_by_side import side_by_side
from handscope.types import Hand, Sample

EDGES = (0.0, 32.0, 48.0, 64.0, 96.0, 160.0, math.inf)
NAMES = ("under 32 px", "32 to 48 px", "48 to 64 px", "64 to 96 px", "96 to 160 px", "160 px and more")
LARGER = slice(1, None)
"""The size groups of 32 px and more."""
RENDERED_EDGES = (0.0, 24.0, math.inf)
TOUCHING_M = 0.025
"""Two hands touch if joints of theirs are nearer: the bones' distance where skins meet."""
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
    people: People | None,
    clips: Sequence[LabelledClip],
    column: Column,
    *,
    chosen: Iterable[int] | None = None,
    progress: Progress = lambda name, done, total: None,
) -> dict[str, Figures]:
    """The figures of one column by set; `chosen` are the numbers of the photographs to look at."""
    numbers = [] if people is None else list(range(len(people)) if chosen is None else chosen)
    matched = []
    for done, i in enumerate(numbers):
        assert people is not None
        scene, picture = people[i]
        matched.append(match(scene, column.model(picture)))
        progress(f"people, {column.name}", done + 1, len(numbers))
    frames = []
    for done, clip in enumerate(clips):
        frames.append(match_clip(clip, column.track))
        progress(f"clips, {column.name}", done + 1, len(clips))
    figures = {"people/dev": people_figures(matched)} if matched else {}
    return figures | ({"clips": clip_figures(frames)} if frames else {})


@dataclass(frozen=True)
class RenderedScene:
    """What was answered of a rendered scene of some `kind`, in which two hands may be `touching`; of those that were
    both found with their meshes `penetration` and `root_error` (`evaluation.pairs`), m.
    """

    kind: str
    touching: bool
    matched: Matched
    penetration: float = math.nan
    root_error: float = math.nan


def bench_rendered(
    scenes: Iterable[tuple[str, Sample]], columns: Sequence[Column], progress: Callable[[int], None] = lambda done: None
) -> dict[str, Figures]:
    """The figures of every column on rendered scenes with their kinds, each of which is needed once."""
    answered: dict[str, list[RenderedScene]] = {column.name: [] for column in columns}
    for done, (kind, sample) in enumerate(scenes):
        scene, touching = rendered_scene(sample), touch(sample)
        for column in columns:
            answers = column.model(sample.image)
            matched = match(scene, answers)
            apart = _apart(sample, answers, matched) if touching else (math.nan, math.nan)
            answered[column.name].append(RenderedScene(kind, touching, matched, *apart))
        progress(done + 1)
    return {name: rendered_figures(of_column) for name, of_column in answered.items()}


def _apart(sample: Sample, answers: Sequence[Hand], matched: Matched) -> tuple[float, float]:
    """Penetration and root error of a pair, m; unknown unless both are found with their meshes."""
    by_hand = {int(n): answer for n, answer in zip(matched.hand, answers, strict=True) if n >= 0}
    if len(by_hand) < 2 or any(len(hand.vertices) == 0 for hand in by_hand.values()):
        return math.nan, math.nan
    one, two = by_hand[0], by_hand[1]
    true = (np.asarray(sample.hands[0].joints_3d), np.asarray(sample.hands[1].joints_3d))
    return penetration(one, two), relative_root_error((one.joints_3d, two.joints_3d), true)


def match_clip(clip: LabelledClip, track: Track) -> list[Matched]:
    """The labelled frames of one clip, in order."""
    told = {i: hands for i, hands in enumerate(track(clip)) if i in clip.frames}
    return [match(clip.frames[i], told.get(i, ())) for i in sorted(clip.frames)]


def rendered_scene(sample: Sample) -> Scene:
    """What there is to find: of each hand the box of what shows of it."""
    boxes, sides = [], []
    for label in sample.hands:
        assert label.mask is not None and label.mask.any(), "rendered hands have masks"
        y, x = np.nonzero(label.mask > 127) if (label.mask > 127).any() else np.nonzero(label.mask)
        boxes.append([x.min() - 0.5, y.min() - 0.5, x.max() + 0.5, y.max() + 0.5])
        sides.append(label.handedness)
    height, width = sample.image.shape[:2]
    box = np.array(boxes, np.float64).reshape(-1, 4)
    return Scene(
        name=sample.key, width=width, height=height, boxes=box, sides=tuple(sides), ignore=np.zeros((0, 4)), crowd=False
    )


def touch(sample: Sample) -> bool:
    """Whether two hands, all that there are, touch."""
    if len(sample.hands) != 2:
        return False
    one, two = (np.asarray(label.joints_3d) for label in sample.hands)
    return bool(np.linalg.norm(one[:, None] - two, axis=-1).min() < TOUCHING_M)


def rendered_figures(scenes: Sequence[RenderedScene]) -> Figures:
    """As the model answers: by size, by kind, and of touching pairs both."""
    all_matched = [scene.matched for scene in scenes]
    figures = picture_figures(all_matched, RENDERED_EDGES)
    for kind in dict.fromkeys(scene.kind for scene in scenes):
        of_kind = count([scene.matched for scene in scenes if scene.kind == kind], RENDERED_EDGES)
        if of_kind.hands[:, LARGER].any():
            figures[f"found, of 24 px and more, {kind}"] = Figure(of_kind.recall(LARGER))
    pairs = [
        scene.matched.found_at
        for scene in scenes
        if scene.touching and (scene.matched.scene.sizes >= RENDERED_EDGES[1]).all()
    ]
    both = float(np.mean([np.isfinite(at).all() for at in pairs])) if pairs else math.nan
    figures[f"both found, of {len(pairs)} touching pairs"] = Figure(both)
    for measure, name in (
        ("penetration", "in each other"),
        ("root_error", "wrists' offset from each other is wrong by"),
    ):
        known = [value for scene in scenes if not math.isnan(value := getattr(scene, measure))]
        middle = 1000 * float(np.median(known)) if known else math.nan
        figures[f"touching pairs both found: {name}, median"] = Figure(middle, "{:.1f} mm")
    return figures


def picture_figures(matched: Sequence[Matched], edges: Sequence[float]) -> Figures:
    """What is told of pictures of every kind; `edges` part the sizes, all but the first part are the larger ones."""
    counts = count(matched, edges)
    empty = int(counts.empty.sum())
    return {
        "pictures": Figure(len(matched), "{:.0f}"),
        "labelled hands": Figure(int(counts.hands.sum()), "{:.0f}"),
        f"found, of {edges[1]:.0f} px and more": _share(counts, lambda c: c.recall(LARGER)),
        "found, of all": _share(counts, Counts.recall),
        "precision": _share(counts, lambda c: c.precision),
        f"false hands on {empty} pictures without any": Figure(counts.false_on_empty, "{:.0f}"),
        "left or right": Figure(sides_right(matched)),
    }


def people_figures(matched: Sequence[Matched]) -> Figures:
    """As the model answers, by size, and at the least score that gives `PRECISION`."""
    counts = count(matched, EDGES)
    figures = picture_figures(matched, EDGES)
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
