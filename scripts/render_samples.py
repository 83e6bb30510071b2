"""Render the pictures of samples/ (ours, so free to ship): python scripts/render_samples.py [FOLDER]."""

import sys
from pathlib import Path

import cv2

from handscope.synth.scene import SynthConfig, render_sample

CLOSE = SynthConfig(size=640, fill=(0.4, 0.55), share_before=0, share_held=0, share_second=0)
SCENE = SynthConfig(scenes=True, scene_size=1024, share_empty=0)
PICTURES = {
    "open-hand": (SCENE, 778, 12),
    "two-hands": (SCENE, 778, 7),
    "pinch": (CLOSE, 777, 2),
    "ok": (CLOSE, 777, 5),
    "nails": (CLOSE, 777, 18),
}


def main(folder: Path) -> None:
    """Write NAME.jpg for every entry above."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, (config, seed, index) in PICTURES.items():
        image = render_sample(config, seed, index).image
        options = [cv2.IMWRITE_JPEG_QUALITY, 92]
        cv2.imwrite(str(folder / f"{name}.jpg"), cv2.cvtColor(image, cv2.COLOR_RGB2BGR), options)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[1] / "samples")
