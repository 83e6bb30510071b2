"""Numbers of any type as levels 0 to 255, by one rule for arrays and files; what had to be guessed is said in a note.

uint8 is as it is, bool is black and white. Other whole numbers have as many bits as the largest of them needs, 8 at
least: sensors' 9 to 14 bits stand in 16-bit files and arrays. Floats lie in [0, 1]; if some are negative in [-1, 1],
as generative models have them; if some are above 2 they count as whole numbers do.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from handscope.errors import ImageError

SLACK = 0.1
"""How far resampling with sharp kernels takes floats out of [0, 1]; what lies so far outside is cut off."""
STRIP = 2**18
"""So many pixels of a picture are worked on at once where whole copies of it would take much memory."""
OVEREXPOSED = 2.0
"""Floats up to this are of [0, 1] with highlights above it."""


def to_levels(values: NDArray) -> tuple[NDArray[np.uint8], tuple[str, ...]]:
    """Levels uint8 of the same shape, and remarks on what was guessed; ImageError for what shows no picture."""
    if values.dtype == np.uint8:
        return values, ()
    if values.dtype == np.bool_:
        return values.astype(np.uint8) * np.uint8(255), ()
    if np.issubdtype(values.dtype, np.integer):
        return _of_integers(values)
    if np.issubdtype(values.dtype, np.floating):
        return _of_floats(values)
    raise ImageError(f"an image array must be of whole numbers, floats or bool, got {values.dtype}")


def _of_integers(values: NDArray) -> tuple[NDArray[np.uint8], tuple[str, ...]]:
    low, high = int(values.min()), int(values.max())
    if low < 0:
        raise ImageError(f"an image array of whole numbers must not be negative, found {low} to {high}")
    bits = max(8, high.bit_length())
    declared = 8 * values.dtype.itemsize
    notes = () if bits == declared else (f"levels up to {high} in {declared} bits: read as {bits}-bit levels",)
    return _scaled(values, 2.0**bits - 1), notes


def _of_floats(values: NDArray) -> tuple[NDArray[np.uint8], tuple[str, ...]]:
    finite = np.isfinite(values)
    notes: tuple[str, ...] = ()
    if not finite.all():
        notes = (f"{values.size - int(finite.sum())} values are not finite numbers: NaN and -inf are shown black",)
        highest = float(values[finite].max()) if finite.any() else 0.0
        values = np.nan_to_num(values, nan=0.0, posinf=highest, neginf=0.0)
    low, high = float(values.min()), float(values.max())
    if low >= -SLACK and high <= 1 + SLACK:
        return _scaled(values, 1.0), notes
    said = f"floats from {low:.4g} to {high:.4g}"
    if low >= -SLACK and high <= OVEREXPOSED:
        return _scaled(values, 1.0), (*notes, f"{said}: what is above 1 is shown white")
    if -1 - SLACK <= low < -SLACK and high <= 1 + SLACK:
        return _scaled((values + 1) / 2, 1.0), (*notes, f"{said}: read as a range from -1 to 1")
    if low >= -SLACK:
        bits = max(8, int(np.ceil(high)).bit_length())
        return _scaled(values, 2.0**bits - 1), (*notes, f"{said}: read as {bits}-bit levels")
    raise ImageError(f"an image array of floats must have values in [0, 1], [-1, 1] or levels from 0 on, found {said}")


def _scaled(values: NDArray, full: float) -> NDArray[np.uint8]:
    """`values` from 0 to `full` as levels, what lies outside cut off; a few rows at a time, for floats take room."""
    if values.dtype == np.uint16 and values.size > 2**16:
        table = _scaled(np.arange(2**16), full)
        convert = table.__getitem__
    else:
        convert = lambda part: (part * (255.0 / full) + 0.5).clip(0, 255)  # noqa: E731
    levels = np.empty(values.shape, np.uint8)
    for rows in strips(values.shape):
        levels[rows] = convert(values[rows])
    return levels


def strips(shape: Sequence[int]) -> Iterator[slice]:
    """Rows of a picture (H, W, ...), about `STRIP` pixels at a time."""
    height, width = shape[0], shape[1] if len(shape) > 1 else 1
    rows = max(STRIP // max(width, 1), 1)
    return (slice(y, min(y + rows, height)) for y in range(0, height, rows))
