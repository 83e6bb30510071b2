"""Bytes on disk: every file is written beside its place, then moved there; no reader ever sees half of one."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from handscope.errors import HandscopeError


def write_file(path: str | Path, content: bytes | str) -> Path:
    """Write beside `path`, then move there; HandscopeError if that is impossible."""
    path = Path(path)
    data = content.encode() if isinstance(content, str) else content
    beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        beside.write_bytes(data)
        os.replace(beside, path)
    except OSError as error:
        beside.unlink(missing_ok=True) if beside.parent.is_dir() else None
        raise HandscopeError(f"{path}: cannot write this file ({error.strerror or error})") from error
    return path


def to_png(image: NDArray[np.uint8] | NDArray[np.bool_]) -> bytes:
    """An RGB picture (H, W, 3), or a mask (H, W) as 0 and 255."""
    stored = np.ascontiguousarray(image * np.uint8(255) if image.ndim == 2 else image[..., ::-1], np.uint8)
    return cv2.imencode(".png", stored, [cv2.IMWRITE_PNG_COMPRESSION, 4])[1].tobytes()
