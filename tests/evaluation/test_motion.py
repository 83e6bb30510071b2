"""Laws of jitter and lag."""

import numpy as np
import pytest

from handscope.evaluation.motion import acceleration_error, lag

TIME = np.arange(120) / 30
TRUE = np.stack([np.sin(2 * TIME + p) for p in np.linspace(0, 6, 12)], 1).reshape(120, 6, 2) * 40


def test_constant_and_steadily_growing_errors_are_no_jitter():
    drift = np.arange(120)[:, None, None] * 0.3
    assert acceleration_error(TRUE + 5 + drift, TRUE) == pytest.approx(0, abs=1e-9)


def test_acceleration_error_of_a_known_step():
    jumped = TRUE.copy()
    jumped[60, 0] += (3, 4)  # second differences 5, 10, 5 at one joint of six, over 118 frames
    assert acceleration_error(jumped, TRUE) == pytest.approx(20 / (6 * 118))


def test_frames_without_a_hand_are_left_out():
    gap = TRUE + np.random.default_rng(0).normal(size=TRUE.shape)
    gap[10:20] = np.nan
    assert np.isfinite(acceleration_error(gap, TRUE))
    assert np.isnan(acceleration_error(np.full_like(TRUE, np.nan), TRUE))


@pytest.mark.parametrize("frames", [0, 1, 3])
def test_a_delayed_copy_lags_by_its_delay(frames):
    late = np.roll(TRUE, frames, axis=0) + 7  # a constant offset is no lag
    assert lag(late, TRUE) == pytest.approx(frames, abs=0.06)
