"""Hands told in MANO's terms: pose, shape, mesh and what remains."""

import io
from dataclasses import replace

import numpy as np
import pytest

from handscope.errors import HandscopeError
from handscope.hand.assets import load_asset
from handscope.hand.conventions import regressor
from handscope.hand.model import pose_hand
from handscope.infer import formats
from handscope.infer.joint_conventions import in_convention
from handscope.infer.mano import refit
from handscope.infer.pipeline import load
from mano_files import open_hand_as_mano, thinned, write_mano
from posed_hands import posed_hand
from toy_networks import blobs, paint


@pytest.fixture(scope="module")
def mano(tmp_path_factory):
    """Two models: the shipped hand in MANO's clothes, with joints where MANO's are, and one a tenth larger."""
    folder = tmp_path_factory.mktemp("mano")
    return {
        scale: load_asset(write_mano(folder / f"MANO_{scale}.pkl", open_hand_as_mano(scale))) for scale in (1.0, 1.1)
    }


@pytest.mark.parametrize("side", ["left", "right"])
def test_the_same_hand_keeps_its_pose(mano, side):
    hand = posed_hand(320, 240, side, turn=0.7)
    told = refit(hand, mano[1.0])
    assert told.extras["mano_residual_mm"] < 0.5
    np.testing.assert_allclose(told.joints_3d, regressor("mano") @ hand.joints_3d, atol=2e-3)
    flesh = np.linalg.norm(told.vertices - hand.vertices[thinned()], axis=1)
    assert flesh.mean() < 1e-3  # metres; aimed at our own joints it was 6 mm
    np.testing.assert_allclose(told.theta, hand.theta, atol=0.2)
    np.testing.assert_allclose(told.R, hand.R, atol=0.06)
    assert told.vertices.shape == (778, 3) and told.faces.max() < 778 and told.handedness == side


@pytest.mark.parametrize("side", ["left", "right"])
def test_a_model_of_another_size_comes_near_and_says_how_near(mano, side):
    hand = posed_hand(320, 240, side, curl=0.6)
    told = refit(hand, mano[1.1])
    apart = np.linalg.norm(told.joints_3d - regressor("mano") @ hand.joints_3d, axis=1).mean() * 1000
    assert told.extras["mano_residual_mm"] == pytest.approx(apart, abs=1e-3) and 0.1 < apart < 1.0
    flip = np.array([-1.0 if side == "left" else 1.0, 1, 1])
    again = pose_hand(mano[1.1], told.beta[None], told.theta[None], told.R[None], told.T[None])
    np.testing.assert_allclose(told.vertices, again.vertices[0] * flip, atol=1e-6)


def test_whose_joints_a_hand_has_does_not_matter(mano):
    hand = posed_hand(320, 240, "left", curl=0.6)
    told, again = (refit(h, mano[1.1]) for h in (hand, in_convention(hand, "freihand")))
    np.testing.assert_allclose(told.vertices, again.vertices, atol=1e-5)


def test_left_is_right_in_the_mirror(mano):
    left, right = (refit(posed_hand(320, 240, side), mano[1.1]) for side in ("left", "right"))
    np.testing.assert_allclose(left.vertices, right.vertices * [-1, 1, 1], atol=1e-5)
    np.testing.assert_allclose(left.theta, right.theta, atol=1e-5)


def test_files_know_the_model(mano):
    told = refit(posed_hand(320, 240, "left"), mano[1.0])
    with np.load(io.BytesIO(formats.to_mano_npz(told)), allow_pickle=False) as arrays:
        assert arrays["model"] == "MANO" and arrays["vertices"].shape == (778, 3)
    unknown = replace(told, asset=None)
    with pytest.raises(HandscopeError, match="set its `asset`"):
        formats.to_mano_npz(unknown)


def test_load_tells_hands_in_the_model_of_the_file(toy_weights, tmp_path):
    path = write_mano(tmp_path / "MANO_RIGHT.pkl", open_hand_as_mano())
    model = load(toy_weights, hand_model=path, threads=1)
    (hand,) = model(paint(400, 300, [blobs((200, 150), 80, 0.0, "left")]))
    assert hand.vertices.shape == (778, 3) and hand.asset.name == "MANO" and hand.handedness == "left"
    assert 0 <= hand.extras["mano_residual_mm"] < 100  # the toy's joints are no places a hand could bend to
