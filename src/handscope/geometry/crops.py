"""Upright square crops: similarity maps between the picture and what the network sees.

Crops are rotated so that wrist to middle knuckle points up and scaled so that the joints' box fills a fixed
share. Pixel centres are at integers in both frames: the centre of a crop of size S is ((S - 1) / 2, (S - 1) /
2).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from cv2.typing import MatLike
from numpy.typing import ArrayLike, NDArray

from handscope.geometry.boxes import box_centre, longer_side, tight_box
from handscope.skeleton import MIDDLE_MCP, WRIST

FILL = 0.65
"""Share of the crop's extent that the longer side of the joints' box takes."""


@dataclass(frozen=True)
class Crop:
    """A square view of a picture; `matrix` (2, 3) takes picture pixels to crop pixels and is a similarity."""

    matrix: NDArray[np.float64]
    size: int

    @cached_property
    def scale(self) -> float:
        """Crop pixels per picture pixel."""
        return float(np.sqrt(abs(self._determinant)))

    @property
    def mirrored(self) -> bool:
        """True if the crop shows the picture mirrored (a left hand shown as a right one)."""
        return bool(self._determinant < 0)

    @property
    def centre(self) -> NDArray[np.float64]:
        """The crop's centre (2,) in picture px."""
        return self.invert(np.full(2, (self.size - 1) / 2))

    @property
    def extent(self) -> float:
        """How many picture px the crop covers, each way."""
        return self.size / self.scale

    @property
    def rotation(self) -> NDArray[np.float64]:
        """The orthogonal part (2, 2) of the map; a reflection if mirrored."""
        return self.matrix[:, :2] / self.scale

    def apply(self, points: ArrayLike) -> NDArray[np.float64]:
        """Picture pixels (..., 2) to crop pixels."""
        return np.asarray(points, np.float64) @ self.matrix[:, :2].T + self.matrix[:, 2]

    def invert(self, points: ArrayLike) -> NDArray[np.float64]:
        """Crop pixels (..., 2) to picture pixels."""
        return (np.asarray(points, np.float64) - self.matrix[:, 2]) @ self._inverse.T

    @cached_property
    def _determinant(self) -> float:
        return float(np.linalg.det(self.matrix[:, :2]))

    @cached_property
    def _inverse(self) -> NDArray[np.floating]:
        return np.linalg.inv(self.matrix[:, :2])

    def extract(self, image: NDArray[np.uint8], border: int = cv2.BORDER_REFLECT_101) -> NDArray[np.uint8]:
        """The crop (size, size, ...) of `image`; shrinking averages first, so that fine texture does not alias."""
        matrix, scale = self.matrix, self.scale
        seen: MatLike = image
        while scale < 0.5 and min(seen.shape[:2]) >= 4:
            # INTER_AREA by an exact 2 keeps pixel centres: new = (old - 0.5) / 2
            height, width = seen.shape[0] // 2, seen.shape[1] // 2
            seen = cv2.resize(seen[: 2 * height, : 2 * width], (width, height), interpolation=cv2.INTER_AREA)
            matrix = np.column_stack([matrix[:, :2] * 2, matrix[:, 2] + matrix[:, :2] @ [0.5, 0.5]])
            scale *= 2
        seen = cv2.warpAffine(seen, matrix, (self.size, self.size), flags=cv2.INTER_LINEAR, borderMode=border)
        return seen.astype(image.dtype, copy=False)

    def paste(self, values: NDArray[np.floating], height: int, width: int) -> NDArray[np.floating]:
        """A crop-sized map (m, m) seen in the picture (height, width); zero outside the crop."""
        to_map = (values.shape[0]) / self.size
        # map pixel = (crop pixel + 0.5) * to_map - 0.5
        matrix = np.column_stack([self.matrix[:, :2] * to_map, (self.matrix[:, 2] + 0.5) * to_map - 0.5])
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        pasted = cv2.warpAffine(values, matrix, (width, height), flags=flags, borderMode=cv2.BORDER_CONSTANT)
        return pasted.astype(values.dtype, copy=False)


def crop_around(centre: ArrayLike, extent_px: float, up: ArrayLike, *, size: int, mirrored: bool = False) -> Crop:
    """The square of `extent_px` picture pixels around `centre` in which the picture direction `up` points up.

    A zero `up` keeps the picture's own up. Raises ValueError for an extent that is not positive.
    """
    if not extent_px > 0:
        raise ValueError(f"extent_px must be positive, got {extent_px}")
    up = np.asarray(up, np.float64)
    length = float(np.hypot(*up))
    x, y = up / length if length > 1e-9 else np.array([0.0, -1.0])
    # rows: the picture directions that become crop right and crop down
    rotation = np.array([[-y, x], [-x, -y]])
    if mirrored:
        rotation[0] = -rotation[0]
    linear = rotation * (size / extent_px)
    shift = (size - 1) / 2 - linear @ np.asarray(centre, np.float64)
    return Crop(np.column_stack([linear, shift]), size)


def upright_frame(joints_2d: ArrayLike, *, fill: float = FILL) -> tuple[NDArray, float, NDArray]:
    """Centre (2,), extent in px and up direction (2,) of the upright crop of 21 joints."""
    joints = np.asarray(joints_2d, np.float64)
    up = joints[MIDDLE_MCP] - joints[WRIST]
    level = crop_around(np.zeros(2), 1.0, up, size=1).rotation
    box = tight_box(joints @ level.T)
    extent = max(float(longer_side(box)), 1e-3) / fill
    return box_centre(box) @ level, extent, up


def upright_crop(joints_2d: ArrayLike, *, size: int, fill: float = FILL, mirrored: bool = False) -> Crop:
    """The crop in which wrist to middle knuckle points up and the joints' box takes `fill` of the extent."""
    centre, extent, up = upright_frame(joints_2d, fill=fill)
    return crop_around(centre, extent, up, size=size, mirrored=mirrored)
