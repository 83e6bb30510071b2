"""Frames that come by themselves: of cameras and of streams from the network, by OpenCV.

The newest picture wins. A thread reads as fast as pictures come and keeps the last one, so that who looks slowly looks
at now and not at a queue; frames that nobody looked at leave gaps in the numbers. A stream that breaks off is opened
again; a camera that ends has ended.
"""

from __future__ import annotations

import itertools
import os
import re
import stat
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic
from typing import Any, Protocol, runtime_checkable

import cv2
import numpy as np
from numpy.typing import NDArray

from handscope.errors import VideoError, shown
from handscope.infer.decoding import Picture

Image = NDArray[np.uint8]
ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
"""How streams from the network begin: http, https, rtsp, rtmp, udp, tcp, ... whatever FFmpeg in OpenCV opens."""
ATTEMPT_MS = 5000
"""So long an address may take to be opened, or to give its next picture."""
PATIENCE_S = 30.0
"""A stream that gave nothing for so long has ended."""
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.25, 4.0
"""Between attempts to open a stream again, doubled from the one to the other."""


@runtime_checkable
class Capture(Protocol):
    """What is used of cv2.VideoCapture."""

    def isOpened(self) -> bool:
        """Whether it can be read."""
        ...

    def set(self, propId: int, value: float) -> bool:
        """Set a property, if the camera has it."""
        ...

    def read(self) -> tuple[bool, NDArray[np.generic] | None]:
        """Whether there was a picture, and the BGR picture."""
        ...

    def release(self) -> None:
        """Give it back."""
        ...


def is_live(source: object) -> bool:
    """Whether a source is a camera's number, a camera's device file (/dev/video2) or a stream's address."""
    if isinstance(source, int | np.integer):
        return not isinstance(source, bool)
    if isinstance(source, str) and ADDRESS.match(source):
        return True
    if isinstance(source, str | Path):
        try:
            return stat.S_ISCHR(os.stat(source).st_mode)
        except (OSError, ValueError):
            return False
    return isinstance(source, Capture)


class CameraReader:
    """A camera's or stream's frames, (index, seconds since it was opened, RGB picture), until it ends.

    `device` is a camera's number, its device file, an address such as rtsp://camera/stream1, or a `Capture`, which is
    read when a frame is asked for. `size` (width, height) px and `rate` frames a second are asked of a camera, which
    may not have them. `clock` gives seconds. Raises VideoError for what cannot be opened, or gives no picture.
    """

    pixel_aspect = 1.0

    def __init__(
        self, device: int | str | Path | Capture = 0, *, size: tuple[int, int] | None = None, rate: float | None = None,
        clock: Callable[[], float] = monotonic, patience_s: float = PATIENCE_S,
    ) -> None:  # fmt: skip
        self._device, self._size, self._rate, self._clock = device, size, rate, clock
        self._patience_s = patience_s
        self._news, self._ended = threading.Condition(), False
        self._newest: tuple[int, float, Image] | None = None
        self._grabbing: threading.Thread | None = None
        self.reopened = 0
        """How often a stream was opened again."""
        self.capture = self._open()
        if not self.capture.isOpened():
            raise VideoError(f"camera {_told(device)}: cannot be opened; {self._remedy}")
        self._start = clock()

    @property
    def is_stream(self) -> bool:
        """Whether it comes from the network, and is opened again when it breaks off."""
        return isinstance(self._device, str) and bool(ADDRESS.match(self._device))

    @property
    def _remedy(self) -> str:
        if self.is_stream:
            return "is the address right, and its sender running?"
        return "is one plugged in, and free? choose with --device N"

    def now(self) -> float:
        """Seconds since it was opened: a frame's age is this less its time."""
        return self._clock() - self._start

    def pictures(self) -> Iterator[tuple[int, float, Picture]]:
        """As iterating, the pictures as readers of files give them."""
        for index, time, image in self:
            yield index, time, Picture(None, image)

    def __iter__(self) -> Iterator[tuple[int, float, Image]]:
        count = 0
        for frame in self._read() if isinstance(self._device, Capture) else self._looked_at():
            count += 1
            yield frame
        if count == 0:
            raise VideoError("the camera gives no pictures; is another program using it?")

    def close(self) -> None:
        """Give the camera back."""
        self._end()
        if self._grabbing is not None:
            self._grabbing.join(2 * ATTEMPT_MS / 1000)
        self.capture.release()

    def _end(self) -> None:
        with self._news:
            self._ended = True
            self._news.notify_all()

    def _open(self) -> Capture:
        if isinstance(self._device, Capture):
            capture: Capture = self._device
        elif self.is_stream:
            limits = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, ATTEMPT_MS, cv2.CAP_PROP_READ_TIMEOUT_MSEC, ATTEMPT_MS]
            capture = _quietly(str(self._device), cv2.CAP_FFMPEG, limits)
        else:
            capture = _quietly(self._device if isinstance(self._device, int) else str(self._device))
        for name, value in zip((cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT), self._size or (), strict=False):
            capture.set(name, value)
        if self._rate is not None:
            capture.set(cv2.CAP_PROP_FPS, self._rate)
        capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
        return capture

    def _read(self) -> Iterator[tuple[int, float, Image]]:
        """Every frame, until there is none."""
        index = 0
        while True:
            ok, picture = self.capture.read()
            if not ok or picture is None:
                return
            yield index, self.now(), np.ascontiguousarray(picture[..., ::-1], np.uint8)
            index += 1

    def _looked_at(self) -> Iterator[tuple[int, float, Image]]:
        """The newest frame whenever one is asked for."""
        self._grabbing = threading.Thread(target=self._grab, daemon=True)
        self._grabbing.start()
        while True:
            with self._news:
                self._news.wait_for(lambda: self._ended or self._newest is not None)
                newest, self._newest = self._newest, None
            if newest is None:
                return
            yield newest

    def _grab(self) -> None:
        """Keep the newest frame, until there is no more."""
        numbers = itertools.count()
        while not self._ended:
            for index, (_, time, image) in zip(numbers, self._read(), strict=False):
                with self._news:
                    self._newest = (index, time, image)
                    self._news.notify_all()
                if self._ended:
                    return
            if not (self.is_stream and self._reopen()):
                break
        self._end()

    def _reopen(self) -> bool:
        """Whether the stream is there again before patience ends."""
        since, pause = self._clock(), FIRST_PAUSE_S
        while self._clock() - since < self._patience_s:
            with self._news:
                if self._news.wait_for(lambda: self._ended, timeout=pause):
                    return False
            self.capture.release()
            self.capture = self._open()
            if self.capture.isOpened():
                self.reopened += 1
                return True
            pause = min(2 * pause, LONGEST_PAUSE_S)
        return False


def _quietly(*arguments: Any) -> Capture:
    """The camera, open or not; OpenCV's own words on why not, two lines of its source, are left unsaid."""
    level = cv2.utils.logging.getLogLevel()
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        return cv2.VideoCapture(*arguments)
    finally:
        cv2.utils.logging.setLogLevel(level)


def _told(device: object) -> str:
    """A device as sentences may name it: an address without its password."""
    return re.sub(r"//[^/@]*@", "//...@", str(device)) if isinstance(device, int | str | Path) else shown(device)
