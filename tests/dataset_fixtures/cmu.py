"""CMU's hands: a JSON beside every picture, and one JSON for the studio."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from dataset_fixtures.truth import CAMERA, hands, save, seen_by
from handscope.types import Sample

FOLDERS = {"manual_train": "hand_labels/manual_train", "manual_test": "hand_labels/manual_test", "synth": "synth2"}


def truth() -> list[Sample]:
    """Three right hands, then two left ones."""
    return [seen_by(s, CAMERA, 320, 240) for s in (*hands("right")[:3], *hands("left")[:2])]


def panoptic_truth() -> list[Sample]:
    return [seen_by(s, CAMERA, 320, 240) for s in hands("right")]


def write(root: Path) -> list[Sample]:
    """The last joint of every manual label is not known."""
    samples = truth()
    for part, below in FOLDERS.items():
        folder = root / ("hand_labels_synth/" if part == "synth" else "") / below
        for n, sample in enumerate(samples):
            (hand,) = sample.hands
            points = np.column_stack([hand.joints_2d, np.ones(21)])
            if part != "synth":
                points[20] = 0
            row = {"hand_pts": points.tolist(), "is_left": int(hand.handedness == "left")}
            row["hand_box_center"] = ((hand.box[:2] + hand.box[2:]) / 2).tolist()
            if part == "manual_test":
                row |= {"head_size": 40.0 + n, "mpii_image": "000033016.jpg", "mpii_annorect_idx": 1}
            save(folder / f"{n:09d}_{n % 2:02d}.jpg", sample.image)
            (folder / f"{n:09d}_{n % 2:02d}.json").write_text(json.dumps(row))
    rows = []
    for n, sample in enumerate(panoptic_truth()):
        save(root / f"hand143_panopticdb/imgs/{n:08d}.jpg", sample.image)
        joints = np.column_stack([sample.hands[0].joints_2d, np.ones(21)])
        rows.append({"img_paths": f"imgs/{n:08d}.jpg", "joint_self": joints.tolist(), "img_width": 320})
    (root / "hand143_panopticdb/hands_v143_14817.json").write_text(json.dumps({"root": rows}))
    return samples
