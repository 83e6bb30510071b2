"""Pictures from disk: whatever the file holds, out comes upright RGB uint8 (H, W, 3), or one clear sentence.

Files are untrusted: only the formats below are decoded, what would cost too much (`limits`) is refused before it
unfolds, and whatever a decoder raises on a damaged file becomes an `ImageError`. Memory peaks at about 15 bytes a
pixel: copies that are no picture yet are made a few rows at a time.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, UnidentifiedImageError

from handscope.errors import ImageError
from handscope.infer.exif import TURNS, read_exif, turned
from handscope.infer.jpeg import exif_bytes, has_more_scans, is_jpeg
from handscope.infer.levels import strips, to_levels
from handscope.infer.limits import DecodingLimits, default_limits
from handscope.infer.tiff import BITS, COMPRESSION, MOST, PHOTOMETRIC, Directory, alone, directories, is_sound, is_tiff
from handscope.paths import reason

FORMATS = ("JPEG", "MPO", "PNG", "GIF", "WEBP", "BMP", "DIB", "TIFF", "PPM", "AVIF", "JPEG2000", "TGA", "QOI")
"""The formats that are read, by Pillow's names."""
RAW_SUFFIXES = (".dng",)
"""Camera raws that are TIFFs: a picture that the camera made of them is read."""
MOST_EXIF_BYTES = 2**20
"""Of the segments of a JPEG that EXIF stands in."""
TRIES = 4
"""So many pictures of a TIFF are tried until one can be decoded."""
LEAST_PREVIEW_PX = 640
"""Longer side of a preview that may stand for a raw that cannot be decoded."""


def suffixes() -> frozenset[str]:
    """Suffixes of the files that are read: what Pillow calls files of `FORMATS`."""
    Image.init()
    known = {suffix for suffix, name in Image.registered_extensions().items() if name in FORMATS}
    return frozenset((*known, *RAW_SUFFIXES))


@dataclass(frozen=True)
class Picture:
    """A picture RGB uint8 (H, W, 3), upright, and remarks the user should see.

    `path` is None for what was no file; `orientation` (1 to 8) is what EXIF said of the picture as stored; `focal` the
    focal length in px by EXIF, None if it does not tell.
    """

    path: Path | None
    image: NDArray[np.uint8]
    notes: tuple[str, ...] = ()
    orientation: int = 1
    focal: float | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Width and height, px, upright."""
        return self.image.shape[1], self.image.shape[0]


@dataclass(frozen=True)
class Header:
    """What a file says of itself: Pillow's name of the format, and the size in px as stored (not yet turned)."""

    format: str
    width: int
    height: int

    @property
    def pixels(self) -> int:
        """Width times height."""
        return self.width * self.height


class NotAPictureError(ImageError):
    """The bytes are of no format that is read."""


class TooCostlyError(ImageError):
    """Decoding would take, or took, more than the limits allow: bytes, scans, time or memory."""


class TooManyPixelsError(TooCostlyError):
    """The header promises more pixels than are decoded."""


def decode_picture(data: bytes, name: str | Path, *, limits: DecodingLimits | None = None) -> Picture:
    """`read_picture` for the bytes of a file; `name` is what errors call it."""
    path, limits = Path(name), limits or default_limits()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow warns of large pictures and odd metadata that we can read
        _check(path, data, limits)
        if is_tiff(data):
            return _decode_tiff(path, data, limits.max_pixels)
        return _decode(path, _open(path, data, limits.max_pixels), data)


def inspect_picture(data: bytes, name: str | Path, *, limits: DecodingLimits | None = None) -> Header:
    """Format and size as the file's header tells them, of a TIFF those of its largest picture; nothing is decoded.
    ImageError as `decode_picture`.
    """
    path, limits = Path(name), limits or default_limits()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _check(path, data, limits)
        listed = directories(data) if is_tiff(data) else []
        if listed:
            largest = max(listed, key=lambda one: one.width * one.height)
            if largest.width * largest.height > limits.max_pixels:
                raise _too_large(path, limits.max_pixels)
            return Header("TIFF", largest.width, largest.height)
        with _open(path, data, limits.max_pixels) as image:
            return Header(str(image.format), *image.size)


def check_bytes(path: Path, size: int, limits: DecodingLimits) -> None:
    """TooCostlyError for a file of so many bytes, if that is too much."""
    if size > limits.max_bytes:
        told = f"{size / 2**20:,.0f} MiB, more than the {limits.max_bytes / 2**20:,g} MiB that are read"
        raise TooCostlyError(f"{path}: {told}; {RAISE}")


RAISE = "docs/inputs.md (Limits) says how to raise the limit"


def _check(path: Path, data: bytes, limits: DecodingLimits) -> None:
    """What can be told of the cost before any decoder has seen the file."""
    check_bytes(path, len(data), limits)
    if is_jpeg(data):
        if has_more_scans(data, limits.max_scans):
            told = f"a JPEG of more than {limits.max_scans} scans, each of which is decoded like a picture"
            raise TooCostlyError(f"{path}: {told}; save it again as an ordinary JPEG, or {RAISE}")
        if exif_bytes(data) > MOST_EXIF_BYTES:
            raise ImageError(f"{path}: the picture is damaged (EXIF longer than any camera's); export it again")
    if not is_sound(data):
        raise ImageError(f"{path}: the picture is damaged (its tags lie on one another); export it again")


def rgb_of(array: NDArray) -> tuple[NDArray[np.uint8], tuple[str, ...]]:
    """Grey (H, W), RGB (H, W, 3) or RGBA (H, W, 4) as RGB levels."""
    levels, notes = to_levels(array if array.ndim == 2 else array[..., :3])
    if array.ndim == 2:
        levels = np.repeat(levels[..., None], 3, axis=2)
    elif array.shape[2] == 4:
        opacity, _ = to_levels(array[..., 3])  # has a range of its own
        stored, levels = levels, np.empty(levels.shape, np.uint8)
        for rows in strips(levels.shape):
            levels[rows] = _over_white(Image.fromarray(np.dstack([stored[rows], opacity[rows]])))
    return np.ascontiguousarray(levels), notes


def _open(path: Path, data: bytes, max_pixels: int) -> Image.Image:
    """The header read, the pixels not yet."""
    if not data:
        raise ImageError(f"{path}: the file is empty (0 bytes); copy or export it again")
    Image.init()
    try:
        with _pillow_allows(max_pixels):
            image = Image.open(io.BytesIO(data), formats=[f for f in FORMATS if f in Image.OPEN])
    except UnidentifiedImageError as error:
        raise NotAPictureError(f"{path}: {_what_it_is(data)}") from error
    except Image.DecompressionBombError as error:
        raise _too_large(path, max_pixels) from error
    except Exception as error:  # a decoder may raise anything on a damaged file
        raise _failure(path, error) from error
    if image.width * image.height > max_pixels:
        raise _too_large(path, max_pixels)
    return image


@contextmanager
def _pillow_allows(max_pixels: int) -> Iterator[None]:
    """Pillow's own limit, which is one for all its users, raised for a moment where ours is higher."""
    before = Image.MAX_IMAGE_PIXELS
    if before is None or max_pixels <= 2 * before:
        yield
        return
    Image.MAX_IMAGE_PIXELS = max_pixels
    try:
        yield
    finally:
        Image.MAX_IMAGE_PIXELS = before


def _failure(path: Path, error: Exception) -> ImageError:
    """What a decoder's error means."""
    if isinstance(error, MemoryError) or (isinstance(error, cv2.error) and error.code == cv2.Error.StsNoMem):
        return TooCostlyError(f"{path}: there is not enough memory to decode it; scale it down, or {RAISE}")
    return ImageError(damaged(path, error))


def _too_large(path: Path, limit: int) -> TooManyPixelsError:
    return TooManyPixelsError(f"{path}: more than {limit / 1e6:g} million pixels; scale it down, or {RAISE}")


def _decode(path: Path, image: Image.Image, data: bytes) -> Picture:
    """The first picture of a file; phones' MPO hold previews behind it, and frames of a TIFF are directories."""
    try:
        moves = image.format not in ("MPO", "TIFF") and getattr(image, "is_animated", False)
        array = _by_opencv(image, data)
        if array is None:
            image.load()
        rgb, remarks = to_rgb(image) if array is None else rgb_of(array)
        orientation, focal = read_exif(image)
        notes = (f"{image.format} with several frames: the first one is used",) if moves else ()
        image.close()
    except Exception as error:
        raise _failure(path, error) from error
    return Picture(path, turned(rgb, orientation), notes + remarks, orientation, focal)


def _decode_tiff(path: Path, data: bytes, max_pixels: int) -> Picture:
    """The largest picture of the file, as viewers show it; of equal ones the first."""
    listed = directories(data)
    by_size = sorted(listed, key=lambda one: -one.width * one.height)
    if not by_size:
        return _decode(path, _open(path, data, max_pixels), data)
    largest, problem = by_size[0], None
    for one in by_size[:TRIES]:
        if problem is not None and max(one.width, one.height) < LEAST_PREVIEW_PX:
            break
        content = alone(data, one)
        try:
            picture = _decode_directory(path, one, content, max_pixels)
        except TooCostlyError:
            raise
        except ImageError as error:
            problem = problem or error
            continue
        notes = picture.notes
        if one is not largest:
            notes += (f"of {largest.width} x {largest.height} px that cannot be decoded its preview is used",)
        elif len(listed) > 1:
            place = "first" if one is listed[0] else "largest"
            count = len(listed) if len(listed) < MOST else "many"
            notes += (f"TIFF with {count} frames: the {place} one is used",)
        orientation = one.orientation or listed[0].orientation
        orientation = orientation if orientation in TURNS else 1
        return Picture(path, turned(picture.image, orientation), notes, orientation, picture.focal)
    if isinstance(problem, NotAPictureError):
        told = f"{path}: its picture of {largest.width} x {largest.height} px cannot be decoded (a camera raw?)"
        raise NotAPictureError(f"{told}; export it as JPEG or PNG") from problem
    raise problem or NotAPictureError(f"{path}: holds no picture; copy or export it again")


def _decode_directory(path: Path, directory: Directory, content: bytes, max_pixels: int) -> Picture:
    """The picture of one directory; colours as floats, which Pillow does not know, by OpenCV."""
    try:
        return _decode(path, _open(path, content, max_pixels), content)
    except NotAPictureError:
        if directory.width * directory.height > max_pixels:
            raise _too_large(path, max_pixels) from None
        array = _colours_by_opencv(content)
        if array is None or not np.issubdtype(array.dtype, np.floating):
            raise
        return Picture(path, *rgb_of(array))


def _by_opencv(image: Image.Image, data: bytes) -> NDArray[np.integer] | None:
    """Colours (H, W, 3 or 4) that Pillow reads badly: of 16 bits it drops the lower half, plain YCbCr in a TIFF is too
    short for it. None for other pictures.
    """
    deep = image.format == "PNG" and data[24] == 16 and data[25] in (2, 4, 6)
    if image.format == "JPEG2000" and image.mode in ("RGB", "RGBA"):
        deep = _bits_of_jpeg_2000(data) > 8
    if image.format == "TIFF":
        tags = image.tag_v2  # type: ignore[attr-defined]
        plain_ycbcr = tags.get(PHOTOMETRIC) == 6 and tags.get(COMPRESSION, 1) == 1
        deep = plain_ycbcr or (image.mode in ("RGB", "RGBA", "RGBX") and max(tags.get(BITS, (8,))) > 8)
    array = _colours_by_opencv(data) if deep else None
    return array if array is not None and array.dtype in (np.uint8, np.uint16) else None  # type: ignore[return-value]


def _colours_by_opencv(data: bytes) -> NDArray | None:
    """Colours (H, W, 3 or 4) of any type, as OpenCV decodes them; None if it cannot."""
    array = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if array is None or array.ndim != 3 or array.shape[2] not in (3, 4):
        return None
    for rows in strips(array.shape):
        array[rows, :, :3] = array[rows, :, 2::-1]
    return array


SIZ = b"\xff\x4f\xff\x51"
"""How a JPEG 2000 codestream begins; 42 bytes later stands the depth of its first component (ISO 15444-1, A.5.1)."""


def _bits_of_jpeg_2000(data: bytes) -> int:
    """Bits of its levels, 8 if the file does not say."""
    at = data.find(SIZ)
    return (data[at + 42] & 0x7F) + 1 if 0 <= at < len(data) - 42 else 8


def to_rgb(image: Image.Image) -> tuple[NDArray[np.uint8], tuple[str, ...]]:
    """An opened picture of any mode as RGB levels, as stored (not turned), and remarks."""
    if image.mode.startswith("I") or image.mode == "F":
        array = np.asarray(image)
        if image.format == "PPM" and image.mode != "F":  # its header says what white is, and Pillow heeds it
            array = (array.clip(0, 65535) / 65535).astype(np.float32)
        return rgb_of(array)
    if image.mode == "CMYK":
        image = _cmyk_to_rgb(image)
    transparent = image.mode in ("LA", "PA", "RGBA", "La", "RGBa") or "transparency" in image.info
    return _by_strips(image, _over_white if transparent else _plain), ()


def _by_strips(image: Image.Image, convert: Callable[[Image.Image], NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """What `convert` makes of a picture, (H, W, 3), a few rows at a time."""
    width, height = image.size
    levels = np.empty((height, width, 3), np.uint8)
    for rows in strips((height, width)):
        whole = rows.stop - rows.start == height
        levels[rows] = convert(image if whole else image.crop((0, rows.start, width, rows.stop)))
    return levels


def _plain(image: Image.Image) -> NDArray[np.uint8]:
    return np.asarray(image if image.mode == "RGB" else image.convert("RGB"))


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


def damaged(path: Path, error: Exception) -> str:
    """The sentence for a picture that a decoder gave up on."""
    return f"{path}: the picture is damaged or cut short ({reason(error)}); copy or export it again"
