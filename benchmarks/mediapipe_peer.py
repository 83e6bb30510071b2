"""MediaPipe Hands by the same protocols as `handscope bench real`, for comparison.

    python benchmarks/mediapipe_peer.py --python /path/to/env/with/mediapipe/bin/python --data ../shared/data

MediaPipe 0.10.21 needs numpy < 2 and so its own environment: this file starts itself there (`--serve`),
sends pictures and reads landmarks. It has no mask and no mesh: masks-dev and projected joints are left out.
"""

from __future__ import annotations

import argparse
import json
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


def serve() -> None:
    """In MediaPipe's environment: pictures (height, width, bytes) in, hands as JSON lines out."""
    import mediapipe

    source, sink = sys.stdin.buffer, sys.stdout
    with mediapipe.solutions.hands.Hands(
        static_image_mode=True, max_num_hands=4, model_complexity=1, min_detection_confidence=0.1
    ) as hands:
        while header := source.read(8):
            height, width = struct.unpack("<II", header)
            image = np.frombuffer(source.read(3 * height * width), np.uint8).reshape(height, width, 3)
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
            print(json.dumps(answers), file=sink, flush=True)


class MediaPipe:
    """Call it with a picture for its hands, as handscope's own pipeline."""

    def __init__(self, python: Path) -> None:
        command = [str(python), __file__, "--serve"]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )

    def __call__(self, image: NDArray[np.uint8]) -> list[Any]:
        """Hands in `image` RGB uint8 (H, W, 3)."""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(struct.pack("<II", *image.shape[:2]) + np.ascontiguousarray(image).tobytes())
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit("MediaPipe's process ended; does --python have mediapipe==0.10.21?")
        return [to_hand(answer, image.shape[:2]) for answer in json.loads(line)]


def to_hand(answer: dict[str, Any], shape: tuple[int, ...]) -> Any:
    """MediaPipe's answer as a `Hand`; what it does not say is empty."""
    from handscope.geometry.camera import default_intrinsics
    from handscope.types import Hand

    joints = np.array(answer["joints_2d"])
    nothing = np.zeros(0)
    return Hand(
        handedness=answer["handedness"],
        score=answer["score"],
        box=np.concatenate([joints.min(0), joints.max(0)]),
        joints_2d=joints,
        joint_scores=np.full(21, answer["score"]),
        mask=np.zeros(shape, bool),
        joints_3d=np.array(answer["joints_3d"]),
        vertices=nothing,
        faces=np.zeros((0, 3), int),
        theta=nothing,
        beta=nothing,
        R=np.eye(3),
        T=nothing,
        K=default_intrinsics(shape[1], shape[0]),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--python", type=Path, help="an interpreter that has mediapipe==0.10.21")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--labels", type=Path, default=Path("recipes/labels/photos_pseudo.jsonl.gz"))
    parser.add_argument("--limit", type=int)
    arguments = parser.parse_args()
    if arguments.serve:
        return serve()
    if arguments.python is None or arguments.data is None:
        parser.error("--python and --data are required")
    from handscope.evaluation.real import bench, report

    scores = bench(
        arguments.data,
        MediaPipe(arguments.python),
        labels=arguments.labels,
        limit=arguments.limit,
        sets=("joints-dev", "photos held-out"),
    )
    scores["joints-dev"].pop("projected_error_px256_mean", None)
    print(report(scores))


if __name__ == "__main__":
    main()
