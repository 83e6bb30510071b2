"""Laws of the filters: what they do to still, noisy, fast and turning things."""

import dataclasses

import numpy as np
import pytest

from handscope.geometry.camera import project
from handscope.geometry.rotations import axis_angle_to_matrix, matrix_to_axis_angle
from handscope.hand.assets import load_asset
from handscope.infer.smoothing import (
    HandSmoother,
    OneEuro,
    OneEuroConfig,
    SmoothingConfig,
    place_at_depth,
    share_of_new,
    turn_on,
    turned_by,
)
from posed_hands import posed_hand

RNG = np.random.default_rng(3)
TIMES = np.cumsum(RNG.uniform(0.01, 0.06, 60))


def rotations(**config):
    return OneEuro(OneEuroConfig(**config), difference=turned_by, move=turn_on)


def test_without_slope_it_is_an_exponential_filter():
    values = RNG.normal(size=(60, 4, 2))
    smooth, expected, last = OneEuro(OneEuroConfig(cutoff=1.3, slope=0.0)), values[0], TIMES[0]
    for value, time in zip(values, TIMES, strict=True):
        expected = expected + share_of_new(1.3, time - last) * (value - expected)
        last = time
        np.testing.assert_allclose(smooth(value, time), expected, atol=1e-12)


def test_a_faster_hand_is_smoothed_less():
    behind = []
    for speed in (0.1, 1.0, 10.0):
        smooth = OneEuro(OneEuroConfig(cutoff=1.0, slope=2.0))
        for time in np.arange(90) / 30:
            value = np.array([[speed * time, 0.0]])
            behind.append(value[0, 0] - smooth(value, time)[0, 0])
        behind.append(behind.pop() / speed)  # seconds
    assert behind[89] > 2 * behind[179] > 4 * behind[269] > 0


def test_speed_is_counted_in_units():
    one, two = OneEuro(OneEuroConfig(cutoff=1.0, slope=2.0)), OneEuro(OneEuroConfig(cutoff=1.0, slope=2.0))
    for value, time in zip(RNG.normal(size=(60, 3, 2)), TIMES, strict=True):
        np.testing.assert_allclose(two(40 * value, time, unit=40), 40 * one(value, time))


def test_turning_the_picture_turns_the_answer():
    one, two = OneEuro(OneEuroConfig(cutoff=1.0, slope=2.0)), OneEuro(OneEuroConfig(cutoff=1.0, slope=2.0))
    turn = np.array([[0.6, -0.8], [0.8, 0.6]])
    for value, time in zip(RNG.normal(size=(60, 3, 2)), TIMES, strict=True):
        np.testing.assert_allclose(two(value @ turn, time), one(value, time) @ turn, atol=1e-12)


def test_rotations_stay_rotations_and_noise_shrinks():
    smooth, true = rotations(cutoff=1.0, slope=0.5), axis_angle_to_matrix([2.0, 1.5, 1.0])
    off, raw = [], []
    for time in np.arange(120) / 30:
        seen = true @ axis_angle_to_matrix(RNG.normal(0, 0.05, 3))
        answer = smooth(seen, time)
        np.testing.assert_allclose(answer @ answer.T, np.eye(3), atol=1e-9)
        off.append(np.linalg.norm(turned_by(answer, true)))
        raw.append(np.linalg.norm(turned_by(seen, true)))
    assert np.mean(off[20:]) < 0.5 * np.mean(raw[20:])


def test_rotations_take_the_short_way_past_half_a_turn():
    smooth = rotations(cutoff=2.0, slope=0.0)
    smooth(axis_angle_to_matrix([0, 0, 3.1]), 0.0)
    answer = smooth(axis_angle_to_matrix([0, 0, -3.1]), 0.05)
    assert abs(matrix_to_axis_angle(answer)[2]) > 3.09


def test_about_one_axis_a_rotation_is_filtered_like_its_angle():
    angles = np.cumsum(RNG.normal(0, 0.05, 60))
    turning, plain = rotations(cutoff=1.0, slope=3.0), OneEuro(OneEuroConfig(cutoff=1.0, slope=3.0))
    for angle, time in zip(angles, TIMES, strict=True):
        turned = turning(axis_angle_to_matrix([0.0, angle, 0.0]), time)
        assert matrix_to_axis_angle(turned)[1] == pytest.approx(plain(np.array([angle]), time)[0], abs=1e-9)


def test_time_that_stands_still_changes_nothing():
    smooth = OneEuro(OneEuroConfig(cutoff=1.0, slope=1.0))
    first = smooth(np.zeros((1, 2)), 1.0)
    assert smooth(np.ones((1, 2)), 1.0) is first and smooth(np.ones((1, 2)), 0.5) is first


@pytest.mark.parametrize("handedness", ["left", "right"])
def test_a_still_hand_stays_still(handedness):
    hand = posed_hand(400, 300, handedness)
    smooth = HandSmoother(load_asset(), SmoothingConfig())
    for time in np.arange(5) / 30:
        answer = smooth(hand, time)
        for name in ("joints_2d", "joints_3d", "vertices", "theta", "R", "T", "box"):
            np.testing.assert_allclose(getattr(answer, name), getattr(hand, name), atol=2e-5 * 400, rtol=0)
        np.testing.assert_allclose(answer.joints_3d, hand.joints_3d, atol=1e-5)
        np.testing.assert_allclose(answer.vertices, hand.vertices, atol=1e-5)
        assert answer.handedness == handedness


@pytest.mark.parametrize("handedness", ["left", "right"])
def test_mesh_joints_and_parameters_agree_after_smoothing(handedness):
    """Posing the hand model by the answer's own parameters gives the answer's own mesh."""
    from handscope.hand.model import pose_hand

    asset = load_asset()
    smooth = HandSmoother(asset, SmoothingConfig())
    for i in range(12):
        hand = posed_hand(400, 300, handedness, centre=(0.01 * i, 0.05, 0.45), curl=0.05 * i, turn=0.03 * i)
        noisy = dataclasses.replace(hand, joints_2d=hand.joints_2d + RNG.normal(0, 1, (21, 2)))
        answer = smooth(noisy, i / 30)
    posed = pose_hand(asset, answer.beta[None], answer.theta[None], answer.R[None], answer.T[None])
    side = np.array([-1.0 if handedness == "left" else 1.0, 1, 1])
    np.testing.assert_allclose(posed.vertices[0] * side, answer.vertices, atol=1e-5)
    np.testing.assert_allclose(posed.joints[0] * side, answer.joints_3d, atol=1e-5)
    off = project(answer.joints_3d, answer.K) - answer.joints_2d
    assert np.linalg.norm(off.mean(0)) < 1.0


def test_a_hand_that_changes_sides_starts_anew_in_3d():
    smooth = HandSmoother(load_asset(), SmoothingConfig())
    smooth(posed_hand(400, 300, "right", turn=0.3), 0.0)
    left = posed_hand(400, 300, "left", turn=-0.2)
    np.testing.assert_allclose(smooth(left, 1 / 30).R, left.R, atol=1e-9)


def test_joints_are_placed_where_they_project():
    hand = posed_hand(400, 300)
    relative = hand.joints_3d - hand.joints_3d[0]
    placed = place_at_depth(relative, float(hand.T[2]), hand.joints_2d, np.ones(21), hand.K)
    np.testing.assert_allclose(placed, hand.T, atol=1e-6)


@pytest.mark.parametrize("wrong", [{"cutoff": 0, "slope": 1}, {"cutoff": 1, "slope": -1}])
def test_impossible_filters_are_refused(wrong):
    with pytest.raises(ValueError, match="cutoff"):
        OneEuroConfig(**wrong)


@pytest.mark.parametrize("handedness", ["left", "right"])
def test_a_hand_told_in_mano_stays_one(handedness, tmp_path):
    """The filters pose the model that the hand is told in, not the shipped one."""
    from handscope.infer.mano import refit
    from mano_files import open_hand_as_mano, write_mano

    mano = load_asset(write_mano(tmp_path / "MANO.pkl", open_hand_as_mano(1.1)))
    hand = refit(posed_hand(400, 300, handedness, turn=0.4), mano)
    smooth = HandSmoother(mano, SmoothingConfig())
    for time in np.arange(3) / 30:
        answer = smooth(hand, time)
    np.testing.assert_allclose(answer.vertices - answer.joints_3d[0], hand.vertices - hand.joints_3d[0], atol=1e-5)
    assert answer.vertices.shape == (778, 3) and answer.extras == hand.extras
