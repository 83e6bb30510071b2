"""What callers have as a picture (a path, a folder of them, a PIL image, an array) as upright RGB uint8 (H, W, 3)."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from handscope.errors import ImageError, shown
from handscope.infer.decoding import Picture, check_bytes, damaged, decode_picture, rgb_of, suffixes, to_rgb
from handscope.infer.exif import read_exif, turned
from handscope.infer.limits import DecodingLimits, default_limits
from handscope.paths import as_path, is_file, list_folder, read_bytes

Source = str | Path | Image.Image | NDArray[np.generic]
"""A picture as callers have it: a path, a PIL image, an array."""


class UnreadableError(ImageError):
    """A picture's file cannot be had; another time it may."""


PICTURE_STARTS = (
    b"\xff\xd8\xff", b"\x89PNG\r\n", b"GIF87a", b"GIF89a", b"II*\0", b"MM\0*", b"II+\0", b"MM\0+", b"qoif",
    b"\xff\x4f\xff\x51", b"\0\0\0\x0cjP  ", *(b"P%d\n" % n for n in range(1, 8)),
)  # fmt: skip
"""How files of formats that are read begin, where that tells."""
OTHER_STARTS = (b"8BPS", b"%PDF", b"PK\x03\x04")
"""How files begin that are neither pictures nor videos, whatever they are called."""


def looks_like_picture(path: Path) -> bool:
    """Whether a file, whatever its name, begins as a picture does."""
    try:
        with path.open("rb") as file:
            start = file.read(16)
    except OSError:
        return False
    webp, avif = start[:4] == b"RIFF" and start[8:12] == b"WEBP", start[4:12] in (b"ftypavif", b"ftypavis")
    return start.startswith(PICTURE_STARTS) or webp or avif


def find_pictures(path: str | Path) -> list[Path]:
    """A file as it is, or the pictures directly inside a folder, in natural order (hidden files left out)."""
    path = as_path(path)
    if is_file(path, ImageError):
        return [path]
    listing, known = list_folder(path, ImageError), suffixes()
    pictures = [f for f in listing.files if f.suffix.lower().rstrip() in known or looks_like_picture(f)]
    if not pictures:
        deeper = f"; its {listing.folders} sub-folders are not searched, name them too" if listing.folders else ""
        raise ImageError(f"{path}: no pictures in this folder (JPEG, PNG, WebP, TIFF, GIF, ...){deeper}")
    return pictures


def read_picture(path: str | Path, limits: DecodingLimits | None = None) -> Picture:
    """Decode one file within the limits, by default those of the environment; raises `ImageError` with one sentence if
    that is impossible.
    """
    path, limits = as_path(path), limits or default_limits()
    return decode_picture(read_file(path, limits), path, limits=limits)


def read_file(path: Path, limits: DecodingLimits) -> bytes:
    """The bytes of a picture's file, of no larger one than the limits allow."""
    with suppress(OSError, ValueError):
        check_bytes(path, path.stat().st_size if path.is_file() else 0, limits)
    return read_bytes(path, UnreadableError)


def take_picture(source: Source, limits: DecodingLimits | None = None) -> Picture:
    """A picture handed over in Python: a path, a PIL image, or an array (H, W), (H, W, 1), (H, W, 3) RGB or (H, W, 4)
    RGBA of any type of number (`levels`). Raises ImageError; files are under limits.
    """
    if isinstance(source, str | Path):
        return read_picture(source, limits)
    if isinstance(source, Image.Image):
        try:
            orientation, focal = read_exif(source)
            image, notes = to_rgb(source)
        except OSError as error:  # a file that Pillow opened and has not decoded yet
            raise ImageError(damaged(Path(getattr(source, "filename", "") or "picture"), error)) from error
        return Picture(None, turned(image, orientation), notes, orientation, focal)
    image, notes = _of_array(source)
    return Picture(None, image, notes)


def to_rgb_array(image: Source) -> NDArray[np.uint8]:
    """`take_picture` as an array RGB uint8 (H, W, 3), contiguous."""
    return take_picture(image).image


def _of_array(given: object) -> tuple[NDArray[np.uint8], tuple[str, ...]]:
    detach = getattr(given, "detach", None)  # a tensor of torch, perhaps with a gradient or on another device
    try:
        array = np.asarray(given if detach is None else detach().cpu())
    except (TypeError, ValueError, OverflowError) as error:
        raise ImageError(f"a picture is a path, a PIL image or an array, got {shown(given)}") from error
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[..., 0]
    if not (array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (3, 4))) or 0 in array.shape:
        first = array.ndim == 3 and array.shape[0] in (1, 3, 4)
        remedy = "; channels come last: transpose(1, 2, 0)" if first else ""
        raise ImageError(f"an image array must be (H, W), (H, W, 3) or (H, W, 4), got shape {array.shape}{remedy}")
    return rgb_of(array)
