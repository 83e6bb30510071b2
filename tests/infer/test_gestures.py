"""Gestures: built-in ones on the poses that people make, steady in time; learnt ones by a real scikit-learn."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from handscope.errors import HandscopeError
from handscope.evaluation.gestures import Case, leave_one_source_out, summary
from handscope.hand.angles import turn_of_camera_angles
from handscope.hand.assets import load_asset
from handscope.hand.model import pose_hand
from handscope.infer.gestures import GestureFilter, gesture_of, gesture_scores
from handscope.infer.learned_gestures import feature_names, features, learn, load_gestures
from handscope.synth.gesture_set import NO_GESTURES, SHOWN
from handscope.synth.poses import ANCHORS, to_theta
from posed_hands import posed_hand


def hand_in(pose, handedness="right", turned=(0.0, 0.0, 0.0), jitter=None):
    """A hand in a named pose, turned to the camera by roll, pitch, yaw in degrees."""
    asset, base = load_asset(), posed_hand(64, 48, handedness)
    angles = ANCHORS[pose] + (0 if jitter is None else jitter.normal(0, 5, (15, 3)) * (ANCHORS[pose] != 0))
    theta = to_theta(angles, asset.axes.astype(np.float64))
    R = turn_of_camera_angles(np.array(turned), asset, handedness)
    joints = pose_hand(asset, np.zeros((1, 10)), theta[None], R[None], np.array([[0, 0, 0.5]])).joints[0]
    flip = [-1, 1, 1] if handedness == "left" else [1, 1, 1]
    return replace(base, theta=theta, R=R, joints_3d=joints * flip)


@pytest.mark.parametrize("handedness", ["left", "right"])
@pytest.mark.parametrize(
    ("gesture", "pose"), [(gesture, pose) for gesture, poses in SHOWN.items() for pose in poses if gesture != "thumb"]
)
def test_every_gesture_is_told_from_every_side(gesture, pose, handedness):
    for turned in ((0.0, 0.0, 0.0), (100.0, 30.0, -130.0), (-30.0, -60.0, 170.0)):
        assert gesture_of(hand_in(pose, handedness, turned))[0] == gesture


@pytest.mark.parametrize("pose", NO_GESTURES)
def test_other_shapes_are_none(pose):
    assert gesture_of(hand_in(pose))[0] is None


@pytest.mark.parametrize("handedness", ["left", "right"])
def test_a_thumb_is_up_or_down_by_the_picture(handedness):
    told = [gesture_of(hand_in("thumbs_up", handedness, (roll, 0.0, 90.0)))[0] for roll in range(-180, 180, 15)]
    assert told.count("thumb_up") >= 4 and told.count("thumb_down") >= 4
    up = gesture_scores(hand_in("thumbs_up", handedness, (0.0, 0.0, 90.0)))
    assert set(up) >= {"thumb_up", "thumb_down"} and min(up["thumb_up"], up["thumb_down"]) == 0


def test_one_odd_frame_changes_nothing_and_a_steady_change_does():
    steady = GestureFilter(begin_s=0.1, end_s=0.2)
    seen = ["fist"] * 6 + ["open"] + ["fist"] * 4 + [None] * 2 + ["fist"] + ["open"] * 8 + [None] * 12
    told = [steady.told(1, name, 0.033 * k) for k, name in enumerate(seen)]
    assert told[:3] == [None] * 3 and set(told[4:15]) == {"fist"}
    begins = told.index("open")
    assert 0.1 <= 0.033 * (begins - seen.index("open", 10)) <= 0.14
    assert told[begins:].count("open") >= 8 and told[-1] is None
    assert steady.told(2, "fist", 1.0) is None  # another track has a time of its own


def test_a_learnt_model_tells_new_hands_and_survives_its_file(tmp_path):
    pytest.importorskip("sklearn")
    poses, rng = ("claw", "hook", "seven"), np.random.default_rng(0)
    taught = [(pose, hand_in(pose, jitter=rng)) for pose in poses for _ in range(10)]
    model = learn(np.array([features(hand) for _, hand in taught]), [pose for pose, _ in taught], turned=False)
    path = model.save(tmp_path / "mine.json")
    again = load_gestures(path)
    for pose in poses:
        hand = hand_in(pose, "left", (40.0, -20.0, 120.0), jitter=rng)
        name, share = again(hand)
        assert name == pose and share == pytest.approx(model(hand)[1])
        assert sum(again.probabilities(hand).values()) == pytest.approx(1)
    assert json.loads(path.read_text())["about"] == {"examples": dict.fromkeys(sorted(poses), 10)}


def test_two_classes_have_shares_too():
    pytest.importorskip("sklearn")
    rng = np.random.default_rng(1)
    taught = [(pose, hand_in(pose, jitter=rng)) for pose in ("fist", "five") for _ in range(8)]
    model = learn(np.array([features(hand) for _, hand in taught]), [pose for pose, _ in taught], turned=False)
    assert model(hand_in("fist"))[0] == "fist" and model(hand_in("spread"))[0] == "five"


def test_features_do_not_depend_on_side_nor_on_view_unless_asked():
    right, left = hand_in("claw"), hand_in("claw", "left", (70.0, 40.0, -100.0))
    np.testing.assert_allclose(features(left), features(right), atol=1e-5)
    assert len(features(left, turned=True)) == len(feature_names(True)) == len(feature_names(False)) + 6
    assert np.abs(features(left, turned=True) - features(right, turned=True)).max() > 0.5


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"format": "handscope-gestures", "version": 2, "features": []}', "null", "[" * 100_000],
)
def test_files_that_are_no_models_are_one_sentence(tmp_path, text):
    path = tmp_path / "bad.json"
    path.write_text(text)
    with pytest.raises(HandscopeError, match="not a gesture model"):
        load_gestures(path)


def test_scores_count_what_they_say():
    cases = [Case("fist", "fist", True), Case("fist", None, True), Case("fist", None, False), Case(None, "fist", True)]
    row = summary(cases)[0]
    assert (row.count, row.found, row.recall, row.false_rate) == (3, pytest.approx(2 / 3), 0.5, 1.0)


def nearest_mean(samples, labels):
    names = sorted(set(labels))
    means = np.stack([samples[np.array(labels) == name].mean(0) for name in names])
    return lambda others: [names[k] for k in np.linalg.norm(others[:, None] - means, axis=2).argmin(1)]


def test_a_source_is_told_by_the_others():
    rng = np.random.default_rng(0)
    labels = ["a", "b"] * 20
    sources = {name: (rng.normal([[0.0], [4.0]] * 20, 0.5, (40, 3)), labels) for name in "xyz"}
    sources["z"] = (sources["z"][0], ["b", "a"] * 20)
    right = {row.source: row.right for row in leave_one_source_out(sources, nearest_mean)}
    assert right["z"] == 0.0 and right["x"] != right["z"]
