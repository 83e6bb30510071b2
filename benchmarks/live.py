"""How many frames a second a camera of two hands gives, and how old an answer is: a clip as a camera of 30 a second.

    python benchmarks/live.py ../shared/data/videos/CLIP.mp4 [--seconds 10] [--rate 30]

Told are frames looked at a second, the latency from picture to answer (median and of 95 in 100), hands a frame, and the
processor's milliseconds a frame, which a busy machine changes least.
"""

from __future__ import annotations

import argparse
import time
from itertools import chain, cycle
from pathlib import Path

import cv2
import numpy as np

import handscope
from handscope.infer.live import CameraReader


class ClipAsCamera:
    """What OpenCV gives of a camera that shows a clip, forwards and backwards, at a rate of its own."""

    def __init__(self, path: Path, rate: float) -> None:
        film = cv2.VideoCapture(str(path))
        frames = []
        while len(frames) < 300:
            ok, picture = film.read()
            if not ok:
                break
            frames.append(picture)
        self.frames, self.pause, self.due = cycle(chain(frames, frames[-2:0:-1])), 1 / rate, time.monotonic()

    def isOpened(self) -> bool:
        """It can be read."""
        return True

    def set(self, key: int, value: float) -> bool:
        """Nothing to set."""
        return True

    def read(self) -> tuple[bool, np.ndarray]:
        """The next frame, when it is due."""
        self.due = max(self.due + self.pause, time.monotonic() - self.pause)
        time.sleep(max(self.due - time.monotonic(), 0))
        return True, next(self.frames)

    def release(self) -> None:
        """Nothing to give back."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("clip", type=Path)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--rate", type=float, default=30.0)
    options = parser.parse_args()
    model = handscope.load()
    clip = ClipAsCamera(options.clip, options.rate)
    cv2.VideoCapture = lambda *_: clip
    camera = CameraReader(0)
    ages, hands, used = [], 0, time.process_time()
    for frame in model.video(camera):
        ages.append(1e3 * (camera.now() - frame.time))
        hands += len(frame.hands)
        if frame.time > options.seconds:
            break
    used = time.process_time() - used
    camera.close()
    middle, late = np.percentile(ages, [50, 95])
    seen, each = len(ages) / options.seconds, hands / len(ages)
    print(
        f"{seen:.1f} of {options.rate:g} frames a second, {each:.2f} hands a frame, "
        f"latency {middle:.0f} ms ({late:.0f}), processor {1e3 * used / len(ages):.0f} ms a frame"
    )


if __name__ == "__main__":
    main()
