"""What a JPEG would cost, told without decoding it: its scans, and what stands before the first of them.

Each scan of a progressive JPEG goes over the whole picture again, however few bytes it has, so that a small file can
take minutes (ISO/IEC 10918-1, B.1.1: markers; B.2.3: scans).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

START = b"\xff\xd8\xff"
SCAN, EXIF = 0xDA, 0xE1
ALONE = frozenset((0x01, *range(0xD0, 0xDA)))
"""Markers without a segment behind them."""
MARKER = re.compile(rb"\xff[^\x00\xff]")


def is_jpeg(data: bytes) -> bool:
    """Whether a file begins as a JPEG does."""
    return data[:3] == START


def has_more_scans(data: bytes, most: int) -> bool:
    """Whether a JPEG has more than `most` scans, those of all its pictures together."""
    if data.count(bytes((0xFF, SCAN))) <= most:  # of these some may stand inside segments, as those of thumbnails
        return False
    scans = 0
    for kind, _ in _segments(data):
        scans += kind == SCAN
        if scans > most:
            return True
    return False


def exif_bytes(data: bytes) -> int:
    """Bytes of the segments that EXIF stands in, before the first scan."""
    total = 0
    for kind, length in _segments(data):
        if kind == SCAN:
            break
        total += length * (kind == EXIF)
    return total


def _segments(data: bytes) -> Iterator[tuple[int, int]]:
    """(marker, length of its segment in bytes) of every segment, scans' headers included."""
    at = 0
    while (found := MARKER.search(data, at)) is not None:
        kind, at = data[found.start() + 1], found.end()
        if kind in ALONE:
            continue
        length = int.from_bytes(data[at : at + 2], "big")
        yield kind, length
        at += max(length, 2)
