"""What a model answers: a list of hands that knows its picture, and hands that can be written to files.

`types.Hand` is a record for all rooms; how it becomes a file is decided here, above it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from handscope.infer import formats
from handscope.types import Hand
from handscope.viz import draw


class FoundHand(Hand):
    """A `Hand` with its files: meshes are for viewers (y up), all else is in the camera frame (docs/formats.md)."""

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers, ready for JSON; no mask and no mesh."""
        return formats.hand_to_dict(self)

    def to_json(self) -> str:
        """`to_dict` as text."""
        return json.dumps(self.to_dict())

    def to_retargeting(self) -> NDArray[np.float64]:
        """Joints (21, 3) as dex-retargeting takes them: metres about the wrist, in its MANO frame."""
        return formats.to_retargeting(self)

    def save_glb(self, path: str | Path) -> Path:
        """The mesh with its skeleton, for any 3D viewer."""
        return formats.write_file(path, formats.to_glb(self))

    def save_obj(self, path: str | Path) -> Path:
        """The mesh as Wavefront OBJ."""
        return formats.write_file(path, formats.to_obj(self))

    def save_ply(self, path: str | Path) -> Path:
        """The mesh as binary PLY."""
        return formats.write_file(path, formats.to_ply(self))

    def save_npz(self, path: str | Path) -> Path:
        """Every array, with a leading axis of length one."""
        return formats.write_file(path, formats.to_npz([self]))

    def save_mano_npz(self, path: str | Path) -> Path:
        """Parameters as users of smplx and MANO expect them."""
        return formats.write_file(path, formats.to_mano_npz(self))


class Hands(list[FoundHand]):
    """The hands of one picture, best first: a list, with `width` and `height` of the picture in px.

    `source` is the path it was read from, if any; `notes` are remarks made while reading.
    """

    def __init__(
        self,
        hands: Iterable[FoundHand] = (),
        *,
        width: int,
        height: int,
        source: str | None = None,
        notes: Sequence[str] = (),
    ) -> None:
        super().__init__(hands)
        self.width, self.height = width, height
        self.source, self.notes = source, tuple(notes)

    def __repr__(self) -> str:
        size = f"{self.width} x {self.height} px"
        if not self:
            return f"Hands(none in {size})"
        found = ", ".join(f"{hand.handedness} {hand.score:.2f}" for hand in self)
        return f"Hands({len(self)} in {size}: {found})"

    @property
    def _about(self) -> dict[str, Any]:
        return {"width": self.width, "height": self.height, "source": self.source}

    def draw(self, image: NDArray[np.uint8], **options: Any) -> NDArray[np.uint8]:
        """`image` RGB (H, W, 3) with the hands painted over; `options` are those of `handscope.viz.draw`."""
        return draw(image, self, **options)

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers, as `handscope/infer/hands.schema.json` says; no masks and no meshes."""
        return formats.to_dict(self, **self._about, notes=self.notes)

    def to_json(self) -> str:
        """`to_dict` as text."""
        return formats.to_json(self, **self._about, notes=self.notes)

    def save_json(self, path: str | Path) -> Path:
        """`to_json` in a file."""
        return formats.write_file(path, self.to_json())

    def save_csv(self, path: str | Path) -> Path:
        """One row for each hand and joint."""
        return formats.write_file(path, formats.to_csv(self, source=self.source))

    def save_coco(self, path: str | Path) -> Path:
        """COCO-WholeBody's keypoints."""
        return formats.write_file(path, formats.to_coco(self, **self._about))

    def save_npz(self, path: str | Path) -> Path:
        """Every array, hands along the first axis."""
        return formats.write_file(path, formats.to_npz(self))

    def save_glb(self, path: str | Path) -> Path:
        """All meshes with their skeletons in one scene."""
        return formats.write_file(path, formats.to_glb(self))

    def save_obj(self, path: str | Path) -> Path:
        """All meshes as one Wavefront OBJ."""
        return formats.write_file(path, formats.to_obj(self))

    def save_ply(self, path: str | Path) -> Path:
        """All meshes as one binary PLY."""
        return formats.write_file(path, formats.to_ply(self))
