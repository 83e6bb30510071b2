"""What a dataset says of every labelled hand, as arrays that scores can be taken against.

A row's key is "sample key#number of the hand in the picture"; `targets` numbers them the same way for predicting.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from handscope.data.cmu import CMUHands
from handscope.data.freihand import FreiHAND
from handscope.errors import HandscopeError
from handscope.evaluation.predictions import PackedMasks
from handscope.types import HandLabel, Sample, SampleSource

Floats = NDArray[np.float64]
MASK_LEVEL = 127
"""A pixel of a label's mask belongs to the hand if its coverage is above."""


class Dominance(IntEnum):
    """Whether a hand is the dominant one of its picture; hands without a mask beside others cannot tell."""

    NO = 0
    YES = 1
    UNKNOWN = 2


@dataclass(frozen=True, kw_only=True)
class Truth:
    """Labels of n hands: joints in px and metres with what is known and visible, and what scores need besides.

    `head` (n,) px and `box` (n, 4) px, as the label gives it, are NaN where nobody does; `size` (n, 2) is the pictures'
    width and height. `dominant` (n,) holds `Dominance`; `most_visible` (n,) is true for the hand of its picture with
    the most visible joints. `masks` has a row for every hand, some perhaps without a mask; `vertices` (n, V, 3) is None
    if there are none. `unreadable` says, in a sentence each, which pictures have no rows since they could not be read.
    """

    keys: NDArray[np.character]
    joints_2d: Floats
    known_2d: NDArray[np.bool_]
    joints_3d: Floats
    known_3d: NDArray[np.bool_]
    visible: NDArray[np.bool_]
    head: Floats
    box: Floats
    size: Floats
    dominant: NDArray[np.int8]
    most_visible: NDArray[np.bool_]
    masks: PackedMasks
    vertices: Floats | None = None
    unreadable: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.keys)

    def rows(self, chosen: NDArray[np.integer]) -> Truth:
        """The rows `chosen` (m,)."""
        values: dict[str, Any] = {}
        for item in fields(self):
            value = getattr(self, item.name)
            values[item.name] = value[chosen] if isinstance(value, np.ndarray) else value
        values["masks"] = PackedMasks.pack([self.masks[int(i)] for i in chosen])
        return Truth(**values)


def targets(sample: Sample) -> Iterator[tuple[str, HandLabel]]:
    """The labelled hands of a picture with their keys."""
    for number, hand in enumerate(sample.hands):
        yield f"{sample.key}#{number}", hand


def check_wrist(dataset: SampleSource) -> None:
    """HandscopeError if the reader was opened so that joint 0 is the palm: variants move it there themselves
    (`Variant.zeroth`), in labels and in answers alike, and would move a palm once more.
    """
    if getattr(dataset, "root_joint", "wrist") != "wrist":
        raise HandscopeError(
            "joint 0 of this dataset is the palm (root_joint=palm), but scores start from the wrist and put the palm "
            "where each variant has it; leave root_joint out"
        )


def read_truth(
    dataset: SampleSource, *, limit: int | None = None, progress: Callable[[int, int], None] | None = None
) -> Truth:
    """The truth of the first `limit` pictures of a dataset (all without); unreadable ones are told apart."""
    check_wrist(dataset)
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
        dominant, most_visible = dominance(sample.hands), most_visible_hand(sample.hands)
        for number, (key, hand) in enumerate(targets(sample)):
            whose = {"dominant": dominant[number], "most_visible": number == most_visible}
            rows.append(_row(key, hand, sample, head) | whose)
            masks.append(None if hand.mask is None else hand.mask > MASK_LEVEL)
            origin.append(i)
        if progress is not None:
            progress(i + 1, total)
    if not rows:
        raise HandscopeError("the dataset holds no labelled hand that could be read; see `handscope data check`")
    columns: dict[str, Any] = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    return Truth(
        masks=PackedMasks.pack(masks),
        vertices=_vertices(dataset, np.array(origin)),
        unreadable=tuple(unreadable),
        **columns,
    )


def dominance(hands: Sequence[HandLabel]) -> NDArray[np.int8]:
    """`Dominance` (n,) of the hands of one picture: the one whose mask has most pixels, the right one of two equals
    (hand3d, data/BinaryDbReader.py). A single hand is dominant without a mask; of several, all need one."""
    if len(hands) > 1 and any(hand.mask is None for hand in hands):
        return np.full(len(hands), Dominance.UNKNOWN, np.int8)
    areas = [0 if hand.mask is None else int((hand.mask > MASK_LEVEL).sum()) for hand in hands]
    found = np.full(len(hands), Dominance.NO, np.int8)
    if hands:
        found[_largest(hands, areas)] = Dominance.YES
    return found


def most_visible_hand(hands: Sequence[HandLabel]) -> int:
    """The number of the hand with the most visible joints, the right one of two equals (Minimal-Hand-pytorch,
    datasets/rhd.py); 0 without hands. A hand of which nothing is said counts as visible."""
    return _largest(hands, [21 if hand.visible is None else int(hand.visible.sum()) for hand in hands])


def _largest(hands: Sequence[HandLabel], values: Sequence[int]) -> int:
    ranks = [(value, hand.handedness == "right") for value, hand in zip(values, hands, strict=True)]
    return max(range(len(hands)), key=lambda n: ranks[n], default=0)


def _row(key: str, hand: HandLabel, sample: Sample, head: float | None) -> dict[str, Any]:
    row: dict[str, Any] = {"keys": key, "head": np.nan if head is None else head}
    for name, width in (("2d", 2), ("3d", 3)):
        joints, known = getattr(hand, f"joints_{name}"), getattr(hand, f"joints_{name}_known")
        row[f"joints_{name}"] = np.zeros((21, width)) if joints is None else np.asarray(joints, np.float64)
        row[f"known_{name}"] = np.full(21, joints is not None) if known is None else known
    row["visible"] = np.ones(21, bool) if hand.visible is None else hand.visible
    row["box"] = np.full(4, np.nan) if hand.box is None else np.asarray(hand.box, np.float64)
    row["size"] = np.array(sample.image.shape[1::-1], np.float64)
    return row


def _vertices(dataset: SampleSource, origin: NDArray[np.integer]) -> Floats | None:
    """FreiHAND's vertices (n, 778, 3), if its file is there."""
    if not isinstance(dataset, FreiHAND) or not (dataset.root / f"{dataset.split}_verts.json").exists():
        return None
    return dataset.vertices[origin % len(dataset.K)]
