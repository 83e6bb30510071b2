"""Pictures from disk: whatever the file holds, out comes upright RGB uint8 (H, W, 3), or one clear sentence.

Files are untrusted: only the formats below are decoded, decompression bombs are refused before they unfold,
and whatever a decoder raises on a damaged file becomes an `ImageError`.
"""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from handscope.errors import ImageError

FORMATS = ("JPEG", "MPO", "PNG", "GIF", "WEBP", "BMP", "TIFF", "PPM", "AVIF", "JPEG2000", "TGA", "QOI")
SUFFIXES = frozenset(
    (
        ".jpg",
        ".jpeg",
        ".mpo",
        ".png",
        ".gif",
        ".webp",
        ".bmp",
        ".tif",
        ".tiff",
        ".ppm",
        ".avif",
        ".jp2",
        ".tga",
    )
)
"""What `find_pictures` takes from a folder; a file named by the user is opened whatever its suffix."""


@dataclass(frozen=True)
class Picture:
    """A decoded picture, RGB uint8 (H, W, 3), and remarks the user should see."""

    path: Path
    image: NDArray[np.uint8]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Header:
    """What a file says of itself: Pillow's name of the format, and the size in px as stored (not yet turned)."""

    format: str
    width: int
    height: int


class NotAPictureError(ImageError):
    """The bytes are of no format that is read."""


class TooManyPixelsError(ImageError):
    """The header promises more pixels than are decoded."""


def find_pictures(path: str | Path) -> list[Path]:
    """A file as it is, or the pictures directly inside a folder, sorted by name (hidden files left out)."""
    path = Path(path)
    if path.is_file():
        return [path]
    if not path.exists():
        raise ImageError(f"{path}: no such file or folder")
    if not path.is_dir():
        raise ImageError(f"{path}: neither a file nor a folder")
    try:
        inside = sorted(path.iterdir())
    except OSError as error:
        raise ImageError(f"{path}: cannot list this folder ({_reason(error)})") from error
    pictures = [p for p in inside if p.suffix.lower() in SUFFIXES and not p.name.startswith(".") and p.is_file()]
    if not pictures:
        folders = sum(p.is_dir() for p in inside)
        deeper = f"; its {folders} sub-folders are not searched, name them too" if folders else ""
        raise ImageError(f"{path}: no pictures in this folder (JPEG, PNG, WebP, TIFF, GIF, ...){deeper}")
    return pictures


def read_picture(path: str | Path) -> Picture:
    """Decode one file; raises `ImageError` with one sentence if that is impossible."""
    path = Path(path)
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise ImageError(f"{path}: no such file") from error
    except OSError as error:
        raise ImageError(f"{path}: cannot read this file ({_reason(error)})") from error
    return decode_picture(data, path)


def decode_picture(data: bytes, name: str | Path, *, max_pixels: int | None = None) -> Picture:
    """`read_picture` for the bytes of a file; `name` is what errors call it."""
    path = Path(name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow warns of large pictures and odd metadata that we can read
        return _decode(path, _open(path, data, max_pixels))


def inspect_picture(data: bytes, name: str | Path, *, max_pixels: int | None = None) -> Header:
    """Format and size as the file's header tells them, nothing decoded; ImageError as `decode_picture`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with _open(Path(name), data, max_pixels) as image:
            return Header(str(image.format), *image.size)


def to_rgb_array(image: object) -> NDArray[np.uint8]:
    """A picture handed over in Python as RGB uint8 (H, W, 3), contiguous.

    Takes a path, a PIL image, or an array: (H, W), (H, W, 1), (H, W, 3) RGB or (H, W, 4) RGBA, of uint8, of
    uint16 (full range 65535), or of floats in [0, 1].
    """
    if isinstance(image, str | Path):
        return read_picture(image).image
    if isinstance(image, Image.Image):
        return _to_rgb(ImageOps.exif_transpose(image))[0]
    array = np.asarray(image)
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[..., 0]
    if not (array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (3, 4))) or 0 in array.shape:
        raise ImageError(f"an image array must be (H, W), (H, W, 3) or (H, W, 4), got shape {array.shape}")
    array = _to_uint8(array)
    if array.ndim == 2:
        array = np.repeat(array[..., None], 3, axis=2)
    elif array.shape[2] == 4:
        array = _over_white(Image.fromarray(array))
    return np.ascontiguousarray(array)


def _open(path: Path, data: bytes, max_pixels: int | None) -> Image.Image:
    """The header read, the pixels not yet."""
    if not data:
        raise ImageError(f"{path}: the file is empty (0 bytes); copy or export it again")
    Image.init()
    try:
        image = Image.open(io.BytesIO(data), formats=[f for f in FORMATS if f in Image.OPEN])
    except UnidentifiedImageError as error:
        raise NotAPictureError(f"{path}: {_what_it_is(data)}") from error
    except Image.DecompressionBombError as error:
        raise _too_large(path, 2 * (Image.MAX_IMAGE_PIXELS or 0)) from error
    except Exception as error:  # a decoder may raise anything on a damaged file
        raise ImageError(_damaged(path, error)) from error
    if max_pixels is not None and image.width * image.height > max_pixels:
        raise _too_large(path, max_pixels)
    return image


def _too_large(path: Path, limit: int) -> TooManyPixelsError:
    return TooManyPixelsError(f"{path}: more than {limit / 1e6:g} million pixels; scale the picture down")


def _decode(path: Path, image: Image.Image) -> Picture:
    try:
        frames = 1 if image.format == "MPO" else getattr(image, "n_frames", 1)  # phones' MPO holds previews
        image.seek(0)  # counting frames may have moved on
        image.load()
        notes = (f"{image.format} with {frames} frames: the first one is used",) if frames > 1 else ()
        array, remarks = _to_rgb(_upright(image))
    except Exception as error:
        raise ImageError(_damaged(path, error)) from error
    return Picture(path, array, notes + remarks)


def _upright(image: Image.Image) -> Image.Image:
    """Turned as its EXIF orientation says; unreadable EXIF counts as none."""
    try:
        return ImageOps.exif_transpose(image)
    except Exception:
        return image


def _to_rgb(image: Image.Image) -> tuple[NDArray[np.uint8], tuple[str, ...]]:
    notes: tuple[str, ...] = ()
    if image.mode.startswith("I") or image.mode == "F":
        array = np.asarray(image)
        peak = float(array.max())
        if image.mode != "F" and 0 < peak < 4096:
            notes = (f"16-bit picture with values up to {peak:.0f} only: brightened to the full range",)
            array = array.astype(np.float32) / peak
        elif image.mode != "F":
            array = np.clip(array, 0, 65535).astype(np.uint16)
        elif peak > 1:
            array = array / peak
        return np.repeat(_to_uint8(array)[..., None], 3, axis=2), notes
    if image.mode == "CMYK":
        return np.asarray(_cmyk_to_rgb(image)), notes
    if image.mode in ("LA", "PA", "RGBA", "La", "RGBa") or "transparency" in image.info:
        return _over_white(image), notes
    return np.array(image.convert("RGB")), notes


def _to_uint8(array: NDArray) -> NDArray[np.uint8]:
    """Levels 0..255 of uint8, uint16 (full range), bool or floats in [0, 1]."""
    if array.dtype == np.uint8:
        return array
    if array.dtype == np.uint16:
        return ((array.astype(np.uint32) + 128) // 257).astype(np.uint8)
    if array.dtype == np.bool_:
        return array.astype(np.uint8) * 255
    if np.issubdtype(array.dtype, np.floating):
        finite = np.nan_to_num(array, nan=0.0, posinf=1.0, neginf=0.0)
        if finite.max() > 1.5:
            raise ImageError(f"a float image must have values in [0, 1], found {finite.max():.4g}")
        return (finite.clip(0, 1) * 255 + 0.5).astype(np.uint8)
    raise ImageError(f"an image array must be uint8, uint16, bool or float, got {array.dtype}")


def _cmyk_to_rgb(image: Image.Image) -> Image.Image:
    """By the embedded colour profile if there is a sound one, else by the plain formula."""
    profile = image.info.get("icc_profile")
    if profile:
        try:
            source, target = ImageCms.ImageCmsProfile(io.BytesIO(profile)), ImageCms.createProfile("sRGB")
            converted = ImageCms.profileToProfile(image, source, target, outputMode="RGB")
            if converted is not None:
                return converted
        except (ImageCms.PyCMSError, OSError, ValueError):
            pass
    return image.convert("RGB")


def _over_white(image: Image.Image) -> NDArray[np.uint8]:
    """Transparent parts shown on white, as viewers do."""
    rgba = image.convert("RGBA")
    white = Image.new("RGBA", rgba.size, "white")
    return np.array(Image.alpha_composite(white, rgba).convert("RGB"))


def _what_it_is(data: bytes) -> str:
    """Why the bytes are no picture we read, guessed from how they begin."""
    brand = data[8:12]
    if data[4:8] == b"ftyp" and brand in (b"heic", b"heix", b"mif1", b"msf1", b"hevc", b"heim"):
        return "HEIC pictures cannot be read; export it as JPEG or PNG"
    if data[4:8] == b"ftyp" or data[:4] == b"\x1aE\xdf\xa3" or data[8:12] == b"AVI ":
        return "this looks like a video, not a picture; give it to `handscope CLIP` or to `model.video(...)`"
    known = {
        b"%PDF": "a PDF",
        b"PK\x03\x04": "a ZIP archive",
        b"<svg": "an SVG drawing",
        b"8BPS": "Photoshop",
    }
    kind = next((name for start, name in known.items() if data.startswith(start)), None)
    found = f"it is {kind}" if kind else f"it begins with {bytes(data[:8])!r}"
    return f"not a picture Handscope can read ({found}); it reads JPEG, PNG, WebP, TIFF, GIF, BMP and AVIF"


def _damaged(path: Path, error: Exception) -> str:
    return f"{path}: the picture is damaged or cut short ({_reason(error)}); copy or export it again"


def _reason(error: Exception) -> str:
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return text.strip().rstrip(".").splitlines()[0] if text.strip() else type(error).__name__
