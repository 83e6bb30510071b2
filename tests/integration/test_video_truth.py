"""The shipped networks on a rendered clip whose truth is known: smoothing halves the jitter and hardly lags."""

import numpy as np
import pytest

import handscope
from handscope.evaluation.motion import acceleration_error, lag
from handscope.infer.smoothing import HandSmoother, SmoothingConfig
from handscope.infer.tracking import Tracker, TrackingConfig
from handscope.infer.weights import SHIPPED
from handscope.synth.clips import render_clip

pytestmark = pytest.mark.skipif(
    not (SHIPPED / "estimator.onnx").is_file(), reason="the weights are not in this checkout"
)


def test_smoothing_halves_the_jitter_at_under_two_frames_of_lag():
    """benchmarks/video_jitter.py measures the same at length."""
    model = handscope.load(threads=1)
    tracker = Tracker(model.models, TrackingConfig(smoothing=None, most_hands=1))
    smooth = HandSmoother(model.models.assembler.asset, SmoothingConfig())
    raw, kept, true = [], [], []
    for i, sample in enumerate(render_clip(21, frames=50, size=240)):
        (hand,) = tracker(sample.image, i / 30, sample.K)
        assert hand.track == 0 and hand.handedness == "right"
        raw.append(hand)
        kept.append(smooth(hand, i / 30))
        true.append(sample.hands[0])
    for name in ("joints_2d", "joints_3d"):
        before, after, right = (np.stack([getattr(hand, name) for hand in hands]) for hands in (raw, kept, true))
        if name == "joints_3d":
            before, after, right = (joints - joints[:, :1] for joints in (before, after, right))
        assert acceleration_error(after, right) < 0.5 * acceleration_error(before, right), name
        assert lag(after, right) < 2, name
