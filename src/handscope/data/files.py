"""Reading a dataset's files: what is missing, damaged or cut short becomes one sentence that names the path."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Mapping, Sequence
from os import SEEK_END
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from handscope.errors import AssetError, HandscopeError, ImageError

AGAIN = "the download is incomplete or damaged: fetch and unpack it again"
ENDS = {b"\xff\xd8": b"\xff\xd9", b"\x89P": b"IEND"}
"""How JPEG and PNG begin and what stands near their end: OpenCV reads a JPEG cut short without a word."""
TAIL = 1024
"""Bytes at the end of a file among which its mark must be."""


def read_picture(path: Path) -> NDArray[np.uint8]:
    """A picture as RGB uint8 (H, W, 3)."""
    return np.ascontiguousarray(_decode(path, cv2.IMREAD_COLOR)[..., ::-1])


def glance(path: Path) -> str | None:
    """What is wrong with a file as far as its beginning and end tell: missing, empty, or a picture cut short."""
    try:
        with path.open("rb") as file:
            begin = file.read(2)
            size = file.seek(0, SEEK_END)
            file.seek(max(size - TAIL, 0))
            end = file.read()
    except OSError as problem:
        return f"{path}: cannot be read ({problem.strerror}); {AGAIN}"
    return None if begin and _ends(begin, end) else f"{path}: found {size} bytes that are not a whole file; {AGAIN}"


def _ends(begin: bytes, end: bytes) -> bool:
    """Whether a file that begins so ends as its kind does."""
    wanted = ENDS.get(begin[:2])
    return wanted is None or wanted in end[-TAIL:]


def read_map(path: Path) -> NDArray[np.uint8]:
    """A picture of one channel (H, W) uint8: a mask, or numbers of parts."""
    return _decode(path, cv2.IMREAD_GRAYSCALE)


def _decode(path: Path, flags: int) -> NDArray[np.uint8]:
    try:
        data = path.read_bytes()
    except OSError as problem:
        raise ImageError(f"{path}: cannot be read ({problem.strerror}); {AGAIN}") from problem
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), flags) if data and _ends(data, data) else None
    except cv2.error:  # more pixels than OpenCV reads
        pixels = None
    if pixels is None:
        raise ImageError(f"{path}: found {len(data)} bytes that are not a whole picture; {AGAIN}")
    return pixels.astype(np.uint8, copy=False)


def read_json(path: Path) -> Any:
    """The content of a JSON file."""
    try:
        return json.loads(path.read_bytes())
    except OSError as problem:
        raise AssetError(f"{path}: cannot be read ({problem.strerror}); {AGAIN}") from problem
    except (ValueError, RecursionError) as problem:
        raise AssetError(f"{path}: not whole JSON ({problem}); {AGAIN}") from problem


def read_json_lines(path: Path, remedy: str = AGAIN) -> list[dict[str, Any]]:
    """The objects of a JSON Lines file, gzipped or not; HandscopeError, which ends with the `remedy`, if it is none."""
    try:
        data = path.read_bytes()
        text = gzip.decompress(data) if path.suffix == ".gz" else data
        return [json.loads(line) for line in text.splitlines() if line.strip()]
    except FileNotFoundError:
        raise HandscopeError(f"{path}: no such file; {remedy}") from None
    except (OSError, ValueError, EOFError, RecursionError, zlib.error) as problem:
        raise HandscopeError(f"{path}: not a JSON Lines file ({problem}); {remedy}") from problem


def read_array(path: Path, *shape: int) -> NDArray[np.float64]:
    """A JSON file of numbers as an array (n, *shape)."""
    return to_array(read_json(path), path, *shape)


def to_array(content: object, path: Path, *shape: int) -> NDArray[np.float64]:
    """Nested lists of `path` as an array (n, *shape); AssetError if they are not of that shape."""
    try:
        numbers = np.array(content, np.float64)
        return numbers.reshape(-1, *shape) if numbers.size else numbers.reshape(0, *shape)
    except (ValueError, TypeError, OverflowError) as problem:
        wanted = " x ".join(["n", *map(str, shape)])
        raise AssetError(f"{path}: expected numbers of shape {wanted} ({problem}); {AGAIN}") from problem


def in_numbers(path: Path) -> tuple[str, list[int]]:
    """A sorting key by which image_9 comes before image_10."""
    digits = "".join(c if c.isdigit() else " " for c in path.stem).split()
    return str(path.parent), [int(d) for d in digits]


def need(root: Path | str, below: str, what: str) -> Path:
    """`root`/`below`, which must exist; HandscopeError that says `what` the folder should be."""
    path = Path(root) / below
    if not path.exists():
        raise HandscopeError(f"{path}: no such file or folder; give {what}")
    return path


def whole_sequences(root: Path, needed: Mapping[str, Sequence[str]], partial: str, what: str) -> list[str]:
    """The sequences all of whose files and folders, `needed` below `root`, are there.

    HandscopeError if none is, or if some are not and `partial` is not "yes".
    """
    lost = {name: [below for below in paths if not (root / below).exists()] for name, paths in needed.items()}
    absent = [root / below for paths in lost.values() for below in paths]
    there = [name for name, paths in lost.items() if not paths]
    if not there:
        raise HandscopeError(f"{absent[0]}: no such file or folder; give {what}")
    if absent and one_of("partial", partial, ("no", "yes")) == "no":
        named = ", ".join(map(str, absent[:3])) + (", ..." if len(absent) > 3 else "")
        raise HandscopeError(
            f"{root}: {len(needed) - len(there)} of {len(needed)} sequences are not there whole ({named} lacking); "
            "partial=yes (--set partial=yes) goes on with the rest"
        )
    return there


def one_of(name: str, value: str, allowed: tuple[str, ...]) -> str:
    """`value` if it is allowed; HandscopeError that lists what is."""
    if value not in allowed:
        raise HandscopeError(f"{name} is one of {', '.join(allowed)}, got {value!r}")
    return value
