"""What a model answers: a list of hands that knows its picture, and hands that can be written to files.

`types.Hand` is a record for all rooms; how it becomes a file is decided here, above it. Every format has a `to_...`
that gives its content, most a `save_...` that writes it; `handscope.infer.outputs` is the table of them all.
"""

from __future__ import annotations

import io
import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import SupportsIndex, overload

import numpy as np
from numpy.typing import NDArray

from handscope.geometry.camera import Camera
from handscope.infer import formats
from handscope.infer.images import Source, to_rgb_array
from handscope.infer.joint_conventions import in_convention
from handscope.types import Hand
from handscope.viz import draw


class _Written(ABC):
    """The files that one hand and all hands of a picture have in common: meshes and arrays."""

    @abstractmethod
    def _listed(self) -> Sequence[Hand]:
        """The hands to write."""

    def to_glb(self, style: formats.MeshStyle = formats.MeshStyle()) -> bytes:  # noqa: B008  (it is frozen)
        """The meshes with their skeletons in one scene, for any 3D viewer."""
        return formats.to_glb(self._listed(), style)

    def to_usd(self, style: formats.MeshStyle = formats.MeshStyle()) -> str:  # noqa: B008
        """The same as a USD file's text (.usda); needs the extra [usd]."""
        return formats.to_usd(self._listed(), style)

    def to_stl(self) -> bytes:
        """The meshes, closed at the wrist, as one binary STL in millimetres."""
        return formats.to_stl(self._listed())

    def to_obj(self) -> str:
        """The meshes as one Wavefront OBJ."""
        return formats.to_obj(self._listed())

    def to_ply(self) -> bytes:
        """The meshes as one binary PLY."""
        return formats.to_ply(self._listed())

    def to_npz(self) -> bytes:
        """Every array, hands along the first axis."""
        return formats.to_npz(self._listed())

    def save_glb(self, path: str | Path, style: formats.MeshStyle = formats.MeshStyle()) -> Path:  # noqa: B008
        """`to_glb` in a file."""
        return formats.write_file(path, self.to_glb(style))

    def save_usd(self, path: str | Path, style: formats.MeshStyle = formats.MeshStyle()) -> Path:  # noqa: B008
        """`to_usd` in a file, which should be called .usda."""
        return formats.write_file(path, self.to_usd(style))

    def save_stl(self, path: str | Path) -> Path:
        """`to_stl` in a file."""
        return formats.write_file(path, self.to_stl())

    def save_obj(self, path: str | Path) -> Path:
        """`to_obj` in a file."""
        return formats.write_file(path, self.to_obj())

    def save_ply(self, path: str | Path) -> Path:
        """`to_ply` in a file."""
        return formats.write_file(path, self.to_ply())

    def save_npz(self, path: str | Path) -> Path:
        """`to_npz` in a file."""
        return formats.write_file(path, self.to_npz())


class FoundHand(_Written, Hand):
    """A `Hand` with its files: meshes are for viewers (y up), all else is in the camera frame (docs/formats.md)."""

    @property
    def camera(self) -> Camera:
        """The camera that it is told in: `K`, the picture's size and `distortion`."""
        height, width = self.cropped_mask.shape
        return Camera(self.K, (width, height), self.distortion)

    def _listed(self) -> Sequence[Hand]:
        return [self]

    def in_convention(self, name: str) -> FoundHand:
        """The same hand with the joints of another convention, such as "freihand" (docs/joints.md)."""
        return in_convention(self, name)

    def to_dict(self) -> formats.HandDict:
        """Plain numbers, ready for JSON; no mask and no mesh."""
        return formats.hand_to_dict(self)

    def to_json(self) -> str:
        """`to_dict` as text."""
        return json.dumps(self.to_dict(), allow_nan=False)

    def joint_angles(self) -> dict[str, float]:
        """Degrees by name: flexion, abduction and twist of every joint (`index_pip_flexion`), and the wrist's roll,
        pitch and yaw to the camera (docs/angles.md). HandscopeError if nobody knows the hand model.
        """
        return formats.joint_angles(self)

    def to_retargeting(self) -> NDArray[np.float64]:
        """Joints (21, 3) as dex-retargeting takes them: metres about the wrist, in its MANO frame."""
        return formats.to_retargeting(self)

    def to_bvh(self) -> str:
        """Its pose as a BVH file of one frame."""
        return formats.to_bvh(self)

    def to_openxr(self) -> formats.XrHand:
        """OpenXR's 26 joints: places, turns, radii."""
        return formats.to_openxr(self)

    def to_openxr_csv(self) -> str:
        """`to_openxr` as a table."""
        return formats.to_openxr_csv(self)

    def to_dex(self) -> bytes:
        """`to_retargeting` as a file for `numpy.load`."""
        buffer = io.BytesIO()
        np.save(buffer, self.to_retargeting())
        return buffer.getvalue()

    def to_mask(self) -> bytes:
        """The mask as a PNG: 255 where the hand is seen."""
        return formats.to_png(self.mask)

    def to_mano_npz(self) -> bytes:
        """Parameters as users of smplx and MANO expect them."""
        return formats.to_mano_npz(self)

    def save_mano_npz(self, path: str | Path) -> Path:
        """`to_mano_npz` in a file."""
        return formats.write_file(path, self.to_mano_npz())


class Hands(_Written, list[FoundHand]):
    """The hands of one picture, best first: a list, with `width` and `height` of the picture in px.

    `source` is the path it was read from, if any; `notes` are remarks made while reading. Part of it, as a slice or by
    `subset`, knows its picture too. Of a list of pictures one that could not be read has an answer without hands and
    size, whose `problem` says why (None of all others).
    """

    def __init__(
        self,
        hands: Iterable[FoundHand] = (),
        *,
        width: int,
        height: int,
        source: str | None = None,
        notes: Sequence[str] = (),
        problem: str | None = None,
    ) -> None:
        super().__init__(hands)
        self._size, self._source, self._notes, self._problem = (width, height), source, tuple(notes), problem

    @property
    def width(self) -> int:
        """Of the picture, px."""
        return self._size[0]

    @property
    def height(self) -> int:
        """Of the picture, px."""
        return self._size[1]

    @property
    def source(self) -> str | None:
        """The path that the picture was read from."""
        return self._source

    @property
    def notes(self) -> tuple[str, ...]:
        """Remarks made while reading."""
        return self._notes

    @property
    def problem(self) -> str | None:
        """Why the picture could not be read, in one sentence; None if it was."""
        return self._problem

    def subset(self, chosen: Iterable[int]) -> Hands:
        """The hands of these numbers, in the order given, of the same picture."""
        return self._with([self[number] for number in chosen])

    def of_source(self, source: str | None, notes: Sequence[str] = ()) -> Hands:
        """The same hands of a picture that is called `source`."""
        return Hands(self, width=self.width, height=self.height, source=source, notes=notes)

    def in_convention(self, name: str) -> Hands:
        """The same hands with the joints of another convention, such as "freihand" (docs/joints.md)."""
        return self._with([hand.in_convention(name) for hand in self])

    def _listed(self) -> Sequence[Hand]:
        return self

    def _with(self, hands: Iterable[FoundHand]) -> Hands:
        about = {"source": self.source, "notes": self.notes, "problem": self.problem}
        return Hands(hands, width=self.width, height=self.height, **about)

    @overload
    def __getitem__(self, which: SupportsIndex) -> FoundHand: ...
    @overload
    def __getitem__(self, which: slice) -> Hands: ...
    def __getitem__(self, which: SupportsIndex | slice) -> FoundHand | Hands:
        found = super().__getitem__(which)
        return self._with(found) if isinstance(found, list) else found

    def copy(self) -> Hands:
        """Another list of the same hands and picture."""
        return self._with(self)

    def __repr__(self) -> str:
        if self.problem is not None:
            return f"Hands(not read: {self.problem})"
        size = f"{self.width} x {self.height} px"
        if not self:
            return f"Hands(none in {size})"
        found = ", ".join(f"{hand.handedness} {hand.score:.2f}" for hand in self)
        return f"Hands({len(self)} in {size}: {found})"

    def draw(
        self,
        image: Source,
        *,
        mesh: bool = True,
        outline: bool = True,
        skeleton: bool = True,
        box: bool = True,
        min_side: int = 0,
    ) -> NDArray[np.uint8]:
        """The picture that was analysed, in any form a model takes, with the hands painted over (`handscope.draw`)."""
        return draw(
            to_rgb_array(image), self, mesh=mesh, outline=outline, skeleton=skeleton, box=box, min_side=min_side
        )

    def to_overlay(self, image: Source, *, min_side: int = 0) -> bytes:
        """`draw` as a PNG."""
        return formats.to_png(self.draw(image, min_side=min_side))

    def to_dict(self) -> formats.HandsDict:
        """Plain numbers, as `handscope/infer/hands.schema.json` says; no masks and no meshes."""
        return formats.to_dict(self, width=self.width, height=self.height, source=self.source, notes=self.notes)

    def to_json(self) -> str:
        """`to_dict` as text."""
        return formats.to_json(self, width=self.width, height=self.height, source=self.source, notes=self.notes)

    def to_csv(self) -> str:
        """One row for each hand and joint."""
        return formats.to_csv(self, source=self.source)

    def to_coco(self) -> str:
        """COCO-WholeBody's keypoints."""
        return formats.to_coco(self, width=self.width, height=self.height, source=self.source)

    def to_track_hands(self) -> str:
        """The cell of daft-physical-ai's `track_hands` column as JSON."""
        return json.dumps(formats.track_hands(self)) + "\n"

    def to_smplx_npz(self) -> bytes:
        """The best left and right hand for SMPL-X and SMPL-H (docs/bodies.md); wants hands told in MANO."""
        return formats.to_smplx_npz(self)

    def save_json(self, path: str | Path) -> Path:
        """`to_json` in a file."""
        return formats.write_file(path, self.to_json())

    def save_csv(self, path: str | Path) -> Path:
        """`to_csv` in a file."""
        return formats.write_file(path, self.to_csv())

    def save_coco(self, path: str | Path) -> Path:
        """`to_coco` in a file."""
        return formats.write_file(path, self.to_coco())
