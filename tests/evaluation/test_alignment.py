"""Alignment rules against scipy one by one, and the laws each must keep."""

import numpy as np
import pytest
from scipy.linalg import orthogonal_procrustes
from scipy.spatial.transform import Rotation

from handscope.evaluation import alignment as rules
from handscope.evaluation.curves import Thresholds, area_under, areas, mean_over_keypoints, pck_curve

KNOWN = np.ones((30, 21), bool)


@pytest.fixture
def hands() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    true = rng.normal((0, 0, 0.6), 0.05, (30, 21, 3))
    return true + rng.normal(0, 0.02, true.shape), true


def official(true: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """eval.py's arithmetic for one hand, by scipy's Procrustes."""
    a, b = true - true.mean(0), predicted - predicted.mean(0)
    size = np.linalg.norm(a) + 1e-8
    a, b = a / size, b / (np.linalg.norm(b) + 1e-8)
    R, s = orthogonal_procrustes(a, b)
    return b @ R.T * s * size + true.mean(0)


def test_align_w_scale_is_the_official_one_hand_by_hand(hands) -> None:
    predicted, true = hands
    predicted[::3] *= [-1, 1, 1]  # some are mirrored
    alone = [official(t, p) for t, p in zip(true, predicted, strict=True)]
    np.testing.assert_allclose(rules.align_w_scale(predicted, true), alone, atol=1e-12)


def test_a_mirrored_hand_is_forgiven_by_the_official_rule_only(hands) -> None:
    _, true = hands
    mirrored = true * [-1, 1, 1]
    np.testing.assert_allclose(rules.align_w_scale(mirrored, true), true, atol=1e-7)
    assert np.linalg.norm(rules.align_similarity(mirrored, true) - true, axis=-1).mean() > 0.01


def test_the_corrected_rule_agrees_with_scipys_rotation_alignment(hands) -> None:
    predicted, true = hands
    predicted[::2] *= [-1, 1, 1]
    for p, t, moved in zip(predicted, true, rules.align_similarity(predicted, true), strict=True):
        a, b = t - t.mean(0), p - p.mean(0)
        turned = Rotation.align_vectors(a, b)[0].apply(b)
        scale = (a * turned).sum() / (b**2).sum()
        np.testing.assert_allclose(moved, scale * turned + t.mean(0), atol=1e-9)


@pytest.mark.parametrize("rule", [rules.align_w_scale, rules.align_similarity])
def test_aligned_predictions_do_not_care_for_similarity(hands, rule) -> None:
    predicted, true = hands
    turn = Rotation.random(random_state=1).as_matrix()
    np.testing.assert_allclose(rule(3 * predicted @ turn.T + 7, true), rule(predicted, true), atol=1e-6)


def test_unknown_joints_do_not_steer(hands) -> None:
    predicted, true = hands
    known = KNOWN.copy()
    known[:, 20] = False
    spoilt, unknown = predicted.copy(), true.copy()
    spoilt[:, 20] += 5
    unknown[:, 20] = np.nan
    for rule in (rules.align_similarity, rules.align_w_scale, rules.align_centroid, rules.align_centroid_and_radius):
        np.testing.assert_allclose(
            rule(spoilt, unknown, known)[:, :20], rule(predicted[:, :20], true[:, :20], known[:, :20]), atol=1e-9
        )


def test_root_and_bone_by_hand(hands) -> None:
    predicted, true = hands
    moved = rules.align_root_and_bone(9, (0, 9))(predicted, true)
    np.testing.assert_allclose(moved[:, 9], true[:, 9])
    bone = np.linalg.norm(moved[:, 9] - moved[:, 0], axis=1)
    np.testing.assert_allclose(bone, np.linalg.norm(true[:, 9] - true[:, 0], axis=1))
    np.testing.assert_allclose(rules.align_root(0)(predicted, true) - predicted, (true - predicted)[:, :1] + 0 * true)


def test_centroid_and_radius_undoes_scale_and_place(hands) -> None:
    _, true = hands
    np.testing.assert_allclose(rules.align_centroid_and_radius(0.3 * true + 2, true, KNOWN), true, atol=1e-12)


def test_given_depth_keeps_pixels(hands) -> None:
    predicted, true = hands
    moved = rules.align_depth(predicted, true, KNOWN)
    np.testing.assert_allclose(moved[..., :2] / moved[..., 2:], predicted[..., :2] / predicted[..., 2:])
    np.testing.assert_allclose(moved[..., 2].mean(1), true[..., 2].mean(1))


def evalutil(errors: np.ndarray, at: np.ndarray) -> tuple[float, float, np.ndarray]:
    """EvalUtil in its own loops: mean, AUC, curve."""
    means, aucs, curves = [], [], []
    for column in errors.T:
        column = column[~np.isnan(column)]
        if len(column) == 0:
            continue
        curve = np.array([np.mean(column <= t) for t in at])
        means.append(column.mean())
        curves.append(curve)
        aucs.append(np.trapezoid(curve, at) / np.trapezoid(np.ones_like(at), at))
    return float(np.mean(means)), float(np.mean(aucs)), np.mean(curves, 0)


@pytest.mark.parametrize("at", [Thresholds(low=0, high=50, steps=100), Thresholds(low=0, high=50, steps=20, skip=8)])
def test_curves_are_those_of_evalutil(at) -> None:
    rng = np.random.default_rng(0)
    errors = rng.gamma(2, 8, (200, 21))
    errors[rng.random(errors.shape) < 0.2] = np.nan
    errors[:, 4] = np.nan
    mean, auc, curve = evalutil(errors, at.values)
    assert mean_over_keypoints(errors) == pytest.approx(mean)
    np.testing.assert_allclose(pck_curve(errors, at), curve, atol=1e-15)
    assert area_under(curve, at) == pytest.approx(auc)
    shares = areas(errors, at)
    assert np.mean([c[~np.isnan(c)].mean() for c in shares.T if not np.isnan(c).all()]) == pytest.approx(auc)
    assert (np.diff(curve) >= 0).all()


def test_auc_of_a_constant_error_by_hand() -> None:
    at = Thresholds(low=0, high=50, steps=6)  # 0, 10, ..., 50
    # an error of 20 is right from threshold 20 on: half the strip 10..20 and all of 20..50, so 35 of 50
    assert area_under(pck_curve(np.full((4, 21), 20.0), at), at) == pytest.approx(0.7)
    strict = Thresholds(low=0, high=50, steps=6, inclusive=False)
    assert area_under(pck_curve(np.full((4, 21), 20.0), strict), strict) == pytest.approx(0.5)
    assert area_under(pck_curve(np.full((4, 21), np.inf), at), at) == 0


def test_hand3ds_range_begins_at_21_mm() -> None:
    values = Thresholds(low=0, high=50, steps=20, skip=8).values
    assert len(values) == 12 and values[0] == pytest.approx(21.0526, abs=1e-4) and values[-1] == 50


def test_mmposes_auc_is_a_left_sum_of_strict_shares() -> None:
    errors = np.array([[0.0], [3.0], [14.9], [40.0]])
    at = Thresholds(low=0, high=30 * 19 / 20, steps=20, inclusive=False, area="left sum")
    by_hand = np.mean([(errors / 30 < i / 20).mean() for i in range(20)])
    assert area_under(pck_curve(errors, at), at) == pytest.approx(by_hand)
