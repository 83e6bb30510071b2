"""Presence in pictures, and hands in hands: what is no hand is not told, whatever the other networks say."""

from dataclasses import replace

import numpy as np
import pytest

from handscope.infer.detection import SURE_WITHOUT
from handscope.infer.duplicates import drop_repeated
from handscope.infer.pipeline import Pipeline, load
from handscope.infer.presence import Presence
from posed_hands import posed_hand
from toy_networks import blobs, paint

PICTURE = paint(400, 300, [blobs((210, 150), 90, 0.4, "left")])


@pytest.fixture(scope="module")
def model(toy_weights):
    return load(toy_weights, threads=1)


class Judge(Presence):
    """Says the same of every crop, and keeps how many it was asked of, time by time."""

    says = 1.0

    def __call__(self, views):
        self.network.card["asked"].append(len(views))
        return np.full(len(views), self.says)


def judged(model: Pipeline, presence: float, min_score: float = 0.6) -> tuple[Pipeline, list[int]]:
    """The same models with a judge that always says `presence`, and what it was asked."""
    network = replace(model.models.presence.network, card={"asked": []})
    judge = type("Fixed", (Judge,), {"says": presence})(network)
    return Pipeline(replace(model.models, presence=judge, min_score=min_score)), network.card["asked"]


def test_the_score_is_the_geometric_mean_with_presence_and_not_much_less_than_without(model):
    scores = {p: judged(model, p, min_score=0.1)[0](PICTURE)[0].score for p in (0.0, 0.01, 0.9, 1.0)}
    alone = scores[1.0] ** 2
    assert scores[0.9] == pytest.approx(np.sqrt(0.9 * alone))
    assert scores[0.0] == scores[0.01] == pytest.approx(SURE_WITHOUT * alone)


def test_where_nothing_is_present_nothing_is_told_but_what_is_sure(model):
    alone = judged(model, 1.0)[0](PICTURE)[0].score ** 2
    assert judged(model, 0.0, min_score=SURE_WITHOUT * alone + 0.01)[0](PICTURE) == []
    assert len(judged(model, 0.0, min_score=SURE_WITHOUT * alone - 0.01)[0](PICTURE)) == 1


def test_a_box_of_the_user_needs_no_judge(model):
    joints = model(PICTURE)[0].joints_2d
    strict, asked = judged(model, 0.0)
    (hand,) = strict(PICTURE, boxes=[*joints.min(0), *joints.max(0)])
    assert hand.handedness == "left" and sum(asked) == 0


def test_a_settled_hand_is_judged_once(model):
    """Its two proposals are judged; then the crop is the one its own joints ask for."""
    kind, asked = judged(model, 1.0)
    kind(PICTURE)
    assert asked[0] >= 1 and sum(asked[1:]) == 0


def test_a_hand_within_a_hand_is_dropped_and_one_beside_stays():
    """Boxes of 100 px: one inside, one that has a fifth of it, and one that holds the best one."""
    best = replace(posed_hand(640, 480), score=0.9, box=np.array([0.0, 0, 100, 100]))
    moved = [best.joints_2d + shift for shift in (300.0, 600.0, 900.0)]
    inner = replace(best, score=0.8, box=np.array([10.0, 10, 50, 50]), joints_2d=moved[0])
    beside = replace(best, score=0.7, box=np.array([80.0, 0, 180, 100]), joints_2d=moved[1])
    outer = replace(best, score=0.6, box=np.array([-50.0, -50, 150, 150]), joints_2d=moved[2])
    assert [hand.score for hand in drop_repeated([outer, beside, inner, best])] == [0.9, 0.7]
