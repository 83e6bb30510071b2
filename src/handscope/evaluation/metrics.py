"""Scores of one hand or one set: 2D error, PCK, PA-MPJPE, intersection over union; plain numpy functions.

Definitions (where the literature has several, the one named here): PCK@x counts joints whose error is at
most x times the longer side of the true joints' tight box (mmpose; the threshold is inclusive as in
FreiHAND's EvalUtil). PA-MPJPE aligns by the best similarity without reflection (Umeyama 1991, as HaMeR;
FreiHAND's own script allows reflections, which flatters a mirrored hand).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from handscope.evaluation import alignment


def joint_errors(predicted: ArrayLike, true: ArrayLike) -> NDArray[np.float64]:
    """Distances (..., j) between corresponding points (..., j, d), in their unit."""
    return np.linalg.norm(np.asarray(predicted, np.float64) - np.asarray(true, np.float64), axis=-1)


def pck(errors: ArrayLike, size: ArrayLike, threshold: float) -> float:
    """Share of the errors (..., j) that are at most `threshold` times the box sides (...)."""
    errors = np.asarray(errors, np.float64)
    return float((errors <= threshold * np.asarray(size, np.float64)[..., None]).mean())


def area_under_pck(errors: ArrayLike, size: ArrayLike, *, highest: float = 0.2, steps: int = 101) -> float:
    """Area under PCK@t for t from 0 to `highest`, as a share of the largest possible."""
    thresholds = np.linspace(0, highest, steps)
    curve = [pck(errors, size, float(t)) for t in thresholds]
    return float(np.trapezoid(curve, thresholds) / highest)


def align_similarity(source: ArrayLike, target: ArrayLike) -> NDArray[np.float64]:
    """`source` (n, d) turned, scaled and moved (never mirrored) to lie closest to `target` (n, d)."""
    source, target = np.asarray(source, np.float64), np.asarray(target, np.float64)
    return alignment.align_similarity(source[None], target[None])[0]


def pa_mpjpe(predicted: ArrayLike, true: ArrayLike) -> float:
    """Mean distance of the joints (j, 3) after `align_similarity`, in the joints' unit."""
    return float(joint_errors(align_similarity(predicted, true), true).mean())


def mask_iou(predicted: NDArray[np.bool_], true: NDArray[np.bool_]) -> float:
    """Intersection over union of two masks (h, w); 1 if both are empty."""
    union = np.logical_or(predicted, true).sum()
    return 1.0 if union == 0 else float(np.logical_and(predicted, true).sum() / union)


def average_precision(scores: ArrayLike, right: ArrayLike, total: int) -> float:
    """Area under precision over recall of answers with `scores` (n,), of which some are `right` (n,), where `total`
    could have been: each right one counts with the precision of what scores no less.
    """
    order = np.argsort(-np.asarray(scores, np.float64), kind="stable")
    hits = np.asarray(right, bool)[order]
    precision = np.cumsum(hits) / np.arange(1, len(hits) + 1)
    return float(precision[hits].sum() / max(total, 1))
