"""Context: whether what was taken for a hand is one, by what lies round it.

Noses, ears and feet look like hands to those who see a hand's crop alone. EfficientNet-Lite0 (ImageNet, Apache-2.0),
trained further, sees the picture unturned, `CROP_PX` px of some hands' width (`infer.context`); one linear layer reads
the mean of its last features and their mean in the crop's middle.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from handscope.nn.backbones import LiteBackbone, network_input
from handscope.nn.exported import Exported

CROP_PX = 224


class HandContext(nn.Module):
    """Crops to the logit of a hand in their middle."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = LiteBackbone()
        self.presence = nn.Linear(2 * self.backbone.channels[-1], 1)

    def features(self, crops: UInt8[Tensor, "b s s 3"]) -> Float[Tensor, "b f"]:
        """What the linear layer reads, of RGB crops with seven cells of 32 px a side, of which three are the middle."""
        last = self.backbone(network_input(crops))[-1]
        return torch.cat([last.mean((2, 3)), last[:, :, 2:5, 2:5].mean((2, 3))], 1)

    def forward(self, crops: UInt8[Tensor, "b s s 3"]) -> Float[Tensor, " b"]:
        """RGB crops, in whose middle there may be a hand."""
        return self.presence(self.features(crops))[:, 0]


class ExportedContext(Exported):
    """What ships as ONNX: bytes in, the probability of a hand out."""

    NAMES = ("presence",)

    def __init__(self, network: HandContext) -> None:
        super().__init__()
        self.network = network

    def forward(self, crop: UInt8[Tensor, "n s s 3"]) -> tuple[Float[Tensor, " n"]]:
        """Probabilities (n,)."""
        return (self.network(crop).sigmoid(),)
