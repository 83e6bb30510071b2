"""What a joint's score means: the share of joints of such a score that are right, within a tenth of the hand's box.

The network's own score says how concentrated a heat-map is. Two numbers in the estimator's card turn it into a
probability: sigmoid(offset + slope logit(score)). `handscope bench calibrate` fits them (docs/evaluation.md).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from handscope.infer.weights import Card

SUREST = 0.99
"""Raw scores are clipped to [1 - SUREST, SUREST]."""


@dataclass(frozen=True)
class Calibration:
    """Raw scores to probabilities; as it stands, the identity but for the clipping."""

    offset: float = 0.0
    slope: float = 1.0

    def __call__(self, scores: ArrayLike) -> NDArray[np.float64]:
        """Probabilities of scores of any shape; monotone for a positive slope."""
        return np.asarray(1 / (1 + np.exp(-(self.offset + self.slope * logit(scores)))))

    @staticmethod
    def of(card: Card) -> Calibration:
        """As a network's card says; the identity if it says nothing."""
        found = card.get("calibration", {})
        return Calibration(float(found.get("offset", 0.0)), float(found.get("slope", 1.0)))


def logit(scores: ArrayLike) -> NDArray[np.float64]:
    """log(s / (1 - s)) of scores, clipped."""
    clipped = np.clip(np.asarray(scores, np.float64), 1 - SUREST, SUREST)
    return np.asarray(np.log(clipped / (1 - clipped)))
