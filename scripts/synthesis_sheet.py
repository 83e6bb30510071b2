"""Render docs/images/synthesis.jpg, the contact sheet of the synthesis: python scripts/synthesis_sheet.py
[FILE].

Procedural backgrounds only, so that no photograph enters the repository. Rows 1-4: hand-centred pictures as
they come, the last row with their labels (joints green where visible, red where hidden; outline of the
mask); below: scenes with boxes.
"""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np

from handscope.synth.scene import SynthConfig, render_sample
from handscope.types import Sample

COLUMNS, ROWS, SEED = 9, 4, 5


def annotated(sample: Sample) -> np.ndarray:
    image = sample.image.copy()
    for hand in sample.hands:
        outline = cv2.morphologyEx(hand.mask, cv2.MORPH_GRADIENT, np.ones((2, 2), np.uint8)) > 127
        image[outline] = 255, 255, 0
        for point, visible in zip(hand.joints_2d, hand.visible, strict=True):
            cv2.circle(image, np.round(point).astype(int).tolist(), 2, (0, 230, 0) if visible else (240, 0, 0), -1)
        corners = np.round(hand.box).astype(int).tolist()
        colour = (60, 120, 255) if hand.handedness == "left" else (255, 140, 0)
        cv2.rectangle(image, corners[:2], corners[2:], colour, 1)
    return image


def padded(image: np.ndarray, height: int, width: int) -> np.ndarray:
    scale = min(height / image.shape[0], width / image.shape[1])
    image = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)[:height, :width]
    top, left = (height - image.shape[0]) // 2, (width - image.shape[1]) // 2
    sides = top, height - image.shape[0] - top, left, width - image.shape[1] - left
    return cv2.copyMakeBorder(image, *sides, cv2.BORDER_CONSTANT, value=(255, 255, 255))


def main(path: Path) -> None:
    config, side = SynthConfig(), 160
    hands = [render_sample(config, SEED, i) for i in range(COLUMNS * ROWS)]
    cells = [s.image if i < COLUMNS * (ROWS - 1) else annotated(s) for i, s in enumerate(hands)]
    rows = [np.concatenate(cells[i : i + COLUMNS], 1) for i in range(0, len(cells), COLUMNS)]
    scenes = [annotated(render_sample(SynthConfig(scenes=True), SEED, i)) for i in range(5)]
    width = side * COLUMNS // 5
    rows.append(np.concatenate([padded(s, 216, width) for s in scenes], 1))
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.concatenate(rows)[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 88])


if __name__ == "__main__":
    default = Path(__file__).resolve().parents[1] / "docs/images/synthesis.jpg"
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else default)
