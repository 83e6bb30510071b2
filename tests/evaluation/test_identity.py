"""Swaps of hands that are followed, counted on made-up answers."""

from __future__ import annotations

import numpy as np

from handscope.evaluation.identity import Told, identities, outcomes, settled


def box(x):
    return np.array([x, 0.0, x + 10, 10])


def test_a_hand_is_who_overlaps_it_most_each_answer_once():
    told = [Told(box(1.0), "a"), Told(box(4.0), "b"), Told(box(40.0), "c")]
    assert identities([box(0.0), box(5.0)], told) == ["a", "b"]
    assert identities([box(3.0), box(4.0)], told) == ["a", "b"]
    assert identities([None, box(41.0), box(80.0)], told) == [None, "c", None]


def test_who_settles_is_told_in_half_of_the_frames():
    assert settled([1, 1, None, 2]) == 1 and settled([1, None, None, 2]) is None and settled([None] * 4) is None


def test_what_became_of_each_hand():
    def through(*last):
        return outcomes([(1, 2)] * 4 + [(None, None)] * 5 + [last] * 4, 4)

    assert through(1, 2) == ["same", "same"]
    assert through(2, 1) == ["swapped", "swapped"]
    assert through(1, 7) == ["same", "new"]
    assert through(None, 1) == ["lost", "swapped"]
