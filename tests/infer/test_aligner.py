"""The pass before the estimator's, around stand-in networks that find a toy hand (see `toy_networks`)."""

from dataclasses import replace

import numpy as np
import pytest

from handscope.errors import AssetError
from handscope.geometry.crops import crop_around, upright_crop, upright_frame
from handscope.infer.aligner import Aligner
from handscope.infer.crop_policy import next_crop
from handscope.infer.pipeline import Pipeline, load
from handscope.infer.weights import NAMES, open_network
from toy_networks import CROP, blobs, paint, toy_joints


@pytest.fixture(scope="module")
def aligner(toy_weights):
    return Aligner(open_network("aligner", toy_weights, 1))


@pytest.mark.parametrize("handedness", ["left", "right"])
@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("degrees", [-100, -20, 0, 35, 170])
def test_a_rough_crop_becomes_the_upright_one(aligner, degrees, mirrored, handedness):
    points = blobs((210, 150), 60, 0.3, handedness)
    joints = toy_joints(*points)
    centre, side, up = upright_frame(joints)
    turn = np.radians(degrees)
    up = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]) @ up
    rough = crop_around(centre + 0.1 * side, 1.3 * side, up, size=CROP, mirrored=mirrored)
    (glance,) = aligner.align([(paint(400, 300, [points]), rough)], CROP)
    found = next_crop(glance, CROP)
    wanted = upright_crop(joints, size=CROP, mirrored=handedness == "left")
    np.testing.assert_allclose(found.apply(joints), wanted.apply(joints), atol=0.04 * CROP)
    assert found.mirrored == wanted.mirrored and found.size == CROP


def test_estimates_are_told_in_px_of_the_picture_whatever_the_crops_size(aligner):
    points = blobs((210, 150), 60, 0.0, "right")
    crops = [crop_around((215, 150), 200, (0, -1), size=size) for size in (64, 224)]
    for estimate in aligner(paint(400, 300, [points]), crops):
        np.testing.assert_allclose(estimate.joints_2d, toy_joints(*points), atol=2.0)


def test_the_estimator_passes_once_after_it(toy_weights):
    """Half a radian off, as the stand-in detector is: without an aligner that takes another pass; the answer is the
    same.
    """
    model = load(toy_weights, threads=1)
    alone = Pipeline(replace(model.models, aligner=None))
    picture = paint(400, 300, [blobs((210, 150), 90, 0.8, "left")])
    seen = []
    run = model.models.estimator.network.run
    object.__setattr__(model.models.estimator.network, "run", lambda batch: seen.append(len(batch)) or run(batch))
    (hand,) = model(picture)
    assert sum(seen) == 1
    (again,) = alone(picture)
    assert sum(seen) > 2
    assert hand.handedness == again.handedness == "left"
    np.testing.assert_allclose(hand.joints_2d, again.joints_2d, atol=1.0)
    assert set(model.cards) == set(NAMES) and set(alone.cards) == set(NAMES) - {"aligner"}


def test_another_network_is_refused(toy_weights):
    with pytest.raises(AssetError, match="lacks the outputs joints"):
        Aligner(open_network("detector", toy_weights, 1))
