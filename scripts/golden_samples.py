"""Write what the shipped networks say of the samples, for tests/integration/test_shipped_weights.py to hold.

    python scripts/golden_samples.py

Only after a change that is meant to change answers (new weights, another fit): look at the overlays first.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

import handscope

ROOT = Path(__file__).resolve().parents[1]
OUT = ROOT / "tests/golden/samples.json"
DIGITS = {"score": 5, "box": 3, "joints_2d": 3, "joint_scores": 5, "joints_3d": 6, "theta": 5, "beta": 4, "T": 6}


def main() -> None:
    model = handscope.load(threads=1)
    lines = []
    for path in sorted((ROOT / "samples/rendered").glob("*.jpg")):
        hands = [
            {"handedness": hand.handedness, "mask_area_px": int(hand.mask.sum())}
            | {name: np.round(getattr(hand, name), digits).tolist() for name, digits in DIGITS.items()}
            for hand in model(path)
        ]
        lines.append(f"{json.dumps(path.name)}: {json.dumps(hands)}")
        print(f"{path.name}: {', '.join(hand['handedness'] for hand in hands)}")
    OUT.write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
