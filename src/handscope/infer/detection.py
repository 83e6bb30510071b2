"""Which hands to read in a picture: first estimates where the detector, or a caller's box, says that one is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from handscope.geometry.boxes import box_iou, tight_box
from handscope.infer.crop_estimates import CropEstimate, View
from handscope.infer.crop_policy import crops_of_box, detected_crop, next_crop
from handscope.infer.detector import Detection
from handscope.infer.duplicates import distinct
from handscope.infer.estimator import Estimate
from handscope.infer.models import Models

Image = NDArray[np.uint8]
SURE_WITHOUT = 0.9
"""Share of the score without presence that a hand has at least. On photographs of people it costs no precision, of
hands that MediaPipe's network hardly knows (rendered ones, stretched pictures) it keeps the surest."""
ASTRAY_IOU = 0.3
"""Joints whose box overlaps less with the detection's are looked for again in the detector's own crop: found at a
precision of 95 % were then 65.1 % instead of 62.8 of the hands of held-out photographs."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Candidate:
    """The first estimate of what may be a hand; `detected` is the detector's score in [0, 1], None for a given box, and
    `presence` the probability that there is a hand at all.
    """

    first: Estimate
    detected: float | None
    presence: float = 1.0

    @property
    def first_score(self) -> float:
        """That of the hand if it were what the first estimate says."""
        return self.score(self.first, self.presence)

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


def search(models: Models, images: Sequence[Image]) -> list[list[Candidate]]:
    """The candidates in each of `images`, RGB uint8 (H, W, 3), that the detector sees, best first.

    What the first pass takes for no hand (`Effort.first_score`), or for one found already, is left out.
    """
    found = [(i, d) for i, detections in enumerate(models.detector.search(images)) for d in detections]
    detections = [d for _, d in found]
    size = models.estimator.size
    rough = [(images[i], detected_crop(d, size)) for i, d in found]
    if models.aligner is None:
        looked = _look(models, detections, rough)
    else:
        aligned = models.aligner.align(rough, size)
        least = models.effort.hopeless
        hopeful = [k for k, e in enumerate(aligned) if e.presence is None or e.presence >= least]
        views = [(rough[k][0], next_crop(aligned[k], size)) for k in hopeful]
        found, rough = [found[k] for k in hopeful], [rough[k] for k in hopeful]
        detections = [detection for _, detection in found]
        looked = _look(models, detections, views)
        astray = [k for k, c in enumerate(looked) if models.effort.look_again and is_astray(c.first, detections[k])]
        again = _look(models, [detections[k] for k in astray], [rough[k] for k in astray])
        for k, candidate in zip(astray, again, strict=True):
            looked[k] = max(looked[k], candidate, key=lambda c: c.first_score)
    candidates: list[list[Candidate]] = [[] for _ in images]
    for (i, _), candidate in zip(found, looked, strict=True):
        if candidate.first_score >= models.effort.first_score * models.min_score:
            candidates[i].append(candidate)
    return [_distinct(of_picture) for of_picture in candidates]


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
    box = tight_box(first.joints_2d)
    return float(box_iou(box, detection.box[None])[0]) < ASTRAY_IOU


def _distinct(candidates: Sequence[Candidate]) -> list[Candidate]:
    kept = distinct([c.first.joints_2d for c in candidates], [c.first_score for c in candidates])
    return [candidates[k] for k in kept]


def from_boxes(models: Models, image: Image, boxes: NDArray[np.floating]) -> list[Candidate]:
    """A candidate for each of `boxes` (n, 4) px, tight round a hand of `image` RGB uint8 (H, W, 3).

    A box does not say which way its hand points and which side it is: the best of eight crops is taken.
    """
    found = []
    for box in boxes:
        crops = crops_of_box(box, models.estimator.size)
        if models.aligner is not None:
            best = max(models.aligner(image, crops), key=lambda estimate: estimate.fitness)
            (best,) = models.aligner.follow([(image, best.crop)], [best], models.estimator.size)
            crops = [next_crop(best, models.estimator.size)]
        first = max(models.estimator(image, crops), key=lambda estimate: estimate.plausibility)
        found.append(Candidate(first=first, detected=None))
    return found
