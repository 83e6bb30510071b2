"""The camera of a crop beside the picture's: a virtual pinhole at the same place that looks straight at the crop's
centre, turned in the plane with the crop and, if the crop is mirrored, mirrored.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from handscope.geometry.crops import Crop
from handscope.geometry.rotations import rotation_between


def viewing_ray(pixel: NDArray[np.floating], K: NDArray[np.floating]) -> NDArray[np.floating]:
    """Unit direction (3,) in the camera `K` (3, 3) of what it sees at `pixel` (2,)."""
    direction = _direction(pixel, K)
    return direction / np.linalg.norm(direction)


def _direction(pixel: NDArray[np.floating], K: NDArray[np.floating]) -> NDArray[np.floating]:
    return np.linalg.solve(np.asarray(K, np.float64), [*pixel, 1.0])


def metric_map(crop: Crop, K: NDArray[np.floating]) -> NDArray[np.float64]:
    """Crop px (2, 2) of a step in the plane z = 1 of the camera `K` (3, 3): whatever the picture's pixels are like."""
    return crop.matrix[:, :2] @ np.asarray(K, np.float64)[:2, :2]


def full_to_crop_axes(crop: Crop, K: NDArray[np.floating]) -> NDArray[np.float64]:
    """The map (3, 3) of directions in the full picture's camera `K` (3, 3) to the crop's camera.

    It turns the ray through the crop's centre onto the optical axis, by the smallest rotation that does it, then turns
    (and mirrors) in the plane, as near to the crop as a rotation comes. It is orthogonal: its transpose leads back.
    """
    left, _, right = np.linalg.svd(metric_map(crop, K))
    in_plane = np.eye(3)
    in_plane[:2, :2] = left @ right
    return in_plane @ rotation_between(_direction(crop.centre, K), [0.0, 0.0, 1.0])


def in_plane_axes(crop: Crop) -> NDArray[np.float64]:
    """The same map (3, 3) where the crop is taken along the optical axis: it turns (and mirrors) in the plane alone."""
    axes = np.eye(3)
    axes[:2, :2] = crop.rotation
    return axes
