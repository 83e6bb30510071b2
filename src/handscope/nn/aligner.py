"""The aligner: where the joints lie in a rough crop and which side it shows, fast enough to come before the estimator.

A detector of a whole picture sees hands small, guesses their direction and hardly knows left from right. The landmark
backbone over a small picture of the crop tells both in a sixth of the estimator's time, which then mostly needs one
pass.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from jaxtyping import Float, UInt8
from torch import Tensor, nn

from handscope.nn.backbones import AuxiliaryHead, LandmarkBackbone, load_into, network_input
from handscope.nn.exported import Exported
from handscope.types import AuxiliaryPrediction


@dataclass(frozen=True, kw_only=True)
class AlignerConfig:
    """`crop` px is the width of the crops, a multiple of 32."""

    crop: int = 96

    def __post_init__(self) -> None:
        if self.crop < 32 or self.crop % 32:
            raise ValueError(f"crop must be a multiple of 32, got {self.crop}")


class HandAligner(nn.Module):
    """Crops to joints and side, by the landmark backbone and linear layers."""

    def __init__(self, config: AlignerConfig | None = None) -> None:
        super().__init__()
        self.config = config or AlignerConfig()
        self.backbone = LandmarkBackbone()
        self.auxiliary = AuxiliaryHead(self.backbone.channels[-1])

    def load(self, path: Path | str) -> None:
        """Take the landmark backbone's weights and its own layers."""
        self.backbone.load(path)
        load_into(self.auxiliary, path, "auxiliary.")

    def forward(self, crops: UInt8[Tensor, "b s s 3"]) -> AuxiliaryPrediction:
        """RGB crops, each with one hand."""
        told = self.auxiliary(self.backbone(network_input(crops))[-1])
        return AuxiliaryPrediction(joints_2d=told.joints * crops.shape[1] - 0.5, right=told.right)


class ExportedAligner(Exported):
    """What ships as ONNX: bytes in; joints in crop px and the probability of a right hand out."""

    NAMES = ("joints", "right")

    def __init__(self, network: HandAligner) -> None:
        super().__init__()
        self.network = network

    def forward(self, crop: UInt8[Tensor, "n s s 3"]) -> tuple[Float[Tensor, "n 21 2"], Float[Tensor, " n"]]:
        """The outputs named in NAMES."""
        found = self.network(crop)
        return found.joints_2d, found.right.sigmoid()
