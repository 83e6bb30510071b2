"""Laws of the intervals: what is pooled, what is added, how often they hold."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import t as student

from handscope.ablation.intervals import by_pictures, difference, laid_out

KEYS = np.array([f"picture{i}#0" for i in range(200)])


def runs(rng, effects, seeds, *, luck, pictures=0.0):
    """Values of rows whose true means are `effects`: one luck a run, one shift a seed, noise of pictures."""
    shift = rng.normal(0, 1, seeds)
    shared = rng.normal(0, pictures, len(KEYS))
    return {
        name: {
            seed: effect + shift[seed] + rng.normal(0, luck) + shared + rng.normal(0, pictures, len(KEYS))
            for seed in range(seeds)
        }
        for name, effect in effects.items()
    }


def test_what_seeds_have_in_common_is_taken_out():
    values = runs(np.random.default_rng(0), {"a": 0.3, "b": 0.1, "c": 0.0}, 3, luck=0.0)
    layout = laid_out(values)
    assert layout.variance == pytest.approx(0, abs=1e-12) and layout.freedom == 4
    assert difference(layout, values, KEYS, "a", "b").value == pytest.approx(0.2)


def test_two_seeds_of_seven_cells_leave_six_degrees_of_freedom():
    assert laid_out(runs(np.random.default_rng(1), dict.fromkeys("abcdefg", 0.0), 2, luck=0.1)).freedom == 6


def test_a_balanced_layout_gives_the_textbooks_interval():
    """Two-way analysis of variance without interaction, by hand."""
    values = runs(np.random.default_rng(2), {"a": 0.3, "b": 0.1, "c": 0.0}, 2, luck=0.05)
    means = np.array([[found.mean() for found in rows.values()] for rows in values.values()])
    left = means - means.mean(1, keepdims=True) - means.mean(0, keepdims=True) + means.mean()
    variance = np.square(left).sum() / 2
    half = student.ppf(0.975, 2) * np.sqrt(variance * (1 / 2 + 1 / 2))
    found = difference(laid_out(values), values, KEYS, "a", "b")
    assert found.value == pytest.approx(means[0].mean() - means[1].mean())
    assert (found.high - found.low) / 2 == pytest.approx(half, rel=1e-6)


def test_intervals_hold_as_often_as_they_say():
    held = []
    for trial in range(120):
        values = runs(
            np.random.default_rng(trial), {"a": 0.1, "b": 0.0, "c": 0.2, "d": 0.1}, 3, luck=0.05, pictures=0.3
        )
        found = difference(laid_out(values), values, KEYS, "a", "b")
        held.append(found.low < 0.1 < found.high)
    assert 0.9 < np.mean(held) <= 1.0


def test_pictures_are_drawn_whole():
    """Ten hands of one picture that agree are worth one."""
    gap = np.repeat(np.random.default_rng(3).normal(0, 1, 40), 10)
    apart = np.array([f"p{i}#0" for i in range(400)])
    together = np.array([f"p{i // 10}#{i % 10}" for i in range(400)])
    assert by_pictures(gap, together) == pytest.approx(gap.var() / 40, rel=0.2)
    assert by_pictures(gap, apart) == pytest.approx(gap.var() / 400, rel=0.2)


def test_one_run_each_decides_nothing():
    values = runs(np.random.default_rng(4), {"a": 5.0, "b": 0.0}, 1, luck=0.1)
    found = difference(laid_out(values), values, KEYS, "a", "b")
    assert found.verdict == "undecided" and np.isinf(found.low)


def test_verdicts_follow_the_interval():
    rng = np.random.default_rng(5)
    values = runs(rng, {"a": 0.5, "b": 0.0, "c": 0.49}, 3, luck=0.01)
    layout = laid_out(values)
    assert difference(layout, values, KEYS, "a", "b").verdict == "confirmed"
    assert difference(layout, values, KEYS, "b", "a").verdict == "refuted"
    equal = runs(rng, {"a": 0.5, "b": 0.5, "c": 0.5}, 3, luck=0.1)
    assert difference(laid_out(equal), equal, KEYS, "a", "b").verdict == "undecided"
