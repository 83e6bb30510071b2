"""What a pixel of the picture is in the unit of a 2D variant: box sides, head sizes, pixels of somebody's crop."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from handscope.evaluation.truth import Truth
from handscope.evaluation.variants import Variant
from handscope.skeleton import MIDDLE_MCP

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
BOUKHAYMA_REACH = 2.2
BOUKHAYMA_PX = 320


def flat_scale(variant: Variant, truth: Truth) -> Floats:
    """What a pixel of the picture is in the variant's unit (n,); NaN where the truth does not tell."""
    joints = np.where(truth.known_2d[..., None], truth.joints_2d, np.nan)
    with np.errstate(invalid="ignore", divide="ignore"):
        match variant.unit:
            case "px":
                return np.ones(len(truth))
            case "0.7 head sizes":
                return 1 / (0.7 * truth.head)
            case "box sides":
                return 1 / longer_side(joints)
            case "labelled box sides":
                return 1 / longer_side(truth.box.reshape(-1, 2, 2))
            case "px of the 320 px crop":
                return (BOUKHAYMA_PX - 1) / boukhayma_crop_side(joints, truth.size)
            case _:
                return 256 / hand3d_crop_side(joints, truth.visible, truth.size)


def longer_side(points: Floats) -> Floats:
    """The longer side (n,) of the tight box of points (n, k, 2), NaN left out; NaN where there is none or no extent."""
    low, high = (reduce.reduce(points, axis=1) for reduce in (np.fmin, np.fmax))
    side = (high - low).max(-1)
    return np.where(side > 0, side, np.nan)


def boukhayma_crop_side(joints: Floats, size: Floats) -> Floats:
    """Side (n,) px of Boukhayma et al.'s crop, last pixel minus first: 2.2 times the longer side of the visible joints'
    box, rounded, but no more than the shorter side of the picture of `size` (n, 2) allows (boukhayma/3dhand crop.py).
    """
    wanted = np.floor(BOUKHAYMA_REACH * longer_side(joints) + 0.5)
    return np.minimum(np.where(wanted > 0, wanted, np.nan), size.min(1) - 1)


def hand3d_crop_side(joints: Floats, visible: Flags, size: Floats) -> Floats:
    """Side (n,) px of hand3d's crop: twice the farthest reach from the middle knuckle of the visible joints inside the
    picture of `size` (n, 2), between 50 and 500; 200 if none is visible (data/BinaryDbReader.py)."""
    centre = joints[:, MIDDLE_MCP]
    inside = np.clip(np.where(visible[..., None], joints, np.nan), 0, size[:, None])
    low, high = (reduce.reduce(inside, axis=1) for reduce in (np.fmin, np.fmax))
    reach = 2 * np.maximum(high - centre, centre - low).max(-1)
    return np.where(np.isfinite(reach), np.clip(reach, 50, 500), 200.0)
