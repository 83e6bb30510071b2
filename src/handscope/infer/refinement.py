"""Further passes over a hand, upright and centred on the joints just found, until its crop is as it should be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from handscope.geometry.crops import Crop
from handscope.infer.crop_policy import Tolerance, is_settled, next_crop, other_side, resized
from handscope.infer.effort import FULL, Effort
from handscope.infer.estimator import Estimate, Estimator

Image = NDArray[np.uint8]

DOUBTFUL = 0.5
"""Confidence below which the other side is tried."""
SURE = 0.9
"""Probability of a right hand shown below which the other side is tried."""
WIDER = 1.35
"""How much larger the next crop is if the mask reaches an edge."""


def refine(
    estimator: Estimator, images: Sequence[Image], firsts: Sequence[Estimate], effort: Effort = FULL
) -> list[Estimate]:
    """The settled estimate of each hand, from its first one in its own picture RGB uint8 (H, W, 3), with
    `effort.passes` from one first crop at most; all share batches.

    A crop that shows a left hand is mirrored for the next pass; if neither side looks like a right hand, the more
    plausible one is kept, and its `right` becomes its share of the two sides' plausibility. Where the crop cuts the
    hand off, a `WIDER` one is tried too; where the end is `DOUBTFUL` or not `SURE` of its side, the first crop's other
    side, both unless `effort` has no `doubt`. The surer answer is kept.
    """
    found = _until_settled(estimator, images, firsts, effort.passes)
    if not effort.doubt:
        return found
    truncated = [i for i, estimate in enumerate(found) if estimate.is_truncated]
    _try(
        estimator,
        images,
        found,
        truncated,
        [resized(found[i].crop, estimator.size, WIDER) for i in truncated],
        effort.passes,
    )
    doubtful = [i for i, estimate in enumerate(found) if estimate.confidence < DOUBTFUL or estimate.right < SURE]
    _try(estimator, images, found, doubtful, [other_side(firsts[i].crop) for i in doubtful], effort.passes)
    return found


def _try(
    estimator: Estimator,
    images: Sequence[Image],
    found: list[Estimate],
    chosen: Sequence[int],
    crops: Sequence[Crop],
    passes: int,
) -> None:
    """Goes on from other `crops` for the `chosen` of `found`, which keeps the surer answers."""
    pictures = [images[i] for i in chosen]
    others = estimator.estimate(list(zip(pictures, crops, strict=True)))
    for i, other in zip(chosen, _until_settled(estimator, pictures, others, passes), strict=True):
        found[i] = max(found[i], other, key=lambda estimate: estimate.confidence * estimate.right)


def _until_settled(
    estimator: Estimator, images: Sequence[Image], firsts: Sequence[Estimate], most: int
) -> list[Estimate]:
    """Passes until every crop is settled, `most` with the first."""
    tolerance = Tolerance.of(estimator.network.card)
    found = list(firsts)
    waiting = [i for i, estimate in enumerate(found) if not is_settled(estimate, tolerance)]
    for _ in range(most - 1):
        passes = estimator.estimate([(images[i], next_crop(found[i], estimator.size)) for i in waiting])
        unsettled = []
        for i, estimate in zip(waiting, passes, strict=True):
            undecided = found[i].shows_left and estimate.shows_left
            found[i] = _more_plausible(found[i], estimate) if undecided else estimate
            if not undecided and not is_settled(estimate, tolerance):
                unsettled.append(i)
        waiting = unsettled
    return found


def _more_plausible(one: Estimate, two: Estimate) -> Estimate:
    better, worse = sorted((one, two), key=lambda estimate: -estimate.plausibility)
    share = better.plausibility / max(better.plausibility + worse.plausibility, 1e-12)
    return replace(better, right=share)
