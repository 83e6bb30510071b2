"""Which hands to read in a picture: first estimates where the detector, or a caller's box, says that one is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from handscope.geometry.boxes import box_iou, tight_box
from handscope.infer.crop_estimates import CropEstimate, View
from handscope.infer.crop_policy import crops_of_box, detected_crop, next_crop, other_side
from handscope.infer.detector import Detection
from handscope.infer.duplicates import distinct, same_hand
from handscope.infer.effort import Effort
from handscope.infer.estimator import Estimate
from handscope.infer.models import Models

Image = NDArray[np.uint8]
SURE_WITHOUT = 0.9
"""Share of the score without presence that a hand has at least. On photographs of people it costs no precision, of
hands that MediaPipe's network hardly knows (rendered ones, stretched pictures) it keeps the surest."""
SURE_ALONE = 0.8
"""Score from which nobody asks what lies round a hand: on photographs of people nothing of that score was wrong that
the context network would have told from a hand."""
TAKEN = 0.7
"""Score of a first look from which weak detections that lie on it are not looked at."""
ASTRAY_IOU = 0.3
"""Joints whose box overlaps less with the detection's are looked for again in the detector's own crop: found at a
precision of 95 % were then 65.1 % instead of 62.8 of the hands of held-out photographs."""
CHOICES = 2
"""Of a box's eight crops so many are looked at, from both sides: of rendered hands in scenes, with true boxes, 80 %
instead of 76 then had joints within a fifth of the box in the mean, of those of touching pairs 59 instead of 55."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Candidate:
    """The first estimate of what may be a hand; `detected` is the detector's score in [0, 1], None for a given `box`
    (4,) px, and `presence` the probability that there is a hand at all.
    """

    first: Estimate
    detected: float | None
    presence: float = 1.0
    box: NDArray[np.floating] | None = None

    @property
    def first_score(self) -> float:
        """That of the hand if it were what the first estimate says."""
        return self.score(self.first, self.presence)

    def kept(self, refined: Estimate) -> Estimate:
        """What further passes made of the first estimate, unless they have left the given box."""
        box = self.box
        return refined if box is None else max(refined, self.first, key=lambda estimate: fit_to_box(estimate, box))

    def score(self, estimate: Estimate, presence: float) -> float:
        """The score in [0, 1] of the hand that this candidate turns out to be (`joint_score`); of a given box, its mean
        joint score.
        """
        return estimate.confidence if self.detected is None else joint_score(self.detected, estimate, presence)


def joint_score(detected: float, estimate: Estimate, presence: float) -> float:
    """Geometric mean of presence and of what is that of the detector's score and of the estimate's confidence; but no
    less than `SURE_WITHOUT` of the latter: presence does not overrule who is sure.
    """
    score = np.sqrt(detected * estimate.confidence)
    return float(max(np.sqrt(score * presence), SURE_WITHOUT * score))


def in_context(score: float, context: float) -> float:
    """The score of a hand that has `score` by itself, and the probability `context` by what lies round it: a mean that
    leaves context a fifth of the weight (of those from a tenth to two fifths the best on photographs of people), to
    the power with which the least score is what it was.
    """
    return float((score**4 * context) ** (1 / 6))


def search(models: Models, images: Sequence[Image]) -> list[list[Candidate]]:
    """The candidates in each of `images`, RGB uint8 (H, W, 3), that the detector sees, best first.

    What the first pass takes for no hand (`Effort.first_score`), or for one found already, is left out; weak detections
    beside others are looked at unless they lie on a hand that is `TAKEN`.
    """
    found = [(i, d) for i, detections in enumerate(models.detector.search(images)) for d in detections]
    candidates: list[list[Candidate]] = [[] for _ in images]
    for beside in (False, True):
        places = [(i, d) for i, d in found if d.beside == beside and not _is_taken(d, candidates[i])]
        for i, candidate in _looked_at(models, images, places):
            if candidate.first_score >= models.effort.first_score * models.min_score:
                candidates[i].append(candidate)
    return [_distinct(of_picture) for of_picture in candidates]


def _is_taken(detection: Detection, candidates: Sequence[Candidate]) -> bool:
    """Whether a weak detection lies on a hand that is `TAKEN`."""
    taken = [tight_box(c.first.joints_2d) for c in candidates if detection.beside and c.first_score >= TAKEN]
    x, y = detection.centre
    return any(box[0] <= x <= box[2] and box[1] <= y <= box[3] for box in taken)


def _looked_at(
    models: Models, images: Sequence[Image], found: Sequence[tuple[int, Detection]]
) -> list[tuple[int, Candidate]]:
    """What is seen of detections, each with the number of its picture, where a hand is not too unlikely."""
    detections = [d for _, d in found]
    size = models.estimator.size
    rough = [(images[i], detected_crop(d, size)) for i, d in found]
    if models.aligner is None:
        looked = _look(models, detections, rough)
    else:
        aligned = models.aligner.align(rough, size)
        hopeful = [k for k, e in enumerate(aligned) if _is_hopeful(e.presence, detections[k].score, models.effort)]
        views = [(rough[k][0], next_crop(aligned[k], size)) for k in hopeful]
        found, rough = [found[k] for k in hopeful], [rough[k] for k in hopeful]
        detections = [detection for _, detection in found]
        looked = _look(models, detections, views)
        astray = [k for k, c in enumerate(looked) if models.effort.look_again and is_astray(c.first, detections[k])]
        again = _look(models, [detections[k] for k in astray], [rough[k] for k in astray])
        for k, candidate in zip(astray, again, strict=True):
            looked[k] = max(looked[k], candidate, key=lambda c: c.first_score)
    return [(i, candidate) for (i, _), candidate in zip(found, looked, strict=True)]


def scores_of(
    models: Models, images: Sequence[Image], candidates: Sequence[Candidate], estimates: Sequence[Estimate]
) -> list[float]:
    """The scores of what `candidates`, each of its own picture, have turned out to be. Who could not be told, whatever
    is said, is not judged, and of who is sure alone nobody asks what lies round it.
    """
    scores = [candidate.score(estimate, 1.0) for candidate, estimate in zip(candidates, estimates, strict=True)]
    best = (lambda score: score) if models.context is None else (lambda score: in_context(score, 1.0))
    likely = [k for k, c in enumerate(candidates) if c.detected is not None and best(scores[k]) >= models.min_score]
    presences = models.judged([images[k] for k in likely], [estimates[k] for k in likely])
    for k, presence in zip(likely, presences, strict=True):
        scores[k] = candidates[k].score(estimates[k], presence)
    if models.context is None:
        return scores
    doubted = [k for k in likely if scores[k] < SURE_ALONE and best(scores[k]) >= models.min_score]
    contexts = models.context([images[k] for k in doubted], [estimates[k].joints_2d for k in doubted])
    for k, context in zip(doubted, contexts, strict=True):
        scores[k] = in_context(scores[k], float(context))
    return scores


def _is_hopeful(presence: float | None, detected: float, effort: Effort) -> bool:
    """Whether to look closer where the detector and the aligner, if that says anything of presence, say so much."""
    return presence is None or presence * detected >= effort.unlikely**2


def _look(models: Models, detections: Sequence[Detection], views: Sequence[View]) -> list[Candidate]:
    """What is seen of each of `detections` in its view."""
    firsts = models.estimator.estimate(views)
    present = models.present([image for image, _ in views], firsts)
    return [
        Candidate(first=first, detected=detection.score, presence=presence)
        for detection, first, presence in zip(detections, firsts, present, strict=True)
    ]


def is_astray(first: CropEstimate, detection: Detection) -> bool:
    """Whether the joints lie elsewhere than the detection's box: the aligner did not know what it saw."""
    return _filled(first, detection.box) < ASTRAY_IOU


def _distinct(candidates: Sequence[Candidate]) -> list[Candidate]:
    kept = distinct([c.first.joints_2d for c in candidates], [c.first_score for c in candidates])
    return [candidates[k] for k in kept]


def from_boxes(models: Models, image: Image, boxes: NDArray[np.floating]) -> list[Candidate]:
    """A candidate for each of `boxes` (n, 4) px, tight round a hand of `image` RGB uint8 (H, W, 3).

    A box does not say which way its hand points and which side it is. Several looks are taken (`_looks_at_box`); a box
    gets the best of those that do not show the hand of a surer box.
    """
    looks = [_looks_at_box(models, image, box) for box in boxes]
    chosen: dict[int, Estimate] = {}
    for i in sorted(range(len(looks)), key=lambda i: -looks[i][0][1]):
        taken = [estimate.joints_2d for estimate in chosen.values()]
        free = [look for look, _ in looks[i] if not any(same_hand(look.joints_2d, joints) for joints in taken)]
        chosen[i] = free[0] if free else looks[i][0][0]
    return [Candidate(first=chosen[i], detected=None, box=boxes[i]) for i in range(len(looks))]


def _looks_at_box(models: Models, image: Image, box: NDArray[np.floating]) -> list[tuple[Estimate, float]]:
    """Estimates of what is in a box (4,), best first, with their `fit_to_box`.

    Of the box's eight crops those `CHOICES` which show an upright right hand best, whose joints fill the box, are
    looked at from both sides; with an `effort` that has no doubt the best one alone.
    """
    size, doubt = models.estimator.size, models.effort.doubt
    crops = crops_of_box(box, size)
    if models.aligner is not None:
        seen = sorted(models.aligner(image, crops), key=lambda e: -e.fitness * _filled(e, box))
        crops = [next_crop(estimate, size) for estimate in seen[: CHOICES if doubt else 1]]
        crops += [other_side(crop) for crop in crops if doubt]
    looks = [(look, fit_to_box(look, box)) for look in models.estimator(image, crops)]
    return sorted(looks, key=lambda look: -look[1])


def fit_to_box(estimate: Estimate, box: NDArray[np.floating]) -> float:
    """In [0, 1]: plausibility times how well the joints fill a box (4,) px."""
    return estimate.plausibility * _filled(estimate, box)


def _filled(estimate: CropEstimate, box: NDArray[np.floating]) -> float:
    """IoU of a box with the tight one of an estimate's joints."""
    return float(box_iou(box, tight_box(estimate.joints_2d)[None])[0])
