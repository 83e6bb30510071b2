"""People's photographs to train on (`people/index.jsonl`, split and use "train"): boxes by eye, joints where two
machines agree (`people/teachers.jsonl`; see the data's README.md for both).

A picture that was looked at shows its labelled hands and, but for its `ignore` boxes, no others; of the rest only the
hands that both machines tell alike are known. Some sources are held out: on them scores are calibrated and networks
chosen.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from handscope.data.files import read_json_lines
from handscope.errors import ImageError
from handscope.geometry.boxes import box_iou, tight_box
from handscope.types import HandLabel, Sample

Part = Literal["train", "held-out"]

HELD_OUT = ("openstax2", "stock_misc", "usgov_pif", "webcam_4mina", "webcam_kesharwani")
"""Sources that train nothing: scores are calibrated on them."""
FOLDER = "give the folder that holds people and videos"
AGREED, ALIKE = 0.06, 0.1
"""Mean distances, in hand sizes, up to which two machines' joints are a hand, and are those of a hand boxed by eye."""
PRESENT = 0.8
"""Least presence of a hand that only machines saw."""
SAME_IOU = 0.4
"""Least overlap of a box by eye with the joints' of a machine that mean one hand."""


class PeopleDataset:
    """Map-style: `len(people)`, `people[i]` -> Sample; pictures are read when asked for.

    `root` is the folder that holds `people`. The held-out part has only pictures that were looked at.
    """

    def __init__(self, root: Path | str, part: Part = "train") -> None:
        self.folder = Path(root) / "people"
        told = {row["file"]: row["hands"] for row in read_json_lines(self.folder / "teachers.jsonl", FOLDER)}
        self.pictures = []
        for row in read_json_lines(self.folder / "index.jsonl", FOLDER):
            if row["split"] != "train" or row["use"] != "train" or (row["source"] in HELD_OUT) != (part == "held-out"):
                continue
            looked_at = row["hands"] is not None
            if not looked_at and part == "held-out":
                continue
            machines = told.get(row["file"], [])
            hands = by_eye(row["hands"], machines) if looked_at else by_machines(machines)
            if hands or looked_at:
                ignored = np.array(row["ignore"] if looked_at else [], np.float32).reshape(-1, 4)
                complete = looked_at and not row.get("crowd", False)
                self.pictures.append((row["file"], row["source"], tuple(hands), ignored, complete))

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, i: int) -> Sample:
        file, source, hands, ignored, complete = self.pictures[i]
        return Sample(
            key=file.rsplit(".", 1)[0],
            source=f"people/{source}",
            image=read_photograph(self.folder / file),
            hands=hands,
            complete=complete,
            ignored=ignored,
        )


def by_eye(hands: Iterable[Mapping[str, Any]], machines: Iterable[Mapping[str, Any]]) -> list[HandLabel]:
    """Labels of boxes by eye, with the joints of the machines' answer that shows the same hand, if one does."""
    answers = [answer for answer in machines if answer["apart"] <= ALIKE]
    boxes = np.array([tight_box(_joints(answer)) for answer in answers]).reshape(-1, 4)
    labels = []
    for hand in hands:
        box = np.array(hand["box"], np.float32)
        overlaps = box_iou(box, boxes)
        best = int(overlaps.argmax()) if len(answers) else -1
        joints = _joints(answers[best]) if best >= 0 and overlaps[best] >= SAME_IOU else None
        labels.append(_label(hand["side"], box, joints))
    return labels


def by_machines(machines: Iterable[Mapping[str, Any]]) -> list[HandLabel]:
    """Labels of what the machines agree on."""
    agreed = (answer for answer in machines if answer["apart"] <= AGREED and answer["presence"] >= PRESENT)
    return [_label(answer["side"], None, _joints(answer)) for answer in agreed]


def _joints(answer: Mapping[str, Any]) -> NDArray[np.float32]:
    return np.array(answer["joints"], np.float32)


def _label(side: Any, box: NDArray[np.float32] | None, joints: NDArray[np.float32] | None) -> HandLabel:
    known = None if joints is None else np.ones(len(joints), bool)
    return HandLabel(handedness=side, box=box, joints_2d=joints, joints_2d_known=known)


def read_photograph(path: Path) -> NDArray[np.uint8]:
    """A picture RGB uint8 (H, W, 3); ImageError if it is missing or none."""
    pixels = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if pixels is None:
        raise ImageError(f"{path}: missing or not a picture; copy the data again")
    return np.ascontiguousarray(pixels[..., ::-1], np.uint8)
