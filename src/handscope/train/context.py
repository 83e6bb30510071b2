"""Training the context network: what was taken for hands, with what lies round it, as a `Task` of the loop.

handscope train --config recipes/context.yaml
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn
from torch.nn import functional as F

from handscope.data.looks import LookNoise, LooksDataset
from handscope.data.transforms import Example
from handscope.evaluation.metrics import average_precision
from handscope.nn.context import CROP_PX, HandContext
from handscope.train.checkpoint import load
from handscope.train.loop import MERIT, LoopConfig
from handscope.train.start import StartConfig

BATCH = 32
"""Looks that validation shows at once."""


@dataclass(frozen=True, kw_only=True)
class ContextRun:
    """A whole run. `looks` and, to validate, `held_out` are files of scripts/mine_looks.py, `shares` how often which
    kind of look is chosen (`LooksDataset`); the first `frozen` parts of the backbone learn nothing; `smoothing` is how
    far labels are from 0 and 1.
    """

    kind: Literal["context"] = "context"
    looks: str
    held_out: str | None = None
    noise: LookNoise = LookNoise()
    shares: dict[str, float] | None = None
    loop: LoopConfig = LoopConfig()
    start: StartConfig = StartConfig()
    frozen: int = 8
    smoothing: float = 0.02
    out: str = "runs/context"


@dataclass(frozen=True)
class LookBatch:
    """Crops and whether each shows a hand in its middle (1) or not (0)."""

    crop: UInt8[Tensor, "b s s 3"]
    hand: Float[Tensor, " b"]

    def to(self, device: torch.device) -> LookBatch:
        """The same batch on another device."""
        return LookBatch(self.crop.to(device), self.hand.to(device))


def collate(examples: list[Example]) -> LookBatch:
    """Examples to one batch of tensors."""
    crop, hand = (torch.from_numpy(np.stack([example[name] for example in examples])) for name in ("crop", "hand"))
    return LookBatch(crop, hand)


class ContextTask:
    """The `Task` of the context network."""

    def __init__(self, run: ContextRun) -> None:
        self.run = run
        torch.manual_seed(run.loop.seed)
        self.network = HandContext()
        if run.start.backbone:
            self.network.backbone.load(run.start.backbone)
        if run.start.checkpoint:
            self.network.load_state_dict(load(Path(run.start.checkpoint)).groups["average"])
        self.network.backbone.freeze(run.frozen)
        self.model: nn.Module = self.network
        self.data = LooksDataset(run.looks, CROP_PX, run.noise, run.loop.seed, run.shares)
        self.collate = collate
        self.dev = LooksDataset(run.held_out, CROP_PX) if run.held_out else None

    def pretrained_parameters(self) -> set[nn.Parameter]:
        """The backbone's."""
        return set(self.network.backbone.parameters())

    def loss(self, model: nn.Module, batch: LookBatch, step: int) -> tuple[Tensor, dict[str, Tensor]]:
        """Binary cross entropy."""
        target = batch.hand * (1 - 2 * self.run.smoothing) + self.run.smoothing
        value = F.binary_cross_entropy_with_logits(model(batch.crop), target)
        return value, {"presence": value.detach()}

    def validate(self, model: nn.Module) -> dict[str, float]:
        """Average precision on the held-out looks, and the share that is told right."""
        if self.dev is None:
            return {}
        shown, hand = zip(*[self.dev.whole(i) for i in range(len(self.dev))], strict=True)
        device = next(model.parameters()).device
        with torch.no_grad():
            parts = [np.stack(shown[i : i + BATCH]) for i in range(0, len(shown), BATCH)]
            said = torch.cat([model(torch.from_numpy(part).to(device)).cpu() for part in parts]).numpy()
        truth = np.array(hand)
        precision = average_precision(said, truth, int(truth.sum()))
        return {"average_precision": precision, "right": float(((said > 0) == truth).mean()), MERIT: precision}
