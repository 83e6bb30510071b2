"""The mesh gets as thick as the mask is wide: the outline's consistency of the paper (section 3.3), at run time.

Joints tell a hand's size and pose, not how much flesh is on it. One step along the shape that thickens without moving
joints makes the mesh's area in the picture that of the mask.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from handscope.geometry.camera import project_centred
from handscope.geometry.regions import before_wrist
from handscope.hand.assets import HandAsset
from handscope.infer.fitting import Fitted, posed

THINNER_M, THICKER_M = -0.0005, 0.002
"""How far the skin may move: little inwards, where a mask may only be cut by something before the hand."""
GRID = 224
"""Side of the grid that areas are counted on, over the whole crop."""
_SHIFT = 4


def refine_silhouette(
    asset: HandAsset, fitted: Fitted, joints: NDArray[np.floating], mask: NDArray[np.floating], focal: float, size: int
) -> Fitted:
    """`fitted` with the thickness that `mask` (m, m), probability over the crop, asks for.

    `joints` (21, 2) crop px say where the wrist is: only what lies before it is compared. `focal` in crop px, the
    crop's side is `size`. An empty mask changes nothing.
    """
    scale = GRID / size
    before = before_wrist((joints + 0.5) * scale - 0.5, GRID, GRID)
    seen = cv2.resize(mask.astype(np.float32), (GRID, GRID), interpolation=cv2.INTER_LINEAR) > 0.5
    mesh = _outline(asset, fitted, focal * scale)
    inner = cv2.erode(mesh, np.ones((3, 3), np.uint8)) > 0
    rim = float(((mesh > 0) & ~inner & before).sum())
    wanted = float((seen & before).sum())
    if rim == 0 or wanted == 0:
        return fitted
    shown = float(((mesh > 0) & before).sum())  # filled to half a pixel beyond the edges, as much as coarse faces lack
    grown = (wanted - shown) / rim / (focal * scale) * float(fitted.hand.vertices[:, 2].mean())
    beta = fitted.beta + np.clip(grown, THINNER_M, THICKER_M) * asset.thickening
    return posed(asset, beta, fitted.theta, fitted.hand.R, fitted.hand.T)


def _outline(asset: HandAsset, fitted: Fitted, focal: float) -> NDArray[np.uint8]:
    """The projected mesh, filled, on the grid (GRID, GRID); `focal` in the grid's px."""
    points = project_centred(fitted.hand.vertices, focal, GRID)
    filled = np.zeros((GRID, GRID), np.uint8)
    for triangle in np.round(points * (1 << _SHIFT)).astype(np.int32)[asset.silhouette_faces]:
        cv2.fillConvexPoly(filled, triangle, 255, cv2.LINE_8, _SHIFT)
    return filled
