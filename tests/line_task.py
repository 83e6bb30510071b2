"""A task small enough to reason about: fit y = 3 x; example n is a number made from n."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from handscope.train.loop import LoopConfig


@dataclass
class Numbers:
    values: torch.Tensor

    def to(self, device):
        return Numbers(self.values.to(device))


class LineTask:
    """Fit y = 3 x: example n is a number made from n."""

    def __init__(self, stop_at: int | None = None):
        torch.manual_seed(0)
        self.model = nn.Sequential(nn.Linear(1, 8), nn.Tanh(), nn.Linear(8, 1))
        self.data = self
        self.seen: list[int] = []
        self.stop_at = stop_at

    def __getitem__(self, index: int) -> float:
        self.seen.append(index)
        if self.stop_at is not None and index >= self.stop_at:
            raise KeyboardInterrupt
        return float(np.random.default_rng(index).normal())

    @staticmethod
    def collate(values):
        return Numbers(torch.tensor(values)[:, None])

    def pretrained_parameters(self):
        return set(self.model[0].parameters())

    def loss(self, model, batch, step):
        error = (model(batch.values) - 3 * batch.values).square().mean()
        return error, {"error": error}

    def validate(self, model):
        return {"at_one": float(model(torch.ones(1, 1)))}


CONFIG = LoopConfig(steps=40, batch=8, lr=1e-2, warmup_steps=5, checkpoint_minutes=0.0, log_every=10)
