"""Our hands in MediaPipe's numbers: what both faces share.

MediaPipe's confidences are not ours: its default of 0.5 stands for our least score (`models.MIN_SCORE`), 0 and 1 for
themselves, and what lies between in proportion. Joints are MediaPipe's (docs/joints.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from handscope.compat.mediapipe.landmarks import Landmark, NormalizedLandmark
from handscope.infer.models import MIN_SCORE
from handscope.infer.pipeline import Pipeline, load
from handscope.infer.results import FoundHand
from handscope.infer.tracking import Tracker, TrackingConfig
from handscope.skeleton import WRIST

DEFAULT_CONFIDENCE = 0.5


@cache
def open_pipeline(min_score: float) -> Pipeline:
    """The shipped networks, opened once for each least score."""
    return load(min_score=min_score, joint_convention="mediapipe")


def least_score(confidence: float) -> float:
    """Our least score for MediaPipe's least confidence."""
    if not 0 <= confidence <= 1:
        raise ValueError(f"a confidence is a number from 0 to 1, got {confidence}")
    return float(np.interp(confidence, (0, DEFAULT_CONFIDENCE, 1), (0, MIN_SCORE, 1)))


class Reader:
    """Call it with pictures, RGB uint8 (H, W, 3): with `seconds` they are the frames of a video.

    `most` hands are told, the best first; `confidence` and `presence` are MediaPipe's least ones.
    """

    def __init__(self, *, most: int, confidence: float, presence: float) -> None:
        if most < 1:
            raise ValueError(f"at least one hand must be asked for, got {most}")
        self.most = most
        self.pipeline = open_pipeline(least_score(confidence))
        self.config = TrackingConfig(most_hands=most, min_presence=presence)
        self.tracker = Tracker(self.pipeline.models, self.config)

    def __call__(self, image: NDArray[np.uint8], seconds: float | None = None) -> list[FoundHand]:
        """The hands."""
        found: Sequence[FoundHand] = self.pipeline(image) if seconds is None else self.tracker(image, seconds)
        return sorted(found, key=lambda hand: -hand.score)[: self.most]

    def reset(self) -> None:
        """The next frame is the first of another video."""
        self.tracker.reset()


def normalized(hand: FoundHand, unset: float | None = None) -> list[NormalizedLandmark]:
    """Its joints in shares of the picture; z as far behind the wrist as x would be, seen from where the wrist is.
    `unset` is what visibility and presence say."""
    height, width = hand.cropped_mask.shape
    flat = (np.asarray(hand.joints_2d, np.float64) + 0.5) / (width, height)  # ours count from pixels' centres
    deep = np.asarray(hand.joints_3d, np.float64)[:, 2]
    z = (deep - deep[WRIST]) * hand.K[0, 0] / deep[WRIST] / width
    return [NormalizedLandmark(float(x), float(y), float(d), unset, unset) for (x, y), d in zip(flat, z, strict=True)]


def in_metres(hand: FoundHand, unset: float | None = None) -> list[Landmark]:
    """Its joints in metres about their middle."""
    joints = np.asarray(hand.joints_3d, np.float64)
    return [Landmark(float(x), float(y), float(z), unset, unset) for x, y, z in joints - joints.mean(0)]
