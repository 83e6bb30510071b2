"""Jitter and lag of joints followed over time.

The acceleration error is that of video pose estimation (Kanazawa et al. 2019, "Learning 3D human dynamics"): the mean
length of the difference of second differences x(t-1) - 2 x(t) + x(t+1), predicted and true, per frame squared. The
lag is the shift of the true motion that fits the prediction best.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]


def acceleration_error(predicted: Array, true: Array) -> float:
    """Mean over frames and joints, units of the joints per frame squared; joints (t, j, d), NaN where not found.

    Second differences that touch a frame without a hand are left out; NaN if none remains.
    """
    difference = np.diff(np.asarray(predicted, np.float64) - true, n=2, axis=0)
    lengths = np.linalg.norm(difference, axis=-1)
    return float(np.nanmean(lengths)) if np.isfinite(lengths).any() else float("nan")


def lag(predicted: Array, true: Array, *, most: float = 6.0, step: float = 0.05) -> float:
    """By how many frames joints (t, j, d) come after the true ones: the shift of least squared error.

    Each joint's constant offset is taken off first, as it is no lag. Shifts from -`most` to `most` frames are tried;
    the true motion is interpolated linearly between frames.
    """
    frames = np.arange(len(true), dtype=np.float64)
    flat = np.reshape(true, (len(true), -1)).astype(np.float64)
    answer = np.reshape(predicted, (len(true), -1)).astype(np.float64)
    margin = int(np.ceil(most))
    inner = slice(margin, len(true) - margin)
    errors = []
    shifts = np.arange(-most, most + step / 2, step)
    for shift in shifts:
        moved = np.stack([np.interp(frames - shift, frames, column) for column in flat.T], 1)
        off = (answer - moved)[inner]
        errors.append(np.nanmean((off - np.nanmean(off, axis=0)) ** 2))
    return float(shifts[int(np.argmin(errors))])
