"""Rendered Handpose Dataset (Zimmermann and Brox, ICCV 2017): both hands of rendered people, 320 x 320 px, with parts.

The mask counts parts: 0 background, 1 person, 2-17 the left hand (thumb to little finger, three parts each from the
tip, then the palm), 18-33 the right hand.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from handscope.data.editions import other_count
from handscope.data.files import need, one_of, read_map, read_picture, to_array
from handscope.data.labels import hand_label
from handscope.errors import AssetError
from handscope.skeleton import MIDDLE_MCP, RHD_TO_CANONICAL, WRIST
from handscope.types import HandLabel, Sample
from handscope.unpickle import load_arrays

SPLITS = ("training", "evaluation")
ROOTS = ("wrist", "palm")
PARTS = {"left": (2, 17), "right": (18, 33)}
FOLDER = "the folder that holds training and evaluation (RHD_published_v2)"
LEAST_MASK_PX = 20
"""A hand with fewer pixels is taken for not shown: RHD labels hands far outside the picture, too."""


class RHD:
    """Map-style. `root_joint` "palm" puts joint 0 half-way between wrist and middle knuckle, as the field's scores do.

    A hand is a label if it is seen: `LEAST_MASK_PX` of its parts, at least. Picture i may so have no hand at all.
    """

    def __init__(self, root: Path | str, *, split: str = "training", root_joint: str = "wrist") -> None:
        self.folder = need(root, one_of("split", split, SPLITS), FOLDER)
        self.root_joint = one_of("root_joint", root_joint, ROOTS)
        self.annotations_path = need(self.folder, f"anno_{split}.pickle", FOLDER)
        rows = load_arrays(self.annotations_path, "fetch RHD again")
        if not isinstance(rows, dict) or not rows:
            raise AssetError(f"{self.annotations_path}: expected a dict of pictures; fetch RHD again")
        self.rows: dict[int, dict[str, Any]] = rows
        self.numbers = sorted(self.rows)

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, i: int) -> Sample:
        number = self.numbers[i]
        row = self.rows[number]
        missing = {"xyz", "uv_vis", "K"} - set(row)
        if missing:
            lacks = ", ".join(sorted(missing))
            raise AssetError(f"{self.annotations_path}: picture {number} lacks {lacks}; fetch RHD again")
        xyz = to_array(row["xyz"], self.annotations_path, 21, 3)
        uv = to_array(row["uv_vis"], self.annotations_path, 21, 3)
        parts = self.parts(i)
        hands = [self._hand(n, side, xyz[n], uv[n], parts) for n, side in enumerate(("left", "right"))]
        return Sample(
            key=f"{self.folder.name}/{number:05d}",
            source="rhd",
            image=read_picture(self._picture(i)),
            hands=tuple(hand for hand in hands if hand is not None),
            K=np.asarray(row["K"], np.float64),
            complete=True,
        )

    def files(self, i: int) -> tuple[Path, ...]:
        """The files that picture i is read from."""
        return self._picture(i), self._parts_path(i)

    def unlike_published(self) -> list[str]:
        """How this copy differs from RHD_published_v2, in a sentence each."""
        return other_count("rhd", self.folder.name, len(self), self.annotations_path)

    def _picture(self, i: int) -> Path:
        return self.folder / f"color/{self.numbers[i]:05d}.png"

    def _parts_path(self, i: int) -> Path:
        return self.folder / f"mask/{self.numbers[i]:05d}.png"

    def parts(self, i: int) -> NDArray[np.uint8]:
        """Numbers of parts (H, W) of picture i, as in the module's heading."""
        return read_map(self._parts_path(i))

    def _hand(
        self, n: int, side: str, xyz: NDArray[np.floating], uv: NDArray[np.floating], parts: NDArray[np.uint8]
    ) -> HandLabel | None:
        low, high = PARTS[side]
        seen = (parts >= low) & (parts <= high)
        if seen.sum() < LEAST_MASK_PX:
            return None
        joints, places = xyz[RHD_TO_CANONICAL], uv[RHD_TO_CANONICAL]
        visible = places[:, 2] > 0.5
        flat = places[:, :2].copy()
        if self.root_joint == "palm":
            joints, flat = with_palm(joints), with_palm(flat)
            visible[WRIST] &= visible[MIDDLE_MCP]
        return hand_label(
            handedness="left" if n == 0 else "right",
            joints_2d=flat,
            joints_3d=joints,
            visible=visible,
            mask=np.where(seen, 255, 0).astype(np.uint8),
            joint_convention="rhd",
        )


def with_palm(joints: NDArray[np.floating]) -> NDArray[np.floating]:
    """Joints (21, c) whose joint 0 is the palm, half-way from wrist to middle knuckle, instead of the wrist."""
    moved = joints.copy()
    moved[WRIST] = (joints[WRIST] + joints[MIDDLE_MCP]) / 2
    return moved
