"""A task small enough to reason about: fit y = 3 x; draw n is a number made from n."""

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
    """Fit y = 3 x: draw n is a number made from n."""

    def __init__(self, stop_at: int | None = None):
        torch.manual_seed(0)
        self.model = nn.Sequential(nn.Linear(1, 8), nn.Tanh(), nn.Linear(8, 1))
        self.data = self
        self.draws: list[int] = []
        self.stop_at = stop_at

    def __getitem__(self, draw: int) -> float:
        self.draws.append(draw)
        if self.stop_at is not None and draw >= self.stop_at:
            raise KeyboardInterrupt
        return float(np.random.default_rng(draw).normal())

    @staticmethod
    def collate(values):
        return Numbers(torch.tensor(values)[:, None])

    def slow_parameters(self):
        return set(self.model[0].parameters())

    def loss(self, model, batch, step):
        error = (model(batch.values) - 3 * batch.values).square().mean()
        return error, {"error": error}

    def validate(self, model):
        return {"at_one": float(model(torch.ones(1, 1)))}


CONFIG = LoopConfig(steps=40, batch=8, rate=1e-2, warm_up=5, checkpoint_minutes=0.0, log_every=10)
