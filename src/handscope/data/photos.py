"""Real photographs with boxes, a teacher's 2D joints, and fingertips where people marked them.

The pictures are those of photos/index.jsonl (see the data card); the joints come from a file that
scripts/pseudo_label.py wrote. `HandLabel.box` is the human's box of the whole hand, None for a hand that
only the teacher saw. Human fingertips replace the teacher's.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from handscope.data.files import read_json_lines
from handscope.data.held_out import is_held_out
from handscope.errors import HandscopeError, ImageError
from handscope.skeleton import MIDDLE_MCP, TIPS, WRIST
from handscope.types import HandLabel, Sample

Split = Literal["train", "held-out"]

FOLDER = "give the folder that holds photos/index.jsonl"
THUMB_TIP, INDEX_TIP = TIPS[:2]

KNUCKLE_TO_WRIST = {5: 0.06, 9: 0.05, 13: 0.06}
"""How far the teacher's knuckles must move towards its wrist, as shares of the way, to lie where the hand model's
do: measured on rendered pictures, where the latter are known (docs/training-log.md)."""
WRIST_TO_KNUCKLE = 0.055
"""How far the wrist must move towards the middle knuckle: the rest of what makes the teacher's metacarpals 15 % longer
than published bones (docs/hand-model.md)."""


@dataclass(frozen=True)
class Photo:
    """One line of the index and what is known of its hands; `size` is width and height in px."""

    file: str
    source: str
    split: str
    size: tuple[int, int]
    hands: tuple[HandLabel, ...]


class PhotoDataset:
    """Map-style: `len(photos)`, `photos[i]` -> Sample; pictures are read when asked for.

    `root` is the folder that holds photos/index.jsonl. Without `labels` only boxes and human fingertips are
    known. `split` (as the labels say, else held_out.json) and `sources` choose.
    """

    def __init__(
        self,
        root: Path | str,
        labels: Path | str | None = None,
        *,
        split: Split | None = "train",
        sources: tuple[str, ...] | None = None,
    ) -> None:
        self.root = Path(root)
        index = read_json_lines(self.root / "photos" / "index.jsonl", FOLDER)
        taught = {row["file"]: row for row in read_json_lines(Path(labels))} if labels is not None else {}
        photos = [_photo(row, taught.get(row["file"])) for row in index]
        self.photos = [
            photo
            for photo in photos
            if (split is None or photo.split == split) and (sources is None or photo.source in sources)
        ]

    def __len__(self) -> int:
        return len(self.photos)

    def files(self, i: int) -> tuple[Path, ...]:
        """The file that picture i is read from."""
        return (self.root / self.photos[i].file,)

    def __getitem__(self, i: int) -> Sample:
        photo = self.photos[i]
        (path,) = self.files(i)
        if not path.exists():
            raise HandscopeError(f"{path}: the index names this picture, but it is not there; copy the data again")
        pixels = cv2.imread(str(path), cv2.IMREAD_COLOR)
        if pixels is None:
            raise ImageError(f"{path}: cannot be read as a picture; copy the data again")
        return Sample(
            key=photo.file.rsplit(".", 1)[0],
            source=f"photos/{photo.source}",
            image=np.ascontiguousarray(pixels[..., ::-1], np.uint8),
            hands=photo.hands,
            complete=True,
        )


def _photo(row: dict[str, Any], taught: dict[str, Any] | None) -> Photo:
    """Join a line of the index with the teacher's line for the same picture."""
    if taught is None:
        boxes = [] if row["source"] == "sign-digits" else row["boxes"]
        hands = [{"box": box} for box in boxes]
    else:
        hands = taught["hands"]
    tips = [(joint, row[name]) for joint, name in ((THUMB_TIP, "thumb_tip"), (INDEX_TIP, "index_tip")) if name in row]
    labels = tuple(_hand(hand, tips if i == 0 else []) for i, hand in enumerate(hands))
    split = "held-out" if is_held_out(row["source"], row["file"]) else "train"
    size = int(row["width"]), int(row["height"])
    return Photo(row["file"], row["source"], taught["split"] if taught else split, size, labels)


def _hand(hand: dict[str, Any], tips: list[tuple[int, list[float]]]) -> HandLabel:
    """A hand's label; `tips` are (joint, px) marked by people."""
    joints = np.array(hand.get("joints_2d", np.zeros((21, 2))), np.float32)
    known = np.array(hand.get("known", np.zeros(21)), bool)
    if known.any():
        joints = to_hand_model(joints)
    for joint, point in tips:
        joints[joint], known[joint] = point, True
    return HandLabel(
        handedness=hand["handedness"] if hand.get("handedness_known") else None,
        box=None if hand["box"] is None else np.array(hand["box"], np.float32),
        joints_2d=joints if known.any() else None,
        joints_2d_known=known if known.any() else None,
    )


def to_hand_model(joints: NDArray[np.floating]) -> NDArray[np.float32]:
    """The teacher's joints (21, 2) px with wrist and knuckles where the hand model has them.

    The thumb's saddle joint stays where the teacher has it: there the hand model is the worse of the two
    (docs/training-log.md).
    """
    moved = np.array(joints, np.float32)
    for knuckle, share in KNUCKLE_TO_WRIST.items():
        moved[knuckle] += share * (joints[WRIST] - joints[knuckle])
    moved[WRIST] += WRIST_TO_KNUCKLE * (joints[MIDDLE_MCP] - joints[WRIST])
    return moved
