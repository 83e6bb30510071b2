"""A quick score for training the detector: held-out photographs and joints-dev, letterboxed as at run time.

dev = DetectorDev("../shared/data", "recipes/labels/photos_pseudo.jsonl.gz")
dev.score(lambda images: (scores, boxes, up, crops, right))
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from handscope.data.detection import Placed, hand_table, place
from handscope.data.dev_sets import JointsDev
from handscope.data.photos import PhotoDataset
from handscope.geometry.boxes import best_of_each, box_iou
from handscope.geometry.crops import crop_around
from handscope.types import Sample

Answer = tuple[NDArray, NDArray, NDArray, NDArray, NDArray]
"""scores (n, g), boxes (n, g, 4), up (n, g, 2), crops (n, g, 3) and right (n, g), px of the letterbox."""

FOUND_IOU = 0.5
FALSE_IOU = 0.1
SAME_IOU = 0.4
"""Detections that overlap so much are one."""
SOURCES = ("ti1k", "dwivedi", "subhih")


class DetectorDev:
    """Every `every`-th held-out photograph and every `every_joint`-th picture of joints-dev."""

    def __init__(
        self, data: Path | str, labels: Path | str, *, size: int = 256, every: int = 2, every_joint: int = 4
    ) -> None:
        photos = PhotoDataset(data, labels, split="held-out", sources=SOURCES)
        joints = JointsDev(data)
        self.sets = {
            "photos": [letterboxed(photos[i], size) for i in range(0, len(photos), every)],
            "joints-dev": [letterboxed(joints[i], size) for i in range(0, len(joints), every_joint)],
        }

    def score(
        self, detect: Callable[[NDArray[np.uint8]], Answer], *, threshold: float = 0.3, batch: int = 16
    ) -> dict[str, float]:
        """For each set: hands found, false alarms a picture, box IoU, errors of the crops of hands found."""
        scores = {}
        for name, pictures in self.sets.items():
            answers: list[tuple[NDArray, ...]] = []
            for i in range(0, len(pictures), batch):
                parts = detect(np.stack([image for image, _ in pictures[i : i + batch]]))
                answers += list(zip(*parts, strict=True))
            truths = [truth for _, truth in pictures]
            figures = [compare(a, truth, threshold) for a, truth in zip(answers, truths, strict=True)]
            scores |= {f"{name}/{key}": value for key, value in summary(figures).items()}
        return scores


def letterboxed(sample: Sample, size: int) -> tuple[NDArray[np.uint8], dict[str, NDArray]]:
    """The picture in a black square and its hands' table."""
    height, width = sample.image.shape[:2]
    crop = crop_around([(width - 1) / 2, (height - 1) / 2], max(width, height), (0, -1), size=size)
    image = crop.extract(sample.image, cv2.BORDER_CONSTANT)
    hands: list[Placed] = []
    for label in sample.hands:
        placed = place(label, crop.matrix, 0.0, False)
        if placed is not None:
            hands.append(placed)
    return image, hand_table(hands, max(len(hands), 1))


def compare(answer: tuple[NDArray, ...], truth: dict[str, NDArray], threshold: float) -> dict[str, list[float]]:
    """Figures of one picture: one entry a labelled hand, a found hand, or a detection."""
    scores, boxes, up, crops, right = answer
    cells = np.flatnonzero(scores > threshold)
    boxes_seen = boxes[cells]
    cells = cells[best_of_each(scores[cells], box_iou(boxes_seen[:, None], boxes_seen) >= SAME_IOU)]
    out: dict[str, list[float]] = {"found": [], "false_alarms": [0.0]}
    for cell in cells:
        out["false_alarms"][0] += float((box_iou(truth["boxes"], boxes[cell]) < FALSE_IOU).all())
    for row in np.flatnonzero(truth["present"]):
        overlaps = box_iou(truth["boxes"][row], boxes[cells]) if len(cells) else np.zeros(0)
        hit = len(cells) > 0 and float(overlaps.max()) >= FOUND_IOU
        out["found"].append(float(hit))
        if not hit:
            continue
        best = cells[int(overlaps.argmax())]
        out.setdefault("iou", []).append(float(overlaps.max()))
        if truth["frame_known"][row]:
            extent = truth["crops"][row, 2]
            cosine = float(np.clip(up[best] @ truth["up"][row], -1, 1))
            away = float(np.hypot(*(crops[best, :2] - truth["crops"][row, :2]))) / extent
            out.setdefault("turn_deg", []).append(float(np.degrees(np.arccos(cosine))))
            out.setdefault("centre", []).append(away)
            out.setdefault("log_extent", []).append(abs(float(np.log(crops[best, 2] / extent))))
        if truth["right_known"][row]:
            out.setdefault("handedness", []).append(float((right[best] > 0.5) == (truth["right"][row] > 0.5)))
    return out


def summary(figures: list[dict[str, list[float]]]) -> dict[str, float]:
    """Means over the set; for the turn also the share that is off by more than 45 degrees."""
    pooled: dict[str, list[float]] = {}
    for one in figures:
        for key, values in one.items():
            pooled.setdefault(key, []).extend(values)
    means = {key: float(np.mean(values)) for key, values in pooled.items() if values}
    if "turn_deg" in pooled:
        means["turn_over_45"] = float(np.mean(np.array(pooled["turn_deg"]) > 45))
        means["turn_deg"] = float(np.median(pooled["turn_deg"]))
    return means
