"""Run a model over a dataset once and keep its answer for every labelled hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from handscope.data.inventory import DamagedError, damaged, refusal
from handscope.errors import HandscopeError
from handscope.evaluation.masks import mesh_mask
from handscope.evaluation.matching import FOUND_IOU
from handscope.evaluation.predictions import PackedMasks, Predictions
from handscope.evaluation.protocols import best_match
from handscope.evaluation.truth import check_wrist, targets
from handscope.geometry.camera import Camera
from handscope.types import FloatArray, Hand, HandLabel, JsonValue, Sample, SampleSource

Model = Callable[[NDArray[np.uint8], Camera | None, FloatArray | None], Sequence[Hand]]
"""From a picture, its camera or None, and boxes (n, 4) or None (find the hands yourself), to hands."""


RESIDUAL = "mano_residual_mm"
"""The key of `Hand.extras` in which a fit of MANO says how far its joints are from ours."""


@dataclass
class _Rows:
    keys: list[str] = field(default_factory=list)
    hands: list[Hand | None] = field(default_factory=list)
    masks: list[NDArray[np.bool_] | None] = field(default_factory=list)
    mesh_masks: list[NDArray[np.bool_] | None] = field(default_factory=list)

    def add(self, key: str, hand: Hand | None) -> None:
        """One more row."""
        self.keys.append(key)
        self.hands.append(hand)

    def add_masks(self, hand: Hand | None, height: int = 0, width: int = 0) -> None:
        """The masks of the last row in its picture: the hand's own, and that of its mesh."""
        self.masks.append(None if hand is None else hand.mask)
        self.mesh_masks.append(None if hand is None else mesh_mask(hand, height, width))


def predict(
    dataset: SampleSource,
    model: Model,
    *,
    oracle_boxes: bool = False,
    vertices: bool = False,
    masks: bool = False,
    limit: int | None = None,
    skip_damaged: bool = True,
    header: Mapping[str, JsonValue] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Predictions:
    """The model's answer for each labelled hand of the first `limit` pictures.

    With `oracle_boxes` the label's box is given; otherwise the predicted hand that overlaps it most is taken, if by
    IoU 0.3 at least (without any box to compare with: the best hand). An unreadable picture keeps its place: one row
    that was not found, called "unreadable/NUMBER#0"; unless damaged ones are to be skipped, DamagedError says how many
    there are.
    """
    check_wrist(dataset)
    rows, unreadable = _Rows(), 0
    total = len(dataset) if limit is None else min(limit, len(dataset))
    for i in range(total):
        try:
            sample = dataset[i]
        except HandscopeError as problem:
            if not skip_damaged:
                problems = [str(problem), *damaged(dataset, limit, start=i + 1, progress=progress)]
                raise DamagedError(refusal(problems, total)) from problem
            unreadable += 1
            rows.add(f"unreadable/{i}#0", None)
            if masks:
                rows.add_masks(None)
            continue
        hands = None if oracle_boxes else list(model(sample.image, _camera(sample), None))
        for key, label in targets(sample):
            hand = _with_box(model, sample, label) if hands is None else _answer(hands, label)
            rows.add(key, hand)
            if masks:
                rows.add_masks(hand, *sample.image.shape[:2])
        if progress is not None:
            progress(i + 1, total)
    about = {"oracle_boxes": oracle_boxes, "limit": limit, "unreadable": unreadable, "pictures": total}
    return _stack(rows, vertices=vertices, masks=masks, header={**(header or {}), **about})


def _camera(sample: Sample) -> Camera | None:
    """A data set's K belongs to its picture, wherever its principal point lies: crops of larger pictures have such."""
    height, width = sample.image.shape[:2]
    return None if sample.K is None else Camera(sample.K, (width, height))


def _with_box(model: Model, sample: Sample, label: HandLabel) -> Hand | None:
    """The hand in the label's box; None if there is no box, or one outside the picture."""
    if label.box is None:
        raise HandscopeError(f"{sample.key}: its label has no box to give; leave --oracle-boxes out")
    try:
        found = model(sample.image, _camera(sample), np.asarray(label.box, np.float64)[None])
    except HandscopeError:
        return None
    return found[0] if found else None


def _answer(hands: Sequence[Hand], label: HandLabel) -> Hand | None:
    if label.box is not None:
        return best_match(hands, label.box, iou=FOUND_IOU)
    return max(hands, key=lambda hand: hand.score, default=None)


def _stack(rows: _Rows, *, vertices: bool, masks: bool, header: dict[str, Any]) -> Predictions:
    first = next((hand for hand in rows.hands if hand is not None), None)
    size = 0 if first is None else len(first.vertices)

    def column(name: str, *shape: int) -> NDArray[np.float64]:
        empty = np.zeros(shape, np.float32)
        values = [empty if hand is None else getattr(hand, name) for hand in rows.hands]
        return np.array(values, np.float64).reshape(len(values), *shape)

    refits = [np.nan if hand is None else hand.extras.get(RESIDUAL, np.nan) for hand in rows.hands]
    return Predictions(
        keys=np.array(rows.keys, dtype=np.str_),
        found=np.array([hand is not None for hand in rows.hands], bool),
        joints_2d=column("joints_2d", 21, 2),
        joints_3d=column("joints_3d", 21, 3),
        vertices=column("vertices", size, 3) if vertices else None,
        masks=PackedMasks.pack(rows.masks) if masks else None,
        K=column("K", 3, 3),
        mesh_masks=PackedMasks.pack(rows.mesh_masks) if masks else None,
        refit_residual_mm=np.array(refits) if np.isfinite(refits).any() else None,
        header=header,
    )
