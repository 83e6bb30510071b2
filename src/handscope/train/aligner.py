"""Training the aligner: rough crops of the estimator's sources, turned, shifted and mirrored as a detector errs.

python -m handscope.train.aligner --config recipes/aligner.yaml
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import torch
from torch import Tensor, nn

from handscope.data.mixture import collate
from handscope.data.transforms import CropConfig, PhotometricConfig
from handscope.evaluation.aligner_dev import AlignerDev
from handscope.losses.objective import glance_terms
from handscope.nn.aligner import AlignerConfig, ExportedAligner, HandAligner
from handscope.train.checkpoint import load
from handscope.train.estimator import SourceConfig, open_mixture
from handscope.train.loop import LoopConfig, train
from handscope.train.recipe import read_run
from handscope.types import Batch

ESTIMATORS = "blocks.0.encoder."
"""What the trunk's weights are called by in an estimator, before the aligner's own names."""


@dataclass(frozen=True, kw_only=True)
class AlignerRun:
    """A whole run. It starts from a landmark trunk's file (`trunk`) with, where `checkpoint` has them, the averaged
    weights of an earlier run of the aligner or of an estimator with such a trunk. `joints` and `right` weigh the two
    terms. `dev` is the folder of the evaluation sets, `labels` those of its photographs.
    """

    sources: list[SourceConfig]
    network: AlignerConfig = field(default_factory=AlignerConfig)
    crop: CropConfig = field(
        default_factory=lambda: CropConfig(size=96, turn_deg=25, any_turn=0.15, shift=0.08, zoom=0.18, wrong_side=0.5)
    )
    photometric: PhotometricConfig = field(default_factory=PhotometricConfig)
    loop: LoopConfig = field(default_factory=LoopConfig)
    trunk: str | None = None
    checkpoint: str | None = None
    joints: float = 20.0
    right: float = 1.0
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
        if run.trunk:
            self.network.start_from(run.trunk)
        if run.checkpoint:
            given = load(Path(run.checkpoint)).groups["average"]
            own = self.network.state_dict()
            named = {name.removeprefix(ESTIMATORS): value for name, value in given.items()}
            self.network.load_state_dict(own | {name: value for name, value in named.items() if name in own})
        self.model: nn.Module = self.network
        self.data = open_mixture(run.sources, run.crop, run.photometric, run.loop.seed)
        self.collate = collate
        self.dev = AlignerDev(run.dev, run.labels, run.crop) if run.dev else None

    def slow_parameters(self) -> set[nn.Parameter]:
        """The trunk's."""
        return set(self.network.trunk.parameters())

    def loss(self, model: nn.Module, batch: Batch, step: int) -> tuple[Tensor, dict[str, Tensor]]:
        """Joints and side, as an estimator's glance learns them."""
        terms = glance_terms(model(batch.image), batch)
        total = self.run.joints * terms["glance"].mean() + self.run.right * terms["glance_right"].mean()
        return total, {name: value.detach().mean() for name, value in terms.items()}

    def validate(self, model: nn.Module) -> dict[str, float]:
        """Held-out photographs and joints-dev in rough crops."""
        if self.dev is None:
            return {}
        shipped = ExportedAligner(model)  # type: ignore[arg-type]
        with torch.no_grad():
            return self.dev.score(lambda crops: tuple(value.numpy() for value in shipped(torch.from_numpy(crops))))


def main(arguments: Sequence[str] | None = None) -> None:
    """Train as the recipe and the command line say; a checkpoint in `out` is gone on with."""
    cv2.setNumThreads(1)
    run = read_run(AlignerRun, "aligner", arguments)
    print(train(AlignerTask(run), run.loop, Path(run.out), dataclasses.asdict(run)))


if __name__ == "__main__":
    main()
