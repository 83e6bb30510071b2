"""The time of frames, checked once: seconds, float64, growing. What is odd about a clock is said, what is none refused.

A step back, or a leap much longer than the frames were apart, begins another recording: whoever follows something
through the frames begins anew. A clock that stands still is taken to go on by a millisecond a frame.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np

from handscope.errors import HandscopeError, shown

OnStepBack = Literal["restart", "refuse"]
LEAP, FIRST_STEP_S = 4.0, 2.5
"""So many usual steps are a leap; so long a step may be before one is usual."""
STANDSTILL_S, LEAST_STEP_S = 0.001, 1e-6
"""What goes on by less than the latter stands still, and is taken to go on by the former."""
SLOW_S, SLOW_STEPS = 2.0, 4
"""Frames that are further apart, so many times in a row, may have times in milliseconds."""
STILL_STEPS = 3
"""A clock that repeats itself so often in a row stands still."""


class Tick(NamedTuple):
    """A frame's time: `seconds` grow within a recording; `anew` if another one begins; `notes` say what is odd."""

    seconds: float
    anew: bool
    notes: tuple[str, ...]


class Clock:
    """Call it with the time of every frame, in order.

    `on_step_back` "restart" begins another recording, "refuse" raises HandscopeError; `patience_s` is how long a step
    is no leap, whatever the steps before it were.
    """

    def __init__(self, *, on_step_back: OnStepBack = "restart", patience_s: float = 0.5) -> None:
        self._on_step_back, self._patience_s = on_step_back, patience_s
        self.reset()

    def reset(self) -> None:
        """Forget what was: the next frame is a first one."""
        self._told: float | None = None
        self._seconds = 0.0
        self._usual: float | None = None
        self._still = self._slow = 0

    def __call__(self, time: object) -> Tick:
        """The tick of a frame told to be at `time`; HandscopeError if that is no number of seconds."""
        told = _number(time)
        if self._told is None:
            self._told = self._seconds = told
            return Tick(told, False, ())
        step = told - self._told
        if step < 0:
            return self._back(told)
        notes = self._remark(step, told)
        leap = step > max(self._patience_s, LEAP * (FIRST_STEP_S if self._usual is None else self._usual))
        if leap:
            self._usual = None
        elif step > 0:
            self._usual = step if self._usual is None else self._usual + 0.2 * (step - self._usual)
        self._told = told
        self._seconds = told if told - self._seconds >= LEAST_STEP_S else self._seconds + STANDSTILL_S
        return Tick(self._seconds, leap, notes)

    def _back(self, told: float) -> Tick:
        if self._on_step_back == "refuse":
            raise HandscopeError(f"times of frames must grow: {told:g} s comes after {self._told:g} s")
        before = self._told
        self.reset()
        self._told = self._seconds = told
        return Tick(told, True, (f"the clock goes back from {before:g} to {told:g} s: hands are followed anew",))

    def _remark(self, step: float, told: float) -> tuple[str, ...]:
        self._still = self._still + 1 if step == 0 else 0
        self._slow = self._slow + 1 if step >= SLOW_S else 0
        if self._still == STILL_STEPS:
            return (f"the clock stands still at {told:g} s: give each frame its own time in seconds, as float64",)
        if self._slow == SLOW_STEPS:
            return (f"frames are {step:g} s apart: times are seconds; are these milliseconds?",)
        return ()


def _number(time: object) -> float:
    """`time` as float64 seconds."""
    try:
        seconds = float(np.asarray(time, np.float64)) if np.ndim(time) == 0 and not isinstance(time, str) else np.nan  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        seconds = np.nan
    if not np.isfinite(seconds):
        raise HandscopeError(f"the time of a frame must be a number of seconds, got {shown(time)}")
    return seconds
