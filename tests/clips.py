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
    quarter_turn: bool = False, gop: int = 12, options: dict[str, str] | None = None,
) -> Path:  # fmt: skip
    """`frames` as H.264 in the container of `path`'s suffix, at `times` seconds (30 a second by default)."""
    height, width = frames[0].shape[:2]
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=30)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.options = {"crf": "18", "preset": "ultrafast", "g": str(gop), "bf": "0"} | (options or {})
        stream.codec_context.time_base = Fraction(1, 90000)
        for i, image in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.time_base, frame.pts = Fraction(1, 90000), round((i / 30 if times is None else times[i]) * 90000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    if quarter_turn:
        mark_as_turned(path, [[0, -1], [1, 0]])  # clockwise, as phones do
    return path


def mark_as_turned(path: Path, linear: Sequence[Sequence[float]]) -> None:
    """Write into the MP4's track header where x and y of the stored picture go (2, 2) when it is shown."""
    data = bytearray(path.read_bytes())
    matrix = data.find(b"tkhd") + 4 + 40  # of version 0
    (xx, xy), (yx, yy) = [[round(65536 * value) for value in row] for row in linear]
    data[matrix : matrix + 36] = struct.pack(">9i", xx, yx, 0, xy, yy, 0, 0, 0, 1 << 30)
    path.write_bytes(data)


def write_streams(
    path: Path, streams: Sequence[tuple[str, str, Sequence[NDArray[np.uint8]]]], *, late_s: float = 0.0
) -> Path:
    """A file of several picture streams, (codec, pixel format, frames at 25 a second) each; with `late_s` a sound that
    begins so much earlier.
    """
    with av.open(str(path), "w") as container:
        packets = []
        if late_s:
            sound = container.add_stream("aac", rate=48000)
        opened = []
        for codec, layout, frames in streams:
            stream = container.add_stream(codec, rate=25)
            stream.height, stream.width = frames[0].shape[:2]
            stream.pix_fmt = layout
            opened.append(stream)
        if late_s:
            for i in range(round((late_s + 1) * 48000 / 1024)):
                samples = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
                samples.sample_rate, samples.pts = 48000, 1024 * i
                packets += sound.encode(samples)
            packets += sound.encode(None)
        for stream, (_, _, frames) in zip(opened, streams, strict=True):
            for i, image in enumerate(frames):
                frame = av.VideoFrame.from_ndarray(image, format="rgba" if image.shape[2] == 4 else "rgb24")
                frame.pts = i + round(25 * late_s)
                packets += stream.encode(frame)
            packets += stream.encode(None)
        for packet in sorted(packets, key=lambda packet: float((packet.dts or 0) * packet.time_base)):
            container.mux(packet)
    return path


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
