"""What a video leaves behind: overlay.mp4, hands.jsonl, hands.parquet and moving meshes, as the frames come.

Whenever writing ends, by Ctrl-C too, what has been written is closed properly and moved to its place; hands.jsonl
is complete to the last line at any time, on a full disk too.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import cv2
import numpy as np
from numpy.typing import NDArray

from handscope.errors import VideoError
from handscope.files import NewFile
from handscope.hand.angles import ANGLE_NAMES
from handscope.infer import formats
from handscope.infer.frames import Lost, open_container, require_av
from handscope.infer.parquet_files import ParquetFile
from handscope.infer.video import VideoFrame
from handscope.paths import as_text, reason
from handscope.types import Hand

CLOCK = Fraction(1, 90_000)
"""The time base of the videos written, seconds."""
ENCODERS = ("libx264", "libopenh264", "h264", "mpeg4")
"""The first of these that this FFmpeg has is used."""
LONGEST = 16_384
"""The longest side of a picture that an encoder takes, px."""
COLUMNS = {
    "box": 4, "joints_2d": 42, "joint_scores": 21, "joints_3d": 63, "theta": 45, "beta": 10, "R": 9, "T": 3, "K": 9,
}  # fmt: skip
"""Arrays of a hand in hands.parquet, flattened row by row, and their lengths."""


@runtime_checkable
class FrameWriter(Protocol):
    """Takes frames in order, then is closed, whatever happened."""

    def write(self, frame: VideoFrame, painted: NDArray[np.uint8]) -> None:
        """Take one frame; `painted` is its picture with the hands drawn in."""
        ...

    def skip(self, lost: Lost) -> None:
        """Take note of a frame that could not be read."""
        ...

    def close(self) -> None:
        """Finish the file and move it to its place."""
        ...


class OverlayWriter:
    """H.264 in MP4 with the times of the frames; odd sizes get one more row or column, as H.264 wants even ones, and
    what no encoder takes is scaled down.
    """

    def __init__(self, path: Path, *, rate: float) -> None:
        self._file = NewFile(path)
        self._av, self._rate = require_av(), Fraction(rate).limit_denominator(1001)
        self._open: tuple[Any, Any] | None = None
        """The container and its stream, from the first frame on."""
        self._size = (0, 0)
        self._last = -1

    def write(self, frame: VideoFrame, painted: NDArray[np.uint8]) -> None:
        """Encode `painted`; a picture of another size than the first is scaled to it. Raises VideoError for what cannot
        be encoded.
        """
        height, width = painted.shape[:2]
        if self._open is None:
            scale = min(1.0, LONGEST / max(width, height))
            sides = [max(1, round(scale * side)) for side in (width, height)]
            self._open = self._start(*(side + side % 2 for side in sides))
        if (width + width % 2, height + height % 2) != self._size:
            fitting = cv2.resize(painted, self._size, interpolation=cv2.INTER_AREA)
        else:
            fitting = cv2.copyMakeBorder(painted, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE)
        picture = self._av.VideoFrame.from_ndarray(np.ascontiguousarray(fitting), format="rgb24")
        picture.time_base = CLOCK
        picture.pts = self._last = max(round(frame.time / CLOCK), self._last + 1)
        self._encode(picture)

    def skip(self, lost: Lost) -> None:
        """Nothing to show."""

    def _encode(self, picture: Any) -> None:
        """Into the file; None for what the encoder still holds."""
        assert self._open is not None
        container, stream = self._open
        try:
            container.mux(stream.encode(picture))
        except self._av.FFmpegError as error:
            if isinstance(error, OSError):  # the disk's own
                raise
            size = "x".join(map(str, self._size))
            raise VideoError(
                f"overlay.mp4: cannot encode pictures of {size} px ({reason(error)}); leave out --overlay"
            ) from error

    def _start(self, width: int, height: int) -> tuple[Any, Any]:
        encoder = next((name for name in ENCODERS if name in self._av.codec.codecs_available), None)
        if encoder is None:
            raise VideoError(f"this PyAV has no encoder for MP4 (one of {', '.join(ENCODERS)}); leave out --overlay")
        container = open_container(self._file.path, "w", format="mp4", options={"movflags": "+faststart"})
        stream = container.add_stream(encoder, rate=self._rate)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.time_base = CLOCK
        if encoder == "libx264":
            stream.options = {"crf": "20", "preset": "veryfast"}
        self._size = (width, height)
        return container, stream

    def close(self) -> None:
        """Write what the encoder still holds and the file's index."""
        if self._open is None:
            self._file.discard()
            return
        try:
            try:
                self._encode(None)
            finally:
                (container, _), self._open = self._open, None
                container.close()
        except BaseException:  # without its end nobody can play it
            self._file.discard()
            raise
        self._file.finish()


class LinesWriter:
    """One JSON object a line and frame: `frame`, `time` and `hands`, as in result.json with `track`; of a frame that
    could not be read no hands, and `problem`, which says why.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = path.open("wb", buffering=0)

    def write(self, frame: VideoFrame, painted: NDArray[np.uint8]) -> None:
        """Append the frame's line; it is in the file when this returns."""
        hands = [formats.hand_to_dict(hand) for hand in frame.hands]
        self._append({"frame": frame.index, "time": round(frame.time, 6), "hands": hands})

    def skip(self, lost: Lost) -> None:
        """Append a line for a frame that could not be read."""
        told = {"frame": lost.index, "time": round(lost.time, 6), "hands": [], "problem": as_text(lost.problem)}
        self._append(told)

    def _append(self, row: dict[str, Any]) -> None:
        line = memoryview((json.dumps(row, allow_nan=False) + "\n").encode("utf-8", "backslashreplace"))
        before = self._file.tell()
        try:
            while line:
                line = line[self._file.write(line) :]
        except OSError:  # a full disk takes the beginning of a line
            self._file.truncate(before)
            raise

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class TableWriter:
    """Parquet, one row for each hand of each frame, in row groups."""

    def __init__(self, path: Path) -> None:
        self._file: ParquetFile[tuple[VideoFrame, Hand]] = ParquetFile(path, _schema, _table)

    def write(self, frame: VideoFrame, painted: NDArray[np.uint8]) -> None:
        """Keep the frame's hands."""
        self._file.add((frame, hand) for hand in frame.hands)

    def skip(self, lost: Lost) -> None:
        """Nothing to tell: there is a row for each hand."""

    def close(self) -> None:
        """Write the rows that remain and the footer."""
        self._file.close()


class TrackWriter:
    """hand-TRACK-SIDE.SUFFIX: one hand over the whole video, by `encode(frames, times=...)`; kept in memory until the
    end.
    """

    def __init__(self, folder: Path, suffix: str, encode: Callable[..., bytes | str]) -> None:
        self.folder, self.suffix, self.encode = folder, suffix, encode
        self._times: list[float] = []
        self._hands: list[dict[int, Hand]] = []

    def write(self, frame: VideoFrame, painted: NDArray[np.uint8]) -> None:
        """Keep the hands."""
        self._times.append(frame.time)
        self._hands.append({int(hand.track or 0): hand for hand in frame.hands})

    def skip(self, lost: Lost) -> None:
        """Nothing to move."""

    def close(self) -> None:
        """Write a file for each track that has two frames of one side at least."""
        for number in sorted({number for hands in self._hands for number in hands}):
            sides = Counter(hands[number].handedness for hands in self._hands if number in hands)
            side, count = sides.most_common(1)[0]
            frames = [hands.get(number) for hands in self._hands]
            frames = [hand if hand is not None and hand.handedness == side else None for hand in frames]
            if count > 1:
                clip = self.encode(frames, times=self._times)
                formats.write_file(self.folder / f"hand-{number}-{side}.{self.suffix}", clip)


def _schema(pa: Any) -> Any:
    plain = [
        ("frame", pa.int32()),
        ("time", pa.float64()),
        ("track", pa.int32()),
        ("handedness", pa.string()),
    ]
    plain += [("score", pa.float32()), ("unseen_s", pa.float32())]
    about = {
        "handscope": "one row for each hand and frame; pixels (x right, y down, centre of the top-left pixel at 0, 0), "
        "metres in the camera frame (x right, y down, z forward), radians; arrays flattened row by row",
        "shapes": json.dumps({"joints_2d": [21, 2], "joints_3d": [21, 3], "theta": [15, 3], "R": [3, 3], "K": [3, 3]}),
    }
    arrays = [(name, pa.list_(pa.float32(), length)) for name, length in COLUMNS.items()]
    angles = [(f"{name}_deg", pa.float32()) for name in ANGLE_NAMES]
    return pa.schema([*plain, *arrays, *angles], metadata=about)


def _table(pa: Any, schema: Any, rows: Sequence[tuple[VideoFrame, Hand]]) -> Any:
    frames, hands = zip(*rows, strict=True)
    columns: list[Any] = [
        pa.array([frame.index for frame in frames], pa.int32()),
        pa.array([frame.time for frame in frames], pa.float64()),
        pa.array([hand.track for hand in hands], pa.int32()),
        pa.array([hand.handedness for hand in hands], pa.string()),
        pa.array([hand.score for hand in hands], pa.float32()),
        pa.array([hand.extras.get("unseen_s", 0.0) for hand in hands], pa.float32()),
    ]
    for name, length in COLUMNS.items():
        flat = np.stack([np.ravel(getattr(hand, name)) for hand in hands]).astype(np.float32)
        columns.append(pa.FixedSizeListArray.from_arrays(pa.array(flat.ravel()), length))
    angles = [formats.joint_angles(hand) for hand in hands]
    columns += [pa.array([one[name] for one in angles], pa.float32()) for name in ANGLE_NAMES]
    return pa.table(columns, schema=schema)
