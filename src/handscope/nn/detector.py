"""The detector: where hands are in a whole picture, how they are turned, and which hands they are.

A pretrained backbone's first stages (strides 4 to 16), two own residual stages of stride 32 that see the whole
picture, and a pyramid back to stride 8. Every cell of the stride-8 grid says whether a hand's crop is
centred at it and, if so, where: the upright crop (centre, extent, direction), the joints' tight box, and the
handedness. Anchor-free, after CenterNet (Zhou 2019) and FCOS (Tian 2019). Any picture size divisible by 32.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn
from torch.nn import functional as F

from handscope.nn.backbones import LandmarkBackbone
from handscope.nn.blocks import Residual, conv_bn
from handscope.nn.exported import Exported

STRIDE = 8
UNIT_PX = 64.0
"""Extents are exp(channel) times this."""

CHANNELS = 11
"""score 1; box: centre 2, log width and height 2; up 2; crop: centre 2, log extent 1; right hand 1."""


@dataclass(frozen=True, kw_only=True)
class DetectorConfig:
    """Widths; `backbone_depth` blocks of the landmark backbone are used, the first `frozen` of them as they are."""

    backbone_depth: int = 8
    frozen: int = 4
    context: int = 128
    width: int = 48

    def __post_init__(self) -> None:
        if not 6 <= self.backbone_depth <= 11:
            raise ValueError(f"backbone_depth must end at stride 16 (6 to 11), got {self.backbone_depth}")


class Detections(NamedTuple):
    """What every cell says, in picture px; `up` is not normalised, `score` and `right` are logits."""

    score: Float[Tensor, "b g"]
    boxes: Float[Tensor, "b g 4"]
    up: Float[Tensor, "b g 2"]
    crops: Float[Tensor, "b g 3"]
    right: Float[Tensor, "b g"]


class HandDetector(nn.Module):
    """Pictures to `Detections`; see `ExportedDetector` for the form in which it ships."""

    def __init__(self, config: DetectorConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or DetectorConfig()
        self.backbone = LandmarkBackbone(config.backbone_depth)
        fine, middle = self.backbone.channels[1:3]
        width, context = config.width, config.context
        self.context = nn.Sequential(
            Residual(middle, context, 2), Residual(context, context), Residual(context, context)
        )
        self.from_context = conv_bn(context, width, 1)
        self.from_middle = conv_bn(middle, width, 1)
        self.from_fine = conv_bn(fine, width, 1)
        self.merge_middle = conv_bn(width, width)
        self.merge_fine = conv_bn(width, width)
        self.head = conv_bn(width, width)
        self.answer = nn.Conv2d(width, CHANNELS, 1)
        bias = torch.zeros(CHANNELS)
        bias[0] = -4.0  # hands are rare
        self.answer.bias = nn.Parameter(bias)
        with torch.no_grad():
            self.answer.weight.mul_(0.3)

    def load(self, path: Path | str) -> None:
        """Take the landmark backbone's weights."""
        self.backbone.load(path)

    def forward(self, image: Float[Tensor, "b 3 h w"]) -> Detections:
        """`image` is RGB in [0, 1]; g = h w / 64 cells, row by row."""
        fine, middle = self._backbone_features(image)
        x = self.from_context(self.context(middle))
        x = self.merge_middle(self.from_middle(middle) + F.interpolate(x, scale_factor=2.0))
        x = self.merge_fine(self.from_fine(fine) + F.interpolate(x, scale_factor=2.0))
        return read_cells(self.answer(self.head(x)))

    def _backbone_features(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """The backbone's features at strides 8 and 16; its first blocks take no gradient."""
        frozen = self.config.frozen
        with torch.set_grad_enabled(torch.is_grad_enabled() and frozen == 0):
            x = F.relu6(self.backbone.stem(image))
            for block in self.backbone.blocks[:frozen]:
                x = block(x)
        fine = x
        for i, block in enumerate(self.backbone.blocks[frozen:], frozen):
            x = block(x)
            if i == self.backbone.ends[1]:
                fine = x
        return fine, x


def cell_centres(height: int, width: int, like: Tensor) -> Float[Tensor, "g 2"]:
    """Picture px (x, y) of the centres of a grid's cells, row by row."""
    x = STRIDE * (torch.arange(width, dtype=like.dtype, device=like.device) + 0.5) - 0.5
    y = STRIDE * (torch.arange(height, dtype=like.dtype, device=like.device) + 0.5) - 0.5
    return torch.stack([x.expand(height, width), y[:, None].expand(height, width)], -1).reshape(-1, 2)


def read_cells(maps: Float[Tensor, "b 11 h w"]) -> Detections:
    """The network's channels as scores, boxes, directions and crops."""
    cells = cell_centres(*maps.shape[2:], like=maps)
    score, box_centre, box_log, up, crop_centre, crop_log, right = (
        maps.flatten(2).transpose(1, 2).split([1, 2, 2, 2, 2, 1, 1], dim=2)
    )
    centre = cells + UNIT_PX * box_centre
    half = UNIT_PX / 2 * box_log.clamp(-4, 3).exp()
    extent = UNIT_PX * crop_log.clamp(-4, 3).exp()
    return Detections(
        score[..., 0],
        torch.cat([centre - half, centre + half], 2),
        up,
        torch.cat([cells + UNIT_PX * crop_centre, extent], 2),
        right[..., 0],
    )


class ExportedDetector(Exported):
    """What ships as ONNX: bytes in, probabilities out."""

    NAMES = ("scores", "boxes", "up", "crops", "right")

    def __init__(self, network: HandDetector) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: UInt8[Tensor, "n s s 3"]) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Scores (n, g), boxes (n, g, 4), unit directions (n, g, 2), crops (n, g, 3), right (n, g)."""
        found = self.network(image.permute(0, 3, 1, 2).float() / 255)
        up = found.up / found.up.norm(dim=-1, keepdim=True).clamp(min=0.05)  # no hand, no direction
        return found.score.sigmoid(), found.boxes, up, found.crops, found.right.sigmoid()
