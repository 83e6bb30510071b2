"""The pinhole camera of the paper's Eq. 5: camera frame x right, y down, z forward; no lens distortion.

`camera_torch` is the twin of `project_centred` in torch.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

NEAR_M = 0.02
"""The near plane: what is estimated nearer than this counts as this far away, and nothing nearer is rendered."""


def project(points: ArrayLike, K: ArrayLike, *, near: float | None = None) -> NDArray[np.floating]:
    """Camera-frame metres (..., 3) to pixels (..., 2) under intrinsics `K` (3, 3).

    With `near`, points nearer than that, or behind the camera, are seen as if they were that far away.
    """
    points, K = np.asarray(points), np.asarray(K)
    depth = points[..., 2:] if near is None else np.maximum(points[..., 2:], near)
    return (points[..., :2] / depth) @ K[:2, :2].T + K[:2, 2]


def project_centred(points: NDArray[np.floating], focal: float, size: int) -> NDArray[np.floating]:
    """Camera-frame metres (..., 3) to px (..., 2) of a square picture of `size` px around the optical axis, as a crop's
    camera sees it; `focal` in the same px. Points nearer than `NEAR_M` count as that far away.
    """
    return points[..., :2] / np.maximum(points[..., 2:], NEAR_M) * focal + (size - 1) / 2


def intrinsics_of_focal(focal: float, width: int, height: int) -> NDArray[np.float64]:
    """Intrinsics (3, 3) of a camera with square pixels that looks at the picture's middle; `focal` in px."""
    return np.array([[focal, 0.0, (width - 1) / 2], [0.0, focal, (height - 1) / 2], [0.0, 0.0, 1.0]])


def default_intrinsics(width: int, height: int) -> NDArray[np.float64]:
    """Intrinsics (3, 3) assumed of an unknown camera: principal point at the centre, focal length 1.2 long sides.

    That is a horizontal field of view of 45 degrees, between a phone's main camera (65) and a portrait lens (30).
    """
    return intrinsics_of_focal(1.2 * max(width, height), width, height)
