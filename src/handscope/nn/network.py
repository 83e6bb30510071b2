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

from handscope.geometry.heatmaps import map_to_crop
from handscope.hand.layer import HandLayer
from handscope.nn.attention import AGGREGATES, Aggregate
from handscope.nn.backbones import BACKBONES, AuxiliaryOutput, BackboneName, network_input
from handscope.nn.blocks import Residual, conv_bn, in_float32
from handscope.nn.decoders import Decoder
from handscope.nn.encoder import Encoded, Encoder, PretrainedEncoder, PyramidConfig
from handscope.nn.heads import RegressorHeads
from handscope.tasks.heatmap import READ, Coordinates
from handscope.tasks.table import HEADS, MAPS
from handscope.types import AuxiliaryPrediction, BlockPrediction, MeshPrediction, Prediction, Reach

BONES = 20
SMALL = 1e-3
"""Standard deviation of the maps' last weights where maps begin near zero."""


@dataclass(frozen=True, kw_only=True)
class NetworkConfig:
    """Everything that shapes the network.

    `backbone` is the first encoder: "pyramid", the same residual pyramid as in the other blocks (the paper's), or a
    pretrained one of `backbones.BACKBONES`. With `auxiliary` a head on its pooled features helps the cascade and the
    regressor heads. The cascade works at an eighth of the crop if `stride` is 8; the backbone then replaces the stem
    too, of whose channels the last number alone counts. `coordinates` is how joints are read from heat-maps
    (`tasks.heatmap.READ`); `aggregate` the TAM, the concatenation of Table 5, or one of two controls (`attention`).
    `tasks` are the decoders (`tasks.table.MAPS`), `mesh` says whether there is a hand model, `heads` names the heads
    that are ours (`tasks.table.HEADS`; the paper has none). With `small_start` every residual block begins as its
    shortcut (its last batch norm at zero) and the decoders' maps near zero: four deep stacks need it.
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
    tasks: tuple[str, ...] = ("heatmap", "mask", "pof")
    mesh: bool = True
    aggregate: Aggregate = "tam"
    coordinates: Coordinates = "softmax"
    regressor: tuple[int, ...] = (64, 128, 192)
    regressor_hidden: int = 256
    heads: tuple[str, ...] = ("right",)
    small_start: bool = False

    def __post_init__(self) -> None:
        if self.stacks < 1:
            raise ValueError(f"stacks must be at least 1, got {self.stacks}")
        if unknown := set(self.heads) - set(HEADS):
            raise ValueError(f"heads must be of {', '.join(HEADS)}, got {', '.join(sorted(unknown))}")
        if not self.tasks or set(self.tasks) - set(MAPS) or len(set(self.tasks)) < len(self.tasks):
            raise ValueError(
                f"tasks must be some of {', '.join(MAPS)}, each once, got {', '.join(self.tasks) or 'none'}"
            )
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
        self.tasks = tuple(name for name in MAPS if name in config.tasks)
        for name in self.tasks:
            task = MAPS[name]
            upsample = config.upsample if task.fine else 1
            self.add_module(name, Decoder(c, task.outputs, depth=config.decoder_depth, upsample=upsample))
        self.aggregate = AGGREGATES[config.aggregate](c, len(self.tasks))

    def forward(
        self, image: Tensor, low: Tensor | None, high: Tensor
    ) -> tuple[dict[str, Tensor], list[Tensor], Encoded]:
        """The tasks' maps by name, their features for `aggregate`, and what the encoder gave."""
        encoded = self.encoder(image, low, high)
        given = {name: self.get_submodule(name)(encoded.features) for name in self.tasks}
        said = {name: maps.float() for name, (maps, _) in given.items()}  # in half precision places are lost
        return said, [features for _, features in given.values()], encoded


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
            mesh=config.mesh,
        )
        if config.small_start:
            self._start_small()

    @torch.no_grad()
    def _start_small(self) -> None:
        """See `NetworkConfig.small_start`."""
        for module in self.modules():
            if isinstance(module, Residual):
                module.last_norm.weight.zero_()
            elif isinstance(module, Decoder):
                module.last.weight.normal_(std=SMALL)
                module.last.bias.zero_()  # type: ignore[union-attr]

    @property
    def first_encoder(self) -> Encoder | PretrainedEncoder:
        """The one that may be a pretrained backbone."""
        first = self.blocks[0]
        assert isinstance(first, MTLBlock)
        return first.encoder

    def forward(self, crops: UInt8[Tensor, "b s s 3"], reach: Reach = "everything") -> Prediction:
        """RGB crops, each with one hand shown as a right hand, wrist to middle knuckle roughly upwards.

        `reach` is how far the gradient of the consistency may go (`BlockPrediction.taught_mesh`): into the regressor
        heads, through them into the TAM, or everywhere.
        """
        image = network_input(crops)
        low = self.stem(image - 0.5) if self.stem is not None else None
        cells = self.config.crop // self.config.stride
        high = image.new_zeros(image.shape[0], self.config.channels, cells, cells)
        blocks: list[BlockPrediction] = []
        told: AuxiliaryOutput | None = None
        for block in self.blocks:
            assert isinstance(block, MTLBlock)
            maps, features, encoded = block(image, low, high)
            high = block.aggregate(features)
            low, told = encoded.low, encoded.auxiliary if told is None else told
            pooled = None if told is None else told.pooled
            mesh, told_by_heads = self.heads(high, pooled, self.hand, self.config.crop)
            heatmaps, mask, pof = (maps.get(name) for name in ("heatmap", "mask", "pof"))
            blocks.append(
                BlockPrediction(
                    heatmaps=heatmaps,
                    mask=None if mask is None else mask[:, 0],
                    pof=None if pof is None else pof.unflatten(1, (BONES, 3)),
                    joints_2d=None if heatmaps is None else self.read(heatmaps),
                    mesh=mesh,
                    heads=told_by_heads,
                    taught_mesh=self._taught(block, features, high, pooled, reach),
                )
            )
        if told is None:
            return Prediction(blocks=tuple(blocks))
        joints = told.joints.float() * self.config.crop - 0.5
        auxiliary = AuxiliaryPrediction(joints_2d=joints, right=told.right.float())
        return Prediction(blocks=tuple(blocks), auxiliary=auxiliary)

    def _taught(
        self, block: MTLBlock, features: list[Tensor], high: Tensor, pooled: Tensor | None, reach: Reach
    ) -> MeshPrediction | None:
        """The mesh once more, of features through which no gradient goes back."""
        if reach == "everything" or not self.config.mesh:
            return None
        stopped = high.detach() if reach == "heads" else block.aggregate([values.detach() for values in features])
        pooled = None if pooled is None else pooled.detach()
        return self.heads(stopped, pooled, self.hand, self.config.crop)[0]

    def read(self, heatmaps: Float[Tensor, "b 21 h w"]) -> Float[Tensor, "b 21 2"]:
        """Eq. 1: joints in crop px."""
        with in_float32(heatmaps):
            places = READ[self.config.coordinates](heatmaps)
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
