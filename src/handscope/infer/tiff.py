"""The pictures inside a TIFF: a chain of directories, each perhaps with sub-directories (camera raws, DNG, scanners).

A viewer shows the largest; the first one is often a preview of it. TIFF 6.0 and BigTIFF; only headers are read here.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, ORIENTATION, SUB, EXIF = 256, 257, 258, 259, 262, 274, 330, 34665
SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
"""Bytes of a value by its type."""
NUMBERS = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}
"""Types of whole numbers, as `struct` names them."""
MOST = 64
"""Directories looked at: a damaged file may send one in circles."""
MOST_TAGS = 4096
"""Of a directory; cameras write a hundred."""
SLACK = 4
"""So many times as long as the file the values of a directory may be together, by what damaged tags say."""


class OverlappingError(Exception):
    """The values of a directory lie on one another: a reader that copies each fills the memory."""


@dataclass(frozen=True)
class Directory:
    """A picture in the file: where its directory stands, its size in px as stored, EXIF orientation (0: not said) and
    where that stands.
    """

    offset: int
    width: int
    height: int
    orientation: int
    orientation_at: int


class _Layout:
    """How this file writes numbers and directories."""

    def __init__(self, data: bytes) -> None:
        self.order = {b"II": "<", b"MM": ">"}[data[:2]]
        self.big = struct.unpack_from(self.order + "H", data, 2)[0] == 43
        self.count, self.word, self.entry = ("Q", "Q", 20) if self.big else ("H", "I", 12)
        self.start = 8 if self.big else 4
        """Where the offset of the first directory stands."""

    def number(self, data: bytes, kind: str, at: int) -> int:
        """The number of that kind at a place."""
        return _unpacked(self.order + kind, data, at)[0]


def _unpacked(form: str, data: bytes, at: int) -> tuple[int, ...]:
    """`struct.unpack_from`, which raises other errors for the places beyond 2**63 that a BigTIFF can name."""
    if at > len(data):
        raise struct.error(f"byte {at} of {len(data)}")
    return struct.unpack_from(form, data, at)


def is_tiff(data: bytes) -> bool:
    """Whether a file begins as a TIFF does."""
    return data[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+") and len(data) >= 16


def directories(data: bytes) -> list[Directory]:
    """All pictures of a TIFF that have a size, in the order of the file; none of a damaged one."""
    layout = _Layout(data)
    waiting, seen, found = [layout.number(data, layout.word, layout.start)], set(), []
    while waiting and len(seen) < MOST:
        offset = waiting.pop(0)
        if offset in seen or offset == 0:
            continue
        seen.add(offset)
        try:
            tags, places, after = _read(data, layout, offset)
            _check_exif(data, layout, tags)
        except (struct.error, OverlappingError):
            continue
        waiting = [*tags.get(SUB, ()), after, *waiting]
        width, height = tags.get(WIDTH, (0,))[0], tags.get(HEIGHT, (0,))[0]
        if width and height:
            orientation = tags.get(ORIENTATION, (0,))[0]
            found.append(Directory(offset, width, height, orientation, places.get(ORIENTATION, 0)))
    return found


def _read(data: bytes, layout: _Layout, offset: int) -> tuple[dict[int, tuple[int, ...]], dict[int, int], int]:
    """The numbers of a directory's tags, where they stand, and where the next directory stands."""
    tags: dict[int, tuple[int, ...]] = {}
    places: dict[int, int] = {}
    size = struct.calcsize("<" + layout.word)
    first = offset + struct.calcsize("<" + layout.count)
    count = layout.number(data, layout.count, offset)
    if count > MOST_TAGS:
        raise OverlappingError
    claimed = 0
    for at in range(first, first + layout.entry * count, layout.entry):
        tag, kind = struct.unpack_from(layout.order + "HH", data, at)
        length = layout.number(data, layout.word, at + 4)
        claimed += length * SIZES.get(kind, 1)
        if claimed > SLACK * len(data) + 2**20:
            raise OverlappingError
        if tag not in (WIDTH, HEIGHT, ORIENTATION, SUB, EXIF) or kind not in NUMBERS:
            continue
        length = min(length, MOST)
        form = f"{layout.order}{length}{NUMBERS[kind]}"
        place = at + 4 + size
        if struct.calcsize(form) > size:
            place = layout.number(data, layout.word, place)
        if length:
            tags[tag], places[tag] = _unpacked(form, data, place), place
    return tags, places, layout.number(data, layout.word, first + layout.entry * count)


def is_sound(data: bytes) -> bool:
    """Whether what a TIFF, as EXIF is one, begins with can be copied at no more cost than its length."""
    if not is_tiff(data):
        return True
    layout = _Layout(data)
    try:
        tags, _, _ = _read(data, layout, layout.number(data, layout.word, layout.start))
        _check_exif(data, layout, tags)
    except OverlappingError:
        return False
    except struct.error:
        pass
    return True


def _check_exif(data: bytes, layout: _Layout, tags: Mapping[int, Sequence[int]]) -> None:
    """OverlappingError if the directory of EXIF that `tags` lead to is such a one."""
    for inside in tags.get(EXIF, ()):
        with suppress(struct.error):
            _read(data, layout, inside)


def alone(data: bytes, directory: Directory) -> bytes:
    """The same file with that directory as its first one, and nothing said of its orientation."""
    layout, changed = _Layout(data), bytearray(data)
    struct.pack_into(layout.order + layout.word, changed, layout.start, directory.offset)
    if directory.orientation_at:
        struct.pack_into(layout.order + "H", changed, directory.orientation_at, 1)
    return bytes(changed)
