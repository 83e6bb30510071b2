"""A picture as fully convolutional networks see it, at one size or several, and what they say back in picture px."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

MULTIPLE = 32
"""The network's pictures have sides that this divides."""
MAX_ENLARGED = 1.3
"""How much larger than it is a picture may be seen, if the smallest size does not ask for more."""


def worthwhile(image: NDArray[np.uint8], sizes: Sequence[int]) -> list[int]:
    """Of the longer sides `sizes` px those worth looking at: the smallest, and those that hardly enlarge it."""
    smallest, most = min(sizes), MAX_ENLARGED * max(image.shape[:2])
    return [size for size in sizes if size == smallest or size <= most]


def shrunk(image: NDArray[np.uint8], size: int) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """The picture with a longer side of `size` px, black to the right and below up to multiples of `MULTIPLE`; and the
    scale (2,) of its width and height.
    """
    height, width = image.shape[:2]
    ratio = size / max(height, width)
    columns, rows = max(1, round(width * ratio)), max(1, round(height * ratio))
    method = cv2.INTER_AREA if ratio < 1 else cv2.INTER_LINEAR
    small = cv2.resize(image, (columns, rows), interpolation=method)
    canvas = np.zeros((-(-rows // MULTIPLE) * MULTIPLE, -(-columns // MULTIPLE) * MULTIPLE, 3), np.uint8)
    canvas[:rows, :columns] = small
    return canvas, np.array([columns / width, rows / height])


def to_picture(places: NDArray[np.floating], scale: NDArray[np.float64]) -> NDArray[np.float64]:
    """Places (..., 2) px of what `shrunk` gave as px of the picture."""
    return (places.astype(np.float64) + 0.5) / scale - 0.5
