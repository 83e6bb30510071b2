"""Training the hand network: which pictures, which network, which loss, in one configuration.

handscope train --config recipes/small.yaml --loop.steps 20000
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from handscope.data.mixture import collate
from handscope.data.transforms import CropConfig, PhotometricConfig
from handscope.errors import HandscopeError
from handscope.evaluation.columns import CropSet
from handscope.evaluation.crops_dev import CropsDev
from handscope.hand.assets import load_asset
from handscope.hand.layer import HandLayer
from handscope.losses.objective import ObjectiveConfig, objective
from handscope.nn.encoder import PretrainedEncoder
from handscope.nn.network import HandNetwork, NetworkConfig
from handscope.train.checkpoint import load
from handscope.train.loop import MERIT, LoopConfig
from handscope.train.sources import SourceConfig, open_mixture, open_source
from handscope.train.start import StartConfig
from handscope.types import Batch, HandModel

FIRST_ENCODER = "blocks.0.encoder"


@dataclass(frozen=True, kw_only=True)
class EstimatorStart(StartConfig):
    """The checkpoint's weights are cut to fit if this network is narrower; parts whose names begin with one of
    `reinitialise` start as if there were none. The first `frozen_blocks` of the backbone (its stem counts as one) stay
    as they are; with all of them its auxiliary head does too. If `only` names parts, they alone learn: everything else
    stays as it is, the statistics of batch norms included.
    """

    reinitialise: list[str] = field(default_factory=list)
    frozen_blocks: int = 0
    only: list[str] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class EstimatorRun:
    """A whole run. `dev` is the folder with joints-dev, for evaluation only, or any source, whose crops are scored by
    the columns of the paper's tables (`evaluation.columns`). `hand_model` is a file of MANO's; without it the hand is
    the open one. Labels with the parameters of another hand model are refused.
    """

    kind: Literal["estimator"] = "estimator"
    network: NetworkConfig = NetworkConfig()
    objective: ObjectiveConfig = ObjectiveConfig()
    crop: CropConfig = CropConfig()
    photometric: PhotometricConfig = PhotometricConfig()
    hand_model: str | None = None
    loop: LoopConfig = LoopConfig()
    start: EstimatorStart = EstimatorStart()
    sources: list[SourceConfig] = field(default_factory=list)
    dev: str | SourceConfig | None = None
    out: str = "runs/small"

    def __post_init__(self) -> None:
        if self.crop.size != self.network.crop:
            raise ValueError(f"crop.size {self.crop.size} and network.crop {self.network.crop} must be equal")


class EstimatorTask:
    """The `Task` of the hand network."""

    def __init__(self, config: EstimatorRun) -> None:
        self.config = config
        torch.manual_seed(config.loop.seed)
        self.model = build(config.network, config.start, config.hand_model)
        name = load_asset(config.hand_model).name
        self.data = open_mixture(config.sources, config.crop, config.photometric, config.loop.seed, name)
        self.collate = collate
        self.dev = open_dev(config, name)

    def pretrained_parameters(self) -> set[nn.Parameter]:
        """The backbone's and its auxiliary head's."""
        encoder = self.model.first_encoder
        return encoder.pretrained_parameters() if isinstance(encoder, PretrainedEncoder) else set()

    def loss(self, model: nn.Module, batch: Batch, step: int) -> tuple[Tensor, dict[str, Tensor]]:
        """Section 3.3's objective, and beside its terms the IoU of the mask where it is known: the consistency must not
        make the mesh's teacher worse.
        """
        config = self.config.objective
        prediction = model(batch.image, config.consistency_reach) if config.consistency else model(batch.image)
        total, terms = objective(prediction, batch, self.model.hand.silhouette_faces, config, step)
        if prediction.last.mask is not None and batch.mask_known.any():
            terms["mask_iou"] = mask_iou(prediction.last.mask.detach(), batch.mask)[batch.mask_known].mean()
        return total, terms

    def validate(self, model: nn.Module) -> dict[str, float]:
        """joints-dev in true crops: heat-map joints, and the projected mesh's beside them; of other sources the columns
        of the paper's tables. The merit is the 2D error, or the mean of the columns.
        """
        if self.dev is None:
            return {}
        if isinstance(self.dev, CropSet):
            return column_figures(self.dev, model, self.model.hand)
        with torch.no_grad():
            scores = self.dev.score(lambda crops: answer(model, crops, projected=False))
            mesh = self.dev.score(lambda crops: answer(model, crops, projected=True))
        return scores | {"mesh_error_px256": mesh["error_px256"], MERIT: -scores["error_px256"]}


DEV_HANDS = 500
"""So many hands of a source, at most, are looked at while training."""


def open_dev(config: EstimatorRun, hand_model: HandModel) -> CropsDev | CropSet | None:
    """What validates, by the recipe's `dev`."""
    if config.dev is None or isinstance(config.dev, str):
        return CropsDev(config.dev, size=config.crop.size) if config.dev else None
    return CropSet(open_source(config.dev), config.crop, hand_model=hand_model, limit=DEV_HANDS)


def column_figures(dev: CropSet, model: nn.Module, hand: HandLayer) -> dict[str, float]:
    """The last block's columns that are known, and their mean."""
    device = next(model.parameters()).device
    last = dev.score(lambda batch: model(batch.image.to(device)), hand)[-1]
    figures = {name: float(np.nanmean(values)) for name, values in last.values.items() if not np.isnan(values).all()}
    return figures | {MERIT: float(np.mean(list(figures.values())))}


def answer(
    model: nn.Module, crops: NDArray[np.uint8], *, projected: bool
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Joints (n, 21, 2) in crop px (from heat-maps, or projected) and (n, 21, 3) in metres, of crops (n, S, S, 3)."""
    last = model(torch.from_numpy(crops).to(next(model.parameters()).device)).last
    places = last.mesh.joints_2d if projected else last.joints_2d
    return places.cpu().numpy(), last.mesh.joints_3d.cpu().numpy()


def mask_iou(logits: Float[Tensor, "b m m"], mask: Float[Tensor, "b n n"]) -> Float[Tensor, " b"]:
    """Intersection over union of the estimated and the true mask."""
    size = logits.shape[-1]
    true, seen = F.interpolate(mask[:, None], size=(size, size), mode="area")[:, 0] > 0.5, logits > 0
    return (seen & true).sum((1, 2)) / (seen | true).sum((1, 2)).clamp(min=1)


def build(config: NetworkConfig, start: EstimatorStart | None = None, hand_model: str | None = None) -> HandNetwork:
    """The network over a hand model's file (the open hand without one), with pretrained weights where `start` names
    them.
    """
    network = HandNetwork(config, HandLayer(load_asset(hand_model)))
    start = start or EstimatorStart()
    encoder = network.first_encoder
    kept = lambda name: not name.startswith(tuple(start.reinitialise))  # noqa: E731
    if isinstance(encoder, PretrainedEncoder):
        anew = not all(kept(f"{FIRST_ENCODER}.{name}") for name in encoder.state_dict())
        if start.backbone and (anew or not start.checkpoint):
            encoder.load(start.backbone)
        encoder.freeze(start.frozen_blocks)
    elif start.backbone:
        raise HandscopeError(f"start.backbone {start.backbone}: the network has none; set network.backbone")
    if start.checkpoint:
        own = network.state_dict()
        given = {name: value for name, value in load(Path(start.checkpoint)).groups["average"].items() if kept(name)}
        wanted = {name: value for name, value in own.items() if kept(name)}
        network.load_state_dict(own | narrowed(given, wanted))
    if start.only:
        keep_all_but(network, start.only)
    return network


def keep_all_but(network: nn.Module, parts: Sequence[str]) -> None:
    """Only modules and weights whose names begin with one of `parts` go on learning.

    Raises HandscopeError if there is none.
    """
    network.eval()
    for name, module in network.named_modules():
        if name.startswith(tuple(parts)):
            module.train()
    for name, parameter in network.named_parameters():
        parameter.requires_grad_(parameter.requires_grad and name.startswith(tuple(parts)))
    if not any(parameter.requires_grad for parameter in network.parameters()):
        raise HandscopeError(f"start.only: no weights that learn begin with {' or '.join(parts)}")


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
