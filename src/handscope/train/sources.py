"""Where the crops of estimator and aligner come from: any mixture of shards, photographs and datasets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from handscope.data.candidates import WithCandidates
from handscope.data.catalog import open_dataset, open_shards
from handscope.data.mixture import CropMixture, Source
from handscope.data.partly_labelled import PartlyLabelled
from handscope.data.people import PeopleDataset
from handscope.data.photos import PhotoDataset
from handscope.data.transforms import CropConfig, PhotometricConfig
from handscope.types import HandModel, SampleSource


@dataclass(frozen=True, kw_only=True)
class SourceConfig:
    """Where pictures come from: a folder or URL of shards, photographs with labels, those of people, or a dataset of
    the catalog by `name` (with its reader's `options`); chosen with `weight`. `labelled` is the share of its pictures
    that keep their labels; of the others the consistency alone learns. `candidates` is a file of what detectors took
    for hands in these pictures (`data.candidates`).
    """

    kind: Literal["shards", "photos", "people", "dataset"]
    path: str
    weight: float = 1.0
    labelled: float = 1.0
    labels: str | None = None
    candidates: str | None = None
    name: str | None = None
    options: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.weight <= 0:
            raise ValueError(f"{self.path}: weight must be positive, got {self.weight}")
        if (self.kind == "dataset") != (self.name is not None):
            raise ValueError(f"{self.path}: kind 'dataset' needs a name (freihand, rhd, ...), and only that kind does")


def open_mixture(
    sources: Sequence[SourceConfig],
    crop: CropConfig,
    photometric: PhotometricConfig,
    seed: int,
    hand_model: HandModel | None = None,
) -> CropMixture:
    """Crops of all `sources`, chosen by their weights; HandscopeError if one is empty.

    `hand_model` is the one whose parameters are learnt; None where none are.
    """
    opened = [Source(name=s.path, samples=open_source(s), weight=s.weight) for s in sources]
    return CropMixture(opened, crop, photometric, seed, hand_model)


def open_source(source: SourceConfig) -> SampleSource:
    """The samples of one source; HandscopeError if there are none."""
    samples = _open(source)
    if source.labelled < 1:
        samples = PartlyLabelled(samples, source.labelled)
    return samples if source.candidates is None else WithCandidates(samples, source.candidates)


def _open(source: SourceConfig) -> SampleSource:
    if source.kind == "people":
        return PeopleDataset(source.path)
    if source.kind == "photos":
        return PhotoDataset(source.path, source.labels, split="train")
    if source.kind == "dataset":
        assert source.name is not None
        return open_dataset(source.name, source.path, source.options)
    return open_shards(source.path)
