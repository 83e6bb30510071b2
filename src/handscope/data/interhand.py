"""InterHand2.6M (Moon et al., ECCV 2020): one hand or two in a studio of many cameras, world joints in millimetres.

Version 1.0 has annotations/SPLIT/InterHand2.6M_SPLIT_data.json (pictures and hands), _camera.json and _joint_3d.json;
version 0.0 has a folder all, human_annot, machine_annot between. x_camera = camrot (x_world - campos).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from handscope.data.files import AGAIN, need, one_of, read_json, read_picture, to_array
from handscope.data.labels import hand_label
from handscope.errors import AssetError
from handscope.skeleton import INTERHAND_TO_CANONICAL
from handscope.types import HandLabel, Sample

SPLITS = ("train", "val", "test")
SIDES = ("right", "left")
"""In the order of the joints: 0-20 and 21-41."""
FOLDER = "the folder that holds annotations and images (InterHand2.6M)"


class Row(NamedTuple):
    """A labelled picture: its file, capture, camera and frame, the kind of hands, and 42 flags."""

    file: str
    capture: str
    camera: str
    frame: str
    kind: str
    valid: NDArray[np.bool_]


class InterHand:
    """Map-style. A hand is a label if any of its joints is valid. All training labels need some 10 GB of memory."""

    def __init__(self, root: Path | str, *, split: str = "train", subset: str = "all") -> None:
        self.root, self.split = Path(root), one_of("split", split, SPLITS)
        folder = self.root / "annotations"
        self.folder = folder / split if (folder / split).is_dir() else need(folder, subset, FOLDER)
        name = f"InterHand2.6M_{split}"
        self.data_path = need(self.folder, f"{name}_data.json", FOLDER)
        self.cameras = read_json(self.folder / f"{name}_camera.json")
        self.joints_path = self.folder / f"{name}_joint_3d.json"
        self.joints = read_json(self.joints_path)
        self.rows = self._rows(read_json(self.data_path))

    def _rows(self, data: Any) -> list[Row]:
        try:
            pictures = {picture["id"]: picture for picture in data["images"]}
            return [_row(label, pictures[label["image_id"]]) for label in data["annotations"]]
        except (KeyError, TypeError, ValueError) as problem:
            raise AssetError(f"{self.data_path}: a row lacks or garbles {problem}; {AGAIN}") from problem

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, i: int) -> Sample:
        row = self.rows[i]
        K, joints = self._view(row)
        shown = [n for n, side in enumerate(SIDES) if row.kind in (side, "interacting")]
        hands = [_hand(n, row, K, joints) for n in shown]
        return Sample(
            key=row.file.rsplit(".", 1)[0],
            source="interhand",
            image=read_picture(self.files(i)[0]),
            hands=tuple(hand for hand in hands if hand is not None),
            K=K,
            complete=True,
        )

    def files(self, i: int) -> tuple[Path, ...]:
        """The file that picture i is read from."""
        return (self.root / "images" / self.split / self.rows[i].file,)

    def _view(self, row: Row) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """K (3, 3) and the 42 joints in metres, in the frame of the picture's camera."""
        try:
            capture = self.cameras[row.capture]
            where, turn, focal, centre = (
                np.array(capture[key][row.camera], np.float64) for key in ("campos", "camrot", "focal", "princpt")
            )
            world = self.joints[row.capture][row.frame]["world_coord"]
        except KeyError as problem:
            raise AssetError(f"{self.joints_path}: nothing about {row.file} ({problem}); {AGAIN}") from problem
        joints = (to_array(world, self.joints_path, 42, 3)[0] - where) @ turn.T * 1e-3
        return np.array([[focal[0], 0, centre[0]], [0, focal[1], centre[1]], [0, 0, 1]]), joints


def _hand(n: int, row: Row, K: NDArray[np.float64], joints: NDArray[np.float64]) -> HandLabel | None:
    """The right (0) or left (1) hand of `joints` (42, 3) m; None if none of its joints is valid."""
    order = INTERHAND_TO_CANONICAL + 21 * n
    valid = row.valid[order]
    if not valid.any():
        return None
    side = "left" if n else "right"
    return hand_label(handedness=side, joints_3d=joints[order], known_3d=valid, K=K, joint_convention="interhand")


def _row(label: dict[str, Any], picture: dict[str, Any]) -> Row:
    return Row(
        file=picture["file_name"],
        capture=str(picture["capture"]),
        camera=str(picture["camera"]),
        frame=str(picture["frame_idx"]),
        kind=label["hand_type"],
        valid=np.asarray(label["joint_valid"], np.float64).reshape(42) > 0.5,
    )
