"""MediaPipe's palm detection network (palm_detection_full, Apache-2.0), which has seen many people's pictures.

A chain of residual blocks down to stride 32 (BlazePalm, Bazarevsky 2019: a depthwise 5x5, a 1x1 convolution, PReLU
after the sum), a pyramid back to stride 8, and heads at strides 8 and 16. Every cell has two guesses at stride 8 and
six at stride 16: score, a square around the palm, and seven points (`POINTS`). Convolutions pad as TensorFlow's 'same'
does. Weights are made by scripts/convert_palm_network.py; pictures are RGB in [0, 1] with sides divisible by 64 (by 32
at least; the original sees 192 px).
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from handscope.nn.backbones import SameConv, load_into

STAGES = ((32, 4), (64, 5), (128, 5), (256, 5), (256, 5))
"""Channels and blocks of the stages at strides 2 to 32; the first block of each but the first one halves the map."""
GUESSES = {8: 2, 16: 6}
"""How many guesses a cell of each stride has."""
POINTS = ("wrist", "index", "middle", "ring", "little", "thumb base", "thumb knuckle")
"""What the seven points are; those of the four fingers are their knuckles."""
NUMBERS = 4 + 2 * len(POINTS)
"""Of one guess: the square's centre and sides, then the points, px from the cell's centre."""


class PalmBlock(nn.Module):
    """Filter each channel, mix them, add the input, PReLU; the input is halved and given empty channels as needed."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.filter = SameConv(inputs, inputs, 5, stride=stride, groups=inputs)
        self.mix = nn.Conv2d(inputs, outputs, 1)
        self.bend = nn.PReLU(outputs)
        self.stride, self.more = stride, outputs - inputs

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d u v"]:
        """One block."""
        y = self.mix(self.filter(x))
        x = F.max_pool2d(x, 2) if self.stride == 2 else x
        return self.bend(y + (F.pad(x, (0, 0, 0, 0, 0, self.more)) if self.more else x))


class Upwards(nn.Module):
    """Twice the size, 1x1 convolution, PReLU; the finer features are added, and two blocks follow."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.mix = nn.Conv2d(inputs, outputs, 1)
        self.bend = nn.PReLU(outputs)
        self.blocks = nn.Sequential(PalmBlock(outputs, outputs), PalmBlock(outputs, outputs))

    def forward(self, coarse: Float[Tensor, "b c h w"], fine: Float[Tensor, "b d u v"]) -> Float[Tensor, "b d u v"]:
        """One step up the pyramid."""
        larger = F.interpolate(coarse, scale_factor=2.0, mode="bilinear", align_corners=False)
        return self.blocks(fine + self.bend(self.mix(larger)))


class Palms(NamedTuple):
    """What every guess says, those of stride 8 first, row by row: `scores` are logits, all else picture px."""

    scores: Float[Tensor, "b g"]
    boxes: Float[Tensor, "b g 4"]
    points: Float[Tensor, "b g 7 2"]


class PalmNetwork(nn.Module):
    """Pictures to `Palms`; 1.2 M weights, 0.35 GMAC at 192 px. The detector (nn/detector.py) stands on it."""

    def __init__(self) -> None:
        super().__init__()
        first = STAGES[0][0]
        self.stem = SameConv(3, first, 5, stride=2)
        self.bend = nn.PReLU(first)
        widths = (first, *[width for width, _ in STAGES])
        self.stages = nn.ModuleList(
            nn.Sequential(
                PalmBlock(before, width, 1 if i == 0 else 2), *[PalmBlock(width, width) for _ in range(count - 1)]
            )
            for i, (before, (width, count)) in enumerate(zip(widths, STAGES, strict=False))
        )
        self.up_16 = Upwards(STAGES[4][0], STAGES[3][0])
        self.up_8 = Upwards(STAGES[3][0], STAGES[2][0])
        self.score_16 = nn.Conv2d(STAGES[3][0], GUESSES[16], 1)
        self.place_16 = nn.Conv2d(STAGES[3][0], GUESSES[16] * NUMBERS, 1)
        self.score_8 = nn.Conv2d(STAGES[2][0], GUESSES[8], 1)
        self.place_8 = nn.Conv2d(STAGES[2][0], GUESSES[8] * NUMBERS, 1)

    @classmethod
    def load(cls, path: Path | str) -> PalmNetwork:
        """The network with the weights of a safetensors file of the conversion script."""
        network = cls()
        load_into(network, path)
        return network

    def maps(self, image: Float[Tensor, "b 3 h w"]) -> list[Tensor]:
        """What the stages give, at strides 2 to 32."""
        maps = []
        x = self.bend(self.stem(image))
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        return maps

    def pyramid(self, maps: list[Tensor]) -> tuple[Tensor, Tensor]:
        """From the stages' maps those at strides 8 (b, 128, h/8, w/8) and 16 (b, 256, h/16, w/16) that heads read."""
        middle = self.up_16(maps[4], maps[3])
        return self.up_8(middle, maps[2]), middle

    def features(self, image: Float[Tensor, "b 3 h w"]) -> tuple[Tensor, Tensor]:
        """The pyramid's maps of a picture."""
        return self.pyramid(self.maps(image))

    def read(self, fine: Tensor, middle: Tensor) -> Palms:
        """What the heads say of the pyramid's maps: every guess of every cell."""
        parts = [
            read_guesses(self.score_8(fine), self.place_8(fine), 8),
            read_guesses(self.score_16(middle), self.place_16(middle), 16),
        ]
        return Palms(*[torch.cat(values, 1) for values in zip(*parts, strict=True)])

    def forward(self, image: Float[Tensor, "b 3 h w"]) -> Palms:
        """Every guess of every cell."""
        return self.read(*self.features(image))


def read_guesses(scores: Float[Tensor, "b k h w"], places: Float[Tensor, "b m h w"], stride: int) -> Palms:
    """A head's channels as scores, boxes and points: k guesses a cell, the cell's guesses next to each other."""
    height, width = scores.shape[2:]
    like = {"dtype": scores.dtype, "device": scores.device}
    x = stride * (torch.arange(width, **like) + 0.5) - 0.5
    y = stride * (torch.arange(height, **like) + 0.5) - 0.5
    cells = torch.stack([x.expand(height, width), y[:, None].expand(height, width)], -1)[:, :, None]
    numbers = places.unflatten(1, (-1, NUMBERS)).permute(0, 3, 4, 1, 2)  # (b, h, w, k, 18)
    centres = cells + numbers[..., :2]
    half = numbers[..., 2:4] / 2
    points = cells[:, :, :, None] + numbers[..., 4:].unflatten(-1, (-1, 2))
    return Palms(
        scores.permute(0, 2, 3, 1).flatten(1),
        torch.cat([centres - half, centres + half], -1).flatten(1, 3),
        points.flatten(1, 3),
    )
