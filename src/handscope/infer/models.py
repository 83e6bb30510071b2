"""The opened networks and hand models that a pipeline and its trackers share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from handscope.errors import HandscopeError, shown
from handscope.hand.assets import HandAsset, load_asset
from handscope.hand.conventions import check_convention
from handscope.infer.aligner import Aligner
from handscope.infer.assembly import Assembler
from handscope.infer.calibration import Calibration
from handscope.infer.context import Context
from handscope.infer.crop_estimates import CropEstimate
from handscope.infer.crop_policy import asked
from handscope.infer.detector import Detector, card_threshold, sizes_for
from handscope.infer.devices import CPU, Device, device_of
from handscope.infer.effort import FULL, Effort, effort_of
from handscope.infer.estimator import Estimator
from handscope.infer.presence import Presence
from handscope.infer.weights import Card, Network, mixture, open_network
from handscope.types import JointConvention

MIN_SCORE = 0.6
"""Hands of a lower score are left out: a precision of 97 % on photographs of people of sources that trained nothing,
98 % on people/dev (docs/detector.md)."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Models:
    """What proposes hands (`detector`), makes their crops upright (`aligner`, if there is one), reads them
    (`estimator`), judges whether they are there at all (`presence`, and `context` by what lies round them, if there are
    such) and tells them in a picture's terms (`assembler`); hands of a score under `min_score` are left out. `effort`
    says how much is done for one.
    """

    estimator: Estimator
    detector: Detector
    assembler: Assembler
    aligner: Aligner | None = None
    presence: Presence | None = None
    context: Context | None = None
    min_score: float = MIN_SCORE
    effort: Effort = FULL

    @property
    def networks(self) -> dict[str, Network]:
        """The networks by their names."""
        parts = {
            "estimator": self.estimator,
            "aligner": self.aligner,
            "detector": self.detector,
            "presence": self.presence,
            "context": self.context,
        }
        return {name: part.network for name, part in parts.items() if part is not None}

    @property
    def device(self) -> Device:
        """Where the networks run."""
        return self.estimator.network.device

    @property
    def cards(self) -> dict[str, Card]:
        """The cards of the networks, by their names."""
        return {name: network.card for name, network in self.networks.items()}

    @cached_property
    def notes(self) -> tuple[str, ...]:
        """Remarks that belong to every answer: that the networks are of two sets, if they are."""
        told = mixture(self.networks)
        return () if told is None else (told,)

    def judged(self, images: Sequence[NDArray[np.uint8]], found: Sequence[CropEstimate]) -> list[float]:
        """Probabilities that estimates, each of its own picture, are of hands, by the judge, who looks at the crops
        that their joints ask for; without a judge by the networks that made them, 1 if they do not say.
        """
        if self.presence is None:
            return [1.0 if estimate.presence is None else estimate.presence for estimate in found]
        return self.presence([(image, asked(e)) for image, e in zip(images, found, strict=True)]).tolist()

    def present(self, images: Sequence[NDArray[np.uint8]], found: Sequence[CropEstimate]) -> list[float]:
        """The same by the networks that made the estimates; of those without a head of presence by the judge."""
        told = [estimate.presence for estimate in found]
        unknown = [k for k, presence in enumerate(told) if presence is None]
        asked_for = iter(self.judged([images[k] for k in unknown], [found[k] for k in unknown]))
        return [next(asked_for) if presence is None else presence for presence in told]


MOST_THREADS, MOST_TILES = 1024, 64
"""More than these are mistakes, and ONNX Runtime does not survive some of them."""


def open_models(
    weights: str | Path | None = None,
    hand_model: str | Path | None = None,
    threads: int | None = None,
    *,
    min_score: float | None = None,
    tiles: int = 1,
    joint_convention: str | None = None,
    device: str = "cpu",
    effort: str = "full",
) -> Models:
    """The networks, checked and opened; the arguments are those of `handscope.load`."""
    _check_number("threads", 1 if threads is None else threads, int, 1, MOST_THREADS)
    _check_number("tiles", tiles, int, 1, MOST_TILES)
    _check_number("min_score", MIN_SCORE if min_score is None else min_score, float, 0, 1)
    convention = None if joint_convention is None else check_convention(joint_convention)
    where, much = device_of(device), effort_of(effort)
    eight_bit = is_eight_bit(much, where.name)
    estimator = Estimator(open_network("estimator", weights, threads, where, eight_bit=eight_bit))
    detector = open_network("detector", weights, threads, where)
    least = MIN_SCORE if min_score is None else min_score
    return Models(
        estimator=estimator,
        detector=Detector(
            detector,
            threshold=min(card_threshold(detector), least, much.proposed),
            sizes=much.sizes if tiles == 1 else sizes_for(tiles),
        ),
        assembler=_assembler(estimator, load_asset(hand_model), convention),
        aligner=Aligner(open_network("aligner", weights, threads, where, eight_bit=eight_bit)),
        presence=Presence(open_network("presence", weights, threads, where)) if much.judge else None,
        context=Context(open_network("context", weights, threads, where)) if much.judge else None,
        min_score=least,
        effort=much,
    )


def is_eight_bit(effort: Effort, device: str) -> bool:
    """Whether shipped networks are those in 8 bits on the device of this name."""
    return effort.eight_bit and device == CPU.name


def _check_number(name: str, given: object, kind: type, least: float, most: float) -> None:
    """HandscopeError unless an argument is a number of that kind and within its bounds."""
    kinds = (int, np.integer) if kind is int else (int, float, np.integer, np.floating)
    if isinstance(given, bool) or not isinstance(given, kinds) or not least <= given <= most:
        whole = "a whole number" if kind is int else "a number"
        raise HandscopeError(f"{name} must be {whole} from {least} to {most}, got {shown(given)}")


def _assembler(estimator: Estimator, asset: HandAsset, convention: JointConvention | None) -> Assembler:
    """Tells hands in `asset`, which is the hand model of the estimator's training, or MANO, and in the joints of
    `convention`.
    """
    calibration = Calibration.of(estimator.network.card)
    own = load_asset()
    count = estimator.network.output_shapes["vertices"][1] if estimator.poses else len(own.template)
    if not isinstance(count, int) or count == len(asset.template):
        return Assembler(asset=asset, calibration=calibration, joint_convention=convention)
    if asset.name == "MANO" and count == len(own.template):
        return Assembler(asset=own, target=asset, calibration=calibration, joint_convention=convention)
    raise HandscopeError(
        f"{estimator.network.path}: gives {count} vertices, but the hand model {asset.name} has "
        f"{len(asset.template)}; pass the hand model it was trained with"
    )
