"""How predicted points are laid on the true ones before distances are taken: batched, every rule under its own name.

All take predictions and truth (n, j, 3) in metres with `known` (n, j), and return the moved predictions; what is
unknown does not steer, but is moved along. Rules: as in docs/evaluation.md.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]
Flags = NDArray[np.bool_]


class Similarity(NamedTuple):
    """x -> scale (x - source) rotation^T + target: `scale` (n,), `rotation` (n, 3, 3), centres (n, 3)."""

    scale: Points
    rotation: Points
    source: Points
    target: Points

    def apply(self, points: Points) -> Points:
        """Points (n, m, 3), moved."""
        turned = (points - self.source[:, None]) @ self.rotation.transpose(0, 2, 1)
        return self.scale[:, None, None] * turned + self.target[:, None]


def similarity(
    predicted: Points, true: Points, known: Flags | None = None, *, reflections: bool, tiny: float = 1e-18
) -> Similarity:
    """The least-squares similarities (n) of `predicted` onto `true` (n, j, d).

    `reflections` allows mirrored solutions (orthogonal Procrustes); otherwise Umeyama 1991. `tiny` is added to the
    Frobenius norms, which a set of coinciding points needs.
    """
    weight = np.ones(true.shape[:2]) if known is None else known.astype(np.float64)
    count = np.maximum(weight.sum(1), 1)[:, None]
    goal, centre = ((np.where(weight[..., None] > 0, x, 0)).sum(1) / count for x in (true, predicted))
    wanted = np.where(weight[..., None] > 0, true - goal[:, None], 0)
    moved = np.where(weight[..., None] > 0, predicted - centre[:, None], 0)
    size_true = np.sqrt(np.einsum("njd,njd->n", wanted, wanted)) + tiny
    size_predicted = np.sqrt(np.einsum("njd,njd->n", moved, moved)) + tiny
    products = wanted.transpose(0, 2, 1) @ moved / (size_true * size_predicted)[:, None, None]
    u, strength, vt = np.linalg.svd(products)
    if not reflections:
        mirrored = np.linalg.det(u) * np.linalg.det(vt) < 0
        u[mirrored, :, -1] *= -1
        strength[mirrored, -1] *= -1
    return Similarity(strength.sum(1) * size_true / size_predicted, u @ vt, centre, goal)


def align_w_scale(predicted: Points, true: Points, known: Flags | None = None) -> Points:
    """FreiHAND's own `align_w_scale` (eval.py), many at once: it allows reflections, so forgives a mirrored hand."""
    return similarity(predicted, true, known, reflections=True, tiny=1e-8).apply(predicted)


def align_similarity(predicted: Points, true: Points, known: Flags | None = None) -> Points:
    """The corrected variant: turned, scaled and moved, never mirrored (HaMeR's `compute_similarity_transform`)."""
    return similarity(predicted, true, known, reflections=False).apply(predicted)


def unaligned(predicted: Points, true: Points, known: Flags | None = None) -> Points:
    """As predicted, in the camera's frame."""
    return predicted


def align_root(root: int) -> Callable[..., Points]:
    """The rule that moves joint `root` onto the true one."""

    def align(predicted: Points, true: Points, known: Flags | None = None) -> Points:
        return predicted + (true - predicted)[:, root, None]

    return align


def align_root_and_bone(root: int, bone: tuple[int, int]) -> Callable[..., Points]:
    """The rule that gives `bone` its true length and moves joint `root` onto the true one."""

    def align(predicted: Points, true: Points, known: Flags | None = None) -> Points:
        lengths = [np.linalg.norm(x[:, bone[1]] - x[:, bone[0]], axis=1) for x in (true, predicted)]
        scale = lengths[0] / np.maximum(lengths[1], 1e-12)
        return scale[:, None, None] * (predicted - predicted[:, root, None]) + true[:, root, None]

    return align


def align_centroid(predicted: Points, true: Points, known: Flags) -> Points:
    """Centroids of the known points together; neither turned nor scaled."""
    return predicted + (_centroid(true, known) - _centroid(predicted, known))[:, None]


def align_centroid_and_radius(predicted: Points, true: Points, known: Flags) -> Points:
    """Centroids of the known points together, and their mean distances from it made equal (Minimal-Hand-pytorch)."""
    own, goal = _centroid(predicted, known)[:, None], _centroid(true, known)[:, None]
    radius = [np.where(known, np.linalg.norm(x - c, axis=2), 0).sum(1) for x, c in ((true, goal), (predicted, own))]
    scale = radius[0] / np.maximum(radius[1], 1e-12)
    return scale[:, None, None] * (predicted - own) + goal


def align_depth(predicted: Points, true: Points, known: Flags) -> Points:
    """The true mean depth of the known points is given; pixels and relative depths are kept (a 2.5D prediction).

    Iqbal et al. 2018 give the root's depth; Dexter+Object labels no root, so the known fingertips stand in for it.
    """
    shift = _centroid(true, known)[:, 2] - _centroid(predicted, known)[:, 2]
    depth = predicted[..., 2]
    factor = (depth + shift[:, None]) / np.where(np.abs(depth) < 1e-9, 1e-9, depth)
    return predicted * factor[..., None]


def _centroid(points: Points, known: Flags) -> Points:
    """Mean (n, 3) of the known points."""
    total = np.where(known[..., None], points, 0).sum(1)
    return total / np.maximum(known.sum(1), 1)[:, None]
