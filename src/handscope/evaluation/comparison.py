"""Several results of `handscope eval` side by side, with bootstrap confidence intervals over hands.

Mean error and AUC are both means over hands taken keypoint by keypoint, so a resample of hands is a weight for each:
the figures of all resamples are one matrix product. The same hands are sampled for every result.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from handscope.errors import HandscopeError
from handscope.evaluation import curves
from handscope.evaluation.report import Curve
from handscope.evaluation.variants import VARIANTS, Variant

Floats = NDArray[np.float64]
REMEDY = "give folders that `handscope eval --out` has written"
LEVEL = 0.95


@dataclass(frozen=True)
class Scored:
    """A folder of results: its label, scores.json and values.npz."""

    label: str
    variants: Mapping[str, Any]
    values: Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Interval:
    """A figure with the limits of its confidence interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.4g} [{self.low:.4g}, {self.high:.4g}]"


def load_scored(folder: Path, label: str | None = None) -> Scored:
    """What `handscope eval` wrote to `folder`."""
    try:
        content = json.loads((folder / "scores.json").read_bytes())
        with (folder / "values.npz").open("rb") as stream, np.load(stream, allow_pickle=False) as file:
            return Scored(label or folder.name, content["variants"], dict(file.items()))
    except OSError as problem:
        raise HandscopeError(f"{folder}: no results that can be read ({problem}); {REMEDY}") from problem
    except (ValueError, KeyError, TypeError, zipfile.BadZipFile) as problem:
        raise HandscopeError(f"{folder}: damaged results ({problem}); {REMEDY}") from problem


def common_variants(scored: Sequence[Scored]) -> list[str]:
    """Variants that all results have, in the order of the first."""
    names = [n for n in scored[0].variants if n in VARIANTS and all(n in s.variants and n in s.values for s in scored)]
    if not names:
        labels = ", ".join(s.label for s in scored)
        raise HandscopeError(f"{labels}: no variant was scored in all of them; score them under the same --protocol")
    return names


def draw_weights(count: int, resamples: int, seed: int) -> Floats:
    """How often each of `count` hands is taken in each resample (resamples, count)."""
    rng = np.random.default_rng(seed)
    return rng.multinomial(count, np.full(count, 1 / count), size=resamples).astype(np.float64)


def resampled_mean(values: Floats, weights: Floats) -> Floats:
    """The mean (b,) of values (n, k), NaN or inf left out, keypoint by keypoint, under weights (b, n)."""
    known = np.isfinite(values)
    totals, counts = weights @ np.where(known, values, 0), weights @ known.astype(np.float64)
    with np.errstate(invalid="ignore"):
        return np.nanmean(np.where(counts > 0, totals / np.maximum(counts, 1e-9), np.nan), axis=1)


def contributions(variant: Variant, values: Floats) -> dict[str, Floats]:
    """By figure, the values (n, k) of which it is the mean."""
    if variant.quantity == "mask" or variant.at is None:
        return {"mean": values}
    return {"mean": values, "auc": curves.areas(values, variant.at)}


def intervals(
    scored: Sequence[Scored], *, resamples: int = 1000, seed: int = 0
) -> dict[str, dict[str, list[Interval]]]:
    """By variant and figure, one interval for each of the results."""
    table: dict[str, dict[str, list[Interval]]] = {}
    for name in common_variants(scored):
        samples = aligned_values(scored, name)
        weights = draw_weights(len(samples[0]), resamples, seed)
        columns = [contributions(VARIANTS[name], values) for values in samples]
        table[name] = {figure: [interval(column[figure], weights) for column in columns] for figure in columns[0]}
    return table


def aligned_values(scored: Sequence[Scored], name: str) -> list[Floats]:
    """Each result's values (n, k) of a variant for the same hands; HandscopeError if they were scored on others."""
    first = scored[0].values.get(f"{name}/keys")
    for other in scored[1:]:
        keys = other.values.get(f"{name}/keys")
        same = len(scored[0].values[name]) == len(other.values[name])
        if not same or (first is not None and keys is not None and not np.array_equal(first, keys)):
            raise HandscopeError(
                f"{other.label}: {name} was scored on other hands than {scored[0].label}'s; "
                "give all `handscope eval` the same --truth, options and --limit"
            )
    return [s.values[name].astype(np.float64) for s in scored]


def interval(values: Floats, weights: Floats) -> Interval:
    """The mean of values (n, k) with its percentile interval at `LEVEL`."""
    resamples = resampled_mean(values, weights)
    low, high = np.nanpercentile(resamples, [50 * (1 - LEVEL), 50 * (1 + LEVEL)])
    return Interval(float(resampled_mean(values, np.ones((1, len(values))))[0]), float(low), float(high))


def as_markdown(scored: Sequence[Scored], table: Mapping[str, Mapping[str, Sequence[Interval]]]) -> str:
    """One row a variant and figure, one column a result."""
    lines = [
        "| variant | figure | " + " | ".join(s.label for s in scored) + " |",
        "|---|---|" + "---|" * len(scored),
    ]
    for name, figures in table.items():
        for figure, row in figures.items():
            unit = VARIANTS[name].unit if figure == "mean" else "share"
            lines.append(f"| {name} | {figure} ({unit}) | " + " | ".join(map(str, row)) + " |")
    return "\n".join(lines) + "\n"


def panels(scored: Sequence[Scored], names: Sequence[str]) -> dict[str, tuple[Variant, list[Curve]]]:
    """The PCK curves of all results, by variant."""
    found = {}
    for name in names:
        lines = [_curve(s, name) for s in scored if "curve" in s.variants[name]]
        if lines:
            found[name] = (VARIANTS[name], lines)
    return found


def _curve(scored: Scored, name: str) -> Curve:
    row = scored.variants[name]
    return scored.label, row["thresholds_at"], row["curve"], row["figures"]["auc"]
