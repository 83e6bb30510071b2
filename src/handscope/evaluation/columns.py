"""The six columns of the paper's Tables 2 to 5, hand by hand, of every block of a network on labelled crops.

2D pose and 2D pose from the mesh: area under PCK from 0 to 0.2 of the longer side of the known joints' box. Mask and
mask from the mesh: IoU of the visible hand. 3D pose and mesh: area under PCK from 0 to 50 mm after FreiHAND's
alignment with scale, of joints and of vertices. The paper does not say which areas its columns are;
docs/reproduction.md tells why these.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from handscope.data.mixture import collate
from handscope.data.transforms import CropConfig, crop_example, usable
from handscope.errors import HandscopeError
from handscope.evaluation.alignment import align_w_scale
from handscope.evaluation.curves import Thresholds, areas, pck_curve
from handscope.evaluation.masks import iou_pck
from handscope.geometry.boxes import longer_side, tight_box
from handscope.geometry.camera_torch import project_centred
from handscope.geometry.heatmaps import crop_to_map
from handscope.hand.layer import HandLayer
from handscope.render.silhouette import soft_silhouette
from handscope.tasks.conventions import as_labelled, as_modelled
from handscope.types import Batch, BlockPrediction, HandModel, MeshPrediction, Prediction, SampleSource

Floats = NDArray[np.float64]
COLUMNS = {
    "joints_2d": "2D pose",
    "joints_2d_mesh": "2D pose†",
    "mask": "mask",
    "mask_mesh": "mask†",
    "joints_3d": "3D pose",
    "mesh": "mesh",
}
"""The paper's headings; † is from the projected mesh."""
AT_2D, AT_3D = Thresholds(low=0, high=0.2, steps=101), Thresholds(low=0, high=0.05, steps=100)
AT_MASK = np.linspace(0, 1, 101)
HARD = 0.02
"""Sigma (squared px) at which a soft silhouette is as good as hard."""


@dataclass(frozen=True)
class BlockScore:
    """Of one block, by column: `values` (n,) of the hands, NaN where nothing is known or asked; `curves` (t,), the PCK
    (IoU PCK of masks) over the thresholds of `AT_2D`, `AT_3D` or `AT_MASK`.
    """

    values: dict[str, Floats]
    curves: dict[str, Floats]


class CropSet:
    """The first `limit` usable hands of a source as upright crops, left hands mirrored, nothing else changed.

    `keys` (n,) name them, "picture#number". HandscopeError if there are none.
    """

    def __init__(
        self,
        samples: SampleSource,
        crop: CropConfig,
        *,
        hand_model: HandModel | None = "open",
        limit: int | None = None,
        batch: int = 32,
    ) -> None:
        plain = CropConfig(
            size=crop.size,
            mask_size=crop.mask_size,
            fill=crop.fill,
            rotation_deg=0.0,
            any_rotation_prob=0.0,
            translation=0.0,
            scale=0.0,
            mirror_prob=0.0,
        )
        self.batch, self.examples, keys = batch, [], []
        for i in range(len(samples)):
            if limit is not None and len(keys) >= limit:
                break
            sample = samples[i]
            for number, hand in enumerate(sample.hands):
                if usable(hand) and (limit is None or len(keys) < limit):
                    rng = np.random.default_rng(0)
                    self.examples.append(crop_example(sample, hand, rng, plain, None, hand_model))
                    keys.append(f"{sample.key}#{number}")
        if not keys:
            raise HandscopeError("no hand to score: the pictures of this source label none that a crop can be taken of")
        self.keys = np.array(keys)

    def __len__(self) -> int:
        return len(self.examples)

    def batches(self) -> Iterator[Batch]:
        """All crops, in order."""
        for i in range(0, len(self), self.batch):
            yield collate(self.examples[i : i + self.batch])

    def score(self, answer: Callable[[Batch], Prediction], hand: HandLayer | None) -> list[BlockScore]:
        """Every block of what `answer` says, wherever it says it; `hand` is the model whose labels these are (none, no
        mesh is scored).
        """
        parts: list[list[dict[str, Floats]]] = []
        hand = None if hand is None else copy.deepcopy(hand).cpu()
        for batch in self.batches():
            with torch.no_grad():
                said = on_cpu(answer(batch))
                parts.append([_errors(block, batch, hand) for block in said.blocks])
        return [
            _scored({name: np.concatenate([part[k][name] for part in parts]) for name in COLUMNS})
            for k in range(len(parts[0]))
        ]


def on_cpu(said: Prediction) -> Prediction:
    """The same beside the labels, which are read from disk."""
    return Prediction(blocks=tuple(_moved(block) for block in said.blocks))


def _moved(said: Any) -> Any:
    if isinstance(said, Tensor):
        return said.cpu()
    if isinstance(said, Mapping):
        return {name: _moved(value) for name, value in said.items()}
    if isinstance(said, BlockPrediction | MeshPrediction):
        given = {field.name: _moved(getattr(said, field.name)) for field in dataclasses.fields(said)}
        return dataclasses.replace(said, **given)
    return said


def _scored(errors: dict[str, Floats]) -> BlockScore:
    values, curves = {}, {}
    for name, found in errors.items():
        if name.startswith("mask"):
            known = found[~np.isnan(found)]
            values[name] = found[:, 0]
            curves[name] = iou_pck(known, AT_MASK) if len(known) else np.full(len(AT_MASK), np.nan)
            continue
        at = AT_2D if name.startswith("joints_2d") else AT_3D
        known = ~np.isnan(found)
        totals = np.where(known, areas(found, at), 0.0).sum(1)
        count = known.sum(1)
        values[name] = np.where(count > 0, totals / np.maximum(count, 1), np.nan)
        curves[name] = pck_curve(found, at)
    return BlockScore(values, curves)


def _errors(block: BlockPrediction, batch: Batch, hand: HandLayer | None) -> dict[str, Floats]:
    """Of one batch, by column (b, k): distances in box sides or metres, or the IoU; NaN where unknown."""
    count, mesh = len(batch.image), block.mesh
    nothing = lambda width: np.full((count, width), np.nan)  # noqa: E731
    out = {name: nothing(21) for name in ("joints_2d", "joints_2d_mesh", "joints_3d")}
    out |= {name: nothing(1) for name in ("mask", "mask_mesh")}
    out["mesh"] = nothing(1 if hand is None else len(hand.template))
    if block.joints_2d is not None:
        out["joints_2d"] = _flat_errors(block.joints_2d, as_modelled(batch))
    if block.mask is not None:
        out["mask"] = _iou(_resized(block.mask, batch.mask.shape[-1]) > 0, batch)
    if mesh is None:
        return out
    read = as_labelled(mesh, batch)
    out["joints_2d_mesh"] = _flat_errors(read.joints_2d, batch)
    known = batch.joints_3d_known.cpu().numpy()
    out["joints_3d"] = np.where(known, _aligned_errors(read.joints_3d, batch.joints_3d, known), np.nan)
    if hand is not None:
        out["mask_mesh"] = _iou(_outline(mesh, hand, batch), batch)
        true, _ = hand(batch.beta, batch.theta, batch.R)
        whole = batch.model_known.cpu().numpy()[:, None]
        out["mesh"] = np.where(
            whole, _aligned_errors(mesh.vertices, true, whole & np.ones(true.shape[:2], bool)), np.nan
        )
    return out


def _flat_errors(found: Tensor, batch: Batch) -> Floats:
    """Distances (b, 21) in box sides of the known joints."""
    known = batch.joints_2d_known.cpu().numpy()
    true = batch.joints_2d.double().cpu().numpy()
    sides = np.array(
        [longer_side(tight_box(t[k])) if k.sum() > 1 else np.nan for t, k in zip(true, known, strict=True)]
    )
    errors = np.linalg.norm(found.double().cpu().numpy() - true, axis=-1) / sides[:, None]
    return np.where(known, errors, np.nan)


def _aligned_errors(found: Tensor, true: Tensor, known: NDArray[np.bool_]) -> Floats:
    """Distances (b, k) in metres after FreiHAND's alignment; rows of which nothing is known are meaningless."""
    goal = true.double().cpu().numpy()
    return np.linalg.norm(align_w_scale(found.double().cpu().numpy(), goal, known) - goal, axis=-1)


def _resized(maps: Float[Tensor, "b m m"], size: int) -> Tensor:
    return F.interpolate(maps[:, None], size=(size, size), mode="bilinear", align_corners=False)[:, 0]


def _outline(mesh: MeshPrediction, hand: HandLayer, batch: Batch) -> Tensor:
    """The projected mesh's mask (b, m, m) bool."""
    crop, size = batch.image.shape[1], batch.mask.shape[-1]
    points = crop_to_map(project_centred(mesh.vertices, mesh.focal * crop, crop), crop, size)
    return soft_silhouette(points, hand.silhouette_faces, size, HARD) > 0.5


def _iou(seen: Tensor, batch: Batch) -> Floats:
    """(b, 1), NaN where no mask is labelled."""
    true = batch.mask > 0.5
    either = (seen | true).sum((1, 2)).clamp(min=1)
    iou = ((seen & true).sum((1, 2)) / either).double().cpu().numpy()
    return np.where(batch.mask_known.cpu().numpy(), iou, np.nan)[:, None]
