"""Two hands together: how deep meshes are in each other, and where one is from the other."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from handscope.geometry.meshes import vertex_normals
from handscope.skeleton import WRIST
from handscope.types import Hand

Floats = NDArray[np.float64]
Joints = NDArray[np.floating]
DEEPEST_M = 0.03
"""No vertex of one hand is deeper in another: so far the other's skin is looked for."""


def penetration(one: Hand, two: Hand) -> float:
    """How deep (m) a vertex of either mesh lies in the other at most: from the tangent plane of the nearest vertex.

    Inside is where the generalised winding number is above one half (Jacobson et al., SIGGRAPH 2013): the meshes are
    open at the wrist.
    """
    return max(_deepest(one, two), _deepest(two, one))


def _deepest(one: Hand, two: Hand) -> float:
    points, skin = np.asarray(one.vertices, np.float64), np.asarray(two.vertices, np.float64)
    found = KDTree(skin).query(points, distance_upper_bound=DEEPEST_M)
    distance, nearest = np.asarray(found[0]), np.asarray(found[1])
    close = np.flatnonzero(np.isfinite(distance))
    inside = close[winding_numbers(points[close], skin, two.faces) > 0.5]
    if not len(inside):
        return 0.0
    normals = vertex_normals(skin, two.faces)[nearest[inside]]
    return float(np.abs(((points[inside] - skin[nearest[inside]]) * normals).sum(-1)).max())


def winding_numbers(points: Floats, vertices: Floats, faces: NDArray[np.integer]) -> Floats:
    """How often (p,) the mesh goes round each of `points` (p, 3): the sum of the solid angles of its triangles, which
    are counter-clockwise seen from outside (van Oosterom and Strackee 1983).
    """
    corners = vertices[faces]
    turns = np.zeros(len(points))
    for i, point in enumerate(points):
        a, b, c = (corners[:, k] - point for k in range(3))
        la, lb, lc = (np.linalg.norm(side, axis=-1) for side in (a, b, c))
        over = la * lb * lc + (a * b).sum(-1) * lc + (b * c).sum(-1) * la + (c * a).sum(-1) * lb
        turns[i] = np.arctan2((a * np.cross(b, c)).sum(-1), over).sum() / (2 * np.pi)
    return turns


def relative_root_error(told: tuple[Joints, Joints], true: tuple[Joints, Joints]) -> float:
    """Distance (m) between where the second wrist is from the first and where it truly is; joints (21, 3) m. Its mean
    is InterHand2.6M's MRRPE (Moon et al., ECCV 2020).
    """
    apart = [np.asarray(two)[WRIST] - np.asarray(one)[WRIST] for one, two in (told, true)]
    return float(np.linalg.norm(apart[0] - apart[1]))
