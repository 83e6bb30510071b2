"""Hands over time: one pass a hand and frame, and each hand keeps its name.

The detector runs when a hand was lost, and now and then for new ones. Otherwise a hand's crop comes from its joints
in the last frame, moved on by its velocity, upright, and mirrored by the side that the track is locked to. The side
is decided by evidence summed over frames: both sides are tried until it suffices, and again when it wanes.
A hand that is not seen keeps its place for a while, so that a gap does not end it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from typing import NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from handscope.errors import HandscopeError
from handscope.geometry.boxes import best_of_each, box_area, box_centre, box_iou, longer_side, shared_area, tight_box
from handscope.geometry.camera import Camera
from handscope.geometry.crops import Crop, crop_around, upright_frame
from handscope.infer.cameras import CameraLike
from handscope.infer.clock import Clock, OnStepBack
from handscope.infer.crop_estimates import CropEstimate
from handscope.infer.crop_policy import bounded, detected_crop, on_grid
from handscope.infer.detection import SURE_ALONE, in_context, is_astray, joint_score
from handscope.infer.detector import Detection
from handscope.infer.duplicates import drop_repeated, same_hand
from handscope.infer.estimator import Estimate
from handscope.infer.inputs import PictureInput, prepare
from handscope.infer.models import Models
from handscope.infer.results import FoundHand
from handscope.infer.smoothing import HandSmoother, SmoothingConfig

Array = NDArray[np.floating]
LEAST_INSIDE = 0.3
"""Share of the box of a hand's joints that the picture must hold: what has left by more is not told (our choice, so
that a hand ends at the border before its crop is mostly border)."""

BEGIN, TOLD = 0.7, 0.9
"""Shares of the least score that a hand needs to begin a track or to be found again, and its track to be told."""
PROPOSED = 0.3
"""The least score of a detection: with all that are looked at in pictures, from 0.08 on, 64.7 % of the ten clips' hands
were found instead of 67.1, as wrong tracks were in the way, in three times the time."""
SCORE_SHARE = 0.3
"""By how much a frame's score counts in its track's."""
FIRST_PRESENCE = 0.2
"""Share of the least presence that a first pass needs to be followed by the estimator's."""


@dataclass(frozen=True, kw_only=True)
class TrackingConfig:
    """When to search, when a hand is lost, when its side is sure.

    `search_every_s`: seconds between searches while every hand is seen; `longest_gap_s`: so long a hand that is not
    seen keeps its name, and, if `tell_unseen`, is told as it was last; `min_presence`: probability of a hand under
    which a crop shows none, `min_confidence` the same of the mean joint score (mere background scores about 0.05);
    `sure`: evidence (sum of log odds, leaking by `leak` a pass) from which one side alone is tried;
    `turnover`: evidence for the other side at which the track changes sides. `velocity_share`: by how much a hand's new
    velocity counts; `scene_change`: mean change of brightness (of 1) from frame to frame that is another scene.
    `smoothing` None: none. `on_step_back`: a time before the last one begins another recording ("restart") or is
    refused ("refuse").
    """

    search_every_s: float = 0.5
    longest_gap_s: float = 0.5
    tell_unseen: bool = False
    min_presence: float = 0.5
    min_confidence: float = 0.2
    most_hands: int = 8
    sure: float = 4.0
    turnover: float = 1.5
    leak: float = 0.1
    velocity_share: float = 0.5
    scene_change: float = 0.1
    smoothing: SmoothingConfig | None = field(default_factory=SmoothingConfig)
    on_step_back: OnStepBack = "restart"

    def __post_init__(self) -> None:
        if self.search_every_s < 0 or self.longest_gap_s < 0 or self.most_hands < 1:
            raise ValueError(f"times must not be negative and most_hands at least 1, got {self}")
        if self.on_step_back not in get_args(OnStepBack):
            raise ValueError(f"on_step_back is one of {', '.join(get_args(OnStepBack))}, got {self.on_step_back!r}")


@dataclass
class Side:
    """Left or right, by evidence: log odds of a right hand, summed and leaking, with hysteresis."""

    config: TrackingConfig
    evidence: float = 0.0
    right: bool = True
    heard: int = 0

    @property
    def sure(self) -> bool:
        """Whether one side alone need be tried."""
        return (self.evidence if self.right else -self.evidence) >= self.config.sure

    def hear(self, log_odds: float) -> None:
        """One more pass's log odds of a right hand."""
        told = float(np.clip(log_odds, -2.5, 2.5))
        most = 2 * self.config.sure  # so that a sure track can be brought round in a few frames
        self.evidence = float(np.clip((1 - self.config.leak) * self.evidence + told, -most, most))
        against = -self.evidence if self.right else self.evidence
        if self.heard == 0 or against > self.config.turnover:
            self.right = self.evidence >= 0
        self.heard += 1


@dataclass
class Track:
    """One hand over time. `estimate` is the last one, `velocity` (2,) px/s that of the joints' middle; `detected` is
    the detector's score of it and `score` the hand's, both over time; `presence` is the last one, `context` what was
    said of its surroundings when it began or was found again (None: nobody was asked).
    """

    number: int
    side: Side
    smoother: HandSmoother | None
    detected: float
    score: float
    presence: float
    context: float | None
    estimate: Estimate
    seen: float
    velocity: Array = field(default_factory=lambda: np.zeros(2))
    hand: FoundHand | None = None

    @property
    def handedness(self) -> str:
        """The side as the word of a `Hand`."""
        return "right" if self.side.right else "left"

    def joints_at(self, time: float) -> Array:
        """Joints (21, 2) px expected at `time`; a hand out of sight for long is expected to stand still."""
        return self.estimate.joints_2d + self.velocity * min(time - self.seen, 0.15)


class Seen(NamedTuple):
    """A hand in a frame: what the network says of it, and the probability that it is there."""

    estimate: Estimate
    presence: float


class Tracker:
    """Call it with the frames of a video, in order, for the hands of each.

    `time` is that of the last frame in seconds, by a clock that grows; `notes` are what is odd about its time. Where
    the clock goes back or leaps another recording begins, and every hand gets a new name; `reset` does the same.

    A hand carries its `track`; `extras["unseen_s"]` says for how long it has not been seen: such a hand, which is told
    only if the configuration asks for it, is the last one seen, with a falling score.
    """

    def __init__(self, models: Models, config: TrackingConfig | None = None) -> None:
        self.models = models
        if config is not None and not isinstance(config, TrackingConfig):
            raise HandscopeError(f"config must be a TrackingConfig, got a {type(config).__name__}")
        self.config = config or TrackingConfig()
        self._numbers = count()
        self._clock = Clock(on_step_back=self.config.on_step_back, patience_s=self.config.longest_gap_s)
        self.time, self.notes = 0.0, ()
        self.reset()

    def reset(self) -> None:
        """Forget every hand and the clock: the next frame is the first of another recording."""
        self._clock.reset()
        self._forget()

    def _forget(self) -> None:
        self.tracks: list[Track] = []
        self._searched = -np.inf
        self._last_blocks: Array | None = None

    def __call__(self, image: NDArray[np.uint8] | PictureInput, time: float, K: CameraLike = None) -> list[FoundHand]:
        """Hands in `image` RGB uint8 (H, W, 3), or prepared with its camera, taken at `time` seconds with the camera
        `K`, by track. Raises HandscopeError for a time or camera that is none.
        """
        given = image if isinstance(image, PictureInput) else prepare(image, K)
        self.time, anew, self.notes = self._clock(time)
        if anew:
            self._forget()
        return [given.told(hand) for hand in self._hands(given, self.time)] if given.is_large_enough else []

    def _hands(self, given: PictureInput, time: float) -> list[FoundHand]:
        image = given.image
        new_scene = self._is_new_scene(image)
        seen = self._follow(image, time)
        lost = [track for track in self.tracks if track.number not in seen]
        if new_scene or lost or not self.tracks or time - self._searched >= self.config.search_every_s:
            seen |= self._search(image, time, lost)
        longest = 0.0 if new_scene else self.config.longest_gap_s  # who is not in the new scene has left
        self.tracks = [t for t in self.tracks if t.number in seen or time - t.seen <= longest]
        told = [t for t in self.tracks if t.number in seen or self.config.tell_unseen]
        hands = [self._hand(t, seen.get(t.number), time, given.camera) for t in told]
        best = {hand.track for hand in drop_repeated(hands)}
        least = 0.0 if self.config.tell_unseen else TOLD * self.models.min_score
        return [hand for hand in hands if hand.track in best and hand.score >= least]

    def _is_new_scene(self, image: NDArray[np.uint8]) -> bool:
        """Whether this frame shows another scene than the last one: blocks of the picture changed much on average."""
        shown = blocks(image)
        last, self._last_blocks = self._last_blocks, shown
        return last is not None and float(np.abs(shown - last).mean()) > self.config.scene_change

    def _follow(self, image: NDArray[np.uint8], time: float) -> dict[int, Seen]:
        """Passes over where the tracks should be, all in one batch; hands found, by track number."""
        plans = [(t, t.joints_at(time)) for t in self.tracks]
        crops = [self._crops(t.side, *upright_frame(joints), last=t.estimate.crop) for t, joints in plans]
        estimates = self._estimate(image, crops)
        judged = [_judge(t.side, passes) for (t, _), passes in zip(plans, estimates, strict=True)]
        found = {
            t.number: seen for (t, _), seen in zip(plans, self._present(image, judged), strict=True) if seen is not None
        }
        expected = {t.number: joints for t, joints in plans}
        for number in _duplicates({n: seen.estimate for n, seen in found.items()}, expected):
            del found[number]
        for track, _ in plans:
            if track.number in found:
                self._update(track, found[track.number], time)
        return found

    def _search(self, image: NDArray[np.uint8], time: float, lost: Sequence[Track]) -> dict[int, Seen]:
        """Runs the detectors: finds lost tracks again and begins new ones; hands found, by track number."""
        self._searched = time
        detections = self.models.detector(image, least=PROPOSED)
        owners = assign(detections, self.tracks, time)
        for detection, track in zip(detections, owners, strict=True):
            if track is not None:
                track.detected += 0.5 * (detection.score - track.detected)
        places = [(d, t) for d, t in zip(detections, owners, strict=True) if t is None or t in lost]
        found: dict[int, Seen] = {}
        for detection, track, first in self._promising(image, places):
            if track is None and len(self.tracks) >= self.config.most_hands:
                continue
            side = Side(self.config) if track is None else track.side
            crops = self._crops(side, *upright_frame(first.joints_2d), last=first.crop)
            (seen,) = self._present(image, [_judge(side, self._estimate(image, [crops])[0])])
            if seen is None or self._is_known(seen.estimate, found, time, track):
                continue
            alone = joint_score(detection.score, *seen)
            context = self._context(image, alone, seen.estimate)
            score = _weighed(alone, context)
            if score < BEGIN * self.models.min_score:
                continue
            if track is None:
                track = self._begin(side, detection, score, seen, context, time)
            else:
                track.context = context
                self._update(track, seen, time, moved=False)
            found[track.number] = seen
        return found

    def _promising(
        self, image: NDArray[np.uint8], places: Sequence[tuple[Detection, Track | None]]
    ) -> list[tuple[Detection, Track | None, CropEstimate]]:
        """Which of the detections, with the lost tracks they may be, are worth the estimator's passes, and a first pass
        over each that says where the joints are.
        """
        size = self.models.estimator.size
        rough = [
            detected_crop(d, size, mirrored=not t.side.right if t is not None and t.side.heard else None)
            for d, t in places
        ]
        firsts: list[CropEstimate] = [*(self.models.aligner or self.models.estimator)(image, rough)]
        presences = self.models.present([image] * len(firsts), firsts)
        if self.models.aligner is not None:
            astray = [k for k, (d, _) in enumerate(places) if is_astray(firsts[k], d)]
            again = self.models.estimator(image, [rough[k] for k in astray])
            seen = self.models.present([image] * len(again), again)
            for k, estimate, presence in zip(astray, again, seen, strict=True):
                if presence > presences[k]:
                    firsts[k], presences[k] = estimate, presence
        return [
            (*place, first)
            for place, first, presence in zip(places, firsts, presences, strict=True)
            if presence >= FIRST_PRESENCE * self.config.min_presence
        ]

    def _context(self, image: NDArray[np.uint8], score: float, estimate: Estimate) -> float | None:
        """What is said of what lies round a hand of that score by itself; None where nobody is asked."""
        if self.models.context is None or score >= SURE_ALONE:
            return None
        return float(self.models.context([image], [estimate.joints_2d])[0])

    def _begin(
        self, side: Side, detection: Detection, score: float, seen: Seen, context: float | None, time: float
    ) -> Track:
        smoothing = self.config.smoothing
        smoother = None if smoothing is None else HandSmoother(self.models.assembler.asset, smoothing)
        track = Track(
            next(self._numbers), side, smoother, detection.score, score, seen.presence, context, seen.estimate, time
        )
        self.tracks.append(track)
        return track

    def _update(self, track: Track, seen: Seen, time: float, *, moved: bool = True) -> None:
        """The track has been seen; unless `moved`, where it was before says nothing of its velocity."""
        seconds = time - track.seen
        if moved and seconds > 0:
            step = (seen.estimate.joints_2d - track.estimate.joints_2d).mean(0) / seconds
            track.velocity = track.velocity + self.config.velocity_share * (step - track.velocity)
        elif seconds > 0:
            track.velocity = np.zeros(2)
        track.estimate, track.presence, track.seen = seen.estimate, seen.presence, time
        track.score += SCORE_SHARE * (_weighed(joint_score(track.detected, *seen), track.context) - track.score)

    def _crops(self, side: Side, centre: Array, length: float, up: Array, *, last: Crop) -> list[Crop]:
        """The upright crop of the side, at most `MAX_ZOOM` times larger or smaller than the last; both while unsure."""
        length = bounded(length, last.extent)
        sides = [not side.right] if side.sure else [False, True]
        size = self.models.estimator.size
        return [on_grid(crop_around(centre, length, up, size=size, mirrored=mirrored)) for mirrored in sides]

    def _estimate(self, image: NDArray[np.uint8], crops: Sequence[Sequence[Crop]]) -> list[list[Estimate]]:
        """Estimates in the groups of the crops, by one batch."""
        flat = iter(self.models.estimator(image, [crop for group in crops for crop in group]))
        return [[next(flat) for _ in group] for group in crops]

    def _present(self, image: NDArray[np.uint8], estimates: Sequence[Estimate]) -> list[Seen | None]:
        """Which of the estimates are hands, `LEAST_INSIDE` of whose joints' box at least is inside the picture."""
        height, width = image.shape[:2]
        boxes = [tight_box(estimate.joints_2d) for estimate in estimates]
        good = [
            i
            for i, (estimate, box) in enumerate(zip(estimates, boxes, strict=True))
            if estimate.confidence >= self.config.min_confidence
            and shared_area(box, [0, 0, width, height]) >= LEAST_INSIDE * max(float(box_area(box)), 1.0)
        ]
        presences = self.models.present([image] * len(good), [estimates[i] for i in good])
        seen: list[Seen | None] = [None] * len(estimates)
        for i, presence in zip(good, presences, strict=True):
            if presence >= self.config.min_presence:
                seen[i] = Seen(estimates[i], presence)
        return seen

    def _is_known(self, estimate: Estimate, found: dict[int, Seen], time: float, own: Track | None) -> bool:
        """Whether another track that is seen in this frame is this very hand."""
        others = [t.estimate for t in self.tracks if t is not own and (t.seen == time or t.number in found)]
        return any(same_hand(estimate.joints_2d, other.joints_2d) for other in others)

    def _hand(self, track: Track, seen: Seen | None, time: float, camera: Camera) -> FoundHand:
        if seen is None and track.hand is not None:
            left = max(0.0, 1 - (time - track.seen) / max(self.config.longest_gap_s, 1e-9))
            return replace(
                track.hand, score=track.score * left, extras={**track.hand.extras, "unseen_s": time - track.seen}
            )
        hand = self.models.assembler(track.estimate, track.score, camera)
        if track.smoother is not None:
            hand = track.smoother(hand, time)
        hand = self.models.assembler.told(hand)
        track.hand = replace(hand, track=track.number, extras={**hand.extras, "unseen_s": 0.0})
        return track.hand


def _weighed(score: float, context: float | None) -> float:
    """The score of a hand that has `score` by itself, with what was said of its surroundings, if anybody was asked."""
    return score if context is None else in_context(score, context)


def _judge(side: Side, passes: Sequence[Estimate]) -> Estimate:
    """Weighs the passes over one side or both as evidence and returns that of the side decided on."""
    tiny = 1e-6
    if len(passes) == 2:
        plain, mirrored = passes
        side.hear(float(np.log((plain.plausibility + tiny) / (mirrored.plausibility + tiny))))
        return plain if side.right else mirrored
    (only,) = passes
    odds = float(np.log((only.right + tiny) / (1 - only.right + tiny))) * only.confidence
    side.hear(-odds if only.crop.mirrored else odds)
    return only


def blocks(image: NDArray[np.uint8], count: int = 12) -> Array:
    """Mean green (count, count) in [0, 1] of equal blocks of `image` (H, W, 3); of fewer where it is smaller."""
    rows, columns = (min(count, side) for side in image.shape[:2])
    height, width = image.shape[0] // rows, image.shape[1] // columns
    step = max(1, min(height, width) // 8)
    green = image[: rows * height, : columns * width, 1].reshape(rows, height, columns, width)[:, ::step, :, ::step]
    return np.pad(green.mean((1, 3)) / 255, ((0, count - rows), (0, count - columns)))


def _duplicates(found: dict[int, Estimate], expected: dict[int, Array]) -> set[int]:
    """Of tracks that found the same hand, all but the one that expected it nearest to there."""
    numbers, joints = list(found), [estimate.joints_2d for estimate in found.values()]
    strayed = [float(np.linalg.norm(found[n].joints_2d - expected[n], axis=1).mean()) for n in numbers]
    same = np.array([[same_hand(one, other) for other in joints] for one in joints], bool)
    return set(found) - {numbers[i] for i in best_of_each(-np.array(strayed), same)}


def assign(detections: Sequence[Detection], tracks: Sequence[Track], time: float) -> list[Track | None]:
    """The track each detection belongs to, or None: greedily by least cost.

    The cost is the distance of the boxes' centres in box sides, less half their IoU, plus a third where the
    detector is sure of the other side than the track is.
    """
    costs = []
    for i, detection in enumerate(detections):
        for track in tracks:
            joints = track.joints_at(time)
            box = tight_box(joints)
            sides = [float(longer_side(b)) for b in (box, detection.box)]
            apart = float(np.hypot(*(box_centre(box) - box_centre(detection.box)))) / max(*sides, 1.0)
            if apart > 0.6 or min(sides) < 0.4 * max(sides):
                continue
            other_side = abs(detection.right - float(track.side.right)) if track.side.sure else 0.0
            costs.append((apart - 0.5 * box_iou(box, detection.box) + other_side / 3, i, track))
    owners: list[Track | None] = [None] * len(detections)
    for _, i, track in sorted(costs, key=lambda c: c[:2]):
        if owners[i] is None and track not in owners:
            owners[i] = track
    return owners
