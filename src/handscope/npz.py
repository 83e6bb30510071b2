"""Arrays in .npz files of other people: numbers and text only, no more than `MOST_BYTES` of them, or one sentence.

The format is a zip of headers that numpy parses and of packed bytes: a small file can promise any number of them, and a
damaged one ends the parsing in a dozen ways.
"""

from __future__ import annotations

import io
import lzma
import struct
import tokenize
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from handscope.errors import HandscopeError
from handscope.paths import read_bytes, reason

MOST_BYTES = 2**32
"""Of all arrays of a file, unpacked: more than any set of ours has."""
BROKEN = (
    AttributeError, EOFError, IndexError, KeyError, MemoryError, NotImplementedError, OSError, OverflowError,
    RecursionError, RuntimeError, SyntaxError, TypeError, ValueError, lzma.LZMAError, struct.error, tokenize.TokenError,
    zipfile.BadZipFile, zlib.error,
)  # fmt: skip
"""What reading a damaged or strange file may raise."""


def read_npz(path: Path, remedy: str, *, most: int = MOST_BYTES, kind: type[HandscopeError] = HandscopeError) -> dict[
    str, NDArray[Any]
]:  # fmt: skip
    """The arrays by name; an error of `kind` that ends with the `remedy` if the file is anything else, or more than
    `most` bytes of arrays.
    """
    content = read_bytes(path, kind)
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            promised = sum(member.file_size for member in archive.infolist())
        if promised > most:
            raise ValueError(
                f"it unpacks to {promised / 2**20:.0f} MiB, more than the {most / 2**20:.0f} that are read"
            )
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            arrays = {name: np.asarray(file[name]) for name in file.files}
        if odd := next((name for name, array in arrays.items() if array.dtype.kind not in "biufSU"), None):
            raise ValueError(f"{odd} is of type {arrays[odd].dtype}")
    except BROKEN as problem:
        raise kind(f"{path}: not a whole .npz of numbers ({reason(problem)[:200]}); {remedy}") from problem
    return arrays
