"""Hands in the joints of data sets and other tools: 3D, picture, sides, files."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from handscope.errors import HandscopeError
from handscope.geometry.camera import Camera
from handscope.hand.assets import load_asset
from handscope.infer.assembly import Assembler
from handscope.infer.mano import refit
from mano_files import open_hand_as_mano, write_mano
from posed_hands import posed_hand

OFF = np.array([3.0, -2.0])
OTHERS = ("freihand", "rhd", "stb", "interhand", "mediapipe")


@pytest.mark.parametrize("name", OTHERS)
def test_joints_in_the_picture_are_the_projections_of_those_in_3d(name):
    hand = posed_hand(400, 300, turn=0.4)
    hand = replace(hand, distortion=np.array([0.1, -0.02, 0, 0, 0, 0, 0, 0.0]))
    camera = Camera(hand.K, distortion=hand.distortion)
    hand = replace(hand, joints_2d=camera.project(hand.joints_3d) + OFF)  # heat-maps are not quite the mesh
    told = hand.in_convention(name)
    np.testing.assert_allclose(told.joints_2d, camera.project(told.joints_3d) + OFF, atol=1e-9)
    assert np.abs(told.joints_2d - hand.joints_2d).max() > 2 and told.joint_convention == name
    np.testing.assert_array_equal(told.vertices, hand.vertices)


@pytest.mark.parametrize("name", OTHERS)
def test_a_mirrored_hand_has_mirrored_joints(name):
    right, left = (posed_hand(401, 300, side, centre=(0, 0.05, 0.45)).in_convention(name) for side in ("right", "left"))
    np.testing.assert_allclose(left.joints_3d, right.joints_3d * [-1, 1, 1], atol=1e-9)
    np.testing.assert_allclose(left.joints_2d, [400, 0] + right.joints_2d * [-1, 1], atol=1e-6)


def test_conventions_lead_into_each_other():
    hand = posed_hand(400, 300)
    direct, around = hand.in_convention("stb"), hand.in_convention("rhd").in_convention("stb")
    np.testing.assert_allclose(around.joints_3d, direct.joints_3d, atol=1e-9)
    back = around.in_convention("anatomical")
    np.testing.assert_allclose(back.joints_3d, hand.joints_3d, atol=1e-9)
    np.testing.assert_allclose(back.joints_2d, hand.joints_2d, atol=1e-6)


def test_files_say_whose_joints_they_hold(tmp_path):
    hand = posed_hand(400, 300).in_convention("mediapipe")
    assert json.loads(hand.to_json())["joint_convention"] == "mediapipe"
    with np.load(hand.save_npz(tmp_path / "hand.npz")) as arrays:
        assert arrays["joint_convention"].tolist() == ["mediapipe"]
        np.testing.assert_array_equal(arrays["joints_3d"][0], hand.joints_3d)
    with np.load(hand.save_mano_npz(tmp_path / "mano.npz")) as arrays:
        assert str(arrays["joint_convention"]) == "mediapipe"


def test_manos_joints_need_manos_model():
    with pytest.raises(HandscopeError, match=r"give hand_model MANO_RIGHT\.pkl"):
        Assembler(asset=load_asset(), joint_convention="mano")
    with pytest.raises(HandscopeError, match=r"hand_model='MANO_RIGHT\.pkl'"):
        posed_hand(400, 300).in_convention("mano")


def test_a_mano_mesh_comes_with_manos_joints_or_those_asked_for(tmp_path):
    mano = load_asset(write_mano(tmp_path / "MANO_RIGHT.pkl", open_hand_as_mano(1.1)))
    hand = posed_hand(400, 300, "left")
    fitted = refit(hand, mano)
    own = Assembler(asset=load_asset(), target=mano).told(hand)
    assert own.joint_convention == "mano" and own.vertices.shape == (778, 3)
    np.testing.assert_array_equal(own.joints_3d, fitted.joints_3d)
    moved = Camera(hand.K).project(own.joints_3d) - Camera(hand.K).project(hand.joints_3d)
    np.testing.assert_allclose(own.joints_2d - hand.joints_2d, moved, atol=1e-9)
    asked = Assembler(asset=load_asset(), target=mano, joint_convention="anatomical").told(hand)
    np.testing.assert_array_equal(asked.joints_3d, hand.joints_3d)
    np.testing.assert_array_equal(asked.vertices, fitted.vertices)
