"""From errors to figures: mean, median, PCK curve and the area under it, as FreiHAND's and hand3d's `EvalUtil`.

Errors are (n, k): n hands, k keypoints; NaN where the truth is unknown, inf where no hand was found. Every figure is
taken keypoint by keypoint over the hands and then averaged over the keypoints that were ever known.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Area = Literal["trapezoid", "left sum", "mean"]


@dataclass(frozen=True, kw_only=True)
class Thresholds:
    """Where a PCK curve is taken: `steps` values from `low` to `high`, both included, without the first `skip`.

    `inclusive` counts an error that equals the threshold (`<=`; EvalUtil); mmpose and HaMeR use `<`. `area` says how
    the curve becomes one number: trapezoids over the range, mmpose's left sum, or the mean of the values.
    """

    low: float
    high: float
    steps: int
    skip: int = 0
    inclusive: bool = True
    area: Area = "trapezoid"

    def __post_init__(self) -> None:
        if not 0 <= self.low < self.high or self.steps - self.skip < 2:
            raise ValueError(f"thresholds need 0 <= low < high and two steps at least, got {self}")

    @property
    def values(self) -> Floats:
        """The thresholds (t,), ascending; what is 0.1 on paper is 0.1 here, to the last bit."""
        return np.round(np.linspace(self.low, self.high, self.steps), 12)[self.skip :]

    @property
    def weights(self) -> Floats:
        """What each value of the curve counts in the area (t,); the sum is 1."""
        values = self.values
        if self.area != "trapezoid":
            return np.full(len(values), 1 / len(values))
        gaps = np.diff(values)
        return (np.append(gaps, 0) + np.append(0, gaps)) / 2 / (values[-1] - values[0])

    def __str__(self) -> str:
        first, last = self.values[[0, -1]]
        return f"{first:.4g} to {last:.4g}, {len(self.values)} steps, {'<=' if self.inclusive else '<'}, {self.area}"


def mean_over_keypoints(values: Floats) -> float:
    """Mean over the hands where known, then over keypoints; hands not found (inf) do not count."""
    known = np.isfinite(values)
    count = known.sum(0)
    if not count.any():
        return float("nan")
    totals = np.where(known, values, 0).sum(0)
    return float((totals[count > 0] / count[count > 0]).mean())


def median_over_keypoints(values: Floats) -> float:
    """Median over the hands where known, then the mean over keypoints; hands not found do not count."""
    medians = [np.median(column[np.isfinite(column)]) for column in values.T if np.isfinite(column).any()]
    return float(np.mean(medians)) if medians else float("nan")


def pck_curve(errors: Floats, at: Thresholds) -> Floats:
    """Share (t,) of keypoints within each threshold, averaged over keypoints."""
    side: Literal["left", "right"] = "right" if at.inclusive else "left"
    shares = []
    for column in errors.T:
        known = np.sort(column[~np.isnan(column)])
        if len(known):
            shares.append(np.searchsorted(known, at.values, side=side) / len(known))
    return np.mean(shares, 0) if shares else np.full(len(at.values), np.nan)


def area_under(curve: Floats, at: Thresholds) -> float:
    """The area under a PCK curve (t,), as a share of the largest possible."""
    return float(curve @ at.weights)


def areas(errors: Floats, at: Thresholds) -> Floats:
    """What each error (n, k) alone contributes to the area: their mean over n, then over k, is the AUC."""
    side: Literal["left", "right"] = "left" if at.inclusive else "right"
    beyond = np.append(np.cumsum(at.weights[::-1])[::-1], 0.0)  # the area from threshold i on
    first = np.searchsorted(at.values, errors, side=side)  # NaN sorts last
    return np.where(np.isnan(errors), np.nan, beyond[first])
