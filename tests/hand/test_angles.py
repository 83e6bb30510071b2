"""Laws of joint angles: what one poses comes back, whatever the view and the side; signs are anatomy's."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from handscope.geometry.rotations import axis_angle_to_matrix
from handscope.hand.angles import (
    ANGLE_NAMES,
    MODEL_JOINT_NAMES,
    camera_angles,
    hand_axes,
    joint_angles,
    joint_axes,
    named_angles,
    pose_of_angles,
    turn_of_camera_angles,
)
from handscope.hand.assets import load_asset
from handscope.hand.model import pose_joints
from handscope.skeleton import JOINT_NAMES


@pytest.fixture(scope="module")
def asset():
    return load_asset()


def test_posed_angles_come_back(asset):
    angles = np.random.default_rng(3).uniform((-170, -80, -170), (170, 80, 170), (200, 15, 3))
    assert np.allclose(joint_angles(pose_of_angles(angles, asset), asset), angles, atol=1e-4)


def test_they_are_cardan_angles_about_the_assets_axes(asset):
    angles = np.random.default_rng(4).uniform(-70, 70, (15, 3))
    axes = joint_axes(asset)
    cardan = Rotation.from_euler("XYZ", angles, degrees=True).as_matrix()
    expected = np.swapaxes(axes, 1, 2) @ cardan @ axes
    assert np.allclose(axis_angle_to_matrix(pose_of_angles(angles, asset)), expected, atol=1e-6)


@pytest.mark.parametrize("joint", range(12))
def test_flexion_bends_to_the_palm_and_abduction_to_the_thumb(asset, joint):
    def tip(motion):
        angles = np.zeros((15, 3))
        angles[joint, motion] = 20
        posed = pose_joints(asset, np.zeros((1, 10)), pose_of_angles(angles, asset)[None])[0]
        return posed[JOINT_NAMES.index(MODEL_JOINT_NAMES[joint].split("_")[0] + "_tip")]

    rest = pose_joints(asset, np.zeros((1, 10)), np.zeros((1, 15, 3)))[0]
    rest = rest[JOINT_NAMES.index(MODEL_JOINT_NAMES[joint].split("_")[0] + "_tip")]
    side, back, _ = hand_axes(asset)
    assert (tip(0) - rest) @ back < -0.005
    assert (tip(1) - rest) @ side > 0.005
    assert np.allclose(tip(2), rest, atol=2e-3)


@pytest.mark.parametrize("handedness", ["left", "right"])
def test_camera_angles_come_back(asset, handedness):
    angles = np.random.default_rng(5).uniform((-179, -85, -179), (179, 85, 179), (200, 3))
    turns = turn_of_camera_angles(angles, asset, handedness)
    assert np.allclose(turns @ np.swapaxes(turns, 1, 2), np.eye(3)) and np.allclose(np.linalg.det(turns), 1)
    assert np.allclose(camera_angles(turns, asset, handedness), angles)


@pytest.mark.parametrize(("handedness", "thumb"), [("right", 1), ("left", -1)])
def test_nothing_is_an_open_palm_before_the_camera_fingers_up(asset, handedness, thumb):
    """Of a right hand whose palm is seen the thumb is on the picture's right."""
    side, back, fingers = hand_axes(asset) @ turn_of_camera_angles(np.zeros(3), asset, handedness).T
    flip = np.array([1 if handedness == "right" else -1, 1, 1])
    assert np.allclose(fingers * flip, (0, -1, 0)) and np.allclose(back * flip, (0, 0, 1))
    assert np.allclose(side * flip, (thumb, 0, 0))


@pytest.mark.parametrize("handedness", ["left", "right"])
def test_roll_is_clockwise_in_the_picture_pitch_and_yaw_come_towards_the_camera(asset, handedness):
    def axes(*angles):
        flip = np.array([1 if handedness == "right" else -1, 1, 1])
        return hand_axes(asset) @ turn_of_camera_angles(np.array(angles), asset, handedness).T * flip

    assert axes(90.0, 0, 0)[2] == pytest.approx((1, 0, 0), abs=1e-9)
    assert axes(0, 60.0, 0)[2] == pytest.approx((0, -0.5, -np.sqrt(0.75)), abs=1e-9)
    assert axes(0, 0, 90.0)[0] == pytest.approx((0, 0, -1), abs=1e-9)
    assert axes(0, 0, 180.0)[1] == pytest.approx((0, 0, -1), abs=1e-9)


def test_a_model_without_axes_takes_them_from_its_bones(asset):
    derived = joint_axes(replace(asset, axes=None))
    assert np.allclose(derived @ np.swapaxes(derived, 1, 2), np.eye(3), atol=1e-6)
    apart = np.degrees(np.arccos(np.clip((derived * joint_axes(asset)).sum(-1), -1, 1)))
    assert apart.max() < 5


def test_names_go_with_the_arrays(asset):
    angles = np.random.default_rng(6).uniform(-60, 60, (15, 3))
    turned = np.array([10.0, -20.0, 130.0])
    named = named_angles(pose_of_angles(angles, asset), turn_of_camera_angles(turned, asset, "left"), asset, "left")
    assert list(named) == list(ANGLE_NAMES) and len(named) == 48
    assert [named[f"wrist_{name}"] for name in ("roll", "pitch", "yaw")] == pytest.approx(turned)
    assert named["thumb_ip_flexion"] == pytest.approx(angles[14, 0], abs=1e-4)
    assert named["little_pip_abduction"] == pytest.approx(angles[7, 1], abs=1e-4)
