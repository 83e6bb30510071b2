"""CMU Panoptic HandDB (Simon et al., CVPR 2017): joints in 2D, in people's photographs, renderings, and a studio.

- `manual_train`, `manual_test`: hand_labels/NAME/*.jpg, each with its .json; marked by people (MPII and sign language).
- `synth`: hand_labels_synth/synth1 to synth4, the same layout; rendered.
- `panopticdb`: hand143_panopticdb/hands_v143_14817.json and its pictures; right hands, triangulated from many views.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from handscope.data.editions import other_count
from handscope.data.files import AGAIN, in_numbers, one_of, read_json, read_picture, to_array
from handscope.data.labels import hand_label
from handscope.errors import AssetError, HandscopeError
from handscope.types import Sample

PARTS = {
    "manual_train": ("hand_labels/manual_train", "manual_train", ""),
    "manual_test": ("hand_labels/manual_test", "manual_test", ""),
    "synth": ("hand_labels_synth", ""),
    "panopticdb": ("hand143_panopticdb", ""),
}
"""Each part's folder below the one that holds all, below its own archive, and itself."""
PANOPTIC = "hands_v143_14817.json"


class Labelled(NamedTuple):
    """A hand in a picture: joints (21, 3) as x px, y px, and 1 where x and y are known.

    `head_size`, the length of the person's head in px, is the unit of this set's own PCK; `centre` (2,) px: of its box.
    """

    picture: Path
    joints: NDArray[np.float64]
    handedness: Literal["left", "right"]
    head_size: float | None
    centre: NDArray[np.float64] | None


class CMUHands:
    """Map-style: one labelled hand a picture (others may show). `root` holds the parts, or is one part's folder."""

    def __init__(self, root: Path | str, *, part: str = "manual_train") -> None:
        self.part = one_of("part", part, tuple(PARTS))
        self.folder = _folder(Path(root), part)
        self.rows: Sequence[Labelled | Path] = (
            _panoptic(self.folder) if part == "panopticdb" else sorted(self.folder.rglob("*.json"), key=in_numbers)
        )
        if not self.rows:
            raise HandscopeError(f"{self.folder}: no labels; {AGAIN}")

    def __len__(self) -> int:
        return len(self.rows)

    def files(self, i: int) -> tuple[Path, ...]:
        """The files that picture i is read from."""
        row = self.rows[i]
        return (row, row.with_suffix(".jpg")) if isinstance(row, Path) else (row.picture,)

    def unlike_published(self) -> list[str]:
        """How this copy differs from the published part, in a sentence each."""
        return other_count("cmu", self.part, len(self.rows), self.folder)

    def labelled(self, i: int) -> Labelled:
        """The label of picture i, with what the field's scores need besides."""
        row = self.rows[i]
        return _single(row) if isinstance(row, Path) else row

    def __getitem__(self, i: int) -> Sample:
        row = self.labelled(i)
        hand = hand_label(handedness=row.handedness, joints_2d=row.joints[:, :2], known_2d=row.joints[:, 2] > 0.5)
        return Sample(
            key=f"{self.part}/{row.picture.relative_to(self.folder).with_suffix('')}",
            source=f"cmu/{self.part}",
            image=read_picture(row.picture),
            hands=(hand,),
            complete=False,
        )


def _folder(root: Path, part: str) -> Path:
    for below in PARTS[part]:
        folder = root / below
        if any(folder.glob({"panopticdb": PANOPTIC, "synth": "synth*"}.get(part, "*.json"))):
            return folder
    raise HandscopeError(f"{root}: no {PARTS[part][0]}; give the folder that holds the CMU hand sets, or {part}'s own")


def _single(path: Path) -> Labelled:
    """A .json with one hand; its picture is beside it, under the same name."""
    row = read_json(path)
    return _labelled(row, path, path.with_suffix(".jpg"), row.get("hand_pts") if isinstance(row, dict) else None)


def _panoptic(folder: Path) -> list[Labelled | Path]:
    path = folder / PANOPTIC
    rows = read_json(path)
    if not isinstance(rows, dict) or not isinstance(rows.get("root"), list):
        raise AssetError(f"{path}: expected a list under 'root'; {AGAIN}")
    try:
        return [_labelled(row, path, folder / row["img_paths"], row["joint_self"]) for row in rows["root"]]
    except (KeyError, TypeError) as problem:
        raise AssetError(f"{path}: a row lacks {problem}; {AGAIN}") from problem


def _labelled(row: Any, path: Path, picture: Path, joints: Any) -> Labelled:
    points = to_array(joints, path, 21, 3)
    if len(points) != 1:
        raise AssetError(f"{path}: expected 21 joints of one hand, found {len(points)} hands; {AGAIN}")
    left = row.get("is_left", 0)
    head, centre = row.get("head_size"), row.get("hand_box_center")
    return Labelled(
        picture=picture,
        joints=points[0],
        handedness="left" if int(np.ravel(left)[0]) else "right",
        head_size=float(head) if isinstance(head, int | float) and head > 0 else None,
        centre=None if centre is None else np.ravel(np.asarray(centre, np.float64))[:2],
    )
