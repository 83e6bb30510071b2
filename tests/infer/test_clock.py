"""Times of frames: they grow within a recording, and what is odd about a clock is said."""

from datetime import timedelta
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from handscope.errors import HandscopeError
from handscope.infer.clock import Clock

steps = st.one_of(st.just(0.0), st.floats(-1e4, 1e4), st.sampled_from([1 / 30, 0.5, 3600.0]))


def ticks_of(times, **config):
    clock = Clock(**config)
    return [clock(time) for time in times]


@given(st.lists(steps, min_size=1, max_size=40), st.floats(-1e6, 1e6))
def test_whatever_is_told_seconds_grow_until_another_recording_begins(each, start):
    ticks = ticks_of(start + np.cumsum(each))
    for before, tick in pairwise(ticks):
        assert tick.anew or tick.seconds > before.seconds
        assert isinstance(tick.seconds, float)


def test_growing_times_are_told_as_they_are():
    times = np.cumsum([0.02, 0.04, 0.01, 0.3, 0.02])
    for kind in (float, np.float64, np.float32):
        ticks = ticks_of([kind(time) for time in times])
        np.testing.assert_allclose([tick.seconds for tick in ticks], times, rtol=1e-6)
        assert not any(tick.anew or tick.notes for tick in ticks)


def test_a_step_back_begins_anew_or_is_refused():
    ticks = ticks_of([0.0, 0.1, 0.2, 0.0, 0.1])
    assert [tick.anew for tick in ticks] == [False, False, False, True, False]
    assert "back from 0.2 to 0" in ticks[3].notes[0] and ticks[4].seconds == 0.1
    with pytest.raises(HandscopeError, match=r"must grow: 0 s comes after 0.2 s"):
        ticks_of([0.0, 0.2, 0.0], on_step_back="refuse")


def test_a_leap_begins_anew_but_slow_frames_do_not():
    assert [t.anew for t in ticks_of([0, 0.1, 0.2, 60.0, 60.1])] == [False, False, False, True, False]
    assert not any(t.anew for t in ticks_of([0, 1, 2, 3, 4.5, 5]))  # a frame a second
    assert not any(t.anew for t in ticks_of([0, 1 / 30, 2 / 30, 0.4, 0.43]))  # frames were dropped


@pytest.mark.parametrize("kind", ["milliseconds", "still", "coarse"])
def test_odd_clocks_are_said_once(kind):
    times = {
        "milliseconds": [33 * i for i in range(12)],
        "still": [5.0] * 12,
        "coarse": np.float32(1.7e9) + np.arange(12, dtype=np.float32) / np.float32(30),  # float32 has no such seconds
    }[kind]
    notes = [note for tick in ticks_of(times) for note in tick.notes]
    assert len(notes) == 1 and ("milliseconds" if kind == "milliseconds" else "stands still") in notes[0]


@pytest.mark.parametrize("time", ["0.1", None, float("nan"), float("inf"), [0.1], timedelta(seconds=1)])
def test_what_is_no_time_is_one_sentence(time):
    with pytest.raises(HandscopeError, match="must be a number of seconds"):
        Clock()(time)
