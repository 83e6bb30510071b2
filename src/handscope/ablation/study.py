"""A study: which networks are compared, on what, and what would count as an answer; and the runs that it takes.

A file of recipes/ablations. `train` is a recipe of `handscope train` beside it, `recipe` what all runs change of it,
`cells` what each one changes besides; `base` another study, of which it says what differs; `scales` are changes of the
study by name. A run is a cell with a seed, in a folder named by a hash of its whole
configuration: studies share runs that are equal.
"""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jsonargparse

from handscope.errors import HandscopeError
from handscope.evaluation.columns import COLUMNS
from handscope.train.recipe import Recipe, from_dict, merged, read_recipe

RUN = "run:"
"""Before the hash of another run, where a configuration names its checkpoint."""


@dataclass(frozen=True, kw_only=True)
class Cell:
    """`recipe` is what it changes; `seeds` if not the study's; `printed` are the paper's numbers, by column. `alone` is
    true of a recipe that is whole: that of another kind of network (`train` in the file names it).
    """

    recipe: dict[str, Any] = field(default_factory=dict)
    alone: bool = False
    seeds: list[int] | None = None
    printed: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Claim:
    """That the row `better` has greater `columns` than the row `worse`. A row is a cell's name, or CELL@K for its K-th
    block.
    """

    claim: str
    better: str
    worse: str
    columns: list[str]

    def __post_init__(self) -> None:
        if odd := set(self.columns) - set(COLUMNS):
            raise ValueError(f"columns are of {', '.join(COLUMNS)}, got {', '.join(sorted(odd))}")


@dataclass(frozen=True, kw_only=True)
class Rendering:
    """Shards that are made before the first run: `options` are those of `handscope synth`."""

    out: str
    count: int
    seed: int
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Study:
    """The whole of it. `evaluate` are sources (`train.sources.SourceConfig`) by name, `primary` those that decide;
    `hands` of each are scored, at most. `first` is a run whose checkpoint all cells start from. `series` are lines of
    a plot: by name, a share of labels and its cell. `blocks` says whether every block is a row, or the last alone.
    """

    title: str
    recipe: dict[str, Any]
    cells: dict[str, Cell]
    seeds: list[int]
    evaluate: dict[str, dict[str, Any]]
    primary: list[str]
    hands: int = 2000
    blocks: bool = False
    first: dict[str, Any] | None = None
    data: list[Rendering] = field(default_factory=list)
    claims: list[Claim] = field(default_factory=list)
    series: dict[str, dict[str, str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.primary or set(self.primary) - set(self.evaluate):
            known, got = ", ".join(self.evaluate), ", ".join(self.primary)
            raise ValueError(f"primary names some of evaluate's ({known}), got {got or 'none'}")
        rows = [row for claim in self.claims for row in (claim.better, claim.worse)]
        rows += [cell for line in self.series.values() for cell in line.values()]
        if unknown := sorted({row.partition("@")[0] for row in rows} - set(self.cells)):
            raise ValueError(f"cells are {', '.join(self.cells)}; claims or series speak of {', '.join(unknown)}")


@dataclass(frozen=True)
class Job:
    """A run: of which cell and seed (None and the seed for the one that the others start from), its configuration, the
    hash that names its folder, and the run that has to be there before.
    """

    cell: str | None
    seed: int
    recipe: Recipe
    name: str
    after: str | None = None

    @property
    def steps(self) -> int:
        """How many it takes."""
        return int(self.recipe["loop"]["steps"])  # type: ignore[index,call-overload]


def read_study(path: Path, scale: str | None = None) -> Study:
    """The study at `path`, at one of its `scales` if one is named. HandscopeError says what is wrong with it."""
    content = read_recipe(path)
    base = content.pop("train", None)
    scales = content.pop("scales", {})
    known = {str(name): over for name, over in scales.items()} if isinstance(scales, Mapping) else {}
    if scale is not None:
        over = known.get(scale)
        if not isinstance(over, Mapping):
            raise HandscopeError(f"{path}: no scale {scale!r}; it has {', '.join(known) or 'none'}")
        content = merged(content, over)
    changes = content.get("recipe")
    if base is not None:
        recipe = read_recipe(path.parent / str(base))
        content["recipe"] = merged(recipe, changes) if isinstance(changes, Mapping) else recipe
    for key in ("evaluate", "cells"):  # what a study takes from its base it can leave out again
        given = content.get(key)
        if isinstance(given, Mapping):
            content[key] = {name: value for name, value in given.items() if value is not None}
    cells = content.get("cells")
    if isinstance(cells, Mapping):
        content["cells"] = {str(name): _whole(path, cell, changes) for name, cell in cells.items()}
    reader = jsonargparse.ArgumentParser(prog=str(path), exit_on_error=False)
    reader.add_class_arguments(Study, as_group=False)
    try:
        parsed = reader.parse_object(content)
        return Study(**vars(reader.instantiate(parsed)))
    except (ValueError, TypeError, jsonargparse.ArgumentError) as problem:
        raise HandscopeError(f"{path}: not a study ({' '.join(str(problem).split())})") from problem


def _whole(path: Path, cell: object, changes: object) -> object:
    """A cell as the file has it; one that names its own recipe (`train`) with that, the study's changes and its own."""
    if not isinstance(cell, Mapping) or "train" not in cell:
        return cell
    recipe = read_recipe(path.parent / str(cell["train"]))
    for change in (changes, cell.get("recipe")):
        if isinstance(change, Mapping):
            recipe = merged(recipe, change)
    return {key: value for key, value in cell.items() if key != "train"} | {"recipe": recipe, "alone": True}


def jobs_of(study: Study) -> list[Job]:
    """Every run once, those that others start from first. HandscopeError for a configuration that is none."""
    jobs: dict[str, Job] = {}
    rows = [(name, cell, seed) for name, cell in study.cells.items() for seed in cell.seeds or study.seeds]
    rows.sort(key=lambda row: row[2])  # every cell has its first seed before any has its second
    starts: dict[int, str] = {}
    if study.first is not None:
        for seed in dict.fromkeys(seed for *_, seed in rows):
            first = _job(None, seed, merged(study.recipe, study.first), None)
            starts[seed] = first.name
            jobs[first.name] = first
    for name, cell, seed in rows:
        recipe = cell.recipe if cell.alone else merged(study.recipe, cell.recipe)
        job = _job(name, seed, recipe, starts.get(seed))
        jobs[f"{job.name} {name}"] = job
    for job in {job.cell: job for job in jobs.values()}.values():  # seeds change nothing that could be wrong
        try:
            from_dict(job.recipe)
        except SystemExit as problem:  # jsonargparse has said on stderr what is wrong
            raise HandscopeError(f"the recipe of {job.cell or 'first'} is none of `handscope train`") from problem
    return list(jobs.values())


def _job(cell: str | None, seed: int, recipe: Recipe, after: str | None) -> Job:
    recipe = copy.deepcopy(merged(recipe, {"loop": {"seed": seed}, "dev": None}))
    if after is not None:
        recipe = merged(recipe, {"start": {"checkpoint": f"{RUN}{after}"}})
    recipe.pop("out", None)
    text = json.dumps(recipe, sort_keys=True, separators=(",", ":"))
    return Job(cell, seed, recipe, hashlib.sha256(text.encode()).hexdigest()[:16], after)


def scores_name(study: Study) -> str:
    """The file of a run's scores on this study's sets."""
    text = json.dumps([study.evaluate, study.hands], sort_keys=True)
    return f"scores-{hashlib.sha256(text.encode()).hexdigest()[:8]}.npz"


def only(jobs: Sequence[Job], cell: str) -> list[Job]:
    """The runs of one cell, by seed."""
    return sorted((job for job in jobs if job.cell == cell), key=lambda job: job.seed)
