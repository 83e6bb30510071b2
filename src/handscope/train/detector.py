"""Training the detector: its pictures, its terms and its validation, as a `Task` of the loop.

handscope train --config recipes/detector.yaml
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, UInt8
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from handscope.data.catalog import open_shards
from handscope.data.detection import CanvasConfig, DetectionMixture, Joined, Part, Pictures
from handscope.data.people import PeopleDataset
from handscope.data.photos import PhotoDataset
from handscope.data.transforms import Example
from handscope.evaluation.detector_dev import Answer, DetectorDev
from handscope.losses.detection import HandTable, detection_terms
from handscope.nn.detector import STRIDE, Detections, DetectorConfig, ExportedDetector, HandDetector, cell_centres
from handscope.train.checkpoint import load
from handscope.train.loop import MERIT, LoopConfig
from handscope.train.start import StartConfig
from handscope.types import SampleSource

TABLE = tuple(HandTable._fields)


@dataclass(frozen=True, kw_only=True)
class DetectorSources:
    """Where pictures come from: `data` is the folder that holds people and photos, `labels` the teacher's joints of the
    latter; `scenes` and `hands` are shards of synthesis, the latter's hands fill the picture. `weights`: how often
    each is chosen.
    """

    data: str
    labels: str
    backgrounds: str
    scenes: list[str] = field(default_factory=list)
    hands: str | None = None
    weights: dict[str, float] = field(
        default_factory=lambda: {
            "people": 8.0,
            "scenes": 3.0,
            "hands": 0.7,
            "ti1k": 0.5,
            "dwivedi": 0.9,
            "subhih": 0.9,
            "backgrounds": 0.4,
            "sign-digits": 0.6,
        }
    )


@dataclass(frozen=True, kw_only=True)
class TermWeights:
    """How much each term counts."""

    score: float = 1.0
    box: float = 1.0
    crop: float = 1.5
    up: float = 1.0
    right: float = 1.0


@dataclass(frozen=True, kw_only=True)
class DetectorRun:
    """A whole run. `sizes` px are sampled, one a step: small ones are fast, several teach scale."""

    kind: Literal["detector"] = "detector"
    sources: DetectorSources
    network: DetectorConfig = DetectorConfig()
    canvas: CanvasConfig = CanvasConfig()
    terms: TermWeights = TermWeights()
    loop: LoopConfig = LoopConfig()
    sizes: list[int] = field(default_factory=lambda: [192, 256])
    start: StartConfig = StartConfig()
    out: str = "runs/detector"

    def __post_init__(self) -> None:
        if any(size % 32 for size in self.sizes) or not self.sizes:
            raise ValueError(f"sizes must be multiples of 32, got {self.sizes}")


@dataclass(frozen=True)
class DetectorBatch:
    """Pictures and their hands."""

    image: UInt8[Tensor, "b s s 3"]
    hands: HandTable

    def to(self, device: torch.device) -> DetectorBatch:
        """The same batch on another device."""
        return DetectorBatch(self.image.to(device), HandTable(*[value.to(device) for value in self.hands]))


def collate(examples: list[Example]) -> DetectorBatch:
    """Examples to one batch of tensors."""
    stacked = {key: torch.from_numpy(np.stack([e[key] for e in examples])) for key in examples[0]}
    return DetectorBatch(stacked["image"], HandTable(**{name: stacked[name] for name in TABLE}))


class DetectorTask:
    """The `Task` of the detector."""

    def __init__(self, run: DetectorRun) -> None:
        self.run = run
        torch.manual_seed(run.loop.seed)
        self.network = HandDetector(run.network)
        if run.start.backbone:
            self.network.load(run.start.backbone)
        if run.start.checkpoint:
            self.network.load_state_dict(load(Path(run.start.checkpoint)).groups["average"])
        self.model: nn.Module = self.network
        self.data = open_canvases(run)
        self.collate = collate
        self.dev = DetectorDev(run.sources.data)

    def pretrained_parameters(self) -> set[nn.Parameter]:
        """Those of the palm network's copied stages and pyramid."""
        network = self.network
        return {p for module in (network.stages, network.up_16, network.up_8) for p in module.parameters()}

    def loss(self, model: nn.Module, batch: DetectorBatch, step: int) -> tuple[Tensor, dict[str, Tensor]]:
        """Weighted terms of the batch at this step's picture size."""
        sizes = self.run.sizes
        size = sizes[int(np.random.default_rng([self.run.loop.seed, 1, step]).integers(len(sizes)))]
        image, hands = resized(batch, size)
        cells = cell_centres(image[..., ::STRIDE, ::STRIDE])
        found: Detections = model(image)
        terms = detection_terms(found.score, found.boxes, found.up, found.crops, found.right, cells, hands)
        means = {name: values.mean() for name, values in terms.items()}
        total = torch.stack([getattr(self.run.terms, name) * value for name, value in means.items()]).sum()
        return total, {name: value.detach() for name, value in means.items()}

    def validate(self, model: nn.Module) -> dict[str, float]:
        """People's photographs of sources held out."""
        shipped = ExportedDetector(model)  # type: ignore[arg-type]
        device = next(model.parameters()).device

        def detect(pictures: NDArray[np.uint8]) -> Answer:
            said = shipped(torch.from_numpy(pictures).to(device))
            scores, boxes, up, crops, right, *_ = (values[0].cpu().numpy() for values in said)
            return scores, boxes, up, crops, right

        with torch.no_grad():
            figures = self.dev.score(detect)
        return figures | {MERIT: figures["average_precision"]}


def resized(batch: DetectorBatch, size: int) -> tuple[Float[Tensor, "b 3 s s"], HandTable]:
    """Pictures of `size` px in [0, 1] and hands in their pixels (pixel centres at integers)."""
    image = batch.image.permute(0, 3, 1, 2).float() / 255
    ratio = size / image.shape[-1]
    if ratio != 1:
        image = F.interpolate(image, (size, size), mode="bilinear", antialias=True)
    image = image.contiguous(memory_format=torch.channels_last)
    centre = (batch.hands.crops[..., :2] + 0.5) * ratio - 0.5
    crops = torch.cat([centre, batch.hands.crops[..., 2:] * ratio], -1)
    return image, batch.hands._replace(boxes=(batch.hands.boxes + 0.5) * ratio - 0.5, crops=crops)


def open_canvases(run: DetectorRun) -> DetectionMixture:
    """The sources as one stream of canvases."""
    where = run.sources
    backgrounds = Pictures(where.backgrounds)
    samples: dict[str, SampleSource] = {"people": PeopleDataset(where.data), "backgrounds": backgrounds}
    if where.scenes:
        samples["scenes"] = Joined([open_shards(folder) for folder in where.scenes])
    if where.hands is not None:
        samples["hands"] = open_shards(where.hands)
    for source in ("ti1k", "dwivedi", "subhih", "sign-digits"):
        samples[source] = PhotoDataset(where.data, where.labels, split="train", sources=(source,))
    parts = [
        Part(samples[name], weight, pasted=name == "sign-digits")
        for name, weight in where.weights.items()
        if name in samples
    ]
    return DetectionMixture(parts, backgrounds, run.canvas, run.loop.seed)
