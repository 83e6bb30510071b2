"""Confidence intervals of mean and AUC from a bootstrap over pictures.

Both figures are means over hands taken keypoint by keypoint, then over keypoints. Hands of one picture are no
independent draws, so pictures are resampled, with all their hands: a resample is a weight for each picture, and the
figures of all resamples are one matrix product. Intervals are percentiles, and BCa (Efron 1987), whose bias and
acceleration (from leaving out each picture in turn) correct the percentiles of skewed figures.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
LEVEL = 0.95
AT_ONCE = 100
"""Resamples in one product."""


@dataclass(frozen=True)
class Interval:
    """A figure with the limits of its percentile interval and of its BCa interval, at `LEVEL`."""

    value: float
    low: float
    high: float
    bca_low: float
    bca_high: float

    def __str__(self) -> str:
        return f"{self.value:.4g} [{self.low:.4g}, {self.high:.4g}]; [{self.bca_low:.4g}, {self.bca_high:.4g}]"


def picture_numbers(keys: NDArray[np.character]) -> NDArray[np.integer]:
    """Which picture (n,) each hand belongs to: what stands before the last "#" of its key, numbered from 0."""
    pictures = np.array([str(key).rpartition("#")[0] or str(key) for key in keys])
    return np.unique(pictures, return_inverse=True)[1]


def draw_weights(pictures: int, resamples: int, seed: int) -> NDArray[np.uint16]:
    """How often each picture is taken in each resample (resamples, pictures)."""
    rng = np.random.default_rng(seed)
    shares = np.full(pictures, 1 / pictures)
    return np.concatenate([rng.multinomial(pictures, shares, size=1).astype(np.uint16) for _ in range(resamples)])


def mean_interval(values: Floats, pictures: NDArray[np.integer], weights: NDArray[np.uint16]) -> Interval:
    """The mean of values (n, k), NaN or inf left out, keypoint by keypoint, of hands in `pictures` (n,)."""
    known = np.isfinite(values)
    sums, counts = (_by_picture(x, pictures) for x in (np.where(known, values, 0.0), known.astype(np.float64)))
    value = float(_mean(sums.sum(0, keepdims=True), counts.sum(0, keepdims=True))[0])
    drawn = np.concatenate(
        [
            _mean(part @ sums, part @ counts)
            for part in (weights[i : i + AT_ONCE].astype(np.float64) for i in range(0, len(weights), AT_ONCE))
        ]
    )
    without = _mean(sums.sum(0) - sums, counts.sum(0) - counts)
    tails = np.array([(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(value, *_quantiles(drawn, tails), *_quantiles(drawn, bca_tails(value, drawn, without, tails)))


def bca_tails(value: float, drawn: Floats, without: Floats, tails: Floats) -> Floats:
    """The shares of the resampled figures `drawn` (b,) at which the BCa interval of `value` ends, for `tails` (2,);
    `without` (p,) are the figures that leave out each picture in turn."""
    from scipy.stats import norm

    drawn, without = drawn[np.isfinite(drawn)], without[np.isfinite(without)]
    if not len(drawn) or np.allclose(drawn, value, rtol=1e-12, atol=0):
        return tails
    below = np.mean(drawn < value) + np.mean(drawn == value) / 2
    bias = norm.ppf(np.clip(below, 0.5 / len(drawn), 1 - 0.5 / len(drawn)))
    off = without.mean() - without
    spread = (off**2).sum() ** 1.5
    acceleration = (off**3).sum() / (6 * spread) if spread > 0 else 0.0
    shifted = bias + norm.ppf(tails)
    return norm.cdf(bias + shifted / (1 - acceleration * shifted))


def _by_picture(values: Floats, pictures: NDArray[np.integer]) -> Floats:
    """Sums (p, k) of values (n, k) over the hands of each picture."""
    sums = np.zeros((int(pictures.max()) + 1, values.shape[1]))
    np.add.at(sums, pictures, values)
    return sums


def _mean(sums: Floats, counts: Floats) -> Floats:
    """The mean over keypoints ever known of sums (b, k) over counts (b, k); NaN where nothing is known."""
    with np.errstate(invalid="ignore", divide="ignore"):
        each = np.where(counts > 0.5, sums / counts, np.nan)
    known = np.isfinite(each)
    return np.where(known.any(1), np.where(known, each, 0).sum(1) / np.maximum(known.sum(1), 1), np.nan)


def _quantiles(drawn: Floats, tails: Floats) -> tuple[float, float]:
    finite = drawn[np.isfinite(drawn)]
    low, high = np.quantile(finite, tails) if len(finite) else (np.nan, np.nan)
    return float(low), float(high)
