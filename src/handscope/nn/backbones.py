"""Pretrained backbones for small networks, by name in `BACKBONES`; what a network asks of one is `Backbone`.

A new one is a class here and an entry of `BackboneName` and `BACKBONES`; recipes then say `network.backbone: NAME`.
Those we have share one shape (EfficientNet-Lite's, a MobileNetV2 with some 5x5 filters), batch norm folded into
the convolutions: a stride-2 stem, then blocks that widen by a 1x1 convolution, filter each channel by a depthwise one,
and narrow again. They differ in a table.

- `LandmarkBackbone`: the encoder of MediaPipe's hand_landmark_full (Apache-2.0), which has seen many real hands.
- `LiteBackbone`: EfficientNet-Lite0 trained on ImageNet (Apache-2.0).

Weights are made by scripts/convert_landmark_backbone.py and convert_lite_backbone.py. Pictures are RGB in [0, 1];
convolutions pad as TensorFlow's 'same' does, so that the features equal the originals'.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar, Literal, NamedTuple

import torch
from jaxtyping import Float, UInt8
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F

from handscope.errors import AssetError

JOINTS = 21
FROZEN_BATCH = 2
"""Pictures that a frozen backbone sees at once in training: their features stay in the cache."""


class Block(NamedTuple):
    """One row of a backbone's table: an inverted residual, with a skip where input and output shapes agree."""

    kernel: int
    hidden: int
    """Channels between widening and narrowing; equal to the input's channels if nothing is widened."""
    out: int | None
    """Channels after narrowing; None leaves out the narrowing (and keeps `hidden`)."""
    stride: int = 1


LANDMARK_BLOCKS = (
    Block(3, 24, 16),
    Block(3, 64, 24, stride=2),
    Block(3, 144, 24),
    Block(5, 144, 40, stride=2),
    Block(5, 240, 40),
    Block(3, 240, 80, stride=2),
    *[Block(3, 480, 80)] * 2,
    Block(5, 480, 112),
    *[Block(5, 672, 112)] * 2,
    Block(5, 672, 192, stride=2),
    *[Block(5, 1152, 192)] * 3,
    Block(3, 1152, None),
)

LITE_BLOCKS = (
    Block(3, 32, 16),
    Block(3, 96, 24, stride=2),
    *LANDMARK_BLOCKS[2:-1],
    Block(3, 1152, 320),
)


class SameConv(nn.Conv2d):
    """A convolution with TensorFlow's 'same' padding: where it is odd, the odd pixel goes right and below.

    The stride must divide the input's size.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, *, stride: int = 1, groups: int = 1) -> None:
        before, after = (kernel - stride) // 2, (kernel - stride + 1) // 2
        even = before == after
        super().__init__(inputs, outputs, kernel, stride, padding=before if even else 0, groups=groups)
        self.margins = None if even else (before, after, before, after)

    def forward(self, input: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d u v"]:
        """Convolve; the output is the input's size divided by the stride."""
        return super().forward(input if self.margins is None else F.pad(input, self.margins))


class InvertedResidual(nn.Module):
    """Widen, filter each channel, narrow; ReLU6 after the first two."""

    def __init__(self, inputs: int, block: Block) -> None:
        super().__init__()
        hidden, out = block.hidden, block.out
        self.widen = nn.Conv2d(inputs, hidden, 1) if hidden != inputs else None
        self.filter = SameConv(hidden, hidden, block.kernel, stride=block.stride, groups=hidden)
        self.narrow = nn.Conv2d(hidden, out, 1) if out is not None else None
        self.skip = block.stride == 1 and out == inputs
        self.channels = hidden if out is None else out

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d u v"]:
        """One block."""
        y = x if self.widen is None else F.relu6(self.widen(x), inplace=True)
        y = F.relu6(self.filter(y), inplace=True)
        y = y if self.narrow is None else self.narrow(y)
        return x + y if self.skip else y


class Backbone(nn.Module, ABC):
    """What a network asks of a pretrained backbone: features at `strides`, finest first, with `channels` each."""

    channels: tuple[int, ...]
    strides: tuple[int, ...]
    has_auxiliary: ClassVar[bool]
    """Whether its file also holds the layers of an `AuxiliaryHead` over its last features."""

    @abstractmethod
    def forward(self, image: Float[Tensor, "b 3 h w"]) -> tuple[Tensor, ...]:
        """Features, each (b, channels[i], h / strides[i], w / strides[i]); `image` is RGB in [0, 1] with sides
        divisible by 32.
        """

    @abstractmethod
    def freeze(self, parts: int) -> None:
        """The first `parts` stay as they are; the stem counts as one, so does every block after it."""

    def load(self, path: Path | str) -> None:
        """Take the weights of a safetensors file of the conversion script; AssetError if they do not fit."""
        load_into(self, path)


class InvertedResiduals(Backbone):
    """Abstract: a table of blocks, up to strides 4, 8, 16 and 32.

    `depth` keeps the first blocks only, and with them the strides they reach.
    """

    blocks_table: ClassVar[tuple[Block, ...]]
    stem_channels: ClassVar[int]
    mean: ClassVar[float]
    std: ClassVar[float]

    def __init__(self, depth: int | None = None) -> None:
        super().__init__()
        table = self.blocks_table[:depth]
        self.stem = SameConv(3, self.stem_channels, 3, stride=2)
        blocks, width = [], self.stem_channels
        for row in table:
            blocks.append(InvertedResidual(width, row))
            width = blocks[-1].channels
        self.blocks = nn.ModuleList(blocks)
        self.ends = _last_of_each_stride(table)
        self.channels = tuple(blocks[i].channels for i in self.ends)
        self.strides = tuple(4 * 2**i for i in range(len(self.ends)))
        for module in self.modules():
            if isinstance(module, nn.Conv2d) and module.bias is not None:
                # no normalisation follows: keep variances through ReLU6
                nn.init.kaiming_normal_(module.weight, mode="fan_in", nonlinearity="relu")
                nn.init.zeros_(module.bias)

    def freeze(self, parts: int) -> None:
        """See `Backbone`."""
        for module in (self.stem, *self.blocks)[:parts]:
            module.requires_grad_(False)

    def forward(self, image: Float[Tensor, "b 3 h w"]) -> tuple[Tensor, ...]:
        """See `Backbone`. In training, the first blocks that learn nothing see the batch in small parts, which stay in
        the cache: twice as fast.
        """
        frozen = self._frozen() if self.training else 0
        if not frozen:
            x = F.relu6(self.stem((image - self.mean) / self.std))
            return tuple(self._features(x, 0)[0])
        with torch.no_grad():
            stems = (F.relu6(self.stem((part - self.mean) / self.std)) for part in image.split(FROZEN_BATCH))
            parts = [self._features(x, 0, frozen - 1) for x in stems]
        early = [torch.cat(maps) for maps in zip(*[features for features, _ in parts], strict=True)]
        return (*early, *self._features(torch.cat([x for _, x in parts]), frozen - 1)[0])

    def _frozen(self) -> int:
        """How many modules learn nothing before the first that does: the stem, then the blocks."""
        learns = [any(p.requires_grad for p in module.parameters()) for module in (self.stem, *self.blocks)]
        return [*learns, True].index(True)

    def _features(self, x: Tensor, first: int, end: int | None = None) -> tuple[list[Tensor], Tensor]:
        """The features that end a stride, and the last ones, of the blocks from `first` to before `end`."""
        features = []
        for i, block in enumerate(self.blocks[first:end], first):
            x = block(x)
            if i in self.ends:
                features.append(x)
        return features, x


class LandmarkBackbone(InvertedResiduals):
    """MediaPipe hand_landmark_full: channels 24, 40, 112, 1152; 2.57 M weights, 0.11 GMAC at 128 px."""

    blocks_table = LANDMARK_BLOCKS
    stem_channels = 24
    mean, std = 0.0, 1.0
    has_auxiliary = True


class LiteBackbone(InvertedResiduals):
    """EfficientNet-Lite0's encoder: channels 24, 40, 112, 320; 2.94 M weights, 0.119 GMAC at 128 px."""

    blocks_table = LITE_BLOCKS
    stem_channels = 32
    mean, std = 127 / 255, 128 / 255
    has_auxiliary = False


BackboneName = Literal["landmark", "lite"]
BACKBONES: dict[BackboneName, type[Backbone]] = {"landmark": LandmarkBackbone, "lite": LiteBackbone}
"""What recipes call them."""


class AuxiliaryOutput(NamedTuple):
    """Pooled features (b, p), and what is read from them: joints (b, 21, 2) as shares of the crop, 0 and 1 at its
    edges, and the logit (b,) of a right hand.
    """

    pooled: Tensor
    joints: Tensor
    right: Tensor


class AuxiliaryHead(nn.Module):
    """2D joints and the side by linear layers on a backbone's pooled features.

    The layers start as MediaPipe's own, from the backbone's file; they were made for crops of 224 px.
    """

    def __init__(self, features: int) -> None:
        super().__init__()
        self.joints = nn.Linear(features, JOINTS * 2)
        self.right = nn.Linear(features, 1)

    def forward(self, last: Float[Tensor, "b p u v"]) -> AuxiliaryOutput:
        """Of the backbone's last features, at stride 32."""
        pooled = last.mean((2, 3))
        return AuxiliaryOutput(pooled, self.joints(pooled).unflatten(1, (JOINTS, 2)), self.right(pooled)[:, 0])


def network_input(pictures: UInt8[Tensor, "b h w 3"]) -> Float[Tensor, "b 3 h w"]:
    """RGB bytes as numbers in [0, 1], channels first by shape, last in memory."""
    return pictures.permute(0, 3, 1, 2).float().div(255).contiguous(memory_format=torch.channels_last)


def load_into(module: nn.Module, path: Path | str, prefix: str = "") -> None:
    """Fill `module` with the tensors of a safetensors file (float16 or float32) whose names begin with `prefix`.

    Raises AssetError if one is missing or does not fit.
    """
    try:
        weights = load_file(path)
        module.load_state_dict({name: weights[prefix + name].float() for name in module.state_dict()})
    except (OSError, SafetensorError, RuntimeError, KeyError) as error:
        reason = str(error).strip().splitlines()[0]
        raise AssetError(
            f"{path}: no weights for {type(module).__name__} ({reason}); "
            "make them with scripts/convert_landmark_backbone.py or convert_lite_backbone.py"
        ) from error


def _last_of_each_stride(table: tuple[Block, ...]) -> tuple[int, ...]:
    """Indices of the last blocks at strides 4, 8, 16 and 32 (the stem has halved the picture once)."""
    last = len(table) - 1
    return tuple(i for i in range(1, len(table)) if i == last or table[i + 1].stride == 2)
