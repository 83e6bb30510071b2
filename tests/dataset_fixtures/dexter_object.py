"""Dexter+Object: text files of fingertips in the depth camera, x and y negated as in the copies that are about."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np

from dataset_fixtures.truth import hands, save, seen_by, whole
from handscope.data import dexter_object as do
from handscope.geometry.camera import project
from handscope.skeleton import TIPS
from handscope.types import Sample


def truth() -> list[Sample]:
    seen = [seen_by(sample, do.K_COLOUR, 640, 480) for sample in hands("left", 24)]
    return [sample for sample in seen if whole(sample, (640, 480), 0.1)][:5]


def write(root: Path, *, sign: float = -1.0) -> list[Sample]:
    """The thumb of the first picture of every sequence is missing."""
    samples = truth()
    for sequence in do.SEQUENCES:
        folder = root / "data" / sequence
        flat, spatial = [], []
        for n, sample in enumerate(samples):
            if sequence == do.SEQUENCES[0]:
                save(folder / f"color/image_{n + 8}_rgb.png", sample.image)
            tips = (sample.hands[0].joints_3d[list(TIPS)] - do.SHIFT_M) @ np.linalg.inv(do.TO_COLOUR).T
            pixels = np.round(project(tips, do.K_DEPTH))
            tips = tips * [sign, sign, 1] * 1e3
            if n == 0:
                tips[0] = 0, 0, do.MISSING
            flat.append(" ".join(f"{u:g}, {v:g};" for u, v in [*pixels, (1, 2), (3, 4), (5, 6)]))
            spatial.append(" ".join(f"{x:.4f}, {y:.4f}, {z:.4f};" for x, y, z in [*tips, (1, 2, 3)]))
        (folder / "annotations").mkdir(parents=True, exist_ok=True)
        if sequence != do.SEQUENCES[0]:
            shutil.copytree(root / "data" / do.SEQUENCES[0] / "color", folder / "color", copy_function=os.link)
        (folder / f"annotations/{sequence}2D.txt").write_text("\n".join(flat) + "\n")
        (folder / f"annotations/{sequence}3D.txt").write_text("\n".join(spatial) + "\n")
    return samples
