"""The pinhole camera of the paper's Eq. 5: camera frame x right, y down, z forward; and a user's camera, lens included.

A `Camera` belongs to a picture: it is turned, mirrored, cropped and scaled with it, so that what the picture shows has
the same metres before and after. `camera_torch` is the twin of `project_centred` in torch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from handscope.errors import HandscopeError, shown
from handscope.types import frozen_array

Floats = NDArray[np.floating]
LEAST_FOCAL, MOST_PX = 1e-2, 1e7
"""The least focal length, and what no focal length, principal point or side exceeds, px: beyond these arithmetic in
float32 says nothing."""
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


@dataclass(frozen=True, eq=False)
class Camera:
    """Who took a picture: intrinsics, the picture's size, the lens.

    `K` (3, 3) px, `size` (width, height) px of the picture that K belongs to (None: that of whatever picture it is
    given with), `distortion` OpenCV's k1, k2, p1, p2[, k3[, k4, k5, k6]] (None: a lens without). K and distortion are
    copies that nobody can write to. Raises HandscopeError for what is no camera.
    """

    K: Floats
    size: tuple[int, int] | None = None
    distortion: Floats | None = None

    def __init__(self, K: ArrayLike, size: tuple[int, int] | None = None, distortion: ArrayLike | None = None) -> None:
        object.__setattr__(self, "K", frozen_array(check_intrinsics(K).copy()))
        object.__setattr__(self, "size", None if size is None else _check_size(size))
        object.__setattr__(self, "distortion", None if distortion is None else _check_distortion(distortion))

    def __reduce__(self) -> Any:
        return Camera, (self.K, self.size, self.distortion)

    def mirrored(self) -> Camera:
        """The camera of the picture mirrored left to right; its x is the other way round."""
        width, _ = self._size()
        return self._moved([[-1.0, 0, width - 1], [0, 1, 0]], self._size())

    def turned(self, quarters: int = 1) -> Camera:
        """The camera of the picture turned counter-clockwise by so many quarter turns, as `numpy.rot90` does."""
        camera = self
        for _ in range(quarters % 4):
            width, height = camera._size()
            camera = camera._moved([[0, 1.0, 0], [-1, 0, width - 1]], (height, width))
        return camera

    def oriented(self, orientation: int) -> Camera:
        """The camera of the upright picture, this one being that of the picture as stored; EXIF's 1 to 8."""
        return _ORIENTED[orientation](self)

    def cropped(self, x0: int, y0: int, width: int, height: int) -> Camera:
        """The camera of the part of the picture that begins at (x0, y0) px."""
        return self._moved([[1.0, 0, -x0], [0, 1, -y0]], (width, height))

    def resized(self, width: int, height: int) -> Camera:
        """The camera of the picture scaled to another size, as `cv2.resize` and Pillow do."""
        x, y = width / self._size()[0], height / self._size()[1]
        return self._moved([[x, 0, (x - 1) / 2], [0, y, (y - 1) / 2]], (width, height))

    def of_size(self, width: int, height: int) -> Camera:
        """The same camera, whose picture is of that size."""
        return Camera(self.K, (width, height), self.distortion)

    @property
    def pixel_aspect(self) -> float:
        """How many times as wide as high a pixel is."""
        return float(self.K[1, 1] / self.K[0, 0])

    def project(self, points: ArrayLike, *, near: float | None = None) -> Floats:
        """Camera-frame metres (..., 3) to px (..., 2), through the lens; `near` as in `project`."""
        if self.distortion is None:
            return project(points, self.K, near=near)
        flat = project(points, np.eye(3), near=near)
        return distorted(flat, self.distortion) @ self.K[:2, :2].T + self.K[:2, 2]

    def undistorted(self, pixels: ArrayLike) -> Floats:
        """Where px (..., 2) would lie if the lens did not distort: `K` alone leads from there to rays."""
        pixels = np.asarray(pixels, np.float64)
        if self.distortion is None:
            return pixels
        flat = (pixels - self.K[:2, 2]) @ np.linalg.inv(self.K[:2, :2]).T
        return undistorted(flat, self.distortion) @ self.K[:2, :2].T + self.K[:2, 2]

    def _size(self) -> tuple[int, int]:
        if self.size is None:
            raise HandscopeError(
                "a Camera is turned, cropped and scaled with its picture: give its size (width, height)"
            )
        return self.size

    def _moved(self, pixels: ArrayLike, size: tuple[int, int]) -> Camera:
        """The camera of the picture whose px are the affine map `pixels` (2, 3) of this one's."""
        affine = np.asarray(pixels, np.float64)
        axes = np.sign(affine[:, :2])  # how the camera's own axes go: turned and mirrored, never scaled
        linear = affine[:, :2] @ self.K[:2, :2] @ axes.T
        K = np.eye(3)
        K[:2, :2], K[:2, 2] = linear, affine[:, :2] @ self.K[:2, 2] + affine[:, 2]
        lens = self.distortion
        if lens is not None:
            lens = lens.copy()
            lens[[3, 2]] = axes @ lens[[3, 2]]  # p2, p1 are a vector in the picture's plane
        return Camera(K, size, lens)

    def __repr__(self) -> str:
        (fx, _, cx), (_, fy, cy), _ = self.K.tolist()
        of = "" if self.size is None else " of {} x {} px".format(*self.size)
        lens = "" if self.distortion is None else f", distortion {self.distortion.round(4).tolist()}"
        return f"Camera(fx {fx:.1f}, fy {fy:.1f}, centre ({cx:.1f}, {cy:.1f}){of}{lens})"


_ORIENTED: dict[int, Callable[[Camera], Camera]] = {
    1: lambda camera: camera,
    2: lambda camera: camera.mirrored(),
    3: lambda camera: camera.turned(2),
    4: lambda camera: camera.mirrored().turned(2),
    5: lambda camera: camera.mirrored().turned(1),
    6: lambda camera: camera.turned(-1),
    7: lambda camera: camera.mirrored().turned(-1),
    8: lambda camera: camera.turned(1),
}


def check_intrinsics(K: ArrayLike) -> NDArray[np.float64]:
    """`K` as float64 (3, 3), or HandscopeError with one sentence on what is wrong with it."""
    try:
        matrix = np.asarray(K, np.float64)
    except (TypeError, ValueError, OverflowError):
        matrix = np.zeros(0)
    ok = matrix.shape == (3, 3) and np.isfinite(matrix).all() and np.abs(matrix).max() <= MOST_PX
    ok = ok and min(matrix[0, 0], matrix[1, 1]) >= LEAST_FOCAL
    if not ok or not np.allclose(matrix[2], [0, 0, 1]) or abs(matrix[1, 0]) > 0.5 * matrix[1, 1]:
        found = matrix.tolist() if 0 < matrix.size <= 16 else shown(K)
        raise HandscopeError(
            "K must be [[fx, skew, cx], [0, fy, cy], [0, 0, 1]] in pixels with positive fx and fy "
            f"(from {LEAST_FOCAL:g}, all up to {MOST_PX:g}); got {found}"
        )
    return matrix


def _check_size(size: tuple[int, int]) -> tuple[int, int]:
    try:
        width, height = (int(side) for side in size)
    except (TypeError, ValueError, OverflowError):
        width = height = 0
    if min(width, height) < 1 or max(width, height) > MOST_PX:
        raise HandscopeError(f"a camera's size must be (width, height) in pixels, got {shown(size)}")
    return width, height


def _check_distortion(distortion: ArrayLike) -> NDArray[np.float64]:
    """Eight coefficients, of which those not given are zero."""
    try:
        given = np.asarray(distortion, np.float64).ravel()
    except (TypeError, ValueError, OverflowError):
        given = np.zeros(0)
    if len(given) not in (4, 5, 8) or not np.isfinite(given).all() or np.abs(given).max() > MOST_PX:
        raise HandscopeError(
            "distortion must be OpenCV's k1, k2, p1, p2[, k3[, k4, k5, k6]], 4, 5 or 8 numbers up to "
            f"{MOST_PX:g}; got {shown(distortion)}"
        )
    return frozen_array(np.concatenate([given, np.zeros(8 - len(given))]))


def distorted(points: NDArray[np.floating], distortion: NDArray[np.floating]) -> NDArray[np.float64]:
    """Points (..., 2) of the plane z = 1 as a lens with OpenCV's eight coefficients shows them."""
    points = np.asarray(points, np.float64)
    radial, shift = _lens(points, distortion)
    return points * radial + shift


def undistorted(points: NDArray[np.floating], distortion: NDArray[np.floating]) -> NDArray[np.float64]:
    """The inverse of `distorted`, by fixed-point iteration as OpenCV does it; exact where the lens is invertible."""
    seen = np.asarray(points, np.float64)
    found = seen
    for _ in range(MOST_STEPS):
        radial, shift = _lens(found, distortion)
        nearer = (seen - shift) / np.maximum(radial, LEAST_RADIAL)
        step = float(np.abs(nearer - found).max(initial=0.0))
        found = nearer
        if step < 1e-12:
            break
    return found


MOST_STEPS = 200
LEAST_RADIAL = 0.2
"""Lenses shrink no point further than this; a polynomial outside its range may say so."""


def _lens(
    points: NDArray[np.float64], distortion: NDArray[np.floating]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """By how much a lens stretches points (..., 2) away from the centre (..., 1), and how it shifts them (..., 2)."""
    k1, k2, p1, p2, k3, k4, k5, k6 = distortion
    square = (points**2).sum(-1, keepdims=True)
    radial = (1 + square * (k1 + square * (k2 + square * k3))) / (1 + square * (k4 + square * (k5 + square * k6)))
    decentred = np.array([p2, p1])
    return radial, decentred * square + 2 * (points @ decentred)[..., None] * points
