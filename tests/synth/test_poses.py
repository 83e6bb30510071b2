"""Poses that hands can take, and only those."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handscope.geometry.rotations import axis_angle_to_matrix
from handscope.hand.model import pose_hand
from handscope.skeleton import MODEL_TO_CANONICAL
from handscope.synth.config import SynthConfig
from handscope.synth.poses import (
    ANCHORS,
    CONTACT_M,
    LIMITS,
    joint_rotations,
    sample_pose,
    segment_distance,
    to_theta,
    within_limits,
)
from handscope.synth.scene import World


@pytest.fixture(scope="module")
def world() -> World:
    return World(SynthConfig())


def test_sampled_poses_keep_to_the_limits_and_fingers_out_of_each_other(world: World) -> None:
    rng = np.random.default_rng(0)
    for _ in range(300):
        angles = sample_pose(rng, world.skeleton)
        assert (angles >= LIMITS[..., 0]).all() and (angles <= LIMITS[..., 1]).all()
        assert world.skeleton.penetration(angles) <= CONTACT_M


@pytest.mark.parametrize("name", sorted(ANCHORS))
def test_named_poses_are_possible(world: World, name: str) -> None:
    np.testing.assert_allclose(within_limits(ANCHORS[name]), ANCHORS[name])
    assert world.skeleton.penetration(ANCHORS[name]) < 0.0025


def test_positive_flexion_brings_fingertips_to_the_palm(world: World) -> None:
    angles = np.zeros((15, 3))
    angles[:12, 0] = 30
    rest = world.skeleton.bone_points(np.zeros((15, 3)))
    bent = world.skeleton.bone_points(angles)
    assert (bent[:4, 3, 1] < rest[:4, 3, 1] - 0.02).all()  # the palm faces -y


def test_the_sampler_and_the_hand_model_agree_where_joints_are(world: World) -> None:
    angles = sample_pose(np.random.default_rng(3), world.skeleton)
    theta = to_theta(angles, world.skeleton.axes)
    joints = pose_hand(world.body.asset, np.zeros((1, 10)), theta[None]).joints[0]
    model = np.empty((21, 3))
    model[MODEL_TO_CANONICAL] = joints
    own = world.skeleton.bone_points(angles) - world.skeleton.joints[0]
    np.testing.assert_allclose(own[:, :3].reshape(15, 3), model[1:16], atol=1e-5)


@given(st.integers(0, 10_000))
@settings(max_examples=40, deadline=None)
def test_axis_angle_is_the_same_rotation(seed: int) -> None:
    rng = np.random.default_rng(seed)
    axes = np.linalg.qr(rng.standard_normal((15, 3, 3)))[0]
    angles = rng.uniform(-55, 55, (15, 3)) * (rng.random((15, 3)) < 0.8)
    matrices = axis_angle_to_matrix(to_theta(angles, axes))
    np.testing.assert_allclose(matrices, joint_rotations(angles, axes), atol=1e-9)


@given(st.integers(0, 10_000))
@settings(max_examples=60, deadline=None)
def test_segment_distance_is_the_smallest_of_all_pairs_of_points(seed: int) -> None:
    ends = np.random.default_rng(seed).standard_normal((4, 3))
    t = np.linspace(0, 1, 201)[:, None]
    first, second = ends[0] + t * (ends[1] - ends[0]), ends[2] + t * (ends[3] - ends[2])
    brute = np.linalg.norm(first[:, None] - second, axis=-1).min()
    assert segment_distance(*ends) == pytest.approx(brute, abs=0.02)
    assert segment_distance(*ends) <= brute + 1e-9
