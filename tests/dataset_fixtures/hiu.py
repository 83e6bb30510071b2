"""HIU-Data as other people's loaders read it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from dataset_fixtures.cmu import truth as truth
from dataset_fixtures.truth import save
from handscope.types import Sample


def write(root: Path) -> list[Sample]:
    """The second picture has no 3D, the third no mask; a joint of the fourth is missing."""
    samples = truth()
    folder = root / "to_cv_community"
    for n, sample in enumerate(samples):
        (hand,) = sample.hands
        side = int(hand.handedness == "right")
        flat, spatial, weights = np.full((42, 2), 2.0), np.zeros((42, 3)), np.zeros((42, 1))
        part = slice(21 * side, 21 * side + 21)
        flat[part], spatial[part], weights[part] = hand.joints_2d, hand.joints_3d * 1e3, float(n != 1)
        if n == 3:
            flat[21 * side + 4] = 2.0
        row = {
            "hand_type": [1 - side, side],
            "pts2d_2hand": flat.tolist(),
            "pts3d_2hand": spatial.tolist(),
            "pts3d_w_2hand": weights.tolist(),
        }
        save(folder / f"{n + 7}.{'png' if n % 2 else 'jpg'}", sample.image)
        (folder / f"{n + 7}.json").write_text(json.dumps(row))
        if n != 2:
            save(folder / f"{n + 7}_mask.png", np.where(hand.mask > 127, 255, 0).astype(np.uint8))
    return samples
