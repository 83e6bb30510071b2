"""The datasets by name: how to open a folder, and where the data card is.

A new dataset is a module whose class takes the folder and keyword options of strings, a line here, and a card.
"""

from __future__ import annotations

from collections.abc import Callable
from inspect import signature
from pathlib import Path
from typing import NamedTuple

from handscope.data.cmu import CMUHands
from handscope.data.dexter_object import DexterObject
from handscope.data.freihand import FreiHAND
from handscope.data.hiu import HIUData
from handscope.data.ho3d import HO3D
from handscope.data.interhand import InterHand
from handscope.data.photos import PhotoDataset
from handscope.data.rhd import RHD
from handscope.data.shard_places import find_shards, is_url
from handscope.data.shards import ShardReader
from handscope.data.stb import STB
from handscope.errors import HandscopeError
from handscope.types import SampleSource


class Entry(NamedTuple):
    """How to open a dataset, and its data card (a path in the repository)."""

    open: Callable[..., SampleSource]
    card: str


def open_shards(root: Path | str) -> ShardReader:
    """All shards of a folder, or of a URL that fsspec reads (`find_shards`)."""
    paths = find_shards(root)
    if not paths:
        raise HandscopeError(f"{root}: no shards (*.tar); make some with `handscope synth [--scenes] --out {root}`")
    return ShardReader(paths)


DATASETS: dict[str, Entry] = {
    "freihand": Entry(FreiHAND, "docs/data/freihand.md"),
    "rhd": Entry(RHD, "docs/data/rhd.md"),
    "stb": Entry(STB, "docs/data/stb.md"),
    "dexter_object": Entry(DexterObject, "docs/data/dexter_object.md"),
    "cmu": Entry(CMUHands, "docs/data/cmu.md"),
    "hiu": Entry(HIUData, "docs/data/hiu.md"),
    "interhand": Entry(InterHand, "docs/data/interhand.md"),
    "ho3d": Entry(HO3D, "docs/data/ho3d.md"),
    "shards": Entry(open_shards, "docs/synthesis.md"),
    "photos": Entry(PhotoDataset, "recipes/labels/README.md"),
}


def open_dataset(name: str, root: Path | str, options: dict[str, str] | None = None) -> SampleSource:
    """The dataset `name` in folder `root`; HandscopeError for an unknown name or option."""
    if name not in DATASETS:
        raise HandscopeError(f"no dataset is called {name!r}; there are {', '.join(DATASETS)}")
    if not Path(root).is_dir() and not (name == "shards" and is_url(root)):
        raise HandscopeError(f"{root}: no such folder; see {DATASETS[name].card} for how to get {name}")
    known = list(signature(DATASETS[name].open).parameters)[1:]
    strange = [option for option in options or {} if option not in known]
    if strange:
        raise HandscopeError(f"{name} has no option {strange[0]!r}; there are {', '.join(known) or 'none'}")
    return DATASETS[name].open(root, **(options or {}))
