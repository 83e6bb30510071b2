"""What EXIF says of how a picture was taken: which way up the camera was held, and its focal length."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from handscope.infer.tiff import is_sound

ORIENTATION, EXIF_IFD = 0x0112, 0x8769
FILM_FOCAL, FOCAL, DENSITY, DENSITY_UNIT, WIDTH, HEIGHT = 41989, 37386, 41486, 41488, 40962, 40963
"""FocalLengthIn35mmFilm, FocalLength, FocalPlaneXResolution and its unit, the size of the picture as it was taken."""
TURNS = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
    8: lambda a: np.rot90(a, 1),
}
"""What makes a stored picture (H, W, ...) upright, by its EXIF orientation."""


def turned(array: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """A stored picture (H, W, 3) made upright."""
    return np.ascontiguousarray(TURNS[orientation](array))


def read_exif(image: Image.Image) -> tuple[int, float | None]:
    """Orientation and focal length, px, by EXIF; what cannot be read of it counts as not said."""
    if not is_sound(image.info.get("exif", b"").removeprefix(b"Exif\0\0")):
        return 1, None
    try:
        exif = image.getexif()
        orientation = exif.get(ORIENTATION, 1)
        about = exif.get_ifd(EXIF_IFD)
        return (orientation if orientation in TURNS else 1), exif_focal(about, *image.size)
    except Exception:
        return 1, None


def exif_focal(tags: Mapping[int, Any], width: int, height: int) -> float | None:
    """Focal length in px of a picture of that size by its EXIF tags, None if they do not tell.

    By the focal length that would show the same on 35 mm film (CIPA DCG-001: by the diagonal, 43.27 mm), else by the
    sensor's px a millimetre.
    """
    film, mm = _positive(tags.get(FILM_FOCAL)), _positive(tags.get(FOCAL))
    if film is not None:
        return film / float(np.hypot(36, 24)) * float(np.hypot(width, height))
    density, unit = _positive(tags.get(DENSITY)), {2: 25.4, 3: 10.0, 4: 1.0}.get(tags.get(DENSITY_UNIT, 2))
    if mm is None or density is None or unit is None:
        return None
    stored = _positive(max(tags.get(WIDTH) or 0, tags.get(HEIGHT) or 0)) or max(width, height)
    return mm * density / unit * max(width, height) / stored


def _positive(value: Any) -> float | None:
    number = 0.0 if value is None else float(value)
    return number if 0 < number < float("inf") else None
