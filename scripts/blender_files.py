"""The files that scripts/check_blender.py looks at, from posed hands: `python scripts/blender_files.py FOLDER`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from handscope.infer import formats
from handscope.types import Hand
from posed_hands import posed_hand

VIEWER = np.array([1.0, -1.0, -1.0])


def main() -> None:
    """Two hands in one scene, and one that moves."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    hands: list[Hand] = [posed_hand(320, 240, "left", curl=0.6, turn=0.4), posed_hand(320, 240, "right", curl=0.3)]
    formats.write_file(folder / "hands.glb", formats.to_glb(hands, formats.MeshStyle(skin=True)))
    formats.write_file(folder / "hands.usda", formats.to_usd(hands))
    places = [(0.02 * k, 0.05, 0.4) for k in range(7)]
    frames = [posed_hand(320, 240, "left", curl=0.1 * k, turn=0.3 * k, centre=c) for k, c in enumerate(places)]
    style = formats.MeshStyle(frame_rate=24)
    formats.write_file(folder / "clip.glb", formats.to_glb_animation(frames, fps=12, style=style))
    formats.write_file(folder / "hand.bvh", formats.to_bvh(frames, fps=24))
    wrists = {2 * k: (hand.joints_3d[0] * VIEWER).tolist() for k, hand in enumerate(frames)}
    seen = [{"side": hand.handedness, "vertices": (hand.vertices[::40] * VIEWER).tolist()} for hand in hands]
    expected = {"hands": seen, "clip": {"side": "left", "wrists": wrists}}
    formats.write_file(folder / "expected.json", json.dumps(expected))


if __name__ == "__main__":
    main()
