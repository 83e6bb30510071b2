"""Hands as rows for other tools: CSV, COCO-WholeBody keypoints, and the `track_hands` column of daft-physical-ai."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

import numpy as np

from handscope.errors import HandscopeError, missing_extra
from handscope.hand.angles import MOTIONS
from handscope.infer.formats.numbers import joint_angles, told
from handscope.infer.formats.rig import hand_model
from handscope.paths import as_cell, as_text
from handscope.skeleton import JOINT_NAMES
from handscope.types import Hand, Handedness

CSV_COLUMNS = (
    "source",
    "hand",
    "handedness",
    "hand_score",
    "joint",
    "name",
    "x_px",
    "y_px",
    "joint_score",
    "x_m",
    "y_m",
    "z_m",
    "flexion_deg",
    "abduction_deg",
    "twist_deg",
)
"""Of the wrist the last three are pitch, roll and yaw to the camera; fingertips have none."""

COCO_CATEGORY = {"id": 1, "name": "person", "supercategory": "person"}
"""The one of COCO-WholeBody."""
WRIST_MOTIONS = ("pitch", "roll", "yaw")
"""What of the wrist stands where joints have flexion, abduction and twist."""


def to_csv(hands: Sequence[Hand], *, source: str | None = None) -> str:
    """One row for each hand and joint: pixels of the picture, metres in the camera frame (z forward), degrees. The name
    of a picture that a spreadsheet would take for a formula has an apostrophe before it.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    for number, hand in enumerate(hands):
        angles = {} if hand_model(hand) is None else joint_angles(hand)
        places, scores, points = told(hand.joints_2d), told(hand.joint_scores), told(hand.joints_3d)
        for joint, name in enumerate(JOINT_NAMES):
            place = [f"{value:.2f}" for value in places[joint]]
            metres = [f"{value:.5f}" for value in points[joint]]
            first = [
                "" if source is None else as_cell(as_text(source)),
                number,
                hand.handedness,
                f"{float(told(hand.score)):.4f}",
                joint,
                name,
            ]
            motions = WRIST_MOTIONS if name == "wrist" else MOTIONS
            turned = [f"{angles[key]:.2f}" if (key := f"{name}_{motion}") in angles else "" for motion in motions]
            writer.writerow([*first, *place, f"{scores[joint]:.4f}", *metres, *turned])
    return text.getvalue()


def to_coco(hands: Sequence[Hand], *, width: int, height: int, source: str | None = None, image_id: int = 1) -> str:
    """COCO-WholeBody's layout as JSON: every hand is an annotation of its own, with only that hand filled in.

    Who belongs to whom is not known, so no two hands share an annotation. Keypoints are x, y, score in COCO-WholeBody's
    order of 21, which is ours; boxes are x, y, width, height. Body, feet and face are zeros.
    """
    image = coco_image(image_id, source, width, height)
    annotations = [coco_annotation(hand, number, image_id) for number, hand in enumerate(hands, 1)]
    content = {"images": [image], "categories": [COCO_CATEGORY], "annotations": annotations}
    return json.dumps(content) + "\n"


def coco_image(image_id: int, source: str | None, width: int, height: int) -> dict[str, Any]:
    """A picture as COCO lists it."""
    return {"id": image_id, "file_name": "" if source is None else as_text(source), "width": width, "height": height}


def coco_annotation(hand: Hand, number: int, image_id: int) -> dict[str, Any]:
    """The annotation `number` of COCO-WholeBody, of one hand of a picture."""
    x0, y0, x1, y1 = told(hand.box)
    box = [round(float(value), 2) for value in (x0, y0, x1 - x0, y1 - y0)]
    points = told(np.column_stack([hand.joints_2d, hand.joint_scores])).round(3).ravel().tolist()
    annotation: dict[str, Any] = {
        "id": number,
        "image_id": image_id,
        "category_id": 1,
        "iscrowd": 0,
        "bbox": box,
        "area": round(box[2] * box[3], 2),
        "score": round(float(told(hand.score)), 4),
        "num_keypoints": 0,
        "keypoints": [0] * 51,
        "foot_kpts": [0] * 18,
        "face_kpts": [0] * 204,
        "face_box": [0.0] * 4,
        "foot_valid": False,
        "face_valid": False,
    }
    for side in ("left", "right"):
        here = side == hand.handedness
        annotation[f"{side}hand_box"] = box if here else [0.0] * 4
        annotation[f"{side}hand_kpts"] = points if here else [0] * 63
        annotation[f"{side}hand_valid"] = here
    return annotation


class TrackedHandDict(TypedDict):
    """One struct of the `track_hands` column."""

    handedness: Handedness
    confidence: float
    kp2d: list[list[float]]
    kp3d: list[list[float]]


def track_hands(hands: Sequence[Hand]) -> list[TrackedHandDict]:
    """One picture's cell of daft-physical-ai's `track_hands` column: a list of structs.

    `handedness`, `confidence`, `kp2d` (21 x 2 pixels) and `kp3d` (21 x 3 metres, camera frame, z forward).
    """
    return [
        {
            "handedness": hand.handedness,
            "confidence": float(hand.score),
            "kp2d": np.asarray(hand.joints_2d, np.float64).tolist(),
            "kp3d": np.asarray(hand.joints_3d, np.float64).tolist(),
        }
        for hand in hands
    ]


def to_parquet(pictures: Mapping[str, Sequence[Hand]], *, column: str = "hands") -> bytes:
    """A Parquet file with a row for each picture: `path`, and its `track_hands` cell in float32. Needs pyarrow."""
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ModuleNotFoundError as error:
        raise HandscopeError(missing_extra("Parquet", error.name, "video")) from error
    points = pa.list_(pa.list_(pa.float32()))
    hand = pa.struct([("handedness", pa.string()), ("confidence", pa.float32()), ("kp2d", points), ("kp3d", points)])
    table = pa.table(
        {
            "path": pa.array(list(pictures), pa.string()),
            column: pa.array([track_hands(hands) for hands in pictures.values()], pa.list_(hand)),
        }
    )
    buffer = io.BytesIO()
    parquet.write_table(table, buffer)
    return buffer.getvalue()
