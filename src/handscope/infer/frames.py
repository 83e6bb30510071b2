"""Frames with times: of video files, of folders of pictures, of pictures at hand (of cameras: `live`).

Files are read by PyAV (extra [video]): any container and codec FFmpeg knows. Of several picture streams the film is
read, not its cover or preview. It is turned and mirrored as the file's display matrix says, transparent parts are shown
on white, each frame has its own time, so that a variable frame rate is kept. Frames that cannot be decoded are left out
and listed, and the numbers of those behind them stay. Sound is ignored.
"""

from __future__ import annotations

import io
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from handscope.errors import ImageError, VideoError, missing_extra, shown
from handscope.infer.decoding import Picture, rgb_of
from handscope.infer.decoding import suffixes as picture_suffixes
from handscope.infer.exif import TURNS, turned
from handscope.infer.images import OTHER_STARTS, PICTURE_STARTS, looks_like_picture, take_picture
from handscope.infer.live import CameraReader as CameraReader
from handscope.infer.live import Capture, is_live
from handscope.paths import as_path, is_file, list_folder, reason

Image = NDArray[np.uint8]
SUFFIXES = frozenset(
    (".mp4", ".mov", ".m4v", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".mts", ".m2ts", ".wmv", ".flv", ".3gp",
     ".ogv", ".mxf", ".y4m", ".m2v", ".vob", ".ivf", ".nut", ".asf", ".f4v", ".dv", ".h264", ".mjpeg", ".mjpg"),
)  # fmt: skip
"""Files of these are videos, even if they are damaged beyond recognition."""
FILMED_PICTURES = frozenset((".mjpeg", ".mjpg"))
"""Videos that begin as a picture does."""
STILL_BRANDS = frozenset((b"heic", b"heix", b"heim", b"hevc", b"mif1", b"msf1", b"avif", b"avis", b"jxl "))
"""What ISO media files call themselves that are pictures."""
STILLS = frozenset(("mjpeg", "png", "bmp", "gif", "tiff", "webp", "ppm", "jpeg2000", "ljpeg"))
"""Codecs of covers and previews, if there is a stream of another one too."""
NO_FILMS = frozenset(("tty", "image2", "lrc", "srt"))
"""What FFmpeg reads as pictures and nobody would call a film: text on a terminal, single pictures."""
PLAYLISTS = frozenset(
    ("applehttp", "avisynth", "concat", "dash", "hls", "imf", "lavfi", "redir", "rtp", "rtsp", "sap", "sdp",
     "vapoursynth")
)  # fmt: skip
"""What FFmpeg reads as videos and only names others, here or elsewhere: they stay closed."""
USUAL_RATE = 30.0
"""Frames a second where a file does not say."""


class Lost(NamedTuple):
    """A frame that could not be read: its number, about when it was to be shown, seconds, and why, in one sentence."""

    index: int
    time: float
    problem: str


def is_video(path: str | Path) -> bool:
    """Whether a file is a video, by how it begins; if the beginning says nothing, by its suffix or by trying."""
    path = as_path(path)
    try:
        if not path.is_file():  # a pipe would keep us waiting
            return False
        with path.open("rb") as file:
            start = file.read(512)
    except (OSError, ValueError):
        return False
    suffix = path.suffix.lower()
    if suffix in FILMED_PICTURES:
        return True
    if start[4:8] == b"ftyp":
        return start[8:12] not in STILL_BRANDS
    if start[:4] in (b"\x1aE\xdf\xa3", b"\x00\x00\x01\xba", b"FLV\x01", b"\x30\x26\xb2\x75"):
        return True
    if start[:4] == b"RIFF":
        return start[8:12] == b"AVI "
    if start.startswith((*PICTURE_STARTS, *OTHER_STARTS)):
        return False
    if suffix in SUFFIXES:
        return True
    binary = bool(start) and (b"\0" in start or max(start) > 127)
    return binary and suffix not in picture_suffixes() and _has_film(path)


def kind_of(path: Path) -> Literal["picture", "video"] | None:
    """What a file in a folder is, by its content where that tells and else by its suffix."""
    suffix = path.suffix.lower().rstrip()
    if (suffix in video_suffixes() or not suffix) and is_video(path):
        return "video"
    return "picture" if suffix in picture_suffixes() or looks_like_picture(path) else None


def _has_film(path: Path) -> bool:
    """Whether FFmpeg, if it is there, finds moving pictures in a file of unknown kind."""
    with suppress(VideoError):
        av = require_av()
        with suppress(av.FFmpegError, OSError, ValueError), open_container(path) as container:
            return container.format.name not in NO_FILMS and bool(films(container))
    return False


@cache
def video_suffixes() -> frozenset[str]:
    """Suffixes that may be videos: ours, and all that FFmpeg, if it is there, knows; `is_video` decides."""
    known = set(SUFFIXES)
    with suppress(VideoError):
        av = require_av()
        for name in av.formats_available:
            for mode in ("r", "w"):
                with suppress(ValueError):
                    known |= {f".{suffix}" for suffix in av.format.ContainerFormat(name, mode).extensions}
    return frozenset(known)


def require_av() -> ModuleType:
    """PyAV, or one sentence on how to get it."""
    try:
        import av
    except ImportError as error:
        raise VideoError(missing_extra("reading videos", error.name, "video")) from error
    return av


def open_container(path: Path, mode: str = "r", **options: Any) -> Any:
    """A file opened by PyAV, whatever its name: FFmpeg takes what stands before a colon for a protocol, unless it is
    told that this is a file. What is read is that file and no other one, whatever it says.
    """
    if mode == "r":
        options.setdefault("options", {"format_whitelist": _formats()})
    try:
        name = f"file:{path}"
        name.encode()
    except UnicodeEncodeError:  # bytes that are no UTF-8: PyAV cannot say them, but Python can open them
        if mode != "r":
            options.pop("options", None)  # (FFmpeg opens a file a second time to put its index in front)
        return require_av().open(_File(path, mode), mode, **options)
    return require_av().open(name, mode, **options)


@cache
def _formats() -> str:
    """All of FFmpeg's formats but `PLAYLISTS`, as it takes a list."""
    return ",".join(sorted(require_av().formats_available - PLAYLISTS))


class _File(io.FileIO):
    """A file that is closed when nobody uses it any more: PyAV does not close what it is given."""

    def __del__(self) -> None:
        self.close()


def films(container: Any) -> list[Any]:
    """The streams of moving pictures, the one that a viewer shows first: no cover, then the largest."""
    covers = require_av().stream.Disposition.attached_pic
    films = [s for s in container.streams.video if not s.disposition & covers and s.codec_context is not None]
    moving = [s for s in films if s.codec_context.name not in STILLS]
    return sorted(moving or films, key=lambda s: -s.codec_context.width * s.codec_context.height)


class VideoReader:
    """The frames of a video file: iterate over it once for (index, seconds, RGB picture), seconds by a player's clock.

    `rate` is the mean frame rate, `count` how many frames there should be (0 if the file does not say). `broken` is how
    many packets could not be decoded so far, `lost` the frames that are missing for it, whose numbers nobody else
    gets. `start` is the time of the first frame, once it was read: 0, or later if the sound begins earlier.
    `pixel_aspect` is how many times as wide as high the pixels are; `notes` say what was chosen.
    """

    def __init__(self, path: str | Path, *, threads: int | None = None) -> None:
        self.path = as_path(path)
        self.broken = 0
        self.lost: list[Lost] = []
        self.start = 0.0
        self._av = require_av()
        if "://" in str(path) and not self.path.exists():
            raise VideoError(f"{path}: an address, not a file; `handscope camera --device ADDRESS` opens those")
        if not is_file(self.path, VideoError):
            raise VideoError(f"{self.path}: a folder; its pictures are frames if you say how many a second (fps)")
        if self.path.stat().st_size == 0:
            raise VideoError(f"{self.path}: the file is empty (0 bytes); copy or export it again")
        try:
            self._container = open_container(self.path)
        except (self._av.FFmpegError, OSError, ValueError) as error:
            raise VideoError(f"{self.path}: not a video that can be read ({reason(error)})") from error
        found = films(self._container)
        if not found:
            self._container.close()
            raise VideoError(f"{self.path}: no moving pictures in this file, only sound or other data")
        stream = self._stream = found[0]
        stream.thread_type = "AUTO"
        if threads is not None:
            stream.codec_context.thread_count = threads
        self.rate = float(stream.average_rate or stream.guessed_rate or USUAL_RATE)
        self.count = int(stream.frames or self._length() * self.rate)
        self.pixel_aspect = float(stream.sample_aspect_ratio or stream.codec_context.sample_aspect_ratio or 1)
        size, streams = (stream.codec_context.width, stream.codec_context.height), len(self._container.streams.video)
        chosen = "{} picture streams: the one of {} x {} px is read".format(streams, *size)
        self.notes = (chosen,) if streams > 1 else ()

    def _length(self) -> float:
        """Seconds, 0 if unknown."""
        if self._stream.duration is not None and self._stream.time_base is not None:
            return float(self._stream.duration * self._stream.time_base)
        return (self._container.duration or 0) / 1e6

    def __iter__(self) -> Iterator[tuple[int, float, Image]]:
        for index, time, picture in self.pictures():
            yield index, time, picture.image

    def pictures(self) -> Iterator[tuple[int, float, Picture]]:
        """As iterating, but with how each picture was turned."""
        first = last = None
        index, told = -1, 0.0
        numbers = _Numbers(self.rate)
        for frame, picture in self._decoded(numbers):
            time, missing = frame.time, numbers.lost_before(frame)
            if time is None or (last is not None and time <= last):
                time = 0.0 if last is None else last + 1 / self.rate
            if first is None:
                first = time
                self.start = round(max(time - (self._container.start_time or 0) / 1e6, 0.0), 6)
            before, told, last = told, self.start + time - first, time
            after = before if index >= 0 else told - (missing + 1) / self.rate
            self._lose(range(index + 1, index + 1 + missing), after, told)
            index += 1 + missing
            yield index, told, picture
        if index < 0:
            broken = f" ({self.broken} could not be decoded)" if self.broken else ""
            raise VideoError(f"{self.path}: no frame of this video could be read{broken}; copy or export it again")
        missing = numbers.lost_at_end()
        self._lose(range(index + 1, index + 1 + missing), told, told + (missing + 1) / self.rate)

    def _lose(self, numbers: range, after: float, before: float) -> None:
        """List frames of these numbers as lost, spread over the time between two that were read."""
        for place, number in enumerate(numbers, 1):
            time = max(after + (before - after) * place / (len(numbers) + 1), 0.0)
            self.lost.append(Lost(number, time, f"frame {number} of {self.path.name} cannot be decoded"))

    def _decoded(self, numbers: _Numbers) -> Iterator[tuple[Any, Picture]]:
        """Sound frames and their pictures; `numbers` hears of every packet and every damage. A file that ends in the
        middle just ends.
        """
        packets = self._container.demux(self._stream)
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                return
            except Exception:  # of a damaged file PyAV may raise anything, names that are no UTF-8 included
                self.broken += 1
                return
            numbers.expect(packet)
            try:
                for frame in packet.decode():
                    if frame.is_corrupt:
                        self.broken += 1
                        numbers.damaged = True
                    else:
                        yield frame, upright(frame)
            except Exception:
                self.broken += 1
                numbers.damaged = True

    def close(self) -> None:
        """Close the file."""
        self._container.close()

    def __enter__(self) -> VideoReader:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


class _Numbers:
    """How many frames are missing where something was damaged: by the packets that gave no picture and, in files of a
    steady rate, by the time that passed.
    """

    def __init__(self, rate: float) -> None:
        self.damaged, self._rate = False, rate
        self._packets: deque[int] = deque()
        self._last: Any = None
        self._steady = True

    def expect(self, packet: Any) -> None:
        """A packet was read; its frame comes, if all is well."""
        if packet.pts is not None and packet.size:
            self._packets.append(packet.pts)

    def lost_before(self, frame: Any) -> int:
        """Frames lost between the last sound one and this one."""
        last, self._last = self._last, frame
        damaged, self.damaged = self.damaged, False
        if frame.pts is None or (last is not None and last.pts is None):
            return 0
        if last is None:  # what a clip that was cut without care holds before its first key frame is not damage
            before = sum(pts < frame.pts for pts in self._packets)
            self._packets = deque(pts for pts in self._packets if pts > frame.pts)
            return before if damaged else 0
        between = sum(last.pts < pts < frame.pts for pts in self._packets)
        self._packets = deque(pts for pts in self._packets if pts > frame.pts)
        steps = float((frame.pts - last.pts) * frame.time_base) * self._rate
        if not damaged:
            self._steady = self._steady and 0.5 < steps < 1.5
            return 0
        return max(between, round(steps) - 1 if self._steady else 0)

    def lost_at_end(self) -> int:
        """Frames lost behind the last sound one."""
        if not self.damaged or self._last is None or self._last.pts is None:
            return 0
        return sum(pts > self._last.pts for pts in self._packets)


def upright(frame: Any) -> Picture:
    """A decoded frame as its file says that it be shown."""
    if any(component.is_alpha for component in frame.format.components):
        image, _ = rgb_of(frame.to_ndarray(format="rgba"))
    else:
        image = frame.to_ndarray(format="rgb24")
    orientation = _orientation(frame)
    return Picture(None, turned(image, orientation), orientation=orientation)


def _orientation(frame: Any) -> int:
    """EXIF's number (1 to 8) of the turn and mirroring nearest to a frame's display matrix; 1 if it has none."""
    data = frame.side_data.get("DISPLAYMATRIX")
    if data is None:
        return 1
    matrix = np.frombuffer(bytes(data), np.int32)[[0, 3, 1, 4]].reshape(2, 2).astype(np.float64)
    return max(TURNS, key=lambda number: float((LINEAR[number] * matrix).sum()))


LINEAR = {
    1: np.array([[1, 0], [0, 1]]), 2: np.array([[-1, 0], [0, 1]]),
    3: np.array([[-1, 0], [0, -1]]), 4: np.array([[1, 0], [0, -1]]),
    5: np.array([[0, 1], [1, 0]]), 6: np.array([[0, -1], [1, 0]]),
    7: np.array([[0, -1], [-1, 0]]), 8: np.array([[0, 1], [-1, 0]]),
}  # fmt: skip
"""Where x and y of the stored picture go when it is made upright, by EXIF orientation."""


class FrameFolder:
    """The pictures of a folder, or those listed, as frames at `fps` a second, in natural order (frame2 before frame10).

    A picture that cannot be read is left out, counted in `broken` and listed in `lost`; the frames behind it keep their
    numbers.
    """

    def __init__(self, source: str | Path | Sequence[str | Path], fps: float) -> None:
        self.rate, self.broken, self.start, self.pixel_aspect = check_rate(fps), 0, 0.0, 1.0
        self.notes: tuple[str, ...] = ()
        self.lost: list[Lost] = []
        if isinstance(source, str | Path):
            self.path = as_path(source)
            if is_file(self.path, VideoError):
                raise VideoError(f"{self.path}: a file; frames at so many a second are a folder of pictures")
            listing, known = list_folder(self.path, VideoError), picture_suffixes()
            self.files = [file for file in listing.files if file.suffix.lower() in known]
            others = len(listing.files) - len(self.files) + len(listing.problems)
            if others:
                self.notes = (f"{others} of its files are no pictures that are read: left out",)
            if not self.files:
                raise VideoError(f"{self.path}: no pictures in this folder to be frames")
        else:
            self.files = [as_path(file) for file in source]
            self.path = self.files[0].parent if self.files else Path()
        self.count = len(self.files)

    def __iter__(self) -> Iterator[tuple[int, float, Image]]:
        for index, time, picture in self.pictures():
            yield index, time, picture.image

    def pictures(self) -> Iterator[tuple[int, float, Picture]]:
        """As iterating, but with how each picture was turned."""
        for index, file in enumerate(self.files):
            try:
                yield index, index / self.rate, take_picture(file)
            except ImageError as error:
                self.lost.append(Lost(index, index / self.rate, str(error)))
                self.broken += 1
        if self.broken == self.count:
            raise VideoError(f"{self.path}: none of its {self.count} frames could be read ({self.lost[0].problem})")

    def close(self) -> None:
        """Nothing is open between two frames."""

    def __enter__(self) -> FrameFolder:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


def check_rate(fps: float) -> float:
    """Frames a second, or one sentence if they are none."""
    try:
        rate = float(fps)
    except (TypeError, ValueError, OverflowError):
        rate = 0.0
    if not 0 < rate < float("inf"):
        raise VideoError(f"fps must be a positive number of frames a second, got {shown(fps)}")
    return rate


class Pictures:
    """Pictures at hand as frames: pairs (seconds, picture), or at `fps` a second pictures alone."""

    pixel_aspect = 1.0

    def __init__(self, source: Iterable[Any], fps: float | None) -> None:
        self._rate = None if fps is None else check_rate(fps)
        try:
            self._items = iter(source)
        except TypeError:
            kind = type(source).__name__
            told = f"a {kind} is no video: give a path, a camera's number, or pairs (seconds, picture)"
            raise VideoError(told) from None

    def pictures(self) -> Iterator[tuple[int, Any, Picture]]:
        """(index, time as told, picture), the times not yet checked."""
        for index, item in enumerate(self._items):
            if self._rate is not None:
                yield index, index / self._rate, take_picture(item)
                continue
            pair = isinstance(item, tuple | list) and len(item) == 2 and not isinstance(item[0], str | Path)
            if not pair or isinstance(item[0], list | tuple) or np.ndim(item[0]) > 0:
                raise VideoError("frames come as pairs (seconds, picture); pictures alone need fps, how many a second")
            yield index, item[0], take_picture(item[1])

    def close(self) -> None:
        """Nothing was opened."""


Frames = VideoReader | FrameFolder | CameraReader | Pictures


@contextmanager
def open_frames(source: Any, fps: float | None = None) -> Iterator[Frames]:
    """What `Pipeline.video` takes, ready to be read; what was opened for it is closed again. VideoError for what has no
    frames or no times.
    """
    if isinstance(source, VideoReader | FrameFolder | CameraReader):
        yield source
        return
    if is_live(source):
        reader = CameraReader(source)
    elif isinstance(source, str | Path):
        reader = VideoReader(source) if fps is None else FrameFolder(source, fps)
    else:
        reader = Pictures(source, fps)
    try:
        yield reader
    finally:
        if not isinstance(source, Capture):
            reader.close()
