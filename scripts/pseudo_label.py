"""2D joints for photographs without joint labels, by MediaPipe's landmark model as teacher (Apache-2.0).

    python scripts/pseudo_label.py --photos ../shared/data --out recipes/labels/photos_pseudo.jsonl.gz

runs where mediapipe==0.10.21 and openvino are installed (not in the training environment). MediaPipe Hands
finds the hands of the whole picture; a labelled hand that it misses is tried again on crops around its box,
in eight directions. Then the landmark network alone sees each hand in seven views (turned, scaled,
mirrored): where the views agree the teacher knows, where they do not it guesses. The label is their mean,
`spread` their root mean square distance from it as a share of the joints' box, and `known` says that the
spread is small.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import re
from dataclasses import dataclass
from multiprocessing import Pool
from pathlib import Path
from typing import Any

os.environ.setdefault("GLOG_minloglevel", "3")

import cv2
import mediapipe
import numpy as np
import openvino
from numpy.typing import NDArray

INPUT_PX = 224
VIEWS = (
    (0, 1.0, False),
    (15, 1.0, False),
    (-15, 1.0, False),
    (0, 1.2, False),
    (0, 0.88, False),
    (0, 1.05, True),
    (12, 0.95, True),
)
"""(turn in degrees, factor on the side, mirrored) of each view."""

KNOWN_SPREAD = 0.05
KEPT_PRESENCE = 0.6
KEPT_SPREAD = 0.04
KEPT_JOINTS = 11
MATCHING_IOU = 0.35
SIDE_CERTAIN = 0.8

PALM = (0, 1, 2, 3, 5, 6, 9, 10, 13, 14, 17, 18)
"""The joints from which MediaPipe takes the next frame's view."""

HELD_OUT = json.loads((Path(__file__).parents[1] / "src" / "handscope" / "data" / "held_out.json").read_text())
"""By place or person; handscope.data.held_out reads the same file."""


@dataclass(frozen=True)
class View:
    """A square of the picture: centre (2,) px, side px, clockwise turn in radians."""

    centre: NDArray[np.float64]
    side: float
    turn: float

    def matrix(self, mirrored: bool) -> NDArray[np.float64]:
        """Picture pixels to input pixels (2, 3)."""
        scale = INPUT_PX / self.side
        c, s = np.cos(self.turn) * scale, np.sin(self.turn) * scale
        linear = np.array([[c, s], [-s, c]])
        if mirrored:
            linear[0] = -linear[0]
        return np.column_stack([linear, (INPUT_PX - 1) / 2 - linear @ self.centre])


@dataclass(frozen=True)
class Reading:
    """What the landmark network says of one view: joints (21, 2) px, presence, right-hand probability."""

    joints: NDArray[np.float64]
    presence: float
    right: float


class Landmarks:
    """hand_landmark_full on one thread."""

    def __init__(self) -> None:
        folder = Path(mediapipe.__file__).parent / "modules" / "hand_landmark"
        options = {"INFERENCE_NUM_THREADS": 1, "INFERENCE_PRECISION_HINT": "f32"}
        core = openvino.Core()
        self.request = core.compile_model(
            core.read_model(folder / "hand_landmark_full.tflite"), "CPU", options
        ).create_infer_request()

    def read(self, image: NDArray[np.uint8], view: View, mirrored: bool = False) -> Reading:
        """Joints of the hand in `view`.

        The network itself says the true side; MediaPipe's API swaps it, for it supposes selfies.
        """
        matrix = view.matrix(mirrored)
        crop = cv2.warpAffine(
            image, matrix, (INPUT_PX, INPUT_PX), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        outputs = self.request.infer([crop[None].astype(np.float32) / 255])
        landmarks, presence, side, _ = (np.array(outputs[i]).reshape(-1) for i in range(4))
        inside = landmarks.reshape(21, 3)[:, :2] - 0.5  # the network counts from the pixels' edge
        joints = (inside - matrix[:, 2]) @ np.linalg.inv(matrix[:, :2]).T
        right = float(side[0])
        return Reading(joints, float(presence[0]), 1 - right if mirrored else right)


def view_of(joints: NDArray[np.float64]) -> View:
    """MediaPipe's own rule for the next view: upright, twice the palm's box, shifted towards the fingers."""
    target = ((joints[5] + joints[13]) / 2 + joints[9]) / 2
    x, y = target - joints[0]
    turn = np.arctan2(x, -y)
    level = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    palm = joints[list(PALM)] @ level.T
    low, high = palm.min(0), palm.max(0)
    middle = (low + high) / 2 - [0, 0.1 * (high - low)[1]]
    return View(middle @ level, 2.0 * float((high - low).max()), float(turn))


def box_of(joints: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.concatenate([joints.min(0), joints.max(0)])


def iou(a: NDArray, b: NDArray) -> float:
    overlap = np.clip(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0, None).prod()
    return float(overlap / ((a[2:] - a[:2]).prod() + (b[2:] - b[:2]).prod() - overlap + 1e-9))


def whole_picture(hands: Any, image: NDArray[np.uint8]) -> list[NDArray[np.float64]]:
    """Joints (21, 2) px of the hands that MediaPipe Hands finds."""
    height, width = image.shape[:2]
    found = hands.process(np.ascontiguousarray(image)).multi_hand_landmarks or []
    return [np.array([[p.x * width - 0.5, p.y * height - 0.5] for p in hand.landmark]) for hand in found]


def search_box(landmarks: Landmarks, image: NDArray[np.uint8], box: NDArray) -> NDArray[np.float64] | None:
    """Joints of the hand in a labelled box: the most present of eight directions, followed for two steps."""
    centre, side = (box[:2] + box[2:]) / 2, 1.5 * float((box[2:] - box[:2]).max())
    readings = [landmarks.read(image, View(centre, side, turn)) for turn in np.arange(8) * np.pi / 4]
    best = max(readings, key=lambda reading: reading.presence)
    for _ in range(2):
        if best.presence < 0.2:
            return None
        best = landmarks.read(image, view_of(best.joints))
    return best.joints


def agreement(landmarks: Landmarks, image: NDArray[np.uint8], joints: NDArray) -> dict[str, Any] | None:
    """Mean, spread and scores over the views of one hand; None if the views do not show one hand."""
    base = view_of(joints)
    if not 4 < base.side < 4 * max(image.shape):
        return None
    base = view_of(landmarks.read(image, base).joints)
    readings = [
        landmarks.read(image, View(base.centre, base.side * factor, base.turn + np.deg2rad(degrees)), mirrored)
        for degrees, factor, mirrored in VIEWS
    ]
    seen = np.stack([reading.joints for reading in readings])
    mean = seen.mean(0)
    side_px = float((mean.max(0) - mean.min(0)).max())
    spread = np.sqrt(((seen - mean) ** 2).sum(-1).mean(0)) / max(side_px, 1e-6)
    presence = float(np.mean([reading.presence for reading in readings]))
    right = float(np.mean([reading.right for reading in readings]))
    known = spread < KNOWN_SPREAD
    if presence < KEPT_PRESENCE or np.median(spread) > KEPT_SPREAD or known.sum() < KEPT_JOINTS:
        return None
    return {
        "handedness": "right" if right > 0.5 else "left",
        "handedness_score": round(max(right, 1 - right), 3),
        "handedness_known": max(right, 1 - right) > SIDE_CERTAIN,
        "score": round(presence, 3),
        "joints_2d": mean.round(1).tolist(),
        "spread": spread.round(3).tolist(),
        "known": known.tolist(),
    }


def number_of(row: dict[str, Any]) -> int:
    """The number in a file's name: its place in the source's order."""
    return int(re.findall(r"\d+", Path(row["file"]).stem)[-1])


def label(row: dict[str, Any], root: Path, hands: Any, landmarks: Landmarks) -> dict[str, Any]:
    """One line of the output file."""
    image = cv2.cvtColor(cv2.imread(str(root / row["file"])), cv2.COLOR_BGR2RGB)
    if row["source"] == "sign-digits":
        found = digit(row, image, hands, landmarks)
    else:
        found = photograph(row, image, hands, landmarks)
    first, last = HELD_OUT[row["source"]]["files"]
    split = "held-out" if first <= number_of(row) <= last else "train"
    return {"file": row["file"], "source": row["source"], "split": split, "hands": found}


def digit(row: dict[str, Any], image: NDArray, hands: Any, landmarks: Landmarks) -> list[dict[str, Any]]:
    """The one hand of a picture that is itself the crop (its labelled box is the whole picture)."""
    pad = round(0.25 * max(image.shape[:2]))
    wide = cv2.copyMakeBorder(image, pad, pad, pad, pad, cv2.BORDER_REPLICATE)
    wide = cv2.resize(wide, None, fx=3, fy=3, interpolation=cv2.INTER_CUBIC)
    found = whole_picture(hands, wide)
    joints = found[0] / 3 - pad if found else search_box(landmarks, image, np.array(row["boxes"][0], float))
    answer = None if joints is None else agreement(landmarks, image, joints)
    return [] if answer is None else [{"box": None, **answer}]


def photograph(row: dict[str, Any], image: NDArray, hands: Any, landmarks: Landmarks) -> list[dict[str, Any]]:
    """Every labelled hand, with joints where the teacher knows them; then unlabelled hands (box None)."""
    boxes = [np.array(box, float) for box in row["boxes"]]
    labelled: list[dict[str, Any]] = [{"box": box.tolist()} for box in boxes]
    extra = []
    for joints in whole_picture(hands, image):
        answer = agreement(landmarks, image, joints)
        if answer is None:
            continue
        overlaps = [iou(box_of(joints), box) for box in boxes]
        best = int(np.argmax(overlaps))
        if overlaps[best] > MATCHING_IOU:
            labelled[best].update(answer)
        elif overlaps[best] < 0.05:
            extra.append({"box": None, **answer})
    for i, box in enumerate(boxes):
        if "joints_2d" not in labelled[i]:
            joints = search_box(landmarks, image, box)
            answer = None if joints is None else agreement(landmarks, image, joints)
            if answer is not None and iou(box_of(np.array(answer["joints_2d"])), box) > MATCHING_IOU:
                labelled[i].update(answer, searched=True)
    return labelled + extra


def work(arguments: tuple[Path, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """The lines of a part of the index; one process."""
    root, rows = arguments
    cv2.setNumThreads(1)
    landmarks = Landmarks()
    with mediapipe.solutions.hands.Hands(
        static_image_mode=True, max_num_hands=2, model_complexity=1, min_detection_confidence=0.3
    ) as hands:
        return [label(row, root, hands, landmarks) for row in rows]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photos", type=Path, required=True, help="folder that holds photos/index.jsonl")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--every", type=int, default=1, help="take every n-th picture only")
    arguments = parser.parse_args()
    index = (arguments.photos / "photos" / "index.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in index][:: arguments.every]
    parts = [(arguments.photos, rows[i : i + 100]) for i in range(0, len(rows), 100)]
    done: list[dict[str, Any]] = []
    with Pool(arguments.workers) as pool:
        for part in pool.imap(work, parts):
            done += part
            kept = sum("joints_2d" in hand for picture in done for hand in picture["hands"])
            print(f"{len(done)} of {len(rows)} pictures, {kept} hands labelled", flush=True)
    temporary = arguments.out.with_suffix(".part")
    with open(temporary, "wb") as raw, gzip.GzipFile("", "wb", fileobj=raw, mtime=0) as file:
        file.write("".join(json.dumps(picture) + "\n" for picture in done).encode())
    os.replace(temporary, arguments.out)


if __name__ == "__main__":
    main()
