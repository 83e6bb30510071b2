"""Meshes against meshes: FreiHAND's F-score, and a distance between surfaces that need no correspondence.

The F-score is that of FreiHAND's eval.py with scipy's k-d tree in place of open3d's old names.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

Floats = NDArray[np.float64]
F_THRESHOLDS_M = (0.005, 0.015)


def nearest_distances(predicted: Floats, true: Floats) -> tuple[Floats, Floats]:
    """Distance of each predicted point (v, 3) to the nearest true one (w, 3), and of each true to a predicted."""
    return KDTree(true).query(predicted)[0], KDTree(predicted).query(true)[0]


def f_scores(predicted: Floats, true: Floats, thresholds: Sequence[float] = F_THRESHOLDS_M) -> Floats:
    """F (t,) at each threshold: harmonic mean of the shares of points nearer (strictly) to the other cloud."""
    to_true, to_predicted = nearest_distances(predicted, true)
    scores = []
    for limit in thresholds:
        recall, precision = float((to_true < limit).mean()), float((to_predicted < limit).mean())
        scores.append(2 * precision * recall / (precision + recall) if precision + recall > 0 else 0.0)
    return np.array(scores)


def nearest_vertex_distance(predicted: Floats, true: Floats) -> float:
    """Mean nearest-vertex distance, both ways; NOT comparable to MPVPE, which it never exceeds for equal meshes."""
    to_true, to_predicted = nearest_distances(predicted, true)
    return float((to_true.mean() + to_predicted.mean()) / 2)
