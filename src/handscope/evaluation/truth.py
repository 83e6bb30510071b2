"""What a dataset says of every labelled hand, as arrays that scores can be taken against.

A row's key is "sample key#number of the hand in the picture"; `targets` numbers them the same way for predicting.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from handscope.data.cmu import CMUHands
from handscope.data.freihand import FreiHAND
from handscope.errors import HandscopeError
from handscope.evaluation.predictions import PackedMasks
from handscope.types import HandLabel, Sample, SampleSource

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Truth:
    """Labels of n hands: joints in px and metres with what is known and visible, and what scores need besides.

    `head` (n,) px is NaN where nobody gives it; `size` (n, 2) the pictures' width and height; `dominant` (n,) is true
    for the hand with the largest mask in its picture; `vertices` (n, V, 3) and `masks` are None if there are none.
    `unreadable` says, in a sentence each, which pictures have no rows since they could not be read.
    """

    keys: NDArray[np.character]
    joints_2d: Floats
    known_2d: NDArray[np.bool_]
    joints_3d: Floats
    known_3d: NDArray[np.bool_]
    visible: NDArray[np.bool_]
    head: Floats
    size: Floats
    dominant: NDArray[np.bool_]
    vertices: Floats | None = None
    masks: PackedMasks | None = None
    unreadable: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.keys)

    def rows(self, chosen: NDArray[np.integer]) -> Truth:
        """The rows `chosen` (m,)."""
        values: dict[str, Any] = {}
        for item in fields(self):
            value = getattr(self, item.name)
            if isinstance(value, PackedMasks):
                value = PackedMasks.pack([value[int(i)] for i in chosen])
            values[item.name] = value[chosen] if isinstance(value, np.ndarray) else value
        return Truth(**values)


def targets(sample: Sample) -> Iterator[tuple[str, HandLabel]]:
    """The labelled hands of a picture with their keys."""
    for number, hand in enumerate(sample.hands):
        yield f"{sample.key}#{number}", hand


def read_truth(
    dataset: SampleSource, *, limit: int | None = None, progress: Callable[[int, int], None] | None = None
) -> Truth:
    """The truth of the first `limit` pictures of a dataset (all without); unreadable ones are told apart."""
    rows: list[dict[str, Any]] = []
    masks: list[NDArray[np.bool_] | None] = []
    origin: list[int] = []
    unreadable: list[str] = []
    total = len(dataset) if limit is None else min(limit, len(dataset))
    for i in range(total):
        try:
            sample = dataset[i]
        except HandscopeError as error:
            unreadable.append(str(error))
            continue
        head = dataset.labelled(i).head_size if isinstance(dataset, CMUHands) else None
        largest = largest_mask(sample)
        for number, (key, hand) in enumerate(targets(sample)):
            rows.append(_row(key, hand, sample, head, number == largest))
            masks.append(None if hand.mask is None else hand.mask > 127)
            origin.append(i)
        if progress is not None:
            progress(i + 1, total)
    if not rows:
        raise HandscopeError("the dataset holds no labelled hand that could be read; see `handscope data check`")
    columns: dict[str, Any] = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    whole = [mask for mask in masks if mask is not None]
    columns["masks"] = PackedMasks.pack(whole) if len(whole) == len(rows) else None
    return Truth(vertices=_vertices(dataset, np.array(origin)), unreadable=tuple(unreadable), **columns)


def largest_mask(sample: Sample) -> int:
    """The number of the hand that shows most (RHD's dominant hand); 0 without masks."""
    areas = [0 if hand.mask is None else int((hand.mask > 127).sum()) for hand in sample.hands]
    return int(np.argmax(areas)) if areas else 0


def _row(key: str, hand: HandLabel, sample: Sample, head: float | None, dominant: bool) -> dict[str, Any]:
    row: dict[str, Any] = {"keys": key, "head": np.nan if head is None else head, "dominant": dominant}
    for name, width in (("2d", 2), ("3d", 3)):
        joints, known = getattr(hand, f"joints_{name}"), getattr(hand, f"joints_{name}_known")
        row[f"joints_{name}"] = np.zeros((21, width)) if joints is None else np.asarray(joints, np.float64)
        row[f"known_{name}"] = np.full(21, joints is not None) if known is None else known
    row["visible"] = np.ones(21, bool) if hand.visible is None else hand.visible
    row["size"] = np.array(sample.image.shape[1::-1], np.float64)
    return row


def _vertices(dataset: SampleSource, origin: NDArray[np.integer]) -> Floats | None:
    """FreiHAND's vertices (n, 778, 3), if its file is there."""
    if not isinstance(dataset, FreiHAND) or not (dataset.root / f"{dataset.split}_verts.json").exists():
        return None
    return dataset.vertices[origin % len(dataset.K)]
