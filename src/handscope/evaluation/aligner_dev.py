"""A quick score for training the aligner: held-out photographs and joints-dev in crops as wrong as a detector's.

dev = AlignerDev("../shared/data", "recipes/labels/photos_pseudo.jsonl.gz", CropConfig(size=96, mirror_prob=0.5))
dev.score(lambda crops: (joints_in_crop_px, right))
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from handscope.data.dev_sets import JointsDev
from handscope.data.photos import PhotoDataset
from handscope.data.transforms import CropConfig, jittered_crop
from handscope.geometry.crops import Crop, upright_frame
from handscope.types import HandLabel, Sample

Predict = Callable[[NDArray[np.uint8]], tuple[NDArray, NDArray]]
"""Crops (n, S, S, 3) RGB uint8 to joints (n, 21, 2) in crop px and the probability (n,) that a right hand is shown."""


class AlignerDev:
    """Every `every`-th hand of either set whose joints are all known, taken once; for evaluation only."""

    def __init__(
        self, data: Path | str, labels: Path | str | None, crop: CropConfig, *, every: int = 3, batch: int = 32
    ) -> None:
        self.batch = batch
        rng = np.random.default_rng(0)
        joints, photos = JointsDev(data), PhotoDataset(data, labels, split="held-out")
        self.sets = {
            "joints-dev": extract_crops([joints[i] for i in range(0, len(joints), every)], crop, rng),
            "photos": extract_crops([photos[i] for i in range(0, len(photos), every)], crop, rng),
        }

    def score(self, predict: Predict) -> dict[str, float]:
        """For each set, of the crops that the answers ask for: medians of the turn's error (degrees), of the centre's
        (extents) and of the extent's (log), and the share of answers with the true handedness.
        """
        scores = {}
        for name, (images, crops, hands) in self.sets.items():
            parts = [predict(images[i : i + self.batch]) for i in range(0, len(images), self.batch)]
            joints, right, *_ = (np.concatenate(values) for values in zip(*parts, strict=True))
            rows = []
            for crop, hand, found, shown in zip(crops, hands, joints, right, strict=True):
                assert hand.joints_2d is not None
                centre, extent, up = upright_frame(crop.invert(found))
                true_centre, true_extent, true_up = upright_frame(hand.joints_2d)
                turn = np.degrees(np.arctan2(up[0] * true_up[1] - up[1] * true_up[0], up @ true_up))
                shift = np.hypot(*(centre - true_centre)) / true_extent
                as_right = crop.mirrored == (hand.handedness == "left")
                rows.append((abs(turn), shift, abs(np.log(extent / true_extent)), (shown > 0.5) == as_right))
            turn, shift, scale, correct = np.array(rows, np.float64).T
            figures = {"turn_deg": np.median(turn), "centre": np.median(shift), "log_extent": np.median(scale)}
            figures["handedness"] = correct.mean()
            scores |= {f"{name}/{key}": float(value) for key, value in figures.items()}
        return scores


def extract_crops(
    samples: list[Sample], config: CropConfig, rng: np.random.Generator
) -> tuple[NDArray[np.uint8], list[Crop], list[HandLabel]]:
    """One rough crop of every hand whose joints and handedness are known."""
    images, crops, hands = [], [], []
    for sample in samples:
        for hand in sample.hands:
            known = hand.joints_2d_known
            if hand.joints_2d is None or known is None or not known.all() or hand.handedness is None:
                continue
            mirrored = (hand.handedness == "left") != (rng.random() < config.mirror_prob)
            crops.append(jittered_crop(upright_frame(hand.joints_2d, fill=config.fill), rng, config, mirrored))
            images.append(crops[-1].extract(sample.image))
            hands.append(hand)
    return np.stack(images), crops, hands
