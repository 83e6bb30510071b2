"""Training a network for masks alone, to compare with (Table 1)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from handscope.data.mixture import collate
from handscope.data.transforms import CropConfig, PhotometricConfig
from handscope.evaluation.columns import CropSet
from handscope.nn.segmenters import Segmenter, SegmenterConfig
from handscope.tasks.mask import mask_cross_entropy
from handscope.train.loop import MERIT, LoopConfig
from handscope.train.sources import SourceConfig, open_mixture, open_source
from handscope.types import Batch


@dataclass(frozen=True, kw_only=True)
class SegmenterRun:
    """A whole run; `dev` is a source whose masks validate."""

    kind: Literal["segmenter"] = "segmenter"
    network: SegmenterConfig = SegmenterConfig()
    crop: CropConfig = CropConfig(size=96, mask_size=48)
    photometric: PhotometricConfig = PhotometricConfig()
    loop: LoopConfig = LoopConfig()
    sources: list[SourceConfig] = field(default_factory=list)
    dev: SourceConfig | None = None
    out: str = "runs/segmenter"

    def __post_init__(self) -> None:
        if self.crop.size != self.network.crop:
            raise ValueError(f"crop.size {self.crop.size} and network.crop {self.network.crop} must be equal")


class SegmenterTask:
    """The `Task` of a network for masks."""

    def __init__(self, run: SegmenterRun) -> None:
        torch.manual_seed(run.loop.seed)
        self.model: nn.Module = Segmenter(run.network)
        self.data = open_mixture(run.sources, run.crop, run.photometric, run.loop.seed)
        self.collate = collate
        self.dev = None if run.dev is None else CropSet(open_source(run.dev), run.crop, hand_model=None, limit=500)

    def pretrained_parameters(self) -> set[nn.Parameter]:
        """None."""
        return set()

    def loss(self, model: nn.Module, batch: Batch, step: int) -> tuple[Tensor, dict[str, Tensor]]:
        """Binary cross-entropy, as the hand network's mask decoder learns."""
        entropy = mask_cross_entropy(model(batch.image).last.mask, batch.mask, batch.mask_known).mean()
        return entropy, {"mask": entropy.detach()}

    def validate(self, model: nn.Module) -> dict[str, float]:
        """The mean IoU."""
        if self.dev is None:
            return {}
        device = next(model.parameters()).device
        values = self.dev.score(lambda batch: model(batch.image.to(device)), None)[-1].values["mask"]
        return {"mask": float(np.nanmean(values)), MERIT: float(np.nanmean(values))}
