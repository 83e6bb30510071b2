"""Differences between rows of a table, with intervals of two parts: seeds and pictures.

Two or three seeds say little of one cell's variance, so it is pooled over all cells: rows and seeds are the two ways of
a layout without interaction, and what is left over is a run's own luck. To its variance in a difference that of the
pictures is added, by bootstrap; the interval is Student's, with the degrees of freedom of what is left over.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

from handscope.evaluation.comparison import draw_weights

Floats = NDArray[np.float64]
Values = Mapping[str, Mapping[int, Floats]]
"""By row and seed, the values (n,) of the same hands."""
LEVEL, RESAMPLES = 0.95, 1000


@dataclass(frozen=True)
class Layout:
    """`rows` with their `means`, and the residual `variance` of a run with its degrees of `freedom`; `inverse` is that
    of the design's products, from which a contrast's share of the variance comes.
    """

    rows: list[str]
    means: Floats
    variance: float
    freedom: int
    inverse: Floats

    def contrast(self, first: str, second: str) -> tuple[float, float]:
        """The difference of two rows and its variance by seeds."""
        weights = np.zeros(len(self.inverse))
        weights[self.rows.index(first)], weights[self.rows.index(second)] = 1.0, -1.0
        return float(weights[: len(self.means)] @ self.means), float(weights @ self.inverse @ weights) * self.variance


@dataclass(frozen=True)
class Difference:
    """`value` with the limits of its interval; both are infinite where nothing is left over to tell luck by."""

    value: float
    low: float
    high: float

    @property
    def verdict(self) -> str:
        """What was agreed on before the runs: "confirmed" or "refuted" if the interval excludes 0."""
        return "confirmed" if self.low > 0 else "refuted" if self.high < 0 else "undecided"


def laid_out(values: Values) -> Layout:
    """Least squares of the runs' means on rows and seeds; rows of which nothing is known must not be among them."""
    rows, seeds = list(values), sorted({seed for runs in values.values() for seed in runs})
    design, means = [], []
    for i, row in enumerate(rows):
        for seed, found in values[row].items():
            line = np.zeros(len(rows) + len(seeds))
            line[i], line[len(rows) + seeds.index(seed)] = 1.0, 1.0
            design.append(line)
            means.append(np.nanmean(found))
    matrix, target = np.array(design), np.array(means)
    solution, _, rank, _ = np.linalg.lstsq(matrix, target, rcond=None)
    freedom = len(target) - int(rank)
    left = float(np.square(target - matrix @ solution).sum())
    effects = solution[: len(rows)] + solution[len(rows) :].mean()
    variance = left / freedom if freedom else float("nan")
    return Layout(rows, effects, variance, freedom, np.linalg.pinv(matrix.T @ matrix))


def difference(layout: Layout, values: Values, keys: NDArray[np.character], better: str, worse: str) -> Difference:
    """`better` less `worse`; `keys` (n,) are the hands', whose pictures are drawn anew."""
    value, by_seeds = layout.contrast(better, worse)
    if not layout.freedom:
        return Difference(value, -np.inf, np.inf)
    gap = _over_seeds(values[better]) - _over_seeds(values[worse])
    spread = float(student.ppf(0.5 + LEVEL / 2, layout.freedom)) * np.sqrt(by_seeds + by_pictures(gap, keys))
    return Difference(value, float(value - spread), float(value + spread))


def by_pictures(gap: Floats, keys: NDArray[np.character]) -> float:
    """The variance of the mean of `gap` (n,), NaN left out, over resamples of whole pictures."""
    known = ~np.isnan(gap)
    _, picture = np.unique([key.rpartition("#")[0] for key in keys[known]], return_inverse=True)
    sums, counts = (np.bincount(picture, weights) for weights in (gap[known], None))
    weights = draw_weights(len(sums), RESAMPLES, 0)
    return float(np.var((weights @ sums) / np.maximum(weights @ counts, 1e-9)))


def _over_seeds(runs: Mapping[int, Floats]) -> Floats:
    return np.mean([runs[seed] for seed in sorted(runs)], axis=0)
