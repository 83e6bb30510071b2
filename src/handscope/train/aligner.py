"""Training the aligner: rough crops of the estimator's sources, turned, shifted and mirrored as a detector errs.

handscope train --config recipes/aligner.yaml
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn

from handscope.data.mixture import collate
from handscope.data.transforms import CropConfig, PhotometricConfig
from handscope.evaluation.aligner_dev import AlignerDev
from handscope.losses.objective import auxiliary_terms
from handscope.nn.aligner import AlignerConfig, ExportedAligner, HandAligner
from handscope.train.checkpoint import load
from handscope.train.loop import MERIT, LoopConfig
from handscope.train.sources import SourceConfig, open_mixture
from handscope.train.start import StartConfig
from handscope.types import Batch

ESTIMATORS = "blocks.0.encoder."
"""What the backbone's weights are called by in an estimator, before the aligner's own names."""


@dataclass(frozen=True, kw_only=True)
class AlignerRun:
    """A whole run. `start.checkpoint` is an earlier run of the aligner, or of an estimator with such a backbone; what
    it has not is the backbone file's. `joints`, `right` and `present` weigh the terms. `dev` is the folder of the
    evaluation sets, `labels` those of its photographs.
    """

    kind: Literal["aligner"] = "aligner"
    sources: list[SourceConfig]
    network: AlignerConfig = AlignerConfig()
    crop: CropConfig = CropConfig(
        size=96, rotation_deg=25, any_rotation_prob=0.15, translation=0.08, scale=0.18, mirror_prob=0.5
    )
    photometric: PhotometricConfig = PhotometricConfig()
    loop: LoopConfig = LoopConfig()
    start: StartConfig = StartConfig()
    joints: float = 20.0
    right: float = 1.0
    present: float = 1.0
    dev: str | None = None
    labels: str | None = None
    out: str = "runs/aligner"

    def __post_init__(self) -> None:
        if self.crop.size != self.network.crop:
            raise ValueError(f"crop.size must be network.crop, got {self.crop.size} and {self.network.crop}")


class AlignerTask:
    """The `Task` of the aligner."""

    def __init__(self, run: AlignerRun) -> None:
        self.run = run
        torch.manual_seed(run.loop.seed)
        self.network = HandAligner(run.network)
        if run.start.backbone:
            self.network.load(run.start.backbone)
        if run.start.checkpoint:
            given = load(Path(run.start.checkpoint)).groups["average"]
            own = self.network.state_dict()
            named = {name.removeprefix(ESTIMATORS): value for name, value in given.items()}
            self.network.load_state_dict(own | {name: value for name, value in named.items() if name in own})
        self.model: nn.Module = self.network
        self.data = open_mixture(run.sources, run.crop, run.photometric, run.loop.seed)
        self.collate = collate
        self.dev = AlignerDev(run.dev, run.labels, run.crop) if run.dev else None

    def pretrained_parameters(self) -> set[nn.Parameter]:
        """The backbone's."""
        return set(self.network.backbone.parameters())

    def loss(self, model: nn.Module, batch: Batch, step: int) -> tuple[Tensor, dict[str, Tensor]]:
        """Joints, side and presence, as an estimator's auxiliary head learns them."""
        terms = auxiliary_terms(model(batch.image), batch)
        weights = {"auxiliary": self.run.joints, "auxiliary_right": self.run.right, "present": self.run.present}
        total = torch.stack([weights[name] * value.mean() for name, value in terms.items()]).sum()
        return total, {name: value.mean().detach() for name, value in terms.items()}

    def validate(self, model: nn.Module) -> dict[str, float]:
        """Held-out photographs and joints-dev in rough crops."""
        if self.dev is None:
            return {}
        shipped = ExportedAligner(model)  # type: ignore[arg-type]
        device = next(model.parameters()).device
        with torch.no_grad():
            figures = self.dev.score(
                lambda crops: tuple(value.cpu().numpy() for value in shipped(torch.from_numpy(crops).to(device)))
            )
        return figures | {MERIT: -figures["photos/centre"]}
