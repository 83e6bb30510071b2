"""Reliability by hand, and the logistic against a truth drawn from one."""

from dataclasses import replace

import numpy as np
import pytest

from handscope.evaluation.calibration import (
    Judged,
    calibration_error,
    fit_logistic,
    judge,
    plot,
    reliability,
    report,
)
from handscope.infer.calibration import Calibration, logit
from handscope.types import HandLabel, Sample
from posed_hands import posed_hand


def test_the_logistic_that_made_the_joints_is_found_again() -> None:
    rng = np.random.default_rng(0)
    raw = rng.uniform(0.02, 0.98, 200_000)
    truth = Calibration(offset=0.7, slope=1.8)
    right = rng.random(len(raw)) < truth(raw)
    offset, slope = fit_logistic([logit(raw)], [right])
    assert (offset, slope) == pytest.approx((0.7, 1.8), abs=0.05)
    assert (
        calibration_error(Judged(Calibration(offset, slope)(raw), right)) < 0.01 < calibration_error(Judged(raw, right))
    )


def test_every_set_counts_alike() -> None:
    x, right = np.zeros(10), np.arange(10) < 8
    few = fit_logistic([x, np.zeros(1000)], [right, np.zeros(1000, bool)])[0]
    assert 1 / (1 + np.exp(-few)) == pytest.approx(0.4, abs=0.001)  # half 0.8, half 0


def test_what_can_be_told_apart_perfectly_stays_finite() -> None:
    offset, slope = fit_logistic([np.array([-2.0, -1, 1, 2])], [np.array([False, False, True, True])])
    assert np.isfinite([offset, slope]).all() and slope > 0


def test_ece_by_hand() -> None:
    judged = Judged(np.array([0.05, 0.05, 0.95, 0.95, 0.95]), np.array([False, True, True, True, True]))
    assert reliability(judged) == [pytest.approx((0.05, 0.5, 2)), pytest.approx((0.95, 1.0, 3))]
    assert calibration_error(judged) == pytest.approx((2 * 0.45 + 3 * 0.05) / 5)


def test_a_calibration_is_monotone_and_without_a_card_changes_nothing() -> None:
    scores = np.linspace(0.01, 0.99, 50)
    np.testing.assert_allclose(Calibration.of({})(scores), scores)
    moved = Calibration.of({"calibration": {"offset": 1.0, "slope": 2.0}})(np.linspace(0, 1, 50))
    assert (np.diff(moved) >= 0).all() and moved.min() > 0 and moved.max() < 1


def test_joints_are_judged_where_the_truth_is_known(tmp_path) -> None:
    hand = posed_hand(320, 240)
    side = float((hand.joints_2d.max(0) - hand.joints_2d.min(0)).max())
    true = hand.joints_2d.copy()
    true[4] += 0.11 * side * (true.mean(0) - true[4]) / np.linalg.norm(true.mean(0) - true[4])  # inside the box
    true[8] = 1e6
    known = np.ones(21, bool)
    known[8] = False
    label = HandLabel(joints_2d=true, joints_2d_known=known)
    few = HandLabel(joints_2d=true, joints_2d_known=np.arange(21) < 5)
    sample = Sample(key="", source="", image=np.zeros((*hand.mask.shape, 3), np.uint8), hands=(label, few))
    judged = judge([sample], lambda image: [replace(hand, joint_scores=np.linspace(0, 1, 21))])
    assert len(judged.scores) == 20 and judged.correct.sum() == 19 and not judged.correct[4]
    sets = {"one": judged}
    assert "| one | 20 | 95.0 % |" in report(sets, sets)
    plot(sets, {"one": Judged(np.tile(judged.scores, 30), np.tile(judged.correct, 30))}, tmp_path / "r.png")
    assert (tmp_path / "r.png").stat().st_size > 1000
