"""Further passes over a hand, upright and centred on the joints just found, until its crop is as it should be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from handscope.geometry.crops import Crop
from handscope.infer.crop_policy import Tolerance, is_settled, next_crop, other_side, resized
from handscope.infer.estimator import Estimate, Estimator

Image = NDArray[np.uint8]

MAX_PASSES = 4
"""Over one hand from one first crop."""
DOUBTFUL = 0.5
"""Confidence below which the other side is tried."""
SURE = 0.9
"""Probability of a right hand shown below which the other side is tried."""
WIDER = 1.35
"""How much larger the next crop is if the mask reaches an edge."""


def refine(estimator: Estimator, images: Sequence[Image], firsts: Sequence[Estimate]) -> list[Estimate]:
    """The settled estimate of each hand, from its first one in its own picture RGB uint8 (H, W, 3); all share batches.

    A crop that shows a left hand is mirrored for the next pass; if neither side looks like a right hand, the more
    plausible one is kept, and its `right` becomes its share of the two sides' plausibility. Where the crop cuts the
    hand off, a `WIDER` one is tried too; where the end is `DOUBTFUL` or not `SURE` of its side, the first crop's other
    side. The surer answer is kept.
    """
    found = _until_settled(estimator, images, firsts)
    truncated = [i for i, estimate in enumerate(found) if estimate.is_truncated]
    _try(estimator, images, found, truncated, [resized(found[i].crop, estimator.size, WIDER) for i in truncated])
    doubtful = [i for i, estimate in enumerate(found) if estimate.confidence < DOUBTFUL or estimate.right < SURE]
    _try(estimator, images, found, doubtful, [other_side(firsts[i].crop) for i in doubtful])
    return found


def _try(
    estimator: Estimator,
    images: Sequence[Image],
    found: list[Estimate],
    chosen: Sequence[int],
    crops: Sequence[Crop],
) -> None:
    """Goes on from other `crops` for the `chosen` of `found`, which keeps the surer answers."""
    pictures = [images[i] for i in chosen]
    others = estimator.estimate(list(zip(pictures, crops, strict=True)))
    for i, other in zip(chosen, _until_settled(estimator, pictures, others), strict=True):
        found[i] = max(found[i], other, key=lambda estimate: estimate.confidence * estimate.right)


def _until_settled(estimator: Estimator, images: Sequence[Image], firsts: Sequence[Estimate]) -> list[Estimate]:
    """Passes until every crop is settled, `MAX_PASSES` times with the first."""
    tolerance = Tolerance.of(estimator.network.card)
    found = list(firsts)
    waiting = [i for i, estimate in enumerate(found) if not is_settled(estimate, tolerance)]
    for _ in range(MAX_PASSES - 1):
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
