"""The pinhole camera of the paper's Eq. 5: camera frame x right, y down, z forward; no lens distortion."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def project(points: ArrayLike, K: ArrayLike) -> NDArray[np.floating]:
    """Camera-frame metres (..., 3) to pixels (..., 2) under intrinsics `K` (3, 3)."""
    image = np.asarray(points) @ np.asarray(K).T
    return image[..., :2] / image[..., 2:]


def default_intrinsics(width: int, height: int) -> NDArray[np.float64]:
    """Intrinsics (3, 3) assumed of an unknown camera: principal point at the centre, focal length 1.2 long sides.

    That is a horizontal field of view of 45 degrees, between a phone's main camera (65) and a portrait lens (30).
    """
    focal = 1.2 * max(width, height)
    return np.array([[focal, 0.0, (width - 1) / 2], [0.0, focal, (height - 1) / 2], [0.0, 0.0, 1.0]])
