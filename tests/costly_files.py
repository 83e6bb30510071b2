"""Small files that cost much to decode, made here."""

from __future__ import annotations

import io
import struct
import zlib

from PIL import Image

MARKER_OF_SCAN = b"\xff\xda"


def jpeg_of_scans(scans: int, side: int = 2000) -> bytes:
    """A grey progressive JPEG whose last scan is told so often that there are `scans`: each goes over all of it."""
    buffer = io.BytesIO()
    Image.new("L", (side, side), 99).save(buffer, "JPEG", progressive=True)
    whole = buffer.getvalue()
    last = whole.rindex(MARKER_OF_SCAN)
    return whole[:last] + whole[last:-2] * (scans - whole.count(MARKER_OF_SCAN) + 1) + whole[-2:]


def tiff_of_directories(count: int) -> bytes:
    """A TIFF of one black pixel, told by `count` directories in a chain."""
    tags = {256: 1, 257: 1, 258: 8, 259: 1, 262: 1, 273: 8, 277: 1, 278: 1, 279: 1}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    size = 2 + len(entries) + 4
    parts = [b"II*\0" + struct.pack("<I", 16) + bytes(8)]
    for number in range(count):
        after = 16 + (number + 1) * size if number + 1 < count else 0
        parts.append(struct.pack("<H", len(tags)) + entries + struct.pack("<I", after))
    return b"".join(parts)


def tiff_of_overlapping_tags(count: int, size: int) -> bytes:
    """A TIFF whose `count` private tags hold the same `size` bytes: a reader that copies each takes count x size."""
    tags = [(256, 4, 1, 1), (257, 4, 1, 1), *((40000 + n, 1, size, 8) for n in range(count))]
    entries = b"".join(struct.pack("<HHII", *tag) for tag in tags)
    body = bytes(size)
    start = 8 + len(body)
    return b"II*\0" + struct.pack("<I", start) + body + struct.pack("<H", len(tags)) + entries + bytes(4)


def png_with_exif(exif: bytes) -> bytes:
    """A PNG of one pixel with this EXIF."""
    buffer = io.BytesIO()
    Image.new("L", (1, 1)).save(buffer, "PNG")
    whole = buffer.getvalue()
    chunk = struct.pack(">I", len(exif)) + b"eXIf" + exif + struct.pack(">I", zlib.crc32(b"eXIf" + exif))
    return whole[:33] + chunk + whole[33:]  # behind IHDR


def png_of_one_colour(width: int, height: int) -> bytes:
    """Many pixels in few bytes."""
    buffer = io.BytesIO()
    Image.new("1", (width, height)).save(buffer, "PNG")
    return buffer.getvalue()
