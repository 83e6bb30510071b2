"""Task attention module (paper, section 3.1, Figure 3) and the concatenation it is compared with (Table 5)."""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from handscope.nn.blocks import conv_bn


class TaskAttention(nn.Module):
    """R^(N x C x H x W) -> R^(C x H x W) for any number of tasks N >= 1.

    Global average pool per task, concatenate, FC-ReLU-FC, softmax over the tasks for each channel, weighted
    sum. The hidden width is C / 16 but at least 32, as in SKNet.
    """

    def __init__(self, channels: int, tasks: int) -> None:
        super().__init__()
        if tasks < 1:
            raise ValueError(f"task attention needs at least one task, got {tasks}")
        hidden = max(channels // 16, 32)
        self.tasks = tasks
        self.weigh = nn.Sequential(
            nn.Linear(tasks * channels, hidden), nn.ReLU(inplace=True), nn.Linear(hidden, tasks * channels)
        )

    def attention(self, features: list[Float[Tensor, "b c h w"]]) -> Float[Tensor, "b n c"]:
        """Weights of the tasks; they sum to 1 over n for every channel."""
        pooled = torch.cat([f.mean((2, 3)) for f in features], 1)
        return self.weigh(pooled).view(pooled.shape[0], self.tasks, -1).softmax(1)

    def forward(self, features: list[Float[Tensor, "b c h w"]]) -> Float[Tensor, "b c h w"]:
        """The tasks' features, weighted and summed."""
        weights = self.attention(features)
        total = features[0] * weights[:, 0, :, None, None]
        for i in range(1, self.tasks):
            total = total + features[i] * weights[:, i, :, None, None]
        return total


class StaticGate(nn.Module):
    """A control of Table 5 (ours): weights of the tasks that are learnt and do not depend on the picture."""

    def __init__(self, channels: int, tasks: int) -> None:
        super().__init__()
        self.logits = nn.Parameter(torch.zeros(tasks, channels))

    def forward(self, features: list[Float[Tensor, "b c h w"]]) -> Float[Tensor, "b c h w"]:
        """The tasks' features, weighted and summed."""
        weights = self.logits.softmax(0)[:, None, :, None, None]
        return (torch.stack(features) * weights).sum(0)


class LinearConcatenation(nn.Module):
    """A control of Table 5 (ours): concatenate and convolve 3x3, with neither batch norm nor ReLU."""

    def __init__(self, channels: int, tasks: int) -> None:
        super().__init__()
        self.mix = nn.Conv2d(tasks * channels, channels, 3, padding=1)

    def forward(self, features: list[Float[Tensor, "b c h w"]]) -> Float[Tensor, "b c h w"]:
        """The tasks' features, mixed by one convolution."""
        return self.mix(torch.cat(features, 1))


class Concatenation(nn.Module):
    """The paper's baseline without TAM: concatenate and convolve 3x3."""

    def __init__(self, channels: int, tasks: int) -> None:
        super().__init__()
        self.mix = conv_bn(tasks * channels, channels)

    def forward(self, features: list[Float[Tensor, "b c h w"]]) -> Float[Tensor, "b c h w"]:
        """The tasks' features, mixed by one convolution."""
        return self.mix(torch.cat(features, 1))


Aggregate = Literal["tam", "concatenation", "linear-concatenation", "static-gate"]
AGGREGATES: dict[Aggregate, type[TaskAttention | Concatenation | LinearConcatenation | StaticGate]] = {
    "tam": TaskAttention,
    "concatenation": Concatenation,
    "linear-concatenation": LinearConcatenation,
    "static-gate": StaticGate,
}
"""What brings the tasks' features together, by the recipes' names."""
