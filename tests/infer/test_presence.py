"""Presence in pictures, and hands in hands: what is no hand is not told, whatever the other networks say."""

from dataclasses import replace

import numpy as np
import pytest

from handscope.geometry.crops import upright_crop
from handscope.infer import detection
from handscope.infer.detection import SURE_WITHOUT
from handscope.infer.detector import Detector
from handscope.infer.devices import CPU
from handscope.infer.duplicates import drop_repeated
from handscope.infer.effort import FULL
from handscope.infer.pipeline import Pipeline, load
from handscope.infer.presence import Presence, asked_crop
from handscope.infer.weights import Network
from posed_hands import posed_hand
from saying import saying
from stand_ins import stand_in
from toy_networks import blobs, paint

PICTURE = paint(400, 300, [blobs((210, 150), 90, 0.4, "left")])


@pytest.fixture(scope="module")
def model(toy_weights):
    return load(toy_weights, threads=1)


def judged(model: Pipeline, presence: float, min_score: float = 0.6) -> Pipeline:
    """The same models with a judge to whom the presence of everything is that, and nobody who asks what is round it."""
    judge, _ = saying(model.models.presence, presence)
    return Pipeline(replace(model.models, presence=judge, context=None, min_score=min_score))


def test_the_score_is_the_geometric_mean_with_presence_and_not_much_less_than_without(model):
    scores = {p: judged(model, p, min_score=0.1)(PICTURE)[0].score for p in (0.0, 0.01, 0.9, 1.0)}
    alone = scores[1.0] ** 2
    assert scores[0.9] == pytest.approx(np.sqrt(0.9 * alone))
    assert scores[0.0] == scores[0.01] == pytest.approx(SURE_WITHOUT * alone)


def test_where_nothing_is_present_nothing_is_told_but_what_is_sure(model):
    alone = judged(model, 1.0)(PICTURE)[0].score ** 2
    assert judged(model, 0.0, min_score=SURE_WITHOUT * alone + 0.01)(PICTURE) == []
    assert len(judged(model, 0.0, min_score=SURE_WITHOUT * alone - 0.01)(PICTURE)) == 1


def test_a_box_of_the_user_needs_no_judge(model):
    joints = model(PICTURE)[0].joints_2d
    judge, kind = saying(model.models.presence, 0.0)
    (hand,) = Pipeline(replace(model.models, presence=judge))(PICTURE, boxes=[*joints.min(0), *joints.max(0)])
    assert hand.handedness == "left" and kind.shown == 0


def test_a_hand_is_judged_once_and_what_can_be_none_is_not(model):
    for min_score, asked in ((0.6, 1), (0.99, 0)):
        judge, kind = saying(model.models.presence, 1.0)
        Pipeline(replace(model.models, presence=judge, min_score=min_score))(PICTURE)
        assert kind.shown == asked


@pytest.mark.parametrize(("glance", "hands"), [(0.02, 0), (0.04, 1), (None, 1)])
def test_what_the_aligner_takes_for_no_hand_the_estimator_does_not_see(model, glance, hands):
    aligner, _ = saying(model.models.aligner, glance)
    estimator, kind = saying(model.models.estimator, 1.0)
    assert len(Pipeline(replace(model.models, aligner=aligner, estimator=estimator))(PICTURE)) == hands
    assert (kind.shown > 0) == (hands > 0)


def test_what_detector_and_aligner_together_find_unlikely_the_estimator_does_not_see(model):
    score = model.models.detector(PICTURE)[0].score
    effort = replace(FULL, unlikely=0.4)
    for off, hands in ((-0.01, 0), (0.01, 1)):
        aligner, _ = saying(model.models.aligner, effort.unlikely**2 / score + off)
        estimator, kind = saying(model.models.estimator, 1.0)
        models = replace(model.models, aligner=aligner, estimator=estimator, effort=effort)
        assert len(Pipeline(models)(PICTURE)) == hands and (kind.shown > 0) == (hands > 0)


def test_what_the_estimator_takes_for_no_hand_is_not_refined(model):
    """With presence it scores too little, however sure detector and joints are; the share is what `effort` says."""
    estimator, _ = saying(model.models.estimator, 0.0)
    first = SURE_WITHOUT * judged(model, 1.0)(PICTURE)[0].score ** 2
    for share, min_score in ((1.0, first), (0.9, first / 0.9)):
        effort = replace(FULL, first_score=share)
        for off, hands in ((-0.01, 1), (0.01, 0)):
            models = replace(model.models, estimator=estimator, effort=effort, min_score=min_score + off)
            assert len(detection.search(models, [PICTURE])[0]) == hands


def test_of_networks_without_a_head_of_presence_the_judge_says_it(model):
    """Those of 0.7 and before, and recipes without the head; with neither everything is there."""
    estimator, _ = saying(model.models.estimator, None)
    estimates = estimator(PICTURE, [upright_crop(model(PICTURE)[0].joints_2d, size=128, mirrored=True)])
    judge, _ = saying(model.models.presence, 0.25)
    for presence, told in ((judge, [0.25]), (None, [1.0])):
        models = replace(model.models, estimator=estimator, presence=presence)
        assert models.present([PICTURE], estimates) == models.judged([PICTURE], estimates) == told
    own, _ = saying(model.models.estimator, 0.75)
    estimates = own(PICTURE, [upright_crop(model(PICTURE)[0].joints_2d, size=128, mirrored=True)])
    models = replace(model.models, estimator=own, presence=judge)
    assert models.present([PICTURE], estimates) == [0.75] and models.judged([PICTURE], estimates) == [0.25]
    assert replace(models, presence=None).judged([PICTURE], estimates) == [0.75]


def test_a_hand_within_a_hand_is_dropped_and_one_beside_stays():
    """Boxes of 100 px: one inside, one that has a fifth of it, and one that holds the best one."""
    best = replace(posed_hand(640, 480), score=0.9, box=np.array([0.0, 0, 100, 100]))
    moved = [best.joints_2d + shift for shift in (300.0, 600.0, 900.0)]
    inner = replace(best, score=0.8, box=np.array([10.0, 10, 50, 50]), joints_2d=moved[0])
    beside = replace(best, score=0.7, box=np.array([80.0, 0, 180, 100]), joints_2d=moved[1])
    outer = replace(best, score=0.6, box=np.array([-50.0, -50, 150, 150]), joints_2d=moved[2])
    assert [hand.score for hand in drop_repeated([outer, beside, inner, best])] == [0.9, 0.7]


def test_presence_is_asked_of_the_crop_that_the_joints_ask_for() -> None:
    """An upright hand 100 px high: the crop is 200 px, 10 px towards the fingers, and turns with the hand."""
    joints = np.full((21, 2), [50.0, 50.0])
    joints[0], joints[9], joints[12], joints[4], joints[20] = (50, 100), (50, 50), (50, 0), (80, 50), (20, 50)
    crop = asked_crop(upright_crop(joints, size=96), 224)
    assert crop.extent == pytest.approx(200) and not crop.mirrored
    np.testing.assert_allclose(crop.centre, [50, 40], atol=1e-9)
    turned = asked_crop(upright_crop(joints[:, ::-1] * [-1, 1], size=96, mirrored=True), 224)
    np.testing.assert_allclose(turned.centre, [-40, 50], atol=1e-9)
    assert turned.mirrored


def test_presence_answers_for_every_hand() -> None:
    network = stand_in(
        Network,
        output_shapes={"presence": []},
        input_size=8,
        device=CPU,
        run=lambda batch: {"presence": batch.max((1, 2, 3)).astype(np.float32) / 255},
    )
    crop = upright_crop(np.random.default_rng(0).uniform(20, 80, (21, 2)), size=96)
    pictures = [np.full((100, 100, 3), value, np.uint8) for value in (0, 255)]
    assert Presence(network)([(image, crop) for image in pictures]).tolist() == [0, 1]
    assert Presence(network)([]).shape == (0,)


def test_a_weak_detection_on_a_sure_hand_is_not_looked_at(model, monkeypatch):
    """Beside it, or on a hand that is none too sure, it is."""
    sure = model.models.detector(PICTURE)[0]
    weak = replace(sure, score=0.25, beside=True)
    elsewhere = replace(weak, centre=sure.centre + 300)
    shown = []
    for taken, other in ((0.0, weak), (0.0, elsewhere), (1.1, weak)):
        monkeypatch.setattr(detection, "TAKEN", taken)
        aligner, kind = saying(model.models.aligner, 1.0)
        detector = stand_in(Detector, search=lambda images, other=other: [[sure, other]])
        detection.search(replace(model.models, detector=detector, aligner=aligner), [PICTURE])
        shown.append(kind.shown)
    assert shown[0] == 1 and shown[1] > 1 and shown[2] == 2
