"""Predictions against truth under named variants: values of every hand and keypoint, and the figures from them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from handscope.errors import HandscopeError
from handscope.evaluation import alignment, curves, masks, metrics
from handscope.evaluation.predictions import Predictions
from handscope.evaluation.truth import Dominance, Truth
from handscope.evaluation.units import flat_scale
from handscope.evaluation.variants import ZEROTH, Variant
from handscope.geometry.camera import project

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
MANO_VERTICES = 778


class Refusal(Exception):
    """A variant that has no meaning here; the message says why."""


@dataclass(frozen=True, kw_only=True)
class Result:
    """`values` (n, k) in the variant's unit: NaN unknown, inf not found; `figures` by name; `curve` (t,) at its
    thresholds; `notes` say in a sentence each which hands count otherwise than one might think."""

    variant: Variant
    values: Floats
    figures: dict[str, float]
    curve: Floats | None = None
    notes: tuple[str, ...] = ()
    found: Flags = field(default_factory=lambda: np.zeros(0, np.bool_))
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
    notes: tuple[str, ...] = ()
    if variant.quantity == "mask":
        result = _score_masks(variant, predictions, truth, order)
    elif variant.quantity == "joints_2d":
        counted, notes = hands_that_count(variant, truth)
        known, visible = truth.known_2d & counted[:, None], truth.visible if variant.visible_only else None
        scale = flat_scale(variant, truth)
        predicted = projected(predictions)[order] if variant.from_mesh else predictions.joints_2d[order]
        _need_answers(predicted, found, "2D joints")
        result = score_joints_2d(variant, predicted, truth.joints_2d, known, scale, found, visible)
    elif variant.quantity == "joints_3d":
        counted, notes = hands_that_count(variant, truth)
        known, visible = truth.known_3d & counted[:, None], truth.visible if variant.visible_only else None
        predicted = predictions.joints_3d[order]
        _need_answers(predicted, found, "3D joints")
        result = score_joints_3d(variant, predicted, truth.joints_3d, known, found, visible)
    else:
        result = _score_mesh(variant, predictions, truth, order)
    return replace(result, keys=truth.keys, found=found, notes=(*result.notes, *notes))


def projected(predictions: Predictions) -> Floats:
    """The 3D joints (n, 21, 2) px of each prediction as its own camera sees them; zeros where none was found."""
    if predictions.K is None:
        raise Refusal("the predictions have no K to project 3D joints by; make them with `handscope predict-dataset`")
    seen = np.zeros_like(predictions.joints_2d)
    for row in np.flatnonzero(predictions.found):
        seen[row] = project(predictions.joints_3d[row], predictions.K[row])
    return seen


def hands_that_count(variant: Variant, truth: Truth) -> tuple[Flags, tuple[str, ...]]:
    """Which hands (n,) a variant scores, and what has to be said of that."""
    unknown = truth.dominant == Dominance.UNKNOWN
    if variant.hands == "dominant":
        told = f"{unknown.sum()} hands share a picture with others and lack masks to tell the dominant one; all count"
        return truth.dominant != Dominance.NO, (told,) if unknown.any() else ()
    if variant.hands == "dominant_v0":
        first = np.array([str(key).endswith("#0") for key in truth.keys])
        return (truth.dominant == Dominance.YES) | (unknown & first), ()
    if variant.hands == "most visible":
        return truth.most_visible, ()
    return np.ones(len(truth), np.bool_), ()


def score_joints_3d(
    variant: Variant,
    predicted: Floats,
    true: Floats,
    known: Flags,
    found: Flags | None = None,
    visible: Flags | None = None,
) -> Result:
    """3D joints (n, 21, 3) m, errors in mm, of those `known` and, if given, `visible` (n, 21)."""
    _need(known, "3D joints")
    predicted, true, known = with_joint_0(variant, predicted, true, known, visible)
    chosen = list(variant.joints)
    steering = known[:, chosen]
    enough = steering.sum(1) >= variant.least_known
    moved = variant.align(predicted[:, chosen], true[:, chosen], steering)
    errors = 1000 * np.linalg.norm(moved - true[:, chosen], axis=-1)
    return error_result(variant, errors, steering & enough[:, None], found)


def score_joints_2d(
    variant: Variant,
    predicted: Floats,
    true: Floats,
    known: Flags,
    scale: Floats,
    found: Flags | None = None,
    visible: Flags | None = None,
) -> Result:
    """2D joints (n, 21, 2) px, of those `known` and, if given, `visible`; errors are multiplied by `scale` (n,)."""
    known = known & np.isfinite(scale)[:, None]
    _need(known, "2D joints, or the unit of this variant")
    true = np.trunc(true) if variant.whole_px else true
    predicted, true, known = with_joint_0(variant, predicted, true, known, visible)
    errors = metrics.joint_errors(predicted, true) * scale[:, None]
    return error_result(variant, errors, known, found)


def with_joint_0(
    variant: Variant, predicted: Floats, true: Floats, known: Flags, visible: Flags | None
) -> tuple[Floats, Floats, Flags]:
    """Joints (n, 21, d) with the variant's joint 0, and which of them count (n, 21).

    A palm is known if both wrist and knuckle are, and visible if either is (hand3d, data/BinaryDbReader.py).
    """
    half_way = ZEROTH[variant.zeroth]
    if half_way is not None:
        predicted, true = (_first_replaced(x, (x[:, 0] + x[:, half_way]) / 2) for x in (predicted, true))
        known = _first_replaced(known, known[:, 0] & known[:, half_way])
        if visible is not None:
            visible = _first_replaced(visible, visible[:, 0] | visible[:, half_way])
    return predicted, true, known if visible is None else known & visible


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


def _first_replaced(values: NDArray[Any], first: NDArray[Any]) -> NDArray[Any]:
    """Values (n, 21, ...) with `first` (n, ...) in place of those of joint 0."""
    return np.concatenate([first[:, None], values[:, 1:]], 1)


def _need(known: Flags, what: str) -> None:
    if not known.any():
        raise Refusal(f"the truth has no {what}")


def _need_answers(predicted: Floats, found: Flags, what: str) -> None:
    lacking = int((found & ~np.isfinite(predicted).all((1, 2))).sum())
    if lacking:
        raise Refusal(f"the predictions have no {what} for {lacking} of the hands they found")


def _score_mesh(variant: Variant, predictions: Predictions, truth: Truth, order: NDArray[np.integer]) -> Result:
    from handscope.evaluation.surface import f_scores, nearest_vertex_distance

    if truth.vertices is None:
        raise Refusal("the truth has no vertices")
    if predictions.vertices is None:
        raise Refusal("the predictions have no vertices; make them with `handscope predict-dataset --vertices`")
    predicted, true = predictions.vertices[order].astype(np.float64), truth.vertices
    found = predictions.found[order]
    if variant.quantity == "surface":
        _need_answers(predictions.joints_3d[order], found, "3D joints")
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
    known = truth.masks.known
    if not known.any():
        raise Refusal("the truth has no masks")
    said = predictions.mesh_masks if variant.from_mesh else predictions.masks
    if said is None:
        whose = "masks of meshes" if variant.from_mesh else "masks"
        raise Refusal(f"the predictions have no {whose}; make them with `handscope predict-dataset --masks`")
    assert variant.at is not None
    found, ious, parts = predictions.found[order] & said.known[order], np.full(len(truth), np.nan), []
    for row in np.flatnonzero(known):
        true, key = truth.masks[int(row)], truth.keys[row]
        predicted = said[int(order[row])] if found[row] else np.zeros_like(true)
        if predicted.shape != true.shape:
            raise HandscopeError(
                f"{key}: the predicted mask is {predicted.shape}, the true one {true.shape}; "
                "give the same dataset and options to `handscope predict-dataset`"
            )
        ious[row] = metrics.mask_iou(predicted, true)
        parts.append(masks.confusion(predicted, true))
    whole, scored = masks.total(parts), ious[known]
    figures: dict[str, Any] = {
        "hands": float(known.sum()),
        "found": float(found[known].mean()),
        "mean": float(scored.mean()),
        "auc": masks.iou_pck_area(scored),
        "miou_hand": whole.hand_iou,
        "miou_hand_and_background": whole.mean_iou,
    }
    lacking = len(known) - int(known.sum())
    notes = (f"{lacking} of {len(known)} hands have no mask in the truth and are left out",) if lacking else ()
    curve = masks.iou_pck(scored, variant.at.values)
    return Result(variant=variant, values=ious[:, None], figures=figures, curve=curve, notes=notes)
