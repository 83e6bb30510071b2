"""Boxes that somebody gives: each gets the look that fills it, and no two the same hand."""

import numpy as np
import pytest

from handscope.infer.detection import from_boxes
from handscope.infer.effort import FULL
from handscope.infer.estimator import Estimate
from handscope.infer.full_camera import PosedHand
from handscope.infer.models import Models
from stand_ins import stand_in
from toy_networks import blobs, toy_joints

LEFT, RIGHT = (toy_joints(*blobs(centre, 80, 0.2, "left")) for centre in ((100, 100), (150, 110)))
IMAGE = np.zeros((240, 320, 3), np.uint8)


def seen(crop, joints, right):
    nothing = np.zeros(0)
    return Estimate(
        crop=crop, joints=crop.apply(joints), joint_scores=np.full(21, 0.8), right=right, bone_depths=None,
        mask=nothing, theta=nothing, beta=nothing, hand=stand_in(PosedHand), focal=1.0,
    )  # fmt: skip


def models(answer):
    """Networks of which the estimator says of a crop what `answer` does; it is asked for all eight of a box."""

    class Answering:
        size = 128

        def __call__(self, image, crops):
            return [answer(crop) for crop in crops]

    return stand_in(Models, estimator=Answering(), aligner=None, effort=FULL)


def tight(joints):
    return np.concatenate([joints.min(0), joints.max(0)])


def test_a_look_that_fills_the_box_beats_a_surer_one_beside_it():
    told = models(lambda crop: seen(crop, RIGHT, 0.95) if crop.mirrored else seen(crop, LEFT, 0.7))
    (candidate,) = from_boxes(told, IMAGE, tight(LEFT)[None])
    np.testing.assert_allclose(candidate.first.joints_2d, LEFT)


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_two_boxes_are_not_told_as_the_same_hand(order):
    """Both looks fit one box better than the other: the surer box takes it, and the other one what is left."""
    told = models(lambda crop: seen(crop, LEFT, 0.9) if crop.mirrored else seen(crop, RIGHT, 0.2))
    boxes = np.stack([tight(LEFT), tight(np.concatenate([LEFT, RIGHT]))])[list(order)]
    found = [candidate.first.joints_2d for candidate in from_boxes(told, IMAGE, boxes)]
    np.testing.assert_allclose(found[order.index(0)], LEFT)
    np.testing.assert_allclose(found[order.index(1)], RIGHT)


def test_a_hand_that_is_alone_may_fill_two_boxes():
    told = models(lambda crop: seen(crop, LEFT, 0.9))
    found = [candidate.first.joints_2d for candidate in from_boxes(told, IMAGE, np.stack([tight(LEFT)] * 2))]
    np.testing.assert_allclose(found, [LEFT, LEFT])
