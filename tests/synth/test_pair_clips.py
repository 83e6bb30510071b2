"""Clips of two hands: what they are said to do they do, and every picture is a function of its arguments."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest

from handscope.synth.pair_clips import EVENTS, KEYS_S, places_of, render_pair_clip


@pytest.mark.parametrize("event", EVENTS)
def test_the_hands_end_where_they_began(event):
    for places in places_of(event, np.random.default_rng(0)):
        assert len(places) == len(KEYS_S) and np.array_equal(places[0], places[-1])


def test_events_are_what_they_are_called():
    right, left = places_of("touch", np.random.default_rng(1))
    assert right[0, 0] < -0.1 and left[0, 0] > 0.1 and np.linalg.norm(right[2] - left[2]) < 0.09
    right, left = places_of("cross", np.random.default_rng(1))
    assert right[2, 0] > left[2, 0] and right[2, 2] < left[2, 2] - 0.1
    _, left = places_of("leave", np.random.default_rng(1))
    assert left[2, 0] / left[2, 2] * 1.2 > 0.6  # beyond the picture's edge by a hand


def test_pictures_are_functions_of_their_arguments():
    one, two = (next(islice(render_pair_clip(21, "cross", size=96), 20, 21)) for _ in range(2))
    assert np.array_equal(one.image, two.image) and one.key == "cross-0021-00020"
    assert [hand.handedness for hand in one.hands] == ["right", "left"]
    wrists = [hand.joints_2d[0, 0] for hand in one.hands]
    assert wrists[0] < 48 < wrists[1]
