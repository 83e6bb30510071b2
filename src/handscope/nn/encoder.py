"""The encoder that the tasks of one MTL block share (paper, section 3.1): a residual pyramid with skips back to
the stride of the cascade.

It takes the stem's features and the preceding TAM's output (zeros for the first block). The first block's
pyramid may be a pretrained backbone that reads the picture itself (ours, off in the `paper` recipes).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from handscope.geometry.heatmaps import gaussian_maps
from handscope.nn.backbones import JOINTS, AuxiliaryHead, AuxiliaryOutput, Backbone, load_into
from handscope.nn.blocks import Residual, conv_bn

AUXILIARY_SIGMA_PX = 1.0
"""Standard deviation of the Gaussians that show the encoder a backbone's own joints, px of its maps."""


@dataclass(frozen=True, kw_only=True)
class PyramidConfig:
    """Residual stages at strides 4, 8, 16 and 32 of the picture: their channels and how many blocks each."""

    channels: tuple[int, int, int, int] = (40, 64, 96, 128)
    blocks: tuple[int, int, int, int] = (1, 2, 2, 1)
    bottleneck: bool = False

    def __post_init__(self) -> None:
        if len(self.channels) != 4 or len(self.blocks) != 4 or min(self.blocks) < 1:
            raise ValueError(f"a pyramid has four stages of at least one block, got {self.channels}, {self.blocks}")


class ResidualPyramid(nn.Module):
    """Stages of residual blocks; every stage but the first halves the resolution."""

    def __init__(self, inputs: int, config: PyramidConfig) -> None:
        super().__init__()
        self.channels = config.channels
        stages, width = [], inputs
        for i, (channels, count) in enumerate(zip(config.channels, config.blocks, strict=True)):
            first = Residual(width, channels, 1 if i == 0 else 2, bottleneck=config.bottleneck)
            rest = [Residual(channels, channels, bottleneck=config.bottleneck) for _ in range(count - 1)]
            stages.append(nn.Sequential(first, *rest))
            width = channels
        self.stages = nn.ModuleList(stages)

    def forward(self, x: Float[Tensor, "b c h w"]) -> list[Tensor]:
        """Features of the four stages, finest first."""
        features = []
        for stage in self.stages:
            x = stage(x)
            features.append(x)
        return features


class Merge(nn.Module):
    """Top-down: from the coarsest stage back to the finest, adding each stage's features on the way."""

    def __init__(self, inputs: tuple[int, ...], channels: int) -> None:
        super().__init__()
        self.lateral = nn.ModuleList([conv_bn(c, channels, 1, relu=False) for c in inputs])
        self.smooth = nn.ModuleList([conv_bn(channels, channels) for _ in inputs])

    def forward(self, features: list[Tensor] | tuple[Tensor, ...]) -> Tensor:
        """One map (b, channels, h, w) of the finest features' size."""
        merged = self.smooth[-1](F.relu(self.lateral[-1](features[-1])))
        for i in reversed(range(len(features) - 1)):
            lateral = self.lateral[i](features[i])
            up = F.interpolate(merged, size=lateral.shape[-2:], mode="nearest")
            merged = self.smooth[i](F.relu(lateral + up))
        return merged


class Encoded(NamedTuple):
    """Features for the decoders (b, c, u, v), low-level ones for the blocks that follow (b, s, u, v), and what the
    auxiliary head says, if there is one.
    """

    features: Tensor
    low: Tensor
    auxiliary: AuxiliaryOutput | None


class Encoder(nn.Module):
    """Stem features and high-level features in, shared features out, all of one size."""

    pooled = 0
    """Channels of pooled features for the regressor heads: none."""

    def __init__(self, stem: int, channels: int, config: PyramidConfig) -> None:
        super().__init__()
        self.fuse = conv_bn(stem + channels, config.channels[0], 1)
        self.pyramid = ResidualPyramid(config.channels[0], config)
        self.merge = Merge(config.channels, channels)

    def forward(
        self, image: Float[Tensor, "b 3 h w"], low: Float[Tensor, "b s u v"], high: Float[Tensor, "b c u v"]
    ) -> Encoded:
        """The picture itself is not used."""
        return Encoded(self.merge(self.pyramid(self.fuse(torch.cat([low, high], 1)))), low, None)


class PretrainedEncoder(nn.Module):
    """A first encoder whose pyramid is a pretrained backbone over the picture.

    At `stride` 4 the stem's features join the backbone's finest. At `stride` 8 there is no stem: the backbone's
    features of stride 4, halved, take its place (ours). With `auxiliary` the joints of a head on the backbone's last
    features join too, as Gaussian maps (ours); `pooled` channels of these features are for the regressor heads.
    """

    def __init__(
        self, stem: int, channels: int, backbone: Backbone, *, stride: int = 4, auxiliary: bool = False
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.low = conv_bn(backbone.channels[0], stem, 3, 2) if stride == 8 else None
        self.auxiliary = AuxiliaryHead(backbone.channels[-1]) if auxiliary else None
        self.pooled = backbone.channels[-1] if auxiliary else 0
        finest, *coarser = backbone.channels[1:] if stride == 8 else backbone.channels
        self.merge = Merge((finest + stem + (JOINTS if auxiliary else 0), *coarser), channels)

    def load(self, path: Path | str) -> None:
        """Take a backbone's weights and, with `auxiliary`, its own layers; AssetError if they do not fit."""
        self.backbone.load(path)
        if self.auxiliary is not None:
            load_into(self.auxiliary, path, "auxiliary.")

    def freeze(self, parts: int) -> None:
        """The first `parts` of the backbone stay as they are; with all of them the auxiliary head does too."""
        self.backbone.freeze(parts)
        if self.auxiliary is not None and not any(p.requires_grad for p in self.backbone.parameters()):
            self.auxiliary.requires_grad_(False)

    def pretrained_parameters(self) -> set[nn.Parameter]:
        """The backbone's and its auxiliary head's."""
        modules = [self.backbone] if self.auxiliary is None else [self.backbone, self.auxiliary]
        return {parameter for module in modules for parameter in module.parameters()}

    def forward(
        self, image: Float[Tensor, "b 3 h w"], low: Float[Tensor, "b s u v"] | None, high: Float[Tensor, "b c u v"]
    ) -> Encoded:
        """`low` is the stem's, None at stride 8; `high` is zero for the first block and not used."""
        finest, *coarser = self.backbone(image)
        if self.low is not None:
            low, (finest, *coarser) = self.low(finest), coarser
        assert low is not None
        joined, told = [finest, low], None
        if self.auxiliary is not None:
            told, size = self.auxiliary(coarser[-1]), low.shape[-1]
            joined.append(gaussian_maps(told.joints * size - 0.5, size, AUXILIARY_SIGMA_PX))
        return Encoded(self.merge([torch.cat(joined, 1), *coarser]), low, told)
