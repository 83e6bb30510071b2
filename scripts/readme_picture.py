"""The picture on top of README and docs: overlays of three photographs of samples/, side by side.

python scripts/readme_picture.py [docs/overlay.jpg]
"""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np

import handscope
from handscope.infer.images import read_picture

ROOT = Path(__file__).resolve().parents[1]
HEIGHT = 400
PARTS = {"typing.jpg": (270, 94, 710, 394), "thinking.jpg": (230, 60, 560, 400), "five-hands.jpg": (70, 30, 600, 500)}
"""What is shown of each: x0, y0, x1, y1 px. The whole photograph is analysed."""


def main() -> None:
    """Write it."""
    model, panels = handscope.load(), []
    for name, (x0, y0, x1, y1) in PARTS.items():
        image = read_picture(ROOT / "samples" / name).image
        drawn = model(image).draw(image, min_side=2 * max(image.shape[:2]))
        scale = drawn.shape[0] / image.shape[0]
        x0, y0, x1, y1 = (round(scale * value) for value in (x0, y0, x1, y1))
        part = drawn[y0:y1, x0:x1]
        width = round(part.shape[1] * HEIGHT / part.shape[0])
        panels.append(cv2.resize(part, (width, HEIGHT), interpolation=cv2.INTER_AREA))
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs/overlay.jpg"
    strip = np.ascontiguousarray(np.hstack(panels)[..., ::-1])
    cv2.imwrite(str(path), strip, [cv2.IMWRITE_JPEG_QUALITY, 88])
    print(f"{path}: {strip.shape[1]} x {HEIGHT} px")


if __name__ == "__main__":
    main()
