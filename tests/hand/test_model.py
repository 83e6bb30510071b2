import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from handscope.hand.assets import load_asset
from handscope.hand.layer import HandLayer
from handscope.hand.model import pose_hand
from handscope.skeleton import BONES, MIDDLE_MCP, TIPS


@pytest.fixture(scope="module")
def asset():
    return load_asset()


def random_hands(n: int, seed: int = 0):
    rng = np.random.default_rng(seed)
    theta = rng.normal(0, 0.4, (n, 15, 3))
    R = Rotation.random(n, random_state=seed).as_matrix()
    return rng.normal(size=(n, 10)), theta, R, rng.normal(size=(n, 3))


def test_numpy_and_torch_agree(asset):
    beta, theta, R, T = random_hands(8)
    expected = pose_hand(asset, beta, theta, R, T)
    matrices = torch.tensor(Rotation.from_rotvec(theta.reshape(-1, 3)).as_matrix().reshape(8, 15, 3, 3))
    layer = HandLayer(asset)
    inputs = [torch.tensor(beta), matrices, torch.tensor(R), torch.tensor(T)]
    vertices, joints = layer(*(t.float() for t in inputs))
    assert np.abs(vertices.numpy() - expected.vertices).max() < 1e-5
    assert np.abs(joints.numpy() - expected.joints).max() < 1e-5


def test_gradients_are_right(asset):
    layer = HandLayer(asset).double()
    beta, theta, R, T = random_hands(1)
    matrices = torch.tensor(Rotation.from_rotvec(theta[0]).as_matrix()[None])
    inputs = tuple(t.requires_grad_() for t in (torch.tensor(beta), matrices, torch.tensor(R), torch.tensor(T)))
    assert torch.autograd.gradcheck(lambda *a: layer(*a)[1], inputs)


def test_mean_hand_has_the_size_of_an_adult(asset):
    joints = pose_hand(asset, np.zeros((1, 10)), np.zeros((1, 15, 3))).joints[0]
    length = np.linalg.norm(joints[TIPS[2]] - joints[0])
    assert 0.180 < length < 0.190


def test_bone_lengths_are_the_published_ones(asset):
    """Buryanov and Kotiuk 2010, with joint centres inside the bones' heads (see the build script)."""
    joints = pose_hand(asset, np.zeros((1, 10)), np.zeros((1, 15, 3))).joints[0] * 1e3
    length = {(a, b): np.linalg.norm(joints[b] - joints[a]) for a, b in BONES}
    assert abs(length[(0, MIDDLE_MCP)] - (64.60 - 7 + 1 + 22)) < 1.0
    assert abs(length[(9, 10)] - (44.63 + 7 - 4 + 1)) < 1.0
    assert abs(length[(10, 11)] - (26.33 + 4 - 3 + 1)) < 1.0
    assert abs(length[(11, 12)] - (17.40 + 3 + 1 + 3.95)) < 1.0
    assert abs(length[(17, 18)] - (32.74 + 7 - 4 + 1)) < 1.0


def test_the_thumb_sits_on_the_trapezium(asset):
    """Palmar of the wrist's centre, at the radial wall of the carpal tunnel (docs/hand-model.md)."""
    joints = pose_hand(asset, np.zeros((1, 10)), np.zeros((1, 15, 3))).joints[0] * 1e3
    fingers = joints[MIDDLE_MCP] / np.linalg.norm(joints[MIDDLE_MCP])
    side = np.array([0.0, 0.0, 1.0]) - fingers[2] * fingers
    side /= np.linalg.norm(side)
    saddle = joints[1] @ np.stack([fingers, side, np.cross(side, fingers)], 1)
    assert np.abs(saddle - [18.0, 19.0, 12.5]).max() < 1.0
    assert abs(np.linalg.norm(joints[2] - joints[1]) - (46.22 - 6 + 2 + 1)) < 1.0


def test_global_rotation_turns_about_the_wrist(asset):
    beta, theta, R, T = random_hands(3)
    still = pose_hand(asset, beta, theta).joints
    turned = pose_hand(asset, beta, theta, R, T).joints
    np.testing.assert_allclose(turned[:, 0], T, atol=1e-6)
    np.testing.assert_allclose(turned, still @ R.transpose(0, 2, 1) + T[:, None], atol=1e-5)


def test_flexion_bends_every_finger_to_the_palm(asset):
    for first in (0, 3, 6, 9):
        theta = np.zeros((1, 15, 3))
        theta[0, first] = asset.axes[first, 0] * np.deg2rad(60)
        flat = pose_hand(asset, np.zeros((1, 10)), np.zeros((1, 15, 3))).joints[0]
        bent = pose_hand(asset, np.zeros((1, 10)), theta).joints[0]
        moved = np.linalg.norm(bent - flat, axis=1).argmax()
        assert moved in TIPS
        assert bent[moved, 1] < flat[moved, 1] - 0.05  # the palm is -y


def test_model_parts_are_consistent(asset):
    count = len(asset.template)
    assert asset.faces.max() == count - 1 and asset.silhouette_faces.max() < count
    np.testing.assert_allclose(asset.weights.sum(1), 1, atol=1e-5)
    np.testing.assert_allclose(asset.joint_regressor.sum(1), 1, atol=1e-4)
    corners = asset.template[asset.faces].astype(np.float64)
    volume = np.einsum("fi,fi->f", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])).sum() / 6
    assert volume > 1e-4  # faces turn outwards; a hand is about a third of a litre
