"""MediaPipe Hands as a process: pictures in on stdin, hands out as JSON lines on stdout.

`peer.MediaPipe` starts this file with the interpreter of MediaPipe's own environment (it wants numpy < 2), so
nothing of handscope is imported here. The first line says the version; then each picture, height and width as two
little-endian 32-bit integers followed by RGB bytes, is answered by one line. A picture of height 0 begins another
video: MediaPipe forgets the last one (with --video, in which it tracks).
"""

from __future__ import annotations

import argparse
import json
import os
import struct
import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray


def parser() -> argparse.ArgumentParser:
    """MediaPipe's settings."""
    out = argparse.ArgumentParser()
    out.add_argument("--video", action="store_true", help="the pictures follow each other")
    out.add_argument("--most-hands", type=int, default=4)
    out.add_argument("--least-score", type=float, default=0.1)
    return out


def main() -> None:
    """Answer until stdin ends; MediaPipe's own chatter goes to stderr."""
    options = parser().parse_args()
    source, sink = sys.stdin.buffer, os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    import mediapipe  # pyright: ignore[reportMissingImports]

    hands = None
    print(json.dumps({"mediapipe": mediapipe.__version__}), file=sink, flush=True)
    while header := source.read(8):
        height, width = struct.unpack("<II", header)
        if hands is None or not height:
            hands = mediapipe.solutions.hands.Hands(
                static_image_mode=not options.video,
                max_num_hands=options.most_hands,
                model_complexity=1,
                min_detection_confidence=options.least_score,
            )
        if height:
            image = np.frombuffer(source.read(3 * height * width), np.uint8).reshape(height, width, 3)
            print(json.dumps(answer(hands, image)), file=sink, flush=True)


def answer(hands: Any, image: NDArray[np.uint8]) -> list[dict[str, Any]]:
    """Every hand in `image`: 2D joints in px (pixel centres at integers), 3D joints in metres, side, score."""
    height, width = image.shape[:2]
    found = hands.process(image)
    answers = []
    for flat, world, side in zip(
        found.multi_hand_landmarks or [],
        found.multi_hand_world_landmarks or [],
        found.multi_handedness or [],
        strict=True,
    ):
        kind = side.classification[0]
        answers.append(
            {
                "joints_2d": [[p.x * width - 0.5, p.y * height - 0.5] for p in flat.landmark],
                "joints_3d": [[p.x, p.y, p.z] for p in world.landmark],
                "handedness": "left" if kind.label == "Right" else "right",  # it supposes selfies
                "score": kind.score,
            }
        )
    return answers


if __name__ == "__main__":
    main()
