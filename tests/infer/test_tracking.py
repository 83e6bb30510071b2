"""Identity, side and survival of tracks, around stand-in models that know where the hands are."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handscope.errors import HandscopeError
from handscope.geometry.crops import upright_frame
from handscope.hand.assets import load_asset
from handscope.infer.detection import SURE_WITHOUT, in_context
from handscope.infer.detector import Detection
from handscope.infer.estimator import Estimate
from handscope.infer.full_camera import PosedHand
from handscope.infer.models import Models
from handscope.infer.tracking import BEGIN, PROPOSED, SCORE_SHARE, TOLD, Side, Tracker, TrackingConfig, blocks
from posed_hands import posed_hand
from stand_ins import stand_in

IMAGE = np.zeros((480, 640, 3), np.uint8)
SHAPE = posed_hand(640, 480).joints_2d
SHAPE = (SHAPE - SHAPE.mean(0)) / np.ptp(SHAPE, axis=0).max()  # about one unit large


def joints_at(x, y, size=100.0):
    return SHAPE * size + (x, y)


class Stage:
    """Models over scripted hands: `hands` is a list of (joints (21, 2), is right), `blind` hides them from the
    detector, `passes` counts the estimator's crops.
    """

    __class__ = Models  # stands in for them where types are checked

    def __init__(self):
        self.hands, self.blind = [], False
        self.passes = self.searches = 0
        self.doubt = lambda: 0.0  # log odds added to what a pass says of the side
        self.aligner = self.context = None
        self.min_score = 0.4
        self.score = 0.9  # of every detection
        self.presence = 1.0
        self.ghosts = False  # whether what the estimator reads is no hand after all
        self.estimator = _Callable(self.see, size=128)
        self.assembler = _Callable(self.assemble, asset=load_asset(), told=lambda hand: hand)

    def present(self, images, found):
        return [0.1 if self.ghosts else self.presence] * len(found)

    def detector(self, image, *, least):
        self.searches += 1
        found = []
        for joints, right in [] if self.blind or self.score < least else self.hands:
            centre, side, up = upright_frame(joints)
            box = np.concatenate([joints.min(0), joints.max(0)])
            if any(np.hypot(*(centre - d.centre)) < 0.2 * side for d in found):
                continue  # as non-maximum suppression does
            up = up / np.hypot(*up)
            found.append(Detection(box=box, up=up, centre=centre, extent=side, right=float(right), score=self.score))
        return found

    def see(self, image, crops):
        return [self._see(crop) for crop in crops]

    def _see(self, crop):
        self.passes += 1
        middle = np.full(2, (crop.size - 1) / 2)
        nearest = min(self.hands, key=lambda h: np.hypot(*(crop.apply(h[0].mean(0)) - middle)), default=None)
        if nearest is None or np.hypot(*(crop.apply(nearest[0].mean(0)) - middle)) > 0.5 * crop.size:
            joints, shown, trust = np.tile(middle, (21, 1)) + SHAPE, 0.5, 0.05
        else:
            joints, right = nearest
            odds = (4.0 + self.doubt()) * (1 if right != crop.mirrored else -1)
            joints, shown, trust = crop.apply(joints), 1 / (1 + np.exp(-odds)), 0.8
        nothing = np.zeros(0)  # of the rest nothing is asked
        return Estimate(
            crop=crop,
            joints=joints,
            joint_scores=np.full(21, trust),
            right=float(shown),
            bone_depths=None,
            mask=nothing,
            theta=nothing,
            beta=nothing,
            hand=stand_in(PosedHand),
            focal=1.0,
        )

    def assemble(self, estimate, score, camera):
        joints = estimate.joints_2d
        side = "left" if estimate.crop.mirrored else "right"
        box = np.concatenate([joints.min(0), joints.max(0)])
        return replace(posed_hand_once(), handedness=side, score=score, joints_2d=joints, box=box, extras={})


class _Callable:
    def __init__(self, function, **names):
        self.function = function
        self.__dict__.update(names)

    def __call__(self, *arguments):
        return self.function(*arguments)


_hand = []


def posed_hand_once():
    if not _hand:
        _hand.append(posed_hand(640, 480))
    return _hand[0]


@pytest.fixture
def stage():
    return Stage()


def tracker_of(stage, **config):
    return Tracker(stage, TrackingConfig(smoothing=None, **config))


def test_a_moving_hand_keeps_its_name_by_one_pass_a_frame(stage):
    tracker = tracker_of(stage, search_every_s=100.0)
    for frame in range(60):
        stage.hands = [(joints_at(100 + 6 * frame, 200 + 40 * np.sin(frame / 9)), True)]
        (hand,) = tracker(IMAGE, frame / 30)
        assert hand.track == 0 and hand.handedness == "right" and hand.extras["unseen_s"] == 0
        np.testing.assert_allclose(hand.joints_2d, stage.hands[0][0], atol=1e-6)
        if frame == 10:
            stage.passes = 0
    assert stage.searches == 1 and stage.passes == 49


def test_identities_survive_a_crossing(stage):
    """A right and a left hand pass through each other; in the middle the detector sees one of them only."""
    tracker = tracker_of(stage)
    names = []
    for frame in range(80):
        x = 100 + 5.5 * frame
        stage.hands = [(joints_at(x, 240), True), (joints_at(640 - x, 250), False)]
        hands = {h.track: h for h in tracker(IMAGE, frame / 30)}
        if frame in (5, 79):
            names.append({hand.handedness: track for track, hand in hands.items()})
            for side, (joints, _) in zip(("right", "left"), stage.hands, strict=True):
                np.testing.assert_allclose(hands[names[-1][side]].joints_2d, joints, atol=1e-6)
    assert names[0] == names[1] and set(names[0].values()) == {0, 1}


def test_a_gap_is_bridged_up_to_the_limit(stage):
    tracker = tracker_of(stage, longest_gap_s=0.5, tell_unseen=True)
    there = [(joints_at(300, 240), True)]
    scores = []
    for frame in range(60):
        stage.hands = [] if 20 <= frame < 32 else there
        (hand,) = tracker(IMAGE, frame / 30)
        assert hand.track == 0
        assert hand.extras["unseen_s"] == pytest.approx((frame - 19) / 30 if 20 <= frame < 32 else 0)
        scores.append(hand.score)
    assert all(before > after for before, after in pairwise(scores[19:32]))


def test_what_is_not_seen_is_not_told_and_keeps_its_name(stage):
    tracker = tracker_of(stage)
    told = []
    for frame in range(40):
        stage.hands = [] if 20 <= frame < 32 else [(joints_at(300, 240), True)]
        told.append([hand.track for hand in tracker(IMAGE, frame / 30)])
    assert told == [[0]] * 20 + [[]] * 12 + [[0]] * 8


def test_presence_begins_and_ends_tracks_whatever_the_joints_say(stage):
    """The joints score 0.8 all the time."""
    tracker = tracker_of(stage, search_every_s=0.1)
    stage.hands = [(joints_at(300, 240), True)]
    told = []
    for frame in range(60):
        stage.ghosts = frame < 10 or 30 <= frame < 50
        told.append([hand.track for hand in tracker(IMAGE, frame / 30)])
    assert told == [[]] * 10 + [[0]] * 20 + [[]] * 20 + [[1]] * 10


def test_the_score_is_that_of_detection_joints_and_presence(stage):
    stage.hands = [(joints_at(300, 240), True)]
    (hand,) = tracker_of(stage)(IMAGE, 0.0)
    assert hand.score == pytest.approx((0.9 * 0.8) ** 0.25)


def test_a_longer_gap_ends_the_track(stage):
    tracker = tracker_of(stage, longest_gap_s=0.31)
    counts, last = [], None
    for frame in range(60):
        stage.hands = [] if 20 <= frame < 40 else [(joints_at(300, 240), True)]
        hands = tracker(IMAGE, frame / 30)
        counts.append(len(hands))
        last = hands[0].track if hands else last
    assert counts[:20] == [1] * 20 and counts[20:40] == [0] * 20 and counts[40:] == [1] * 20 and last == 1


def test_a_cut_leaves_no_ghosts_behind(stage):
    """In another scene a hand that is not there is told of no more, without waiting for the gap to end."""
    tracker = tracker_of(stage)
    for frame in range(20):
        stage.hands = [(joints_at(120 if frame < 10 else 500, 240), True)]
        hands = tracker(IMAGE if frame < 10 else IMAGE + 180, frame / 30)
        assert [h.track for h in hands] == [0 if frame < 10 else 1]


@pytest.mark.parametrize("shape", [(480, 640, 3), (17, 1000, 3), (1, 5, 3)])
def test_blocks_are_means_of_the_picture(shape):
    rng = np.random.default_rng(0)
    assert blocks(np.full(shape, 51, np.uint8)).max() == pytest.approx(0.2)
    assert blocks(rng.integers(0, 256, (480, 640, 3), np.uint8)).std() < 0.1


def test_a_hand_found_again_elsewhere_is_another_one(stage):
    tracker = tracker_of(stage)
    for frame in range(40):
        stage.hands = [(joints_at(120 if frame < 20 else 520, 240), True)]
        hands = tracker(IMAGE, frame / 30)
    assert [h.track for h in hands] == [1]


def test_a_jump_the_detector_can_bridge_keeps_the_name(stage):
    tracker = tracker_of(stage)
    for frame in range(20):
        stage.hands = [(joints_at(200 if frame < 10 else 245, 240), True)]
        hands = tracker(IMAGE, frame / 30)
    assert [h.track for h in hands] == [0] and hands[0].extras["unseen_s"] == 0


def test_a_new_hand_is_found_within_the_time_between_searches(stage):
    tracker = tracker_of(stage, search_every_s=0.5)
    for frame in range(40):
        stage.hands = [(joints_at(150, 240), True)] + ([(joints_at(450, 240), False)] if frame >= 10 else [])
        hands = tracker(IMAGE, frame / 30)
        if frame == 26:
            assert {h.track: h.handedness for h in hands} == {0: "right", 1: "left"}
    assert len(hands) == 2 and stage.searches == 3


def test_one_hand_never_has_two_tracks(stage):
    tracker = tracker_of(stage, search_every_s=0.0)
    for frame in range(30):
        stage.hands = [(joints_at(300 + frame, 240), True)]
        assert [h.track for h in tracker(IMAGE, frame / 30)] == [0]


def test_no_more_hands_than_asked_for(stage):
    stage.hands = [(joints_at(80 + 120 * i, 240), True) for i in range(5)]
    tracker = tracker_of(stage, most_hands=2)
    assert len(tracker(IMAGE, 0.0)) == len(tracker(IMAGE, 0.1)) == 2


def test_a_hand_leaving_the_picture_is_dropped(stage):
    tracker = tracker_of(stage, longest_gap_s=0.1)
    for frame in range(60):
        stage.hands = [(joints_at(500 + 6 * frame, 240), True)]
        hands = tracker(IMAGE, frame / 30)
    assert hands == []


def test_what_is_hardly_a_hand_is_not_told_and_begins_no_track(stage):
    stage.hands = [(joints_at(300, 240), True)]
    score = (0.9 * 0.8) ** 0.25
    tracker = tracker_of(stage)
    stage.min_score = 1.01 * score / TOLD
    assert tracker(IMAGE, 0.0) == [] and len(tracker.tracks) == 1
    stage.min_score = 1.01 * score / BEGIN
    tracker = tracker_of(stage)
    assert tracker(IMAGE, 0.0) == [] and tracker.tracks == []


def test_a_detection_of_a_low_score_begins_no_track(stage):
    stage.hands = [(joints_at(300, 240), True)]
    for off, begun in ((0.01, 1), (-0.01, 0)):
        stage.score = PROPOSED + off
        tracker = tracker_of(stage)
        tracker(IMAGE, 0.0)
        assert len(tracker.tracks) == begun


@pytest.mark.parametrize(("says", "begun"), [(1.0, 1), (1e-4, 0)])
def test_what_lies_round_a_doubtful_hand_counts_when_its_track_begins(stage, says, begun):
    asked = []
    stage.context = lambda images, joints: (asked.extend(joints), np.full(len(joints), says))[1]
    stage.hands, stage.presence = [(joints_at(300, 240), True)], 0.6
    tracker = tracker_of(stage)
    hands = tracker(IMAGE, 0.0)
    assert len(tracker.tracks) == len(hands) == begun and len(asked) == 1
    alone = SURE_WITHOUT * (0.9 * 0.8) ** 0.5
    if begun:
        assert hands[0].score == pytest.approx(in_context(alone, says))
        tracker(IMAGE, 0.1)
        assert len(asked) == 1  # a track that is followed has been judged


def test_of_a_sure_hand_nobody_asks_what_lies_round_it(stage):
    stage.context = lambda images, joints: pytest.fail("asked")
    stage.hands = [(joints_at(300, 240), True)]
    assert len(tracker_of(stage)(IMAGE, 0.0)) == 1


def test_a_track_is_told_by_its_score_over_time(stage):
    """A doubtful hand that becomes a sure one is told a little later, and keeps being told through a worse frame."""
    stage.hands, stage.presence = [(joints_at(300, 240), True)], 0.3
    stage.min_score = 0.9
    tracker = tracker_of(stage, min_presence=0.2)
    told = []
    for frame in range(30):
        stage.presence = 0.3 if frame < 10 or frame == 25 else 1.0
        told.append(len(tracker(IMAGE, frame / 30)))
    assert told[:10] == [0] * 10 and told[13:] == [1] * 17


def test_the_score_over_time_is_the_mean_that_forgets(stage):
    stage.hands = [(joints_at(300, 240), True)]
    tracker = tracker_of(stage, search_every_s=9)
    (first,) = tracker(IMAGE, 0.0)
    stage.presence = 0.6
    (second,) = tracker(IMAGE, 0.1)
    now = SURE_WITHOUT * (0.9 * 0.8) ** 0.5
    assert second.score == pytest.approx(first.score + SCORE_SHARE * (now - first.score))


def test_a_few_wrong_looks_do_not_turn_a_side(stage):
    tracker = tracker_of(stage)
    stage.hands = [(joints_at(300, 240), True)]
    for frame in range(60):
        wrong = frame in (20, 21, 40)
        stage.doubt = lambda wrong=wrong: -8.0 if wrong else 0.0
        (hand,) = tracker(IMAGE, frame / 30)
        assert hand.handedness == "right"


def test_lasting_evidence_turns_a_side(stage):
    tracker = tracker_of(stage)
    stage.hands = [(joints_at(300, 240), True)]
    for frame in range(60):
        stage.hands = [(joints_at(300, 240), frame < 20)]
        (hand,) = tracker(IMAGE, frame / 30)
    assert hand.handedness == "left" and hand.track == 0


def test_sides_have_hysteresis():
    side = Side(TrackingConfig())
    side.hear(-0.2)
    assert not side.right and not side.sure
    side.hear(0.5)
    assert not side.right  # a little evidence for the other side
    for _ in range(10):
        side.hear(1.0)
    assert side.right and side.sure


def test_a_hand_is_tracked_by_real_networks_code(toy_weights):
    """The same around ONNX stand-ins: nothing of the models' interface is imagined by the tests above."""
    from handscope.infer.pipeline import load
    from toy_networks import blobs, paint, toy_joints

    tracker = Tracker(load(toy_weights, threads=1).models)
    for frame in range(8):
        points = blobs((150 + 8 * frame, 150), 90, 0.05 * frame, "left")
        (hand,) = tracker(paint(400, 300, [points]), frame / 30)
        assert hand.track == 0 and hand.handedness == "left"
    assert np.linalg.norm(hand.joints_2d - toy_joints(*points), axis=1).mean() < 15


def test_a_tiny_picture_has_no_hand(stage):
    assert tracker_of(stage)(np.zeros((4, 4, 3), np.uint8), 0.0) == []


def test_where_the_clock_goes_back_hands_are_followed_anew(stage):
    """Two clips one after the other: in the second the hand begins elsewhere and moves."""
    tracker = tracker_of(stage)
    stage.hands = [(joints_at(150, 200), True)]
    for frame in range(20):
        (first,) = tracker(IMAGE, frame / 30)
    for frame in range(20):
        stage.hands = [(joints_at(180 + 6 * frame, 200), True)]
        (hand,) = tracker(IMAGE, frame / 30)
        np.testing.assert_allclose(hand.joints_2d, stage.hands[0][0], atol=1e-6)
        assert (tracker.notes != ()) == (frame == 0)
    assert hand.track != first.track


def test_a_tracker_can_be_reset_and_never_uses_a_name_twice(stage):
    tracker = tracker_of(stage)
    stage.hands = [(joints_at(150, 200), True)]
    names = []
    for _ in range(3):
        names += [hand.track for frame in range(3) for hand in tracker(IMAGE, frame / 30)]
        tracker.reset()
        assert tracker.tracks == []
    assert names == [0] * 3 + [1] * 3 + [2] * 3


def test_a_step_back_can_be_refused(stage):
    tracker = tracker_of(stage, on_step_back="refuse")
    tracker(IMAGE, 1.0)
    with pytest.raises(HandscopeError, match="must grow"):
        tracker(IMAGE, 0.0)


times = st.lists(
    st.one_of(st.just(1 / 30), st.just(0.0), st.floats(-5, 5), st.sampled_from([100.0, -100.0])),
    min_size=2,
    max_size=25,
)


@settings(max_examples=60, deadline=None)
@given(times, st.lists(st.booleans(), min_size=25, max_size=25), st.booleans(), st.booleans())
def test_no_restart_leap_or_repeat_of_the_clock_shows_a_hand_that_is_not_there(steps, there, smoothed, moving):
    """Hands come, move and go while the clock does what it likes: what is told is in the frame, where it is told."""
    stage = Stage()
    tracker = Tracker(stage, TrackingConfig() if smoothed else TrackingConfig(smoothing=None))
    now = 0.0
    for number, (step, shown) in enumerate(zip(steps, there, strict=False)):
        now += step
        place = joints_at(150 + (8 * number if moving else 0), 200)
        stage.hands = [(place, True)] if shown else []
        for hand in tracker(IMAGE, now):
            assert shown
            assert np.abs(hand.joints_2d - place).max() < (60 if smoothed else 1e-6)
