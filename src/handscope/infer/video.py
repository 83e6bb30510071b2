"""Videos and cameras as frames with times, and the hands in them, frame by frame.

Reading is by PyAV (extra [video]): any container and codec FFmpeg knows, turned upright as the
file's display matrix says, each frame with its own time, so that a variable frame rate is kept. Frames that cannot
be decoded are left out and counted. Sound is ignored. Cameras are read by OpenCV.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from types import ModuleType, TracebackType
from typing import Any, Protocol, runtime_checkable

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from handscope.errors import VideoError, missing_extra
from handscope.geometry.camera import intrinsics_of_focal
from handscope.infer.images import to_rgb_array
from handscope.infer.inputs import Source
from handscope.infer.models import Models
from handscope.infer.results import Hands
from handscope.infer.tracking import Tracker, TrackingConfig

Image = NDArray[np.uint8]
SUFFIXES = frozenset(
    (".mp4", ".mov", ".m4v", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".mts", ".m2ts", ".wmv", ".flv", ".3gp")
)
STILL_BRANDS = frozenset((b"heic", b"heix", b"heim", b"hevc", b"mif1", b"msf1", b"avif", b"avis", b"jxl "))
"""What ISO media files call themselves that are pictures."""
USUAL_RATE = 30.0
"""Frames a second where a file does not say."""


@dataclass(frozen=True)
class VideoFrame:
    """One frame: its number in the file, seconds since the first one, RGB picture (H, W, 3), tracked hands."""

    index: int
    time: float
    image: Image
    hands: Hands


def is_video(path: str | Path) -> bool:
    """Whether a file is a video, by how it begins; by its suffix if the beginning says nothing."""
    path = Path(path)
    try:
        with path.open("rb") as file:
            start = file.read(189)
    except OSError:
        return False
    if start[4:8] == b"ftyp":
        return start[8:12] not in STILL_BRANDS
    if start[:4] in (b"\x1aE\xdf\xa3", b"\x00\x00\x01\xba", b"FLV\x01", b"\x30\x26\xb2\x75"):
        return True
    if start[:4] == b"RIFF":
        return start[8:12] == b"AVI "
    return path.suffix.lower() in SUFFIXES


def require_av() -> ModuleType:
    """PyAV, or one sentence on how to get it."""
    try:
        import av
    except ImportError as error:
        raise VideoError(missing_extra("reading videos", error.name, "video")) from error
    return av


class VideoReader:
    """The frames of a video file: iterate over it once for (index, seconds since the first frame, RGB picture).

    `rate` is the mean frame rate, `count` how many frames there should be (0 if the file does not say), `broken`
    how many had to be left out so far.
    """

    def __init__(self, path: str | Path, *, threads: int | None = None) -> None:
        self.path = Path(path)
        self.broken = 0
        self._av = require_av()
        if not self.path.is_file():
            raise VideoError(f"{self.path}: no such file")
        if self.path.stat().st_size == 0:
            raise VideoError(f"{self.path}: the file is empty (0 bytes); copy or export it again")
        try:
            self._container = self._av.open(str(self.path))
        except (self._av.FFmpegError, OSError) as error:
            raise VideoError(f"{self.path}: not a video that can be read ({_reason(error)})") from error
        if not self._container.streams.video:
            self._container.close()
            raise VideoError(f"{self.path}: no pictures in this file, only sound or other data")
        stream = self._stream = self._container.streams.video[0]
        stream.thread_type = "AUTO"
        if threads is not None:
            stream.codec_context.thread_count = threads
        self.rate = float(stream.average_rate or stream.guessed_rate or USUAL_RATE)
        self.count = int(stream.frames or self._length() * self.rate)

    def _length(self) -> float:
        """Seconds, 0 if unknown."""
        if self._stream.duration is not None and self._stream.time_base is not None:
            return float(self._stream.duration * self._stream.time_base)
        return (self._container.duration or 0) / 1e6

    def __iter__(self) -> Iterator[tuple[int, float, Image]]:
        first = last = None
        index = -1
        for index, frame in enumerate(self._decoded()):
            time = frame.time
            if time is None or (last is not None and time <= last):
                time = 0.0 if last is None else last + 1 / self.rate
            first, last = time if first is None else first, time
            yield index, time - first, upright(frame.to_ndarray(format="rgb24"), frame.rotation)
        if index < 0:
            broken = f" ({self.broken} could not be decoded)" if self.broken else ""
            raise VideoError(f"{self.path}: no frame of this video could be read{broken}; copy or export it again")

    def _decoded(self) -> Iterator[Any]:
        """Sound frames; what is broken is counted. A file that ends in the middle just ends."""
        packets = self._container.demux(self._stream)
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                return
            except self._av.FFmpegError:
                self.broken += 1
                return
            try:
                for frame in packet.decode():
                    if frame.is_corrupt:
                        self.broken += 1
                    else:
                        yield frame
            except self._av.FFmpegError:
                self.broken += 1

    def close(self) -> None:
        """Close the file."""
        self._container.close()

    def __enter__(self) -> VideoReader:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


def upright(image: Image, degrees: float) -> Image:
    """`image` turned counter-clockwise by `degrees`, to the nearest quarter turn."""
    return np.ascontiguousarray(np.rot90(image, round(degrees / 90) % 4))


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


class CameraReader:
    """A camera's frames, (index, seconds since it was opened, RGB picture), until it ends."""

    def __init__(self, device: int | str | Capture = 0, *, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self.capture: Capture = cv2.VideoCapture(device) if isinstance(device, int | str) else device
        if not self.capture.isOpened():
            raise VideoError(f"camera {device}: cannot be opened; is one plugged in, and free? choose with --device N")
        self.capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)  # rather the newest picture than every one

    def __iter__(self) -> Iterator[tuple[int, float, Image]]:
        start, index = self._clock(), 0
        while True:
            ok, picture = self.capture.read()
            if not ok or picture is None:
                break
            yield index, self._clock() - start, np.ascontiguousarray(picture[..., ::-1], np.uint8)
            index += 1
        if index == 0:
            raise VideoError("the camera gives no pictures; is another program using it?")

    def close(self) -> None:
        """Give the camera back."""
        self.capture.release()


def track(
    models: Models,
    source: str | Path | int | VideoReader | CameraReader | Iterable[tuple[float, Source]],
    *,
    K: ArrayLike | float | None = None,
    config: TrackingConfig | None = None,
) -> Iterator[VideoFrame]:
    """The frames of `source` with their hands: a video's path, a camera's number, or pairs (seconds, picture).

    `K` are the intrinsics (3, 3) in px of the upright picture, or its focal length in px, if known. Frames come as
    they are read: a hand's first frames are not looked at again in the light of later ones.
    """
    tracker = Tracker(models, config)
    for index, time, image in _frames(source):
        hands = tracker(image, time, _intrinsics(K, image))
        yield VideoFrame(index, time, image, Hands(hands, width=image.shape[1], height=image.shape[0]))


def _intrinsics(K: ArrayLike | float | None, image: Image) -> ArrayLike | None:
    if K is None or np.ndim(K) > 0:
        return K  # type: ignore[return-value]
    height, width = image.shape[:2]
    return intrinsics_of_focal(float(K), width, height)  # type: ignore[arg-type]


def _frames(source: Any) -> Iterator[tuple[int, float, Image]]:
    if isinstance(source, str | Path | int):
        reader = CameraReader(source) if isinstance(source, int) else VideoReader(source)
        try:
            yield from reader
        finally:
            reader.close()
    elif isinstance(source, VideoReader | CameraReader):
        yield from source
    else:
        for index, (time, image) in enumerate(source):
            yield index, float(time), to_rgb_array(image)


def _reason(error: Exception) -> str:
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return str(text).strip().rstrip(".").splitlines()[0]
