"""HIU-DMTL (paper, section 3): stem, K MTL blocks in a cascade, shared regressor heads, hand model.

Recipes differ in a `NetworkConfig` only: `small` (224 px, two blocks at stride 8, the first encoder a pretrained
backbone) and `paper` (256 px; 4, 2 or 1 stacks).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from handscope.geometry.heatmaps import map_to_crop, mean_coordinates, soft_argmax
from handscope.hand.layer import HandLayer
from handscope.nn.attention import Concatenation, TaskAttention
from handscope.nn.backbones import BACKBONES, JOINTS, AuxiliaryOutput, BackboneName, network_input
from handscope.nn.blocks import conv_bn
from handscope.nn.decoders import Decoder
from handscope.nn.encoder import Encoded, Encoder, PretrainedEncoder, PyramidConfig
from handscope.nn.heads import HEADS, RegressorHeads
from handscope.types import AuxiliaryPrediction, BlockPrediction, Prediction

BONES = 20


@dataclass(frozen=True, kw_only=True)
class NetworkConfig:
    """Everything that shapes the network.

    `backbone` is the first encoder: "pyramid", the same residual pyramid as in the other blocks (the paper's), or a
    pretrained one of `backbones.BACKBONES`. With `auxiliary` a head on its pooled features helps the cascade and the
    regressor heads. The cascade works at an eighth of the crop if `stride` is 8; the backbone then replaces the stem
    too, of whose channels the last number alone counts. `coordinates` chooses Eq. 1 of rectified heat-maps ("mean", as
    in the paper) or of their softmax; `aggregate` the TAM or the concatenation of Table 5. `heads` names the heads that
    are ours (`heads.HEADS`; the paper has none).
    """

    crop: int = 128
    stacks: int = 2
    stride: Literal[4, 8] = 4
    stem: tuple[int, int] = (16, 32)
    channels: int = 40
    pyramid: PyramidConfig = PyramidConfig()
    backbone: Literal["pyramid"] | BackboneName = "landmark"
    auxiliary: bool = False
    decoder_depth: int = 1
    upsample: int = 2
    aggregate: Literal["tam", "concatenation"] = "tam"
    coordinates: Literal["softmax", "mean"] = "softmax"
    regressor: tuple[int, ...] = (64, 128, 192)
    regressor_hidden: int = 256
    heads: tuple[str, ...] = ("right",)

    def __post_init__(self) -> None:
        if self.stacks < 1:
            raise ValueError(f"stacks must be at least 1, got {self.stacks}")
        if unknown := set(self.heads) - set(HEADS):
            raise ValueError(f"heads must be of {', '.join(HEADS)}, got {', '.join(sorted(unknown))}")
        if self.crop % 32:
            raise ValueError(f"crop must be a multiple of 32, got {self.crop}")
        if self.auxiliary and (self.backbone == "pyramid" or not BACKBONES[self.backbone].has_auxiliary):
            raise ValueError(f"auxiliary needs a backbone whose file has such a head, got backbone: {self.backbone}")
        if self.stride == 8 and self.backbone == "pyramid":
            raise ValueError(f"stride 8 needs a pretrained backbone ({', '.join(BACKBONES)}), got backbone: pyramid")


class MTLBlock(nn.Module):
    """A shared encoder, three task decoders and what brings their features together."""

    def __init__(self, config: NetworkConfig, *, first: bool) -> None:
        super().__init__()
        c = config.channels
        self.encoder: Encoder | PretrainedEncoder
        if first and config.backbone != "pyramid":
            backbone = BACKBONES[config.backbone]()
            self.encoder = PretrainedEncoder(
                config.stem[1], c, backbone, stride=config.stride, auxiliary=config.auxiliary
            )
        else:
            self.encoder = Encoder(config.stem[1], c, config.pyramid)
        self.heatmap = Decoder(c, JOINTS, depth=config.decoder_depth, upsample=config.upsample)
        self.mask = Decoder(c, 1, depth=config.decoder_depth, upsample=config.upsample)
        self.pof = Decoder(c, BONES * 3, depth=config.decoder_depth)
        self.aggregate = (TaskAttention if config.aggregate == "tam" else Concatenation)(c, 3)

    def forward(
        self, image: Tensor, low: Tensor | None, high: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor, Encoded]:
        """Heat-map logits, mask logits, POF, the high-level features for the next block and the heads, and what the
        encoder gave.
        """
        encoded = self.encoder(image, low, high)
        shared = encoded.features
        heatmaps, heatmap_features = self.heatmap(shared)
        mask, mask_features = self.mask(shared)
        pof, pof_features = self.pof(shared)
        return heatmaps, mask, pof, self.aggregate([heatmap_features, mask_features, pof_features]), encoded


class HandNetwork(nn.Module):
    """Crops to everything about the hand in them. The hand model is injected, so that licensed ones stay
    replaceable.
    """

    def __init__(self, config: NetworkConfig, hand: HandLayer) -> None:
        super().__init__()
        self.config = config
        self.hand = hand
        wide, out = config.stem
        self.stem = nn.Sequential(conv_bn(3, wide, 7, 2), conv_bn(wide, out, 7, 2)) if config.stride == 4 else None
        blocks = [MTLBlock(config, first=k == 0) for k in range(config.stacks)]
        self.blocks = nn.ModuleList(blocks)
        self.heads = RegressorHeads(
            config.channels,
            config.regressor,
            config.regressor_hidden,
            pooled=blocks[0].encoder.pooled,
            heads=config.heads,
        )

    @property
    def first_encoder(self) -> Encoder | PretrainedEncoder:
        """The one that may be a pretrained backbone."""
        first = self.blocks[0]
        assert isinstance(first, MTLBlock)
        return first.encoder

    def forward(self, crops: UInt8[Tensor, "b s s 3"]) -> Prediction:
        """RGB crops, each with one hand shown as a right hand, wrist to middle knuckle roughly upwards."""
        image = network_input(crops)
        low = self.stem(image - 0.5) if self.stem is not None else None
        cells = self.config.crop // self.config.stride
        high = image.new_zeros(image.shape[0], self.config.channels, cells, cells)
        blocks: list[BlockPrediction] = []
        told: AuxiliaryOutput | None = None
        for block in self.blocks:
            heatmaps, mask, pof, high, encoded = block(image, low, high)
            low, told = encoded.low, encoded.auxiliary if told is None else told
            mesh, told_by_heads = self.heads(high, None if told is None else told.pooled, self.hand, self.config.crop)
            blocks.append(
                BlockPrediction(
                    heatmaps=heatmaps,
                    mask=mask[:, 0],
                    pof=pof.unflatten(1, (BONES, 3)),
                    joints_2d=self.read(heatmaps),
                    mesh=mesh,
                    heads=told_by_heads,
                )
            )
        if told is None:
            return Prediction(blocks=tuple(blocks))
        auxiliary = AuxiliaryPrediction(joints_2d=told.joints * self.config.crop - 0.5, right=told.right)
        return Prediction(blocks=tuple(blocks), auxiliary=auxiliary)

    def read(self, heatmaps: Float[Tensor, "b 21 h w"]) -> Float[Tensor, "b 21 2"]:
        """Eq. 1: joints in crop px."""
        places = soft_argmax(heatmaps) if self.config.coordinates == "softmax" else mean_coordinates(heatmaps.relu())
        return map_to_crop(places, self.config.crop, heatmaps.shape[-1])


def multiply_accumulates(network: nn.Module, crop: int) -> int:
    """Multiply-accumulates of one picture's forward pass, by torch's own counter (the hand model's included)."""
    from torch.utils.flop_counter import FlopCounterMode

    training = network.training
    network.eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(torch.zeros(1, crop, crop, 3, dtype=torch.uint8))
    network.train(training)
    return counter.get_total_flops() // 2
