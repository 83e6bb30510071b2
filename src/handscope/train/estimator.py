"""Training the hand network: which pictures, which network, which loss, in one configuration.

handscope train --config recipes/small.yaml --loop.steps 20000
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from handscope.data.catalog import open_dataset, open_shards
from handscope.data.mixture import CropMixture, SampleSource, Source, collate
from handscope.data.photos import PhotoDataset
from handscope.data.transforms import CropConfig, PhotometricConfig
from handscope.errors import HandscopeError
from handscope.evaluation.crops_dev import CropsDev
from handscope.hand.assets import load_asset
from handscope.hand.layer import HandLayer
from handscope.losses.objective import ObjectiveConfig, objective
from handscope.nn.encoder import PretrainedEncoder
from handscope.nn.network import HandNetwork, NetworkConfig
from handscope.nn.trunks import load_into
from handscope.train.checkpoint import load
from handscope.train.loop import LoopConfig, train
from handscope.types import Batch


@dataclass(frozen=True, kw_only=True)
class SourceConfig:
    """Where pictures come from: a folder of shards, photographs with labels, or a dataset of the catalog by `name`
    (with its reader's `options`); drawn with `weight`.
    """

    kind: Literal["shards", "photos", "dataset"]
    path: str
    weight: float = 1.0
    labels: str | None = None
    name: str | None = None
    options: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.weight <= 0:
            raise ValueError(f"{self.path}: weight must be positive, got {self.weight}")
        if (self.kind == "dataset") != (self.name is not None):
            raise ValueError(f"{self.path}: kind 'dataset' needs a name (freihand, rhd, ...), and only that kind does")


@dataclass(frozen=True, kw_only=True)
class StartConfig:
    """What the weights start from: a trunk's file, or instead the averaged weights of an earlier run (cut to fit, if
    this network is narrower; parts whose names begin with one of `anew` start as if there were none). The first
    `frozen_blocks` of the trunk (its stem counts as one) stay as they are; with all of them its glance does too.
    """

    trunk: str | None = None
    checkpoint: str | None = None
    anew: list[str] = field(default_factory=list)
    frozen_blocks: int = 0


@dataclass(frozen=True, kw_only=True)
class EstimatorConfig:
    """A whole run. `dev` is the folder with joints-dev, for evaluation only."""

    network: NetworkConfig = NetworkConfig()
    objective: ObjectiveConfig = ObjectiveConfig()
    crop: CropConfig = CropConfig()
    photometric: PhotometricConfig = PhotometricConfig()
    loop: LoopConfig = LoopConfig()
    start: StartConfig = StartConfig()
    sources: list[SourceConfig] = field(default_factory=list)
    dev: str | None = None
    out: str = "runs/small"

    def __post_init__(self) -> None:
        if self.crop.size != self.network.crop:
            raise ValueError(f"crop.size {self.crop.size} and network.crop {self.network.crop} must be equal")


class EstimatorTask:
    """The `Task` of the hand network."""

    def __init__(self, config: EstimatorConfig) -> None:
        self.config = config
        torch.manual_seed(config.loop.seed)
        self.model = build(config.network, config.start)
        self.data = open_mixture(config.sources, config.crop, config.photometric, config.loop.seed)
        self.collate = collate
        self.dev = CropsDev(config.dev, size=config.crop.size) if config.dev else None

    def slow_parameters(self) -> set[nn.Parameter]:
        """The trunk's and its glance's."""
        encoder = self.model.blocks[0].encoder
        if not isinstance(encoder, PretrainedEncoder):
            return set()
        pretrained = [encoder.trunk] if encoder.glance is None else [encoder.trunk, encoder.glance]
        return {parameter for module in pretrained for parameter in module.parameters()}

    def loss(self, model: nn.Module, batch: Batch, step: int) -> tuple[Tensor, dict[str, Tensor]]:
        """Section 3.3's objective."""
        return objective(model(batch.image), batch, self.model.hand.silhouette_faces, self.config.objective, step)

    def validate(self, model: nn.Module) -> dict[str, float]:
        """joints-dev in true crops: heat-map joints, and the projected mesh's beside them."""
        if self.dev is None:
            return {}
        with torch.no_grad():
            scores = self.dev.score(lambda crops: answer(model, crops, projected=False))
            mesh = self.dev.score(lambda crops: answer(model, crops, projected=True))
        return scores | {"mesh_error_px256": mesh["error_px256"]}


def answer(model: nn.Module, crops: Any, *, projected: bool) -> tuple[Any, Any]:
    """Joints in crop px (from heat-maps, or projected) and in metres, of uint8 crops."""
    last = model(torch.from_numpy(crops)).last
    places = last.mesh.joints_2d if projected else last.joints_2d
    return places.numpy(), last.mesh.joints_3d.numpy()


def open_mixture(
    sources: Sequence[SourceConfig], crop: CropConfig, photometric: PhotometricConfig, seed: int
) -> CropMixture:
    """Crops of all `sources`, drawn by their weights; HandscopeError if one is empty."""
    opened = [Source(name=s.path, samples=open_source(s), weight=s.weight) for s in sources]
    return CropMixture(opened, crop, photometric, seed)


def open_source(source: SourceConfig) -> SampleSource:
    """The samples of one source; HandscopeError if there are none."""
    if source.kind == "photos":
        return PhotoDataset(source.path, source.labels, split="train")
    if source.kind == "dataset":
        assert source.name is not None
        return open_dataset(source.name, source.path, source.options)
    return open_shards(source.path)


def build(config: NetworkConfig, start: StartConfig | None = None) -> HandNetwork:
    """The network, with pretrained weights where `start` names them."""
    network = HandNetwork(config, HandLayer(load_asset()))
    start = start or StartConfig()
    encoder = network.blocks[0].encoder
    if isinstance(encoder, PretrainedEncoder):
        if start.trunk and (start.anew or not start.checkpoint):
            load_into(encoder.trunk, start.trunk)
            if encoder.glance is not None:
                load_into(encoder.glance, start.trunk, "glance.")
        frozen = [encoder.trunk.stem, *encoder.trunk.blocks][: start.frozen_blocks]
        if len(frozen) > len(encoder.trunk.blocks) and encoder.glance is not None:
            frozen.append(encoder.glance)
        for module in frozen:
            module.requires_grad_(False)
    elif start.trunk:
        raise HandscopeError(f"start.trunk {start.trunk}: the network has no trunk; set network.first")
    if start.checkpoint:
        own = network.state_dict()
        kept = lambda name: not name.startswith(tuple(start.anew))  # noqa: E731
        given = {name: value for name, value in load(Path(start.checkpoint)).groups["average"].items() if kept(name)}
        wanted = {name: value for name, value in own.items() if kept(name)}
        network.load_state_dict(own | narrowed(given, wanted))
    return network


def narrowed(given: dict[str, Tensor], wanted: dict[str, Tensor]) -> dict[str, Tensor]:
    """`given` weights cut to the shapes of `wanted`: a narrower network starts from a wider one's first channels.

    Raises HandscopeError if names differ, or if a shape cannot be cut out of the given one.
    """
    if odd := sorted(given.keys() ^ wanted.keys()):
        raise HandscopeError(f"start.checkpoint: not the weights of such a network: {odd[0]} is in one of them only")
    cut = {name: given[name][tuple(slice(n) for n in value.shape)] for name, value in wanted.items()}
    for name, value in wanted.items():
        if cut[name].shape != value.shape:
            found, needed = tuple(given[name].shape), tuple(value.shape)
            raise HandscopeError(f"start.checkpoint: {name} is {found}, too small for this network's {needed}")
    return cut


def run(config: EstimatorConfig, *, resume: bool = True) -> Path:
    """Train as configured; returns the checkpoint's path."""
    return train(EstimatorTask(config), config.loop, Path(config.out), dataclasses.asdict(config), resume=resume)
