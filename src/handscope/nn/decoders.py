"""Task decoders (paper, section 3.1): heat-maps, mask and part orientation field from the block's shared
features.
"""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn

from handscope.nn.blocks import conv_bn


class Decoder(nn.Module):
    """A few 3x3 convolutions, then `outputs` maps at `upsample` times the resolution by sub-pixel convolution.

    The task's features, which the TAM weighs, keep the resolution of the input.
    """

    def __init__(self, channels: int, outputs: int, *, depth: int = 1, upsample: int = 1) -> None:
        super().__init__()
        self.body = nn.Sequential(*[conv_bn(channels, channels) for _ in range(depth)])
        shuffle = nn.PixelShuffle(upsample) if upsample > 1 else nn.Identity()
        self.head = nn.Sequential(nn.Conv2d(channels, outputs * upsample**2, 1), shuffle)

    @property
    def last(self) -> nn.Conv2d:
        """The convolution that gives the maps."""
        last = self.head[0]
        assert isinstance(last, nn.Conv2d)
        return last

    def forward(self, shared: Float[Tensor, "b c h w"]) -> tuple[Float[Tensor, "b o u v"], Float[Tensor, "b c h w"]]:
        """The task's maps and the task's features."""
        features = self.body(shared)
        return self.head(features), features
