"""Convolutions that the encoder and the decoders are made of."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F


def conv_bn(inputs: int, outputs: int, kernel: int = 3, stride: int = 1, *, relu: bool = True) -> nn.Sequential:
    """Convolution, batch norm and, unless told otherwise, ReLU."""
    layers: list[nn.Module] = [
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
    ]
    return nn.Sequential(*layers, nn.ReLU(inplace=True)) if relu else nn.Sequential(*layers)


def in_float32(values: Tensor) -> AbstractContextManager[object]:
    """Where nothing on the device of `values` runs in half precision, whatever autocast says around it."""
    device = values.device.type
    known = torch.amp.is_autocast_available(device)  # not on "meta", where networks are only counted
    return torch.autocast(device, enabled=False) if known else nullcontext()


class Residual(nn.Module):
    """A residual block of ResNet: basic (two 3x3) or bottleneck (1x1, 3x3, 1x1 with a quarter of the channels)."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1, *, bottleneck: bool = False) -> None:
        super().__init__()
        if bottleneck:
            inner = max(outputs // 4, 8)
            self.body = nn.Sequential(
                conv_bn(inputs, inner, 1), conv_bn(inner, inner, 3, stride), conv_bn(inner, outputs, 1, relu=False)
            )
        else:
            self.body = nn.Sequential(conv_bn(inputs, outputs, 3, stride), conv_bn(outputs, outputs, relu=False))
        same = stride == 1 and inputs == outputs
        self.shortcut = nn.Identity() if same else conv_bn(inputs, outputs, 1, stride, relu=False)

    @property
    def last_norm(self) -> nn.BatchNorm2d:
        """What scales all that the block adds."""
        last = self.body[-1]
        assert isinstance(last, nn.Sequential)
        norm = last[1]
        assert isinstance(norm, nn.BatchNorm2d)
        return norm

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d u v"]:
        """x plus what the block adds to it."""
        return F.relu(self.shortcut(x) + self.body(x))
