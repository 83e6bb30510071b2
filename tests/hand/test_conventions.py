"""Laws of the joint conventions, on poses that the regressors were not made from."""

from __future__ import annotations

import numpy as np
import pytest

from handscope.errors import HandscopeError
from handscope.hand.assets import load_asset
from handscope.hand.conventions import CONVENTIONS, check_convention, regressor
from handscope.hand.model import pose_hand
from handscope.skeleton import BONES, MCPS
from handscope.synth.poses import Skeleton, sample_pose, to_theta

PUBLISHED_MM = {"freihand": (91, 28), "rhd": (95, 37), "stb": (76, 40), "interhand": (84, 43), "mediapipe": (93, 35)}
"""Wrist to middle MCP and middle MCP to PIP: medians over each data set's labels (issue 24)."""
PALM = (0, 1, *MCPS)


@pytest.fixture(scope="module")
def posed():
    """The mean hand in 200 poses: vertices and joints in mm."""
    asset, rng = load_asset(), np.random.default_rng(20261126)
    axes = asset.axes.astype(np.float64)
    skeleton = Skeleton(axes, asset.joints.astype(np.float64), asset.template[asset.tips].astype(np.float64))
    theta = np.array([to_theta(sample_pose(rng, skeleton), axes) for _ in range(200)])
    vertices, joints = pose_hand(asset, np.zeros((200, 10)), theta)
    return 1000 * vertices.astype(np.float64), 1000 * joints.astype(np.float64)


def bone_lengths(joints):
    return np.stack([np.linalg.norm(joints[:, child] - joints[:, parent], axis=1) for parent, child in BONES], 1)


@pytest.mark.parametrize("name", PUBLISHED_MM)
def test_the_middle_finger_has_the_published_lengths(posed, name):
    medians = np.median(bone_lengths(regressor(name) @ posed[1]), axis=0)
    assert medians[BONES.index((0, 9))] == pytest.approx(PUBLISHED_MM[name][0], abs=0.5)
    assert medians[BONES.index((9, 10))] == pytest.approx(PUBLISHED_MM[name][1], abs=0.5)


@pytest.mark.parametrize("name", PUBLISHED_MM)
def test_every_bone_has_one_length_whatever_the_pose(posed, name):
    found = bone_lengths(regressor(name) @ posed[1])
    assert (found.std(0) / found.mean(0)).max() < 0.03


@pytest.mark.parametrize("name", PUBLISHED_MM)
def test_fingertips_and_thumb_stay_where_they_are(posed, name):
    moved = np.linalg.norm(regressor(name) @ posed[1] - posed[1], axis=-1).mean(0)
    assert moved[[1, 2, 3, 4]].max() == 0 and moved[[8, 12, 16, 20]].max() < 1.5 and moved.max() < 18


@pytest.mark.parametrize("name", PUBLISHED_MM)
def test_palm_points_are_inside_the_mesh(posed, name):
    asset = load_asset()
    loop = asset.boundary
    faces = np.concatenate([asset.faces, [[loop[0], loop[i], loop[i + 1]] for i in range(1, len(loop) - 1)]])
    joints = regressor(name) @ posed[1]
    for i in range(0, 200, 10):
        for joint in PALM:
            assert solid_angle(joints[i, joint], posed[0][i], faces) == pytest.approx(4 * np.pi, abs=1e-3), joint


def solid_angle(point, vertices, faces):
    """That of a closed surface seen from a point: 4 pi inside, 0 outside (Van Oosterom and Strackee 1983)."""
    a, b, c = (vertices[faces] - point).transpose(1, 0, 2)
    la, lb, lc = (np.linalg.norm(side, axis=1) for side in (a, b, c))
    over = np.einsum("fi,fi->f", a, np.cross(b, c))
    under = la * lb * lc + (a * b).sum(1) * lc + (b * c).sum(1) * la + (c * a).sum(1) * lb
    return 2 * np.arctan2(over, under).sum()


@pytest.mark.parametrize("name", CONVENTIONS)
def test_weights_add_up_to_one_and_can_be_undone(name):
    weights = regressor(name)
    np.testing.assert_allclose(weights.sum(1), 1, atol=1e-9)
    assert np.linalg.cond(weights) < 20


def test_mano_meshes_have_manos_joints_by_themselves():
    np.testing.assert_allclose(regressor("mano", "MANO"), np.eye(21), atol=1e-12)
    np.testing.assert_allclose(regressor("freihand", "MANO"), np.eye(21), atol=1e-12)
    there_and_back = regressor("anatomical", "MANO") @ regressor("mano")
    np.testing.assert_allclose(there_and_back, np.eye(21), atol=1e-12)


def test_an_unknown_convention_is_refused_with_what_there_is():
    with pytest.raises(HandscopeError, match=r"one of anatomical, freihand, .*got 'openpose'"):
        check_convention("openpose")
