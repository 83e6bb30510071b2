"""Scores of rendered pictures with hands whose errors are known, and their groups."""

from dataclasses import replace

import numpy as np
import pytest

from handscope.evaluation.rendered import groups, measure, measure_all, report, scores, summary, true_vertices, view_of
from handscope.hand.assets import load_asset
from handscope.types import Hand, HandLabel, Sample
from posed_hands import posed_hand


def labelled(hand: Hand, **known: object) -> HandLabel:
    return HandLabel(
        handedness=hand.handedness, joints_2d=hand.joints_2d, joints_3d=hand.joints_3d, visible=np.arange(21) < 17,
        mask=hand.mask.astype(np.uint8) * 255, theta=hand.theta, beta=hand.beta, R=hand.R, T=hand.T,
        hand_model="open", **known,
    )  # fmt: skip


def pictured(*labels: HandLabel) -> Sample:
    return Sample(key="", source="", image=np.zeros((240, 320, 3), np.uint8), hands=labels)


@pytest.mark.parametrize("side", ["left", "right"])
def test_the_truth_has_no_error(side: str) -> None:
    hand, asset = posed_hand(320, 240, side), load_asset()
    label = labelled(hand, tone=9.99)
    vertices = true_vertices(label, asset)
    assert vertices is not None
    np.testing.assert_allclose(vertices, hand.vertices, atol=1e-5)
    row = measure(label, pictured(label), [hand], asset)
    assert row.error == row.mesh_error == pytest.approx(0, abs=1e-9) and row.pck == 1
    assert row.pa_mm == pytest.approx(0, abs=1e-3) and row.mesh_pa_mm == pytest.approx(0, abs=1e-2)
    assert row.mask_iou == 1 and row.self_iou is not None and row.self_iou > 0.95 and row.handedness_correct
    assert (row.tone, row.view, row.hidden) == (9, "back", 4)
    assert row.size == pytest.approx(0.8 * np.ptp(hand.joints_2d, 0).max())


def test_a_view_is_named_after_what_is_seen() -> None:
    label = labelled(posed_hand(320, 240))
    assert label.R is not None
    quarter = np.array([[0.0, 0, 1], [0, 1, 0], [-1, 0, 0]])  # about the picture's vertical
    seen = [view_of(replace(label, R=np.linalg.matrix_power(quarter, k) @ label.R)) for k in range(4)]
    assert seen == ["back", "edge", "palm", "edge"] and view_of(HandLabel()) is None


def test_errors_misses_and_false_alarms_are_counted() -> None:
    hand, asset = posed_hand(320, 240), load_asset()
    box = np.ptp(hand.joints_2d, 0).max()
    shifted = replace(hand, joints_2d=hand.joints_2d + np.array([0.05 * box, 0]), handedness="left")
    away = replace(hand, joints_2d=hand.joints_2d + 500)
    answers = iter([[shifted, away], []])
    samples = [pictured(labelled(hand, tone=0.0)), pictured(labelled(hand, tone=5.0))]
    rows, alarms = measure_all(samples, lambda image: next(answers), asset)
    assert alarms == 1 and rows[0].error == pytest.approx(0.05) and rows[1].error is None
    found = scores(rows)
    assert found["found"] == 0.5 and found["pck_0.1"] == 0.5 and found["handedness_correct"] == 0
    parts = groups(rows)
    assert list(parts["skin tone"]) == ["1", "5"] and list(parts["view"]) == ["back"]
    assert summary(rows, pictures=2, alarms=alarms)["false_alarms_per_picture"] == 0.5
    assert "| skin tone | 1 | 1 | 100.0 % | 5.00 |" in report(rows, pictures=2, alarms=alarms)


def test_hidden_joints_are_told_with_the_precision_of_the_surest() -> None:
    """Four of 21 are hidden: told first, second and fifth, and the fourth of them last of all."""
    hand, asset = posed_hand(320, 240), load_asset()
    told = np.linspace(0.1, 0.4, 21)
    told[[17, 18, 3, 4, 19]] = (0.95, 0.9, 0.85, 0.8, 0.75)
    told[20] = 0.0
    row = measure(labelled(hand), pictured(), [replace(hand, joint_visibility=1 - told)], asset)
    assert scores([row])["covered_ap"] == pytest.approx((1 + 1 + 3 / 5 + 4 / 21) / 4)
    assert "covered_ap" not in scores([measure(labelled(hand), pictured(), [hand], asset)])
