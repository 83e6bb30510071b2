"""TIFF files of several directories, as cameras and scanners write them."""

from __future__ import annotations

import struct

import numpy as np
from numpy.typing import NDArray


def tiff(*pictures: NDArray[np.generic], inside_first: bool = False, orientation: int = 0, big_endian: bool = False):
    """Uncompressed RGB pictures (H, W, 3) of 8 or 16 bits, one directory each: in a chain, or all further ones as
    sub-directories of the first. `orientation` is said by the first one, if at all.
    """
    order = ">" if big_endian else "<"
    out = bytearray((b"MM\0*" if big_endian else b"II*\0") + bytes(4))

    def append(content: bytes) -> int:
        out.extend(bytes(len(out) % 2))
        out.extend(content)
        return len(out) - len(content)

    def directory(picture: NDArray[np.generic], more: dict[int, tuple[int, ...]], after: int) -> int:
        height, width, samples = picture.shape
        bits = 8 * picture.dtype.itemsize
        data = append(picture.astype(picture.dtype.newbyteorder(order)).tobytes())
        tags = {256: (width,), 257: (height,), 258: (bits,) * samples, 259: (1,), 262: (2,), 273: (data,), **more}
        tags |= {277: (samples,), 278: (height,), 279: (picture.nbytes,), 284: (1,)}
        entries = b""
        for tag, numbers in sorted(tags.items()):
            kind, letter = (4, "I") if max(numbers) > 65535 or tag in (273, 279, 330) else (3, "H")
            value = struct.pack(f"{order}{len(numbers)}{letter}", *numbers)
            if len(value) > 4:
                value = struct.pack(order + "I", append(value))
            entries += struct.pack(order + "HHI", tag, kind, len(numbers)) + value.ljust(4, b"\0")
        return append(struct.pack(order + "H", len(tags)) + entries + struct.pack(order + "I", after))

    first, *others = pictures
    turned = {274: (orientation,)} if orientation else {}
    if inside_first:
        inner = tuple(directory(picture, {}, 0) for picture in others)
        start = directory(first, turned | {330: inner, 254: (1,)}, 0)
    else:
        start = 0
        for number, picture in reversed(list(enumerate(pictures))):
            start = directory(picture, turned if number == 0 else {}, start)
    out[4:8] = struct.pack(order + "I", start)
    return bytes(out)
