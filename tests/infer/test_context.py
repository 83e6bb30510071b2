"""Context: what was taken for a hand is judged by what lies round it, where nobody is sure without."""

from dataclasses import replace

import numpy as np
import pytest

from handscope.infer import detection
from handscope.infer.context import HANDS, Context, surroundings
from handscope.infer.detection import SURE_ALONE, Candidate, in_context, scores_of
from handscope.infer.devices import CPU
from handscope.infer.pipeline import Pipeline, load
from handscope.infer.weights import Network
from saying import saying
from stand_ins import stand_in
from toy_networks import blobs, paint

PICTURE = paint(400, 300, [blobs((210, 150), 90, 0.4, "left")])


@pytest.fixture(scope="module")
def model(toy_weights):
    return load(toy_weights, threads=1)


def scored(model, *, alone: float, context: float, min_score: float = 0.6):
    """The score of a candidate of that score `alone`, and how often the context was asked."""
    (judge, _), (round_it, kind) = saying(model.models.presence, 1.0), saying(model.models.context, context)
    (candidate,) = detection.search(model.models, [PICTURE])[0]
    models = replace(model.models, presence=judge, context=round_it, min_score=min_score)
    detected = alone**4 / candidate.first.confidence  # of a presence of 1
    candidate = Candidate(first=candidate.first, detected=detected)
    return scores_of(models, [PICTURE], [candidate], [candidate.first])[0], kind.shown


@pytest.mark.parametrize("context", [0.0, 0.1, 0.5, 1.0])
def test_a_doubted_hand_is_weighed_with_what_lies_round_it(model, context):
    score, asked = scored(model, alone=0.7, context=context)
    assert asked == 1 and score == pytest.approx((0.7**4 * context) ** (1 / 6))


def test_of_who_is_sure_or_hopeless_nobody_asks_what_lies_round(model):
    """Hopeless is what could not be told if all round it said yes; it then has no score to be told with."""
    sure, asked = scored(model, alone=SURE_ALONE + 0.01, context=0.0)
    assert asked == 0 and sure == pytest.approx(SURE_ALONE + 0.01)
    least = 0.6**1.5
    for off, times in ((0.01, 1), (-0.01, 0)):
        score, asked = scored(model, alone=least + off, context=1.0)
        assert asked == times and (score >= 0.6) == bool(times)


def test_context_never_makes_a_score_without_bounds():
    scores = np.linspace(0, 1, 11)
    told = np.array([[in_context(score, context) for context in scores] for score in scores])
    assert (np.diff(told, axis=0) >= 0).all() and (np.diff(told, axis=1) >= 0).all() and told.max() == 1


def test_what_nothing_round_it_confirms_is_not_told(model, monkeypatch):
    monkeypatch.setattr(detection, "SURE_ALONE", 1.1)
    doubtful = replace(model.models, presence=saying(model.models.presence, 0.5)[0])
    for says, told in ((1.0, 1), (0.0, 0)):
        models = replace(doubtful, context=saying(model.models.context, says)[0])
        assert len(Pipeline(models)(PICTURE)) == told
        (given,) = Pipeline(models)(PICTURE, boxes=[165, 60, 280, 210])
        assert given.handedness == "left"


def test_surroundings_are_unturned_and_of_some_hands_width():
    joints = np.random.default_rng(0).uniform(30, 50, (21, 2))
    joints[0], joints[1] = (20, 20), (60, 80)
    crop, mirrored = surroundings(joints, 224), surroundings(joints, 224, mirrored=True)
    assert crop.extent == pytest.approx(HANDS * 60, rel=3e-3)
    np.testing.assert_allclose(crop.matrix[0, 1], 0, atol=1e-12)
    np.testing.assert_allclose(crop.apply([40, 50]), 111.5, atol=0.2 * crop.scale)
    np.testing.assert_allclose(mirrored.rotation[0], [-1, 0], atol=1e-12)


def test_beyond_the_picture_it_is_black():
    shown = []
    network = stand_in(
        Network,
        output_shapes={"presence": []},
        input_size=32,
        device=CPU,
        run=lambda batch: (shown.append(batch), {"presence": np.zeros(len(batch), np.float32)})[1],
    )
    joints = np.random.default_rng(0).uniform(0, 20, (21, 2))
    assert Context(network)([np.full((40, 40, 3), 200, np.uint8)], [joints]).shape == (1,)
    assert (shown[0][0, 0, 0] == 0).all() and (shown[0][0, 16, 16] == 200).all()
    assert Context(network)([], []).shape == (0,)
