"""Networks for masks alone, to compare with (Table 1): Fast-SCNN (Poudel 2019) and DeepLab v3 (Chen et al. 2017).

Both are their authors' layouts at the width of a small crop, written anew; the DeepLab stands on the residual pyramid's
blocks. They answer as a hand network of one block with a mask only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn
from torch.nn import functional as F

from handscope.nn.backbones import network_input
from handscope.nn.blocks import Residual, conv_bn
from handscope.types import BlockPrediction, Prediction

SegmenterName = Literal["fast-scnn", "deeplab-v3"]


@dataclass(frozen=True, kw_only=True)
class SegmenterConfig:
    """Which network, the channels of its first stage, and the px of the crops it sees."""

    name: SegmenterName = "fast-scnn"
    width: int = 32
    crop: int = 96

    def __post_init__(self) -> None:
        if self.crop % 32 or self.width < 8:
            raise ValueError(f"crop must be a multiple of 32 and width 8 at least, got {self.crop} and {self.width}")


def separable(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    """A depthwise 3x3 convolution and a pointwise one, each with batch norm and ReLU."""
    depthwise = nn.Conv2d(inputs, inputs, 3, stride, 1, groups=inputs, bias=False)
    return nn.Sequential(depthwise, nn.BatchNorm2d(inputs), nn.ReLU(inplace=True), conv_bn(inputs, outputs, 1))


class Bottleneck(nn.Module):
    """MobileNet v2's inverted residual with an expansion of six."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        wide = 6 * inputs
        self.body = nn.Sequential(
            conv_bn(inputs, wide, 1),
            nn.Conv2d(wide, wide, 3, stride, 1, groups=wide, bias=False),
            nn.BatchNorm2d(wide),
            nn.ReLU(inplace=True),
            conv_bn(wide, outputs, 1, relu=False),
        )
        self.adds = stride == 1 and inputs == outputs

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d u v"]:
        """What the block makes of x, added to it where the shapes agree."""
        made = self.body(x)
        return x + made if self.adds else made


class PooledContext(nn.Module):
    """Means over 1, 2, 3 and 6 parts a side, each convolved and brought back (pyramid pooling)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.reduce = nn.ModuleList([conv_bn(channels, channels // 4, 1) for _ in range(4)])
        self.mix = conv_bn(2 * channels, channels, 1)

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """As large as x."""
        parts = [
            F.interpolate(reduce(F.adaptive_avg_pool2d(x, bins)), size=x.shape[-2:], mode="bilinear")
            for reduce, bins in zip(self.reduce, (1, 2, 3, 6), strict=True)
        ]
        return self.mix(torch.cat([x, *parts], 1))


class FastScnn(nn.Module):
    """Learning to down-sample, a global feature extractor, feature fusion, classifier; its channels are 1, 1.5, 2, 3
    and 4 times `width`, as the authors' 32, 48, 64, 96 and 128. It halves once less than theirs before the fusion:
    crops are a twentieth of their pictures. So the mask is told at a quarter of the crop.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        a, b, c, d, e = (width * share // 2 for share in (2, 3, 4, 6, 8))
        self.down = nn.Sequential(conv_bn(3, a, 3, 2), separable(a, b, 2), separable(b, c))
        stages = [(c, c, 2), (c, c, 1), (c, c, 1), (c, d, 2), (d, d, 1), (d, d, 1), (d, e, 1), (e, e, 1), (e, e, 1)]
        self.extract = nn.Sequential(*[Bottleneck(*stage) for stage in stages], PooledContext(e))
        self.deep = nn.Sequential(
            nn.Conv2d(e, e, 3, padding=4, dilation=4, groups=e, bias=False), nn.BatchNorm2d(e), nn.ReLU(inplace=True),
            conv_bn(e, e, 1, relu=False),
        )  # fmt: skip
        self.fine = conv_bn(c, e, 1, relu=False)
        self.classify = nn.Sequential(separable(e, e), separable(e, e), nn.Conv2d(e, 1, 1))

    def forward(self, image: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b 1 u v"]:
        """Logits at a quarter of the crop."""
        fine = self.down(image)
        deep = F.interpolate(self.extract(fine), size=fine.shape[-2:], mode="bilinear")
        return self.classify(F.relu(self.deep(deep) + self.fine(fine)))


class DeepLabV3(nn.Module):
    """Residual stages down to an eighth of the crop, then atrous spatial pyramid pooling: 1x1, three dilated 3x3 and
    the mean of the picture. The dilations are the authors' 6, 12, 18 in proportion to the size of the features.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        c = 4 * width
        self.body = nn.Sequential(
            conv_bn(3, width, 7, 2),
            Residual(width, width, 2),
            Residual(width, width),
            Residual(width, 2 * width, 2),
            Residual(2 * width, 2 * width),
            Residual(2 * width, c),
        )
        self.branches = nn.ModuleList([conv_bn(c, c, 1), *[_dilated(c, rate) for rate in (2, 4, 6)]])
        self.pooled = conv_bn(c, c, 1)
        self.mix = conv_bn(5 * c, c, 1)
        self.classify = nn.Conv2d(c, 1, 1)

    def forward(self, image: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b 1 u v"]:
        """Logits at a quarter of the crop."""
        x = self.body(image)
        mean = F.interpolate(self.pooled(x.mean((2, 3), keepdim=True)), size=x.shape[-2:])
        logits = self.classify(self.mix(torch.cat([*[branch(x) for branch in self.branches], mean], 1)))
        return F.interpolate(logits, scale_factor=2, mode="bilinear")


def _dilated(channels: int, rate: int) -> nn.Sequential:
    convolution = nn.Conv2d(channels, channels, 3, padding=rate, dilation=rate, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(channels), nn.ReLU(inplace=True))


class Segmenter(nn.Module):
    """Crops (b, S, S, 3) uint8 to a prediction whose one block has a mask alone, at half the crop."""

    def __init__(self, config: SegmenterConfig) -> None:
        super().__init__()
        self.network = FastScnn(config.width) if config.name == "fast-scnn" else DeepLabV3(config.width)

    def forward(self, crops: UInt8[Tensor, "b s s 3"]) -> Prediction:
        """The mask as logits."""
        logits = self.network(network_input(crops) - 0.5)
        mask = F.interpolate(logits, scale_factor=2, mode="bilinear")[:, 0]
        return Prediction(blocks=(BlockPrediction(mask=mask),))
