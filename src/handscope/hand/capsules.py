"""A hand as capsules round its bones: a cheap measure of how deep hands are in each other."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from handscope.hand.bones import bone_lengths, reference_bones
from handscope.skeleton import BONES, FINGERS

WIDTHS = {"thumb": 1.0, "index": 1.0, "middle": 1.02, "ring": 0.95, "little": 0.86}
FINGER_RADII = {
    finger: np.array([0.0105, 0.0088, 0.0075] if finger == "thumb" else [0.0080, 0.0070, 0.0062]) * width
    for finger, width in WIDTHS.items()
}
"""Metres round the three bones of a finger of the mean hand, from its base: a little less than the flesh, which gives
way."""
PALM_RADIUS = 0.0095
BONE_RADII = np.array([radius for finger in FINGERS for radius in (PALM_RADIUS, *FINGER_RADII[finger])])
"""Of the 20 canonical bones, the first of each finger being the palm's."""
_PARENT, _CHILD = np.array(BONES).T


def hand_size(joints: NDArray[np.floating]) -> float:
    """How large a hand of canonical `joints` (21, 3) m is, by its bones: 1 is the mean hand."""
    return float(bone_lengths(joints[None]).sum() / reference_bones().sum())


def overlaps(
    one: NDArray[np.floating], two: NDArray[np.floating], sizes: tuple[float, float] = (1.0, 1.0)
) -> NDArray[np.float64]:
    """How deep (..., 20, 20) m every bone's capsule of one hand is in every one of another; negative: how far apart.

    `one` and `two` (..., 21, 3) m are canonical joints, whose leading axes broadcast; `sizes` are the hands', of the
    mean hand's.
    """
    gaps = segment_distances(
        one[..., _PARENT, None, :], one[..., _CHILD, None, :], two[..., None, _PARENT, :], two[..., None, _CHILD, :]
    )
    return sizes[0] * BONE_RADII[:, None] + sizes[1] * BONE_RADII - gaps


def segment_distances(
    p: NDArray[np.floating], q: NDArray[np.floating], r: NDArray[np.floating], s: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Distances (...) between the segments p-q and r-s, (..., 3) each (Ericson, Real-Time Collision Detection, 5.1)."""
    d1, d2, w = q - p, s - r, p - r
    a, e = (d1 * d1).sum(-1) + 1e-12, (d2 * d2).sum(-1) + 1e-12
    b, c, f = (d1 * d2).sum(-1), (d1 * w).sum(-1), (d2 * w).sum(-1)
    denominator = a * e - b * b
    u = np.where(denominator > 1e-12, np.clip((b * f - c * e) / np.maximum(denominator, 1e-12), 0, 1), 0.0)
    v = np.clip((b * u + f) / e, 0, 1)
    u = np.clip((b * v - c) / a, 0, 1)
    gap = w + u[..., None] * d1 - v[..., None] * d2
    return np.sqrt((gap * gap).sum(-1))
