"""InterHand2.6M v1.0: COCO-like pictures and hands, cameras by capture, world joints in millimetres."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from dataset_fixtures.truth import canonical_to, hands, save, seen_by
from handscope.skeleton import INTERHAND_TO_CANONICAL
from handscope.types import Sample

K = np.array([[520.0, 0, 166], [0, 522.0, 255], [0, 0, 1]])
WIDTH, HEIGHT = 334, 512
CAMERA_TURN = cv2.Rodrigues(np.array([0.3, -1.2, 0.5]))[0]
CAMERA_PLACE = np.array([850.0, -340.0, 1210.0])


def truth() -> list[Sample]:
    """Two pictures of two hands, two of a right hand, one of a left hand."""
    chosen = (*hands("both")[:2], *hands("right")[:2], hands("left")[0])
    return [seen_by(sample, K, WIDTH, HEIGHT) for sample in chosen]


def write(root: Path, *, version: str = "1.0") -> list[Sample]:
    """The little fingertip of the last picture is not valid."""
    samples = truth()
    order = canonical_to(INTERHAND_TO_CANONICAL)
    pictures, labels, worlds = [], [], {}
    for n, sample in enumerate(samples):
        world, valid = np.ones((42, 3)), np.zeros((42, 1))
        for hand in sample.hands:
            at = 0 if hand.handedness == "right" else 21
            world[at : at + 21] = (hand.joints_3d[order] * 1e3) @ CAMERA_TURN + CAMERA_PLACE
            valid[at : at + 21] = 1
        if n == len(samples) - 1:
            valid[21 + int(np.flatnonzero(order == 20)[0])] = 0
        file = f"Capture0/ROM03_RT_No_Occlusion/cam400002/image{n:05d}.jpg"
        kind = "interacting" if len(sample.hands) == 2 else sample.hands[0].handedness
        pictures.append(
            {"id": n, "file_name": file, "width": WIDTH, "height": HEIGHT, "capture": 0, "subject": 0}
            | {"seq_name": "ROM03_RT_No_Occlusion", "camera": "400002", "frame_idx": 100 + n}
        )
        box = [10.0, 10.0, 200.0, 200.0]
        labels.append({"id": n, "image_id": n, "bbox": box, "joint_valid": valid.tolist(), "hand_type": kind})
        labels[-1]["hand_type_valid"] = 1
        worlds[str(100 + n)] = {"world_coord": world.tolist(), "joint_valid": valid.tolist(), "hand_type": kind}
        save(root / "images/train" / file, sample.image)
    folder = root / "annotations" / ("train" if version == "1.0" else "all")
    folder.mkdir(parents=True, exist_ok=True)
    camera = {"campos": CAMERA_PLACE.tolist(), "camrot": CAMERA_TURN.tolist()}
    camera |= {"focal": [K[0, 0], K[1, 1]], "princpt": [K[0, 2], K[1, 2]]}
    content = {
        "data": {"images": pictures, "annotations": labels},
        "camera": {"0": {key: {"400002": value} for key, value in camera.items()}},
        "joint_3d": {"0": worlds},
    }
    for name, value in content.items():
        (folder / f"InterHand2.6M_train_{name}.json").write_text(json.dumps(value))
    return [replace(sample, complete=True) for sample in samples]
