"""Forward kinematics and skinning: laws of rigid bodies, and the numpy and torch twins compared."""

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from handscope.hand import kinematics, kinematics_torch
from handscope.hand.assets import load_asset
from handscope.skeleton import FINGERS, MODEL_FINGERS, MODEL_LAST_JOINTS, MODEL_PARENTS, MODEL_TIP_OWNERS

HANDS = 20


@pytest.fixture(scope="module")
def rest() -> np.ndarray:
    """The open hand's joints (20, 16, 3), each a little different."""
    joints = load_asset().joints.astype(np.float64)
    return joints + np.random.default_rng(0).normal(0, 0.002, (HANDS, 16, 3))


@pytest.fixture(scope="module")
def turns() -> np.ndarray:
    """Any turns at all (20, 15, 3, 3); the first hand is unturned, the second turns by half circles."""
    turns = Rotation.random(HANDS * 15, random_state=1).as_matrix().reshape(HANDS, 15, 3, 3)
    turns[0], turns[1] = np.eye(3), np.diag([-1.0, 1.0, -1.0])
    return turns


def joint_by_joint(rest: np.ndarray, local: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """One hand's chain by its definition: every joint from the one above it."""
    turned, placed = [np.eye(3)], [rest[0]]
    for joint, above in enumerate(MODEL_PARENTS[1:], start=1):
        placed.append(placed[above] + turned[above] @ (rest[joint] - rest[above]))
        turned.append(turned[above] @ local[joint - 1])
    return np.array(turned), np.array(placed)


def test_the_fingers_side_by_side_are_the_chain_joint_by_joint(rest, turns):
    rotations, positions = kinematics.chain(rest, turns)
    for k in range(HANDS):
        turned, placed = joint_by_joint(rest[k], turns[k])
        np.testing.assert_allclose(rotations[k], turned, atol=1e-12)
        np.testing.assert_allclose(positions[k], placed, atol=1e-12)


def test_bones_keep_their_lengths_and_turns_stay_rotations(rest, turns):
    rotations, positions = kinematics.chain(rest, turns)
    above = list(MODEL_PARENTS[1:])
    length = lambda joints: np.linalg.norm(joints[:, 1:] - joints[:, above], axis=-1)  # noqa: E731
    np.testing.assert_allclose(length(positions), length(rest), atol=1e-12)
    np.testing.assert_allclose(
        rotations @ rotations.swapaxes(-1, -2), np.broadcast_to(np.eye(3), rotations.shape), atol=1e-12
    )
    np.testing.assert_allclose(np.linalg.det(rotations), 1)


def test_an_unturned_hand_lies_as_at_rest(rest, turns):
    _, positions = kinematics.chain(rest, turns)
    np.testing.assert_allclose(positions[0], rest[0], atol=1e-15)


def test_a_finger_moves_no_other_finger(rest):
    turned = np.tile(np.eye(3), (1, 15, 1, 1))
    turned[0, 3] = Rotation.from_rotvec([0.3, 0.1, 1.0]).as_matrix()  # the middle finger's base
    moved = np.abs(kinematics.chain(rest[:1], turned)[1] - rest[:1]).max(-1)[0] > 1e-9
    assert np.flatnonzero(moved).tolist() == [5, 6]


def test_carried_points_keep_their_distance_to_the_joint(rest, turns):
    rotations, positions = kinematics.chain(rest, turns)
    offsets = np.random.default_rng(2).normal(0, 0.02, (HANDS, 5, 3))
    tips = kinematics.carried(offsets, MODEL_TIP_OWNERS, rotations, positions)
    apart = np.linalg.norm(tips - positions[:, list(MODEL_TIP_OWNERS)], axis=-1)
    np.testing.assert_allclose(apart, np.linalg.norm(offsets, axis=-1), atol=1e-12)


def test_tips_follow_the_last_joint_of_their_finger():
    for finger, owner in zip(FINGERS, MODEL_TIP_OWNERS, strict=True):
        assert owner == MODEL_LAST_JOINTS[MODEL_FINGERS.index(finger)] == 3 * MODEL_FINGERS.index(finger) + 3


def test_skin_of_one_joint_alone_is_carried_by_it(rest, turns):
    rotations, positions = kinematics.chain(rest, turns)
    weights = np.zeros((7, 16))
    weights[:, 9] = 1
    offsets = np.random.default_rng(3).normal(0, 0.02, (HANDS, 7, 3))
    posed = kinematics.skin(rest[:, 9:10] + offsets, weights, kinematics.joint_transforms(rest, rotations, positions))
    np.testing.assert_allclose(posed, kinematics.carried(offsets, (9,) * 7, rotations, positions), atol=1e-12)


def test_what_all_joints_move_alike_moves_with_them(rest):
    """Weights that add to one take a common shift of all joints over to the skin."""
    unturned = np.tile(np.eye(3), (HANDS, 16, 1, 1))
    weights = np.random.default_rng(4).dirichlet(np.ones(16), 30)
    vertices, shift = np.random.default_rng(5).normal(size=(HANDS, 30, 3)), np.array([0.1, -0.2, 0.3])
    transforms = kinematics.joint_transforms(rest, unturned, rest + shift)
    np.testing.assert_allclose(kinematics.skin(vertices, weights, transforms), vertices + shift, atol=1e-12)


def test_numpy_and_torch_are_twins(rest, turns):
    asset = load_asset()
    weights = asset.weights.astype(np.float64)
    vertices = np.tile(asset.template.astype(np.float64), (HANDS, 1, 1))
    rotations, positions = kinematics.chain(rest, turns)
    skinned = kinematics.skin(vertices, weights, kinematics.joint_transforms(rest, rotations, positions))
    joints, local = torch.tensor(rest), torch.tensor(turns)
    torch_rotations, torch_positions = kinematics_torch.chain(joints, local)
    torch_skinned = kinematics_torch.skin(
        torch.tensor(vertices), torch.tensor(weights), joints, torch_rotations, torch_positions
    )
    for ours, theirs in ((rotations, torch_rotations), (positions, torch_positions), (skinned, torch_skinned)):
        np.testing.assert_allclose(theirs.numpy(), ours, rtol=0, atol=1e-12)


def test_precision_is_kept(rest, turns):
    rotations, positions = kinematics.chain(rest.astype(np.float32), turns.astype(np.float32))
    assert rotations.dtype == positions.dtype == np.float32
