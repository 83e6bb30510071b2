"""A quick score for training: joints-dev in TRUE upright crops, mirrored to right hands, no detector.

dev = CropsDev("../shared/data", size=128, every=3)
dev.score(lambda crops: (joints_in_crop_px, joints_3d))
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from handscope.data.dev_sets import JointsDev
from handscope.evaluation import metrics
from handscope.geometry.boxes import longer_side, tight_box
from handscope.geometry.crops import upright_crop

Predict = Callable[[NDArray[np.uint8]], tuple[NDArray, NDArray | None]]
"""Crops (n, S, S, 3) RGB uint8 to joints (n, 21, 2) in crop px and, or None, joints (n, 21, 3) in metres."""

REFERENCE_PX = 256


class CropsDev:
    """Every `every`-th picture of joints-dev, taken once; for evaluation only."""

    def __init__(self, root: Path | str, *, size: int, every: int = 3, batch: int = 32) -> None:
        source = JointsDev(root)
        self.batch = batch
        self.crops, images, joints_2d, joints_3d = [], [], [], []
        for i in range(0, len(source), every):
            sample = source[i]
            (hand,) = sample.hands
            assert hand.joints_2d is not None and hand.joints_3d is not None
            crop = upright_crop(hand.joints_2d, size=size, mirrored=hand.handedness == "left")
            images.append(crop.extract(sample.image))
            self.crops.append(crop)
            joints_2d.append(hand.joints_2d)
            joints_3d.append(hand.joints_3d * [-1 if crop.mirrored else 1, 1, 1])
        self.images = np.stack(images)
        self.joints_2d, self.joints_3d = np.stack(joints_2d), np.stack(joints_3d)

    def __len__(self) -> int:
        return len(self.crops)

    def score(self, predict: Predict) -> dict[str, float]:
        """2D error in px of 256 (mean, median, mean without offsets), PCK, PA error in mm.

        A joint's constant offset is measured in the crop: where the model puts a joint other than the
        annotators did.
        """
        joints_2d, joints_3d = self._predict(predict)
        crop_truth = np.stack([crop.apply(j) for crop, j in zip(self.crops, self.joints_2d, strict=True)])
        scale = np.array([crop.scale for crop in self.crops])[:, None]
        offset = np.median(joints_2d - crop_truth, axis=0)
        errors = metrics.joint_errors(joints_2d, crop_truth) / scale
        scores = {
            "error_px256": float(errors.mean()),
            "error_px256_median": float(np.median(errors)),
            "error_px256_offset_free": float((metrics.joint_errors(joints_2d - offset, crop_truth) / scale).mean()),
            "pck_0.1": metrics.pck(errors, longer_side(tight_box(self.joints_2d)), 0.1),
            "pck_0.2": metrics.pck(errors, longer_side(tight_box(self.joints_2d)), 0.2),
        }
        if joints_3d is not None:
            pairs = zip(joints_3d, self.joints_3d, strict=True)
            scores["pa_mm"] = 1000 * float(np.mean([metrics.pa_mpjpe(seen, true) for seen, true in pairs]))
        return scores

    def _predict(self, predict: Predict) -> tuple[NDArray, NDArray | None]:
        parts = [predict(self.images[i : i + self.batch]) for i in range(0, len(self), self.batch)]
        joints_2d = np.concatenate([np.asarray(part[0], np.float64) for part in parts])
        if any(part[1] is None for part in parts):
            return joints_2d, None
        return joints_2d, np.concatenate([np.asarray(part[1], np.float64) for part in parts])
