"""Presence: whether a crop shows a hand at all, by MediaPipe's landmark network as it is (hand_landmark_full).

The shipped estimator's backbone has learnt further and has only seen hands since; this one has its original weights,
and the linear layer that the original judges its crops by. Crops are 224 px, the hand upright in them and half as long
as their side, left or right.
"""

from __future__ import annotations

from pathlib import Path

from jaxtyping import Float, UInt8
from torch import Tensor, nn

from handscope.nn.backbones import LandmarkBackbone, load_into, network_input
from handscope.nn.exported import Exported

CROP_PX = 224


class HandPresence(nn.Module):
    """Crops to the logit of a hand."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = LandmarkBackbone()
        self.presence = nn.Linear(self.backbone.channels[-1], 1)

    @classmethod
    def load(cls, path: Path | str) -> HandPresence:
        """The network with the weights of a safetensors file of scripts/convert_landmark_backbone.py."""
        network = cls()
        load_into(network.backbone, path)
        load_into(network.presence, path, "present.")
        return network

    def forward(self, crops: UInt8[Tensor, "b s s 3"]) -> Float[Tensor, " b"]:
        """RGB crops, in any of which there may be a hand."""
        return self.presence(self.backbone(network_input(crops))[-1].mean((2, 3)))[:, 0]


class ExportedPresence(Exported):
    """What ships as ONNX: bytes in, the probability of a hand out."""

    NAMES = ("presence",)

    def __init__(self, network: HandPresence) -> None:
        super().__init__()
        self.network = network

    def forward(self, crop: UInt8[Tensor, "n s s 3"]) -> tuple[Float[Tensor, " n"]]:
        """Probabilities (n,)."""
        return (self.network(crop).sigmoid(),)
