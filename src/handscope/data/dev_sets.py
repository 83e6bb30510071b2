"""The evaluation-only photographs: joints-dev (joints in 2D and 3D) and masks-dev (skin).

They never train anything. Both are map-style lists of `Sample`; see data/README.md for where they come from
and what their labels mean.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from handscope.errors import HandscopeError
from handscope.geometry.boxes import tight_box
from handscope.types import HandLabel, Sample


class JointsDev:
    """Pictures of 256 x 256 px with one LEFT hand each: K, 21 joints in metres (camera frame) and in px."""

    def __init__(self, root: Path | str) -> None:
        self.folder = Path(root) / "joints-dev"
        path = self.folder / "labels.json"
        try:
            self.rows: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise HandscopeError(f"{path}: cannot be read ({error}); give the folder that holds joints-dev") from error

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, i: int) -> Sample:
        row = self.rows[i]
        joints = np.array(row["uv_px"], np.float64)
        hand = HandLabel(
            handedness=row["handedness"],
            box=tight_box(joints),
            joints_2d=joints,
            joints_2d_known=np.ones(21, bool),
            joints_3d=np.array(row["xyz_m"], np.float64),
            joints_3d_known=np.ones(21, bool),
        )
        return Sample(
            key=Path(row["file"]).stem,
            source="joints-dev",
            image=_read(self.folder / row["file"]),
            hands=(hand,),
            K=np.array(row["K"], np.float64),
        )

    def __iter__(self) -> Iterator[Sample]:
        return (self[i] for i in range(len(self)))


class MasksDev:
    """Pictures of bare hands; `HandLabel.mask` is all SKIN (255), forearm and any bare arm included."""

    def __init__(self, root: Path | str) -> None:
        self.folder = Path(root) / "masks-dev"
        self.paths = sorted(self.folder.glob("*.jpg"))
        if not self.paths:
            raise HandscopeError(f"{self.folder}: no pictures; give the folder that holds masks-dev")

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, i: int) -> Sample:
        path = self.paths[i]
        skin = _read(path.with_suffix(".png"))[..., 0]
        return Sample(key=path.stem, source="masks-dev", image=_read(path), hands=(HandLabel(mask=skin),))

    def __iter__(self) -> Iterator[Sample]:
        return (self[i] for i in range(len(self)))


def _read(path: Path) -> NDArray[np.uint8]:
    """A picture as RGB uint8 (H, W, 3)."""
    pixels = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if pixels is None:
        raise HandscopeError(f"{path}: missing or not a picture; copy the data again")
    return np.ascontiguousarray(pixels[..., ::-1], np.uint8)
