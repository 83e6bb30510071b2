"""Pictures as files' content."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray


def to_png(image: NDArray[np.uint8] | NDArray[np.bool_]) -> bytes:
    """An RGB picture (H, W, 3), or a mask (H, W) as 0 and 255."""
    stored = np.ascontiguousarray(image * np.uint8(255) if image.ndim == 2 else image[..., ::-1], np.uint8)
    return cv2.imencode(".png", stored, [cv2.IMWRITE_PNG_COMPRESSION, 4])[1].tobytes()
