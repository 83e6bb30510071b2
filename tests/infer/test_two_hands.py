"""Two hands that meet in a picture: not in each other, not torn apart, and as they looked."""

import numpy as np
import pytest

from handscope.evaluation.pairs import penetration
from handscope.geometry.boxes import tight_box
from handscope.geometry.camera import default_intrinsics, project
from handscope.geometry.masks import CroppedMask
from handscope.hand.assets import load_asset
from handscope.hand.capsules import overlaps
from handscope.hand.model import pose_hand
from handscope.infer.results import FoundHand
from handscope.infer.two_hands import DOUBT, kept_apart, meeting

K = default_intrinsics(640, 480)
PALM_TO_CAMERA = np.array([[0.0, 0, 1], [1, 0, 0], [0, 1, 0]])


def hand(place, handedness: str = "right", sure: float = 0.8) -> FoundHand:
    """A flat hand whose wrist is at `place` in the camera, fingers up."""
    asset = load_asset()
    side = np.array([-1.0 if handedness == "left" else 1.0, 1, 1])
    T = np.array(place) * side
    posed = pose_hand(asset, np.zeros((1, 10)), np.zeros((1, 15, 3)), PALM_TO_CAMERA[None], T[None])
    joints = posed.joints[0] * side
    seen = project(joints, K)
    return FoundHand(
        handedness=handedness,
        score=0.9,
        box=tight_box(seen),
        joints_2d=seen,
        joint_scores=np.full(21, sure),
        cropped_mask=CroppedMask.of(np.zeros((480, 640), bool)),
        joints_3d=joints,
        vertices=posed.vertices[0] * side,
        faces=asset.faces_of(handedness),
        theta=np.zeros((15, 3)),
        beta=np.zeros(10),
        R=PALM_TO_CAMERA,
        T=T,
        K=K,
    )


def gap(one: FoundHand, two: FoundHand) -> float:
    return -float(overlaps(one.joints_3d, two.joints_3d).max())


def test_hands_in_each_other_are_taken_apart():
    one, two = hand([0.0, 0.1, 0.5]), hand([0.03, 0.1, 0.503], "left")
    assert penetration(one, two) > 0.01 and gap(one, two) < -0.01
    apart = kept_apart([one, two])
    assert gap(*apart) > -0.002 and penetration(*apart) < 0.008
    for before, after in zip((one, two), apart, strict=True):
        assert np.abs(project(after.joints_3d, K) - before.joints_2d).max() < 13  # px of 280: they look the same
    assert np.sign(apart[1].T[2] - apart[0].T[2]) == 1  # the one behind stays behind


@pytest.mark.parametrize("handedness", ["right", "left"])
def test_joints_mesh_and_parameters_move_together(handedness):
    moved = kept_apart([hand([0.0, 0.1, 0.5]), hand([0.02, 0.1, 0.505], handedness)])[1]
    side = np.array([-1.0 if handedness == "left" else 1.0, 1, 1])
    posed = pose_hand(load_asset(), moved.beta[None], moved.theta[None], moved.R[None], moved.T[None])
    assert np.abs(moved.T - hand([0.02, 0.1, 0.505], handedness).T).max() > 0.002
    np.testing.assert_allclose(posed.joints[0] * side, moved.joints_3d, atol=1e-6)
    np.testing.assert_allclose(posed.vertices[0] * side, moved.vertices, atol=1e-6)


def test_hands_that_could_touch_come_nearer_and_others_hardly_move():
    """A centimetre and a half lacks: half of it goes at least; a hand far behind is another's, or elsewhere."""
    near = [hand([0.0, 0.1, 0.5]), hand([0.03, 0.1, 0.583], "left")]
    assert 0.012 < gap(*near) < 0.02
    assert gap(*kept_apart(near)) < 0.5 * gap(*near)
    far = [hand([0.0, 0.1, 0.5]), hand([0.05, 0.1, 1.2], "left")]
    assert abs(gap(*kept_apart(far)) - gap(*far)) < 0.03


def test_the_less_sure_hand_moves_further():
    before = hand([0.0, 0.1, 0.5], sure=0.95), hand([0.03, 0.1, 0.503], "left", sure=0.5)
    after = kept_apart(before)
    ways = [np.linalg.norm(b.T - a.T) for b, a in zip(before, after, strict=True)]
    assert ways[1] > 5 * ways[0] > 0


def test_hands_that_do_not_meet_are_left_alone():
    hands = [hand([-0.2, 0.1, 0.6]), hand([0.2, 0.1, 0.6], "left"), hand([0.0, 0.1, 3.0])]
    assert all(one is two for one, two in zip(kept_apart(hands), hands, strict=True))
    assert kept_apart([]) == [] and kept_apart(hands[:1]) == hands[:1]


def test_a_hand_moves_no_further_than_it_may():
    one, two = hand([0.0, 0.1, 0.5]), hand([0.0, 0.1, 0.5])
    way = sum(abs(a.T[2] - b.T[2]) for a, b in zip(kept_apart([one, two]), (one, two), strict=True))
    assert 0.01 < way < 3.2 * DOUBT * 0.5


def test_every_hand_meets_one_other_at_most():
    boxes = [[0, 0, 10, 10], [5, 5, 9, 20], [8, 8, 30, 30], [40, 0, 50, 9]]
    assert meeting([np.array(box, np.float64) for box in boxes]) == [(0, 1)]
    assert meeting([np.array(box, np.float64) for box in boxes[1:]]) == [(0, 1)]
    assert meeting([]) == []
