"""Masks as run lengths, in the text that COCO and pycocotools have for them.

Runs go down the columns, first outside, then inside and outside in turn. A length is written as its difference to the
one two before it, in groups of five bits, lowest first, each a letter from "0" on; the sixth bit says that more follow.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

FIRST = ord("0")
MORE, SIGN, GROUP = 0x20, 0x10, 0x1F


def encode_runs(runs: Sequence[int] | NDArray[np.integer]) -> str:
    """Lengths (n,) as text."""
    lengths = [int(length) for length in runs]
    letters = bytearray()
    for number, length in enumerate(lengths):
        rest = length - lengths[number - 2] if number > 2 else length
        more = True
        while more:
            group, rest = rest & GROUP, rest >> 5
            more = rest != (-1 if group & SIGN else 0)
            letters.append(FIRST + (group | MORE if more else group))
    return letters.decode("ascii")


def decode_runs(text: str) -> NDArray[np.int64]:
    """Lengths (n,) of a text; ValueError for one that ends too early."""
    lengths: list[int] = []
    value = shift = 0
    for letter in text.encode("ascii"):
        group = letter - FIRST
        value |= (group & GROUP) << shift
        shift += 5
        if group & MORE:
            continue
        value -= (1 << shift) if group & SIGN else 0
        lengths.append(value + lengths[-2] if len(lengths) > 2 else value)
        value = shift = 0
    if shift:
        raise ValueError("a text of run lengths ends in the middle of a number")
    return np.array(lengths, np.int64)


def mask_of_runs(runs: Sequence[int] | NDArray[np.integer], height: int, width: int) -> NDArray[np.bool_]:
    """The mask, bool (height, width); ValueError if the runs are not as many pixels."""
    lengths = np.asarray(runs, np.int64)
    if (lengths < 0).any() or lengths.sum() != height * width:
        raise ValueError(f"runs of {int(lengths.sum())} pixels are no mask of {width} x {height}")
    inside = np.arange(len(lengths)) % 2 == 1
    return np.repeat(inside, lengths).reshape(width, height).T
