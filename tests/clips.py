"""Small videos made on the spot, sound and damaged."""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from toy_networks import blobs, paint


def toy_frames(count: int, *, width: int = 320, height: int = 240) -> list[NDArray[np.uint8]]:
    """A right toy hand that moves to the right by 3 px a frame."""
    return [paint(width, height, [blobs((100 + 3 * i, 120), 80, 0.01 * i, "right")]) for i in range(count)]


def write_video(
    path: Path, frames: Sequence[NDArray[np.uint8]], *, times: Sequence[float] | None = None,
    quarter_turn: bool = False, gop: int = 12,
) -> Path:  # fmt: skip
    """`frames` as H.264 in the container of `path`'s suffix, at `times` seconds (30 a second by default)."""
    height, width = frames[0].shape[:2]
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=30)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.options = {"crf": "18", "preset": "ultrafast", "g": str(gop), "bf": "0"}
        stream.codec_context.time_base = Fraction(1, 90000)
        for i, image in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.time_base, frame.pts = Fraction(1, 90000), round((i / 30 if times is None else times[i]) * 90000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    if quarter_turn:
        _mark_as_portrait(path, height)
    return path


def _mark_as_portrait(path: Path, height: int) -> None:
    """Write a quarter turn clockwise into the MP4's track header, as phones do."""
    data = bytearray(path.read_bytes())
    matrix = data.find(b"tkhd") + 4 + 40  # of version 0
    data[matrix : matrix + 36] = struct.pack(">9i", 0, 65536, 0, -65536, 0, 0, height << 16, 0, 1 << 30)
    path.write_bytes(data)


def write_sound(path: Path) -> Path:
    """A file with sound and no pictures."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=44100)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate, frame.pts = 44100, 0
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def read_back(path: Path) -> tuple[list[float], list[NDArray[np.uint8]]]:
    """Times and pictures of a video."""
    with av.open(str(path)) as container:
        frames = [(float(f.time), f.to_ndarray(format="rgb24")) for f in container.decode(video=0)]
    return [time for time, _ in frames], [image for _, image in frames]


def read_lines(path: Path) -> list[dict[str, Any]]:
    """The objects of a JSON Lines file."""
    return [json.loads(line) for line in path.read_text().splitlines()]


class FakeCapture:
    """What OpenCV gives: BGR pictures until there are no more."""

    def __init__(self, frames, *, is_open=True):
        self.frames, self.is_open, self.released = [f[..., ::-1] for f in frames], is_open, False

    def isOpened(self):
        return self.is_open

    def set(self, key, value):
        return True

    def read(self):
        return (True, self.frames.pop(0)) if self.frames else (False, None)

    def release(self):
        self.released = True
