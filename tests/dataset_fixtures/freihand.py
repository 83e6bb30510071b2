"""FreiHAND_pub_v2: four backgrounds a hand, JPEG masks, JSON lists."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import cv2
import numpy as np

from dataset_fixtures.truth import COUNT, hands, save, seen_by
from handscope.types import Sample

SIZE = 224
MEAN_POSE = np.linspace(-0.2, 0.3, 45)
"""Stands in for MANO's hands_mean."""


def truth() -> list[Sample]:
    grow = SIZE / 160
    scaled = [np.diag([grow, grow, 1]) @ s.K for s in hands("right")]
    return [seen_by(s, K, SIZE, SIZE) for s, K in zip(hands("right"), scaled, strict=True)]


def write(root: Path, *, evaluation_labels: bool = True) -> list[Sample]:
    samples = truth()
    for split, count in (("training", 4), ("evaluation", 1)):
        for n in range(count * COUNT):
            sample = samples[n % COUNT]
            save(root / f"{split}/rgb/{n:08d}.jpg", sample.image // (1 + n // COUNT))  # darker and darker
            if split == "training" and n < COUNT:
                mask = np.where(sample.hands[0].mask > 127, 255, 0).astype(np.uint8)
                save(root / f"training/mask/{n:08d}.jpg", np.repeat(mask[..., None], 3, -1), 90)
        labels = {
            "K": [s.K.tolist() for s in samples],
            "scale": [float(np.linalg.norm(np.diff(s.hands[0].joints_3d[[9, 10]], axis=0))) for s in samples],
            "xyz": [s.hands[0].joints_3d.tolist() for s in samples],
            "mano": [[_parameters(s)] for s in samples],
            "verts": [np.repeat(s.hands[0].joints_3d, 38, 0)[:778].tolist() for s in samples],
        }
        for name, values in labels.items():
            if split == "training" or evaluation_labels or name in ("K", "scale"):
                (root / f"{split}_{name}.json").write_text(json.dumps(values))
    (root / "MANO_RIGHT.pkl").write_bytes(pickle.dumps({"hands_mean": MEAN_POSE}, protocol=2))
    return samples


def _parameters(sample: Sample) -> list[float]:
    (hand,) = sample.hands
    turn = cv2.Rodrigues(np.asarray(hand.R, np.float64))[0].ravel()
    pose = np.concatenate([turn, hand.theta.ravel() - MEAN_POSE])
    return [*pose.tolist(), *hand.beta.tolist(), 0.0, 0.0, 1.0]
