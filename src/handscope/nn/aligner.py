"""The aligner: where the joints lie in a rough crop, which side it shows, and whether a hand at all. It is fast enough
to come before the estimator.

A detector of a whole picture sees hands small, guesses their direction and hardly knows left from right. The landmark
backbone over a small picture of the crop tells both in a sixth of the estimator's time, which then mostly needs one
pass.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from jaxtyping import UInt8
from torch import Tensor, nn

from handscope.nn.backbones import AuxiliaryHead, LandmarkBackbone, load_into, network_input
from handscope.nn.exported import Exported
from handscope.types import AuxiliaryPrediction


@dataclass(frozen=True, kw_only=True)
class AlignerConfig:
    """`crop` px is the width of the crops, a multiple of 32; with `present` there is a head of presence."""

    crop: int = 96
    present: bool = False

    def __post_init__(self) -> None:
        if self.crop < 32 or self.crop % 32:
            raise ValueError(f"crop must be a multiple of 32, got {self.crop}")


class HandAligner(nn.Module):
    """Crops to joints, side and perhaps presence, by the landmark backbone and linear layers."""

    def __init__(self, config: AlignerConfig | None = None) -> None:
        super().__init__()
        self.config = config or AlignerConfig()
        self.backbone = LandmarkBackbone()
        self.auxiliary = AuxiliaryHead(self.backbone.channels[-1])
        self.present = nn.Linear(self.backbone.channels[-1], 1) if self.config.present else None

    def load(self, path: Path | str) -> None:
        """Take the landmark backbone's weights and its own layers."""
        self.backbone.load(path)
        load_into(self.auxiliary, path, "auxiliary.")
        if self.present is not None:
            load_into(self.present, path, "present.")

    def forward(self, crops: UInt8[Tensor, "b s s 3"]) -> AuxiliaryPrediction:
        """RGB crops, each with one hand."""
        told = self.auxiliary(self.backbone(network_input(crops))[-1])
        joints = told.joints * crops.shape[1] - 0.5
        present = None if self.present is None else self.present(told.pooled)[:, 0]
        return AuxiliaryPrediction(joints_2d=joints, right=told.right, present=present)


class ExportedAligner(Exported):
    """What ships as ONNX: bytes in; joints in crop px and the probability of a right hand out, with a head of presence
    that of a hand too.
    """

    NAMES = ("joints", "right")

    def __init__(self, network: HandAligner) -> None:
        super().__init__()
        self.network = network
        if network.present is not None:
            self.NAMES = (*self.NAMES, "presence")

    def forward(self, crop: UInt8[Tensor, "n s s 3"]) -> tuple[Tensor, ...]:
        """The outputs named in NAMES: (n, 21, 2), (n,) and perhaps (n,)."""
        found = self.network(crop)
        told = [found.right.sigmoid(), *([] if found.present is None else [found.present.sigmoid()])]
        return found.joints_2d, *told
