"""The detector: where hands are in a whole picture, how they are turned, and which hands they are.

It stands on MediaPipe's palm network (nn/palm.py), which has seen the world: the first stages are shared with it and
stay as they are, its later stages and pyramid are copied and learn on, and what the palm network itself says is an
input. Every cell of the stride-8 grid says whether a hand's crop is centred at it and, if so, where: the upright crop
(centre, extent, direction), the joints' tight box, and the handedness. Anchor-free, after CenterNet (Zhou 2019) and
FCOS (Tian 2019). Any picture size divisible by 32.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn
from torch.nn import functional as F

from handscope.nn.blocks import Residual, conv_bn
from handscope.nn.exported import Exported
from handscope.nn.palm import GUESSES, STAGES, PalmNetwork, Palms

STRIDE = 8
UNIT_PX = 64.0
"""Extents are exp(channel) times this."""

CHANNELS = 11
"""score 1; box: centre 2, log width and height 2; up 2; crop: centre 2, log extent 1; right hand 1."""


@dataclass(frozen=True, kw_only=True)
class DetectorConfig:
    """The palm network's first `shared` stages serve both and learn nothing; `width` channels and `blocks` residual
    blocks of the head at stride 8.
    """

    shared: int = 3
    width: int = 64
    blocks: int = 2

    def __post_init__(self) -> None:
        if not 3 <= self.shared <= len(STAGES):
            raise ValueError(f"shared must be 3 (up to stride 8) to {len(STAGES)} stages, got {self.shared}")


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
        self.palms = PalmNetwork().requires_grad_(False)
        self.stages = copy.deepcopy(self.palms.stages[config.shared :])
        self.up_16, self.up_8 = copy.deepcopy(self.palms.up_16), copy.deepcopy(self.palms.up_8)
        for module in (self.stages, self.up_16, self.up_8):
            module.requires_grad_(True)
        middle, fine, width = STAGES[3][0], STAGES[2][0], config.width
        self.from_middle = conv_bn(middle + GUESSES[16], width, 1)
        self.from_fine = conv_bn(fine + GUESSES[8], width, 1)
        self.blocks = nn.Sequential(*[Residual(width, width) for _ in range(config.blocks)])
        self.answer = nn.Conv2d(width, CHANNELS, 1)
        bias = torch.zeros(CHANNELS)
        bias[0] = -4.0  # hands are rare
        self.answer.bias = nn.Parameter(bias)
        with torch.no_grad():
            self.answer.weight.mul_(0.3)

    def load(self, path: Path | str) -> None:
        """Take the palm network's weights (scripts/convert_palm_network.py), also for the copies."""
        self.palms = PalmNetwork.load(path).requires_grad_(False)
        self.stages.load_state_dict(self.palms.stages[self.config.shared :].state_dict())
        self.up_16.load_state_dict(self.palms.up_16.state_dict())
        self.up_8.load_state_dict(self.palms.up_8.state_dict())

    def forward(self, image: Float[Tensor, "b 3 h w"]) -> Detections:
        """`image` is RGB in [0, 1]; g = h w / 64 cells, row by row."""
        return self.with_palms(image)[0]

    def with_palms(self, image: Float[Tensor, "b 3 h w"]) -> tuple[Detections, Palms]:
        """What it says, and what the palm network says of the same picture."""
        with torch.no_grad():
            maps = self.palms.maps(image)
            palm_fine, palm_middle = self.palms.pyramid(maps)
            score_8, score_16 = self.palms.score_8(palm_fine), self.palms.score_16(palm_middle)
            palms = self.palms.read(palm_fine, palm_middle)
        own = maps[: self.config.shared]
        for stage in self.stages:
            own = [*own, stage(own[-1])]
        middle = self.up_16(own[4], own[3])
        fine = self.up_8(middle, own[2])
        coarse = self.from_middle(torch.cat([middle, score_16.clamp(-8, 8)], 1))
        x = self.from_fine(torch.cat([fine, score_8.clamp(-8, 8)], 1)) + F.interpolate(coarse, scale_factor=2.0)
        return read_cells(self.answer(self.blocks(x))), palms


def cell_centres(maps: Float[Tensor, "b c h w"]) -> Float[Tensor, "g 2"]:
    """Picture px (x, y) of the centres of the cells of such maps, row by row."""
    height, width = maps.shape[2:]
    x = STRIDE * (torch.arange(width, dtype=maps.dtype, device=maps.device) + 0.5) - 0.5
    y = STRIDE * (torch.arange(height, dtype=maps.dtype, device=maps.device) + 0.5) - 0.5
    return torch.stack([x.expand(height, width), y[:, None].expand(height, width)], -1).reshape(-1, 2)


def read_cells(maps: Float[Tensor, "b 11 h w"]) -> Detections:
    """The network's channels as scores, boxes, directions and crops."""
    cells = cell_centres(maps)
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
    """What ships as ONNX: bytes in, probabilities out; beside its own answers those of the palm network."""

    NAMES = ("scores", "boxes", "up", "crops", "right", "palm_scores", "palm_boxes", "palm_points")

    def __init__(self, network: HandDetector) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: UInt8[Tensor, "n h w 3"]) -> tuple[Tensor, ...]:
        """Scores (n, g), boxes (n, g, 4), unit directions (n, g, 2), crops (n, g, 3), right (n, g); of palms scores
        (n, p), squares (n, p, 4) and points (n, p, 7, 2).
        """
        found, palms = self.network.with_palms(image.permute(0, 3, 1, 2).float() / 255)
        up = found.up / found.up.norm(dim=-1, keepdim=True).clamp(min=0.05)  # no hand, no direction
        own = (found.score.sigmoid(), found.boxes, up, found.crops, found.right.sigmoid())
        return (*own, palms.scores.sigmoid(), palms.boxes, palms.points)
