"""How meshes are written for 3D programs: whose bones, with which look, on which frames."""

from __future__ import annotations

from dataclasses import dataclass

from handscope.errors import HandscopeError, shown
from handscope.infer.formats.rig import BONES


@dataclass(frozen=True, kw_only=True)
class MeshStyle:
    """`bones` lie along the "fingers", or have "mano"'s frames; `skin` puts a map of skin on the mesh instead of
    colours by finger; a clip has its keys at whole frames of `frame_rate` a second, or where the video has them (None).
    """

    bones: str = "fingers"
    skin: bool = False
    frame_rate: float | None = None

    def __post_init__(self) -> None:
        if self.bones not in BONES:
            raise HandscopeError(f"bones are one of {', '.join(BONES)}, got {shown(self.bones)}")
        if self.frame_rate is not None and not 0 < self.frame_rate < 1e6:
            raise HandscopeError(f"a frame rate is a positive number of frames a second, got {shown(self.frame_rate)}")


PLAIN = MeshStyle()
