"""HIU-Data (Zhang et al., ICCV 2021): photographs with joints and masks.

Its layout was never described; this is a guess, inferred from third-party loaders. Every picture ID.jpg (or .png) has
ID.json beside it and perhaps ID_mask.png (or .jpg). `pts2d_2hand` (42, 2) px holds the left hand, then the right one
(2.0 = missing); `hand_type` says which are there; `pts3d_2hand` (42, 3) counts where `pts3d_w_2hand` is positive. No
camera is given, and the 3D unit is found from the size of the hand. Whatever is missing is unknown.

There is no official split. Ours: a picture belongs to "test" if the SHA-256 of its ID (the file's name without ending),
taken as a number, is divisible by ten.
"""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from handscope.data.files import AGAIN, in_numbers, one_of, read_json, read_map, read_picture, to_array
from handscope.data.labels import hand_label
from handscope.errors import AssetError, HandscopeError
from handscope.skeleton import MIDDLE_MCP, WRIST
from handscope.types import HandLabel, Sample

SPLITS = ("train", "test", "all")
TEST_ONE_IN = 10
MISSING = 2.0
FIELDS = ("pts2d_2hand", "hand_type", "pts3d_2hand", "pts3d_w_2hand")
LONELY_NAMED = 3
PICTURES = (".jpg", ".png", ".jpeg")
PALM_M = 0.09
"""Wrist to middle knuckle of a usual hand, by which the unit of 3D labels is told."""


class HIUData:
    """Map-style over every .json below `root` that has a picture beside it; pictures without labels are left out.

    `split` is "train", "test" or "all".
    """

    def __init__(self, root: Path | str, *, split: str = "train") -> None:
        self.root = Path(root)
        one_of("split", split, SPLITS)
        labels = sorted(self.root.rglob("*.json"), key=in_numbers)
        beside = [(path, _beside(path, "")) for path in labels]
        whole = [(label, picture) for label, picture in beside if picture is not None]
        self.lonely = [path for path, picture in beside if picture is None]
        if not whole:
            raise HandscopeError(f"{self.root}: no picture with a .json beside it; give the folder of HIU-Data")
        self.rows = [row for row in whole if split in ("all", split_of(row[0].stem))]
        if not self.rows:
            raise HandscopeError(f'{self.root}: none of its {len(whole)} pictures is in split {split!r}; take "all"')

    def __len__(self) -> int:
        return len(self.rows)

    def files(self, i: int) -> tuple[Path, ...]:
        """The files that picture i is read from."""
        label, picture = self.rows[i]
        mask = _beside(label, "_mask")
        return (label, picture, *([] if mask is None else [mask]))

    def unlike_published(self) -> list[str]:
        """How this copy differs from the layout of the heading, in a sentence each: labels without a picture, fields
        that the first label lacks."""
        found = []
        if self.lonely:
            named = ", ".join(str(path) for path in self.lonely[:LONELY_NAMED])
            found.append(f"{self.root}: {len(self.lonely)} labels without a picture beside them (first: {named})")
        first = self.rows[0][0]
        row = read_json(first)
        lacking = [name for name in FIELDS if not isinstance(row, dict) or name not in row]
        if lacking:
            found.append(f"{first}: lacks {', '.join(lacking)}; this is another version")
        return found

    def __getitem__(self, i: int) -> Sample:
        label, picture = self.rows[i]
        row = read_json(label)
        if not isinstance(row, dict) or "pts2d_2hand" not in row:
            raise AssetError(f"{label}: expected an object with pts2d_2hand; {AGAIN}")
        mask_path = _beside(label, "_mask")
        mask = None if mask_path is None else np.where(read_map(mask_path) > 127, 255, 0).astype(np.uint8)
        shown = [side for side in (0, 1) if _shown(row, side)]
        hands = tuple(_hand(row, side, label, mask if len(shown) == 1 else None) for side in shown)
        return Sample(
            key=str(label.relative_to(self.root).with_suffix("")),
            source="hiu",
            image=read_picture(picture),
            hands=hands,
            complete=False,
        )


def split_of(name: str) -> str:
    """The split, "train" or "test", of the picture with the ID `name`."""
    return "train" if int(sha256(name.encode()).hexdigest(), 16) % TEST_ONE_IN else "test"


def _beside(label: Path, ending: str) -> Path | None:
    """The picture of a label file, or its mask."""
    paths = (label.with_name(label.stem + ending + suffix) for suffix in PICTURES)
    return next((path for path in paths if path.exists()), None)


def _shown(row: dict[str, Any], side: int) -> bool:
    """Whether hand `side` (0 left, 1 right) is labelled; without `hand_type`, both may be."""
    kinds = np.ravel(row.get("hand_type", [1, 1]))
    return bool(kinds[side]) if len(kinds) == 2 else True


def _hand(row: dict[str, Any], side: int, path: Path, mask: NDArray[np.uint8] | None) -> HandLabel:
    part = slice(21 * side, 21 * side + 21)
    points = to_array(row["pts2d_2hand"], path, 42, 2)[0, part]
    joints, known = None, None
    weights = np.ravel(np.asarray(row.get("pts3d_w_2hand", []), np.float64))
    if len(weights) == 42 and row.get("pts3d_2hand") is not None and weights[part].sum() > 0:
        joints, known = in_metres(to_array(row["pts3d_2hand"], path, 42, 3)[0, part]), weights[part] > 0
    return hand_label(
        handedness=("left", "right")[side],  # type: ignore[arg-type]
        joints_2d=points,
        known_2d=(points != MISSING).any(1),
        joints_3d=joints,
        known_3d=known,
        mask=mask,
    )


def in_metres(joints: NDArray[np.float64]) -> NDArray[np.float64]:
    """Joints (21, 3) given in m, cm or mm in metres: the unit in which the palm is nearest to 9 cm long."""
    palm = float(np.linalg.norm(joints[MIDDLE_MCP] - joints[WRIST]))
    return joints * min((1.0, 1e-2, 1e-3), key=lambda unit: abs(np.log(max(palm, 1e-9) * unit / PALM_M)))
