"""The bend of a joint: the angle by which a hinge was turned, in any frame, at any size, of either side."""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

from handscope.evaluation.bends import BENDS, bends
from handscope.hand.angles import MODEL_JOINT_NAMES, pose_of_angles
from handscope.hand.assets import load_asset
from handscope.hand.model import pose_joints


def test_a_hinge_that_turns_bends_by_as_much():
    asset = load_asset()
    angles = np.zeros((15, 3))
    flat = bends(pose_joints(asset, np.zeros((1, 10)), np.zeros((1, 15, 3)))[0])
    joint = MODEL_JOINT_NAMES.index("middle_pip")
    angles[joint, 0] = 40.0
    bent = bends(pose_joints(asset, np.zeros((1, 10)), pose_of_angles(angles, asset)[None])[0])
    others = [k for k, name in enumerate(BENDS) if name != "middle_pip"]
    np.testing.assert_allclose(bent[others], flat[others], atol=1.0)  # the tip is a point of the skin, which gives way
    assert abs(bent[BENDS.index("middle_pip")] - flat[BENDS.index("middle_pip")] - 40) < 3


def test_view_size_and_side_do_not_matter():
    rng = np.random.default_rng(0)
    joints = rng.normal(size=(21, 3))
    moved = (1.7 * joints * [-1, 1, 1]) @ Rotation.random(random_state=1).as_matrix().T + 5
    np.testing.assert_allclose(bends(moved), bends(joints), atol=1e-9)
    assert len(BENDS) == 15 and set(BENDS) == set(MODEL_JOINT_NAMES)


def test_straight_is_nothing_and_a_right_angle_ninety():
    joints = np.zeros((21, 3))
    joints[5:9] = [[0, 1, 0], [0, 2, 0], [1, 2, 0], [1, 3, 0]]
    assert np.allclose(bends(joints)[BENDS.index("index_mcp") : BENDS.index("index_dip") + 1], [0, 90, 90])
