"""Predictions against truth under named variants: values of every hand and keypoint, and the figures from them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from handscope.errors import HandscopeError
from handscope.evaluation import alignment, curves, masks, metrics
from handscope.evaluation.predictions import Predictions
from handscope.evaluation.truth import Truth
from handscope.evaluation.variants import ZEROTH, Variant
from handscope.skeleton import MIDDLE_MCP

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
MANO_VERTICES = 778


class Refusal(Exception):
    """A variant that has no meaning here; the message says why."""


@dataclass(frozen=True, kw_only=True)
class Result:
    """`values` (n, k) in the variant's unit: NaN unknown, inf not found; `figures` by name; `curve` (t,) at its
    thresholds."""

    variant: Variant
    values: Floats
    figures: dict[str, float]
    curve: Floats | None = None
    keys: NDArray[np.character] = field(default_factory=lambda: np.zeros(0, "U1"))


def evaluate(
    variants: list[Variant], predictions: Predictions, truth: Truth
) -> tuple[dict[str, Result], dict[str, str]]:
    """Results by variant, and why the others were refused. Rows are matched by their keys."""
    truth, order = match(predictions, truth)
    results: dict[str, Result] = {}
    refused: dict[str, str] = {}
    for variant in variants:
        try:
            results[variant.name] = score(variant, predictions, truth, order)
        except Refusal as reason:
            refused[variant.name] = str(reason)
    return results, refused


def match(predictions: Predictions, truth: Truth) -> tuple[Truth, NDArray[np.integer]]:
    """The rows of the truth that were to be predicted, and where (n,) their predictions stand."""
    place = {str(key): i for i, key in enumerate(predictions.keys)}
    there = np.array([str(key) in place for key in truth.keys])
    missing = truth.keys[~there]
    if not there.any() or (len(missing) and not predictions.header.get("limit")):
        raise HandscopeError(
            f"the predictions have no row for {missing[0]} (nor for {len(missing) - 1} more of {len(truth)} hands); "
            "give the same dataset and options to `handscope predict-dataset`"
        )
    truth = truth if there.all() else truth.rows(np.flatnonzero(there))
    return truth, np.array([place[str(key)] for key in truth.keys])


def score(variant: Variant, predictions: Predictions, truth: Truth, order: NDArray[np.integer]) -> Result:
    """One variant; `order` (n,) says which prediction belongs to each row of `truth`. Refusal if it has no meaning."""
    found = predictions.found[order]
    if variant.quantity == "mask":
        return _score_masks(variant, predictions, truth, order)
    if variant.quantity == "joints_2d":
        known = truth.known_2d & (truth.visible & truth.dominant[:, None] if variant.visible_only else True)
        scale = flat_scale(variant, truth)
        result = score_joints_2d(variant, predictions.joints_2d[order], truth.joints_2d, known, scale, found)
    elif variant.quantity == "joints_3d":
        known = truth.known_3d & (truth.visible & truth.dominant[:, None] if variant.visible_only else True)
        result = score_joints_3d(variant, predictions.joints_3d[order], truth.joints_3d, known, found)
    else:
        result = _score_mesh(variant, predictions, truth, order)
    return Result(variant=variant, values=result.values, figures=result.figures, curve=result.curve, keys=truth.keys)


def score_joints_3d(
    variant: Variant, predicted: Floats, true: Floats, known: Flags, found: Flags | None = None
) -> Result:
    """3D joints (n, 21, 3) m, errors in mm."""
    _need(known, "3D joints")
    if (half_way := ZEROTH[variant.zeroth]) is not None:
        predicted, true = (_with_palm(x, half_way) for x in (predicted, true))
        known = np.concatenate([known[:, :1] & known[:, half_way, None], known[:, 1:]], 1)
    chosen = list(variant.joints)
    steering = known[:, chosen]
    enough = steering.sum(1) >= variant.least_known
    moved = variant.align(predicted[:, chosen], true[:, chosen], steering)
    errors = 1000 * np.linalg.norm(moved - true[:, chosen], axis=-1)
    return error_result(variant, errors, steering & enough[:, None], found)


def score_joints_2d(
    variant: Variant, predicted: Floats, true: Floats, known: Flags, scale: Floats, found: Flags | None = None
) -> Result:
    """2D joints (n, 21, 2) px; errors are multiplied by `scale` (n,)."""
    _need(known & np.isfinite(scale)[:, None], "2D joints, or the unit of this variant")
    errors = metrics.joint_errors(predicted, true) * scale[:, None]
    return error_result(variant, errors, known & np.isfinite(scale)[:, None], found)


def error_result(variant: Variant, errors: Floats, known: Flags, found: Flags | None) -> Result:
    """Mean, median, AUC and curve of errors (n, k); a hand not `found` (n,) is wrong at every threshold."""
    assert variant.at is not None
    values = np.where(known, errors, np.nan)
    if found is not None:
        values = np.where(known & ~found[:, None], np.inf, values)
    hands = known.any(1)
    curve = curves.pck_curve(values, variant.at)
    figures = {
        "hands": float(hands.sum()),
        "found": 1.0 if found is None else float(found[hands].mean()),
        "mean": curves.mean_over_keypoints(values),
        "median": curves.median_over_keypoints(values),
        "auc": curves.area_under(curve, variant.at),
    }
    if variant.at.area == "mean":
        figures |= {f"pck@{t:.3g}": float(share) for t, share in zip(variant.at.values, curve, strict=True)}
    return Result(variant=variant, values=values, figures=figures, curve=curve)


def flat_scale(variant: Variant, truth: Truth) -> Floats:
    """What a pixel of the picture is in the variant's unit (n,); NaN where the truth does not tell."""
    joints = np.where(truth.known_2d[..., None], truth.joints_2d, np.nan)
    if variant.unit == "px":
        return np.ones(len(truth))
    if variant.unit == "0.7 head sizes":
        return 1 / (0.7 * truth.head)
    with np.errstate(invalid="ignore", divide="ignore"):
        if variant.unit == "box sides":
            low, high = (_quiet(f, joints) for f in (np.fmin, np.fmax))
            return 1 / (high - low).max(-1)
        return 256 / hand3d_crop_side(joints, truth.visible, truth.size)


def hand3d_crop_side(joints: Floats, visible: Flags, size: Floats) -> Floats:
    """Side (n,) px of hand3d's crop: twice the farthest reach from the middle knuckle of the visible joints inside the
    picture of `size` (n, 2), between 50 and 500; 200 if none is visible (data/BinaryDbReader.py)."""
    centre = joints[:, MIDDLE_MCP]
    inside = np.clip(np.where(visible[..., None], joints, np.nan), 0, size[:, None])
    low, high = (_quiet(f, inside) for f in (np.fmin, np.fmax))
    reach = 2 * np.maximum(high - centre, centre - low).max(-1)
    return np.where(np.isfinite(reach), np.clip(reach, 50, 500), 200.0)


def _quiet(take: np.ufunc, joints: Floats) -> Floats:
    """`take` (fmin or fmax, which pass over NaN) along the joints (n, j, 2)."""
    return take.reduce(joints, axis=1)


def _with_palm(joints: Floats, half_way: int) -> Floats:
    palm = (joints[:, :1] + joints[:, half_way, None]) / 2
    return np.concatenate([palm, joints[:, 1:]], 1)


def _need(known: Flags, what: str) -> None:
    if not known.any():
        raise Refusal(f"the truth has no {what}")


def _score_mesh(variant: Variant, predictions: Predictions, truth: Truth, order: NDArray[np.integer]) -> Result:
    from handscope.evaluation.surface import f_scores, nearest_vertex_distance

    if truth.vertices is None:
        raise Refusal("the truth has no vertices")
    if predictions.vertices is None:
        raise Refusal("the predictions have no vertices; make them with `handscope predict-dataset --vertices`")
    predicted, true = predictions.vertices[order].astype(np.float64), truth.vertices
    found = predictions.found[order]
    if variant.quantity == "surface":
        trafo = alignment.similarity(predictions.joints_3d[order], truth.joints_3d, truth.known_3d, reflections=False)
        moved = trafo.apply(predicted)
    elif predicted.shape[1] == true.shape[1] or (variant.quantity == "f_score" and variant.root == "none"):
        moved = variant.align(predicted, true)
    else:
        raise Refusal(
            f"vertices do not correspond: {predicted.shape[1]} predicted, {true.shape[1]} true (MANO has "
            f"{MANO_VERTICES}); the freihand_surface variants compare surfaces instead, and are not MPVPE"
        )
    if variant.quantity == "vertices":
        errors = 1000 * np.linalg.norm(moved - true, axis=-1)
        return error_result(variant, errors, np.ones(true.shape[:2], bool), found)
    pairs = zip(moved, true, strict=True)
    if variant.limit_m > 0:
        scores = np.array([f_scores(p, t, [variant.limit_m])[0] for p, t in pairs])
        return _mean_result(variant, np.where(found, scores, 0.0), found)
    distances = 1000 * np.array([nearest_vertex_distance(p, t) for p, t in pairs])
    return _mean_result(variant, np.where(found, distances, np.inf), found)


def _mean_result(variant: Variant, values: Floats, found: Flags) -> Result:
    """A variant whose only figure is the mean of one value (n,) a hand."""
    finite = values[np.isfinite(values)]
    figures = {
        "hands": float(len(values)),
        "found": float(found.mean()),
        "mean": float(finite.mean()) if len(finite) else float("nan"),
    }
    return Result(variant=variant, values=values[:, None], figures=figures)


def _score_masks(variant: Variant, predictions: Predictions, truth: Truth, order: NDArray[np.integer]) -> Result:
    if truth.masks is None:
        raise Refusal("the truth has no masks")
    if predictions.masks is None:
        raise Refusal("the predictions have no masks; make them with `handscope predict-dataset --masks`")
    assert variant.at is not None
    ious, parts = [], []
    for row, i in enumerate(order):
        true, predicted = truth.masks[row], predictions.masks[int(i)]
        if predicted.shape != true.shape:
            raise HandscopeError(
                f"{truth.keys[row]}: the predicted mask is {predicted.shape}, the true one {true.shape}; "
                "give the same dataset and options to `handscope predict-dataset`"
            )
        ious.append(metrics.mask_iou(predicted, true))
        parts.append(masks.confusion(predicted, true))
    whole = masks.total(parts)
    figures: dict[str, Any] = {
        "hands": float(len(ious)),
        "found": float(predictions.found[order].mean()),
        "mean": float(np.mean(ious)),
        "auc": masks.iou_pck_area(ious),
        "miou_hand": whole.hand_iou,
        "miou_hand_and_background": whole.mean_iou,
    }
    curve = masks.iou_pck(ious, variant.at.values)
    return Result(variant=variant, values=np.array(ious)[:, None], figures=figures, curve=curve, keys=truth.keys)
