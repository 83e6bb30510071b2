"""Mixing sources at random: example n of a training run depends on the seed and n alone.

That makes the data order exact: after a crash the run goes on at example n; two processes take turns and see
together what one would see.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields

import cv2
import numpy as np
import torch
from torch.utils.data import Dataset, Sampler

from handscope.data.shard_places import StoreError
from handscope.data.transforms import CropConfig, Example, PhotometricConfig, crop_example, usable
from handscope.errors import HandscopeError
from handscope.types import Batch, HandLabel, HandModel, SampleSource

NONE_SHARE = 0.4
"""How often a picture of hands and of places that were taken for some shows the latter."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """Samples and how often to choose one, relative to the other sources."""

    name: str
    samples: SampleSource
    weight: float


class CropMixture(Dataset[Example]):
    """`mixture[n]` is example n: a source, a picture, a hand and an augmentation, all from `seed` and n.

    An unreadable picture is replaced by another and counted (`skipped`); fifty in a row end the run, and so does a
    store that does not answer.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        crop: CropConfig,
        photometric: PhotometricConfig | None,
        seed: int,
        hand_model: HandModel | None = "open",
    ) -> None:
        if not sources or any(len(s.samples) == 0 for s in sources):
            empty = [s.name for s in sources if len(s.samples) == 0]
            raise HandscopeError(f"no pictures to train on: {', '.join(empty) or 'no source is given'}")
        weights = np.array([s.weight for s in sources], np.float64)
        self.sources, self.share = tuple(sources), np.cumsum(weights / weights.sum())
        self.crop, self.photometric, self.seed = crop, photometric, seed
        self.hand_model: HandModel | None = hand_model
        self.skipped = 0

    def __getitem__(self, index: int) -> Example:
        rng = np.random.default_rng([self.seed, index])
        for _ in range(50):
            source = self.sources[min(int(np.searchsorted(self.share, rng.random())), len(self.sources) - 1)]
            try:
                sample = source.samples[int(rng.integers(len(source.samples)))]
            except StoreError:  # the run would not be the one that it says it is
                raise
            except HandscopeError as problem:
                self.skipped += 1
                warnings.warn(f"skipped: {problem}", stacklevel=2)
                continue
            shown = chosen_kind([hand for hand in sample.hands if usable(hand)], rng)
            if shown:
                hand = shown[int(rng.integers(len(shown)))]
                return crop_example(sample, hand, rng, self.crop, self.photometric, self.hand_model)
        raise HandscopeError(f"{source.name}: fifty pictures in a row without a usable hand; check the data")


def chosen_kind(hands: Sequence[HandLabel], rng: np.random.Generator) -> Sequence[HandLabel]:
    """The hands of a picture, or, where something was taken for hands in it, with `NONE_SHARE` those places."""
    there = [hand for hand in hands if hand.present is not False]
    none = [hand for hand in hands if hand.present is False]
    return none if none and (not there or rng.random() < NONE_SHARE) else there


def collate(examples: list[Example]) -> Batch:
    """Examples to one batch of tensors; what is no field of a batch becomes one of its `labels`."""
    stacked = {key: torch.from_numpy(np.stack([e[key] for e in examples])) for key in examples[0]}
    own = {f.name for f in fields(Batch)}
    labels = {key: value for key, value in stacked.items() if key not in own}
    return Batch(**{key: value for key, value in stacked.items() if key in own}, labels=labels)


class ExampleSampler(Sampler[int]):
    """The examples of one process from `first_step` on: step s of rank r takes numbers (s * ranks + r) * batch and
    the next.
    """

    def __init__(self, *, batch: int, rank: int, ranks: int, first_step: int, last_step: int) -> None:
        self.batch, self.rank, self.ranks = batch, rank, ranks
        self.steps = range(first_step, last_step)

    def __iter__(self) -> Iterator[int]:
        for step in self.steps:
            start = (step * self.ranks + self.rank) * self.batch
            yield from range(start, start + self.batch)

    def __len__(self) -> int:
        return len(self.steps) * self.batch


def worker_init(_: int) -> None:
    """One thread a worker: the cores belong to the training processes."""
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
