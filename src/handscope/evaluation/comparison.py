"""Several results of `handscope eval` side by side, with intervals (`bootstrap`), paired differences, others' curves.

The same pictures are drawn for every result, and for the difference of each from the first.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from handscope.errors import HandscopeError
from handscope.evaluation import curves
from handscope.evaluation.bootstrap import LEVEL, Interval, draw_weights, mean_interval, picture_numbers
from handscope.evaluation.published import PublishedCurve
from handscope.evaluation.report import Curve, describe
from handscope.evaluation.variants import VARIANTS, Variant
from handscope.npz import read_npz

Floats = NDArray[np.float64]
REMEDY = "give folders that `handscope eval --out` has written"
LEGEND = (
    f"[{LEVEL:.0%} percentile interval]; [BCa interval], of a bootstrap over pictures. Differences are over the hands "
    "that both found, by the same draws."
)


@dataclass(frozen=True)
class Scored:
    """A folder of results: its label, scores.json and values.npz."""

    label: str
    variants: Mapping[str, Any]
    values: Mapping[str, NDArray[Any]]


def load_scored(folder: Path, label: str | None = None) -> Scored:
    """What `handscope eval` wrote to `folder`."""
    try:
        content = json.loads((folder / "scores.json").read_bytes())
        return Scored(label or folder.name, dict(content["variants"]), read_npz(folder / "values.npz", REMEDY))
    except OSError as problem:
        raise HandscopeError(f"{folder}: no results that can be read ({problem}); {REMEDY}") from problem
    except (ValueError, KeyError, TypeError, RecursionError) as problem:
        raise HandscopeError(f"{folder}: damaged results ({problem}); {REMEDY}") from problem


def common_variants(scored: Sequence[Scored]) -> list[str]:
    """Variants that all results have, in the order of the first."""
    names = [n for n in scored[0].variants if n in VARIANTS and all(n in s.variants and n in s.values for s in scored)]
    if not names:
        labels = ", ".join(s.label for s in scored)
        raise HandscopeError(f"{labels}: no variant was scored in all of them; score them under the same --protocol")
    for name in names:
        for one in scored:
            _check_meaning(one, name)
    return names


def _check_meaning(scored: Scored, name: str) -> None:
    """That a result's variant is the one that bears its name now; earlier releases had others under some names."""
    own = {"hands": "all", "from_mesh": False} | dict(scored.variants[name])
    for item, now in describe(VARIANTS[name]).items():
        if item in ("unit", "joint_0", "visible_only", "hands", "thresholds", "from_mesh") and own.get(item) != now:
            raise HandscopeError(
                f"{scored.label}: {name} was scored by another release ({item}: {own.get(item)}; now {now}); "
                "run `handscope eval` again"
            )


def contributions(variant: Variant, values: Floats) -> dict[str, Floats]:
    """By figure, the values (n, k) of which it is the mean."""
    if variant.quantity == "mask" or variant.at is None:
        return {"mean": values}
    return {"mean": values, "auc": curves.areas(values, variant.at)}


@dataclass(frozen=True)
class Difference:
    """How much more a result's figure is than the first's, over the hands (how many) that both found."""

    interval: Interval
    hands: int

    def __str__(self) -> str:
        return f"{self.interval} ({self.hands} hands)"


@dataclass(frozen=True)
class Row:
    """A figure of a variant: one interval a result, one difference for each but the first."""

    values: list[Interval]
    differences: list[Difference]


def intervals(scored: Sequence[Scored], *, resamples: int = 1000, seed: int = 0) -> dict[str, dict[str, Row]]:
    """By variant and figure, intervals of all results and of their differences from the first, by the same draws."""
    table: dict[str, dict[str, Row]] = {}
    for name in common_variants(scored):
        samples, found, keys = aligned_values(scored, name)
        pictures = picture_numbers(keys)
        weights = draw_weights(int(pictures.max()) + 1, resamples, seed)
        columns = [contributions(VARIANTS[name], values) for values in samples]
        table[name] = {
            figure: Row(
                [mean_interval(column[figure], pictures, weights) for column in columns],
                [
                    _difference(column[figure], columns[0][figure], also & found[0], pictures, weights)
                    for column, also in zip(columns[1:], found[1:], strict=True)
                ],
            )
            for figure in columns[0]
        }
    return table


def _difference(
    values: Floats,
    first: Floats,
    both: NDArray[np.bool_],
    pictures: NDArray[np.integer],
    weights: NDArray[np.uint16],
) -> Difference:
    """Of values (n, k) from those of the first, in hands that `both` (n,) found."""
    paired = both[:, None] & np.isfinite(values) & np.isfinite(first)
    apart = np.where(paired, np.where(paired, values, 0) - np.where(paired, first, 0), np.nan)
    return Difference(mean_interval(apart, pictures, weights), int(paired.any(1).sum()))


def aligned_values(
    scored: Sequence[Scored], name: str
) -> tuple[list[Floats], list[NDArray[np.bool_]], NDArray[np.character]]:
    """Each result's values (n, k) of a variant for the same hands, which it found (n,), and the hands' keys (n,);
    HandscopeError if they were scored on others."""
    keys = [s.values.get(f"{name}/keys", np.array([str(n) for n in range(len(s.values[name]))])) for s in scored]
    for other, own in zip(scored[1:], keys[1:], strict=True):
        if not np.array_equal(keys[0], own):
            raise HandscopeError(
                f"{other.label}: {name} was scored on other hands than {scored[0].label}'s; "
                "give all `handscope eval` the same --truth, options and --limit"
            )
    values = [s.values[name].astype(np.float64) for s in scored]
    found = [_found(s, name, v) for s, v in zip(scored, values, strict=True)]
    return values, found, keys[0]


def _found(scored: Scored, name: str, values: Floats) -> NDArray[np.bool_]:
    """Which hands (n,) were found; earlier releases say it by infinite errors only."""
    told = scored.values.get(f"{name}/found")
    return np.isinf(values).sum(1) == 0 if told is None else told.astype(np.bool_)


def as_markdown(
    scored: Sequence[Scored], table: Mapping[str, Mapping[str, Row]], curves: Sequence[PublishedCurve] = ()
) -> str:
    """One row a variant and figure; a column for each result, published curve, and difference from the first."""
    heads = (
        [s.label for s in scored] + [c.label for c in curves] + [f"{s.label} - {scored[0].label}" for s in scored[1:]]
    )
    lines = ["| variant | figure | " + " | ".join(heads) + " |", "|---|---|" + "---|" * len(heads)]
    for name, figures in table.items():
        for figure, row in figures.items():
            unit = VARIANTS[name].unit if figure == "mean" else "share"
            areas = [f"{c.auc:.4g}" if figure == "auc" and c.variant.name == name else "" for c in curves]
            cells = [*map(str, row.values), *areas, *map(str, row.differences)]
            lines.append(f"| {name} | {figure} ({unit}) | " + " | ".join(cells) + " |")
    return "\n".join([*lines, "", LEGEND]) + "\n"


def panels(
    scored: Sequence[Scored], names: Sequence[str], published: Sequence[PublishedCurve] = ()
) -> dict[str, tuple[Variant, list[Curve]]]:
    """The PCK curves of all results and published ones, by variant."""
    found = {}
    for name in names:
        lines = [_curve(s, name) for s in scored if "curve" in s.variants[name]]
        lines += [(c.label, c.at.tolist(), c.shares.tolist(), c.auc) for c in published if c.variant.name == name]
        if lines:
            found[name] = (VARIANTS[name], lines)
    return found


def _curve(scored: Scored, name: str) -> Curve:
    row = scored.variants[name]
    return scored.label, row["thresholds_at"], row["curve"], row["figures"]["auc"]
