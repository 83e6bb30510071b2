"""Jitter and lag of tracking on rendered clips whose truth is known, beside MediaPipe's video mode.

    python benchmarks/video_jitter.py --seeds 11 12 13 14 --python /path/to/env/with/mediapipe/bin/python

The filters' defaults were tuned on seeds 2 and 3 (`--seeds 2 3 --tune` prints the grid). MediaPipe 0.10.21 needs
numpy < 2 and so its own environment: this file starts itself there (`--serve`), sends frames and reads landmarks.

`--sequence ../shared/data` instead takes the evaluation-only photographs joints-dev, one sequence of one left hand, and
tells what following the hand does to accuracy.
"""

from __future__ import annotations

import argparse
import json
import struct
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]
FPS = 30.0
COLUMNS = (
    "2D jitter (px/frame²)",
    "2D lag (frames)",
    "2D error (px)",
    "3D jitter (mm/frame²)",
    "3D lag (frames)",
    "3D error (mm)",
    "frames with the hand",
)


def serve() -> None:
    """In MediaPipe's environment: frames (height, width, bytes) in, the best hand of each as a JSON line out."""
    import mediapipe

    source = sys.stdin.buffer
    with mediapipe.solutions.hands.Hands(static_image_mode=False, max_num_hands=1, model_complexity=1) as hands:
        while header := source.read(8):
            height, width = struct.unpack("<II", header)
            image = np.frombuffer(source.read(3 * height * width), np.uint8).reshape(height, width, 3)
            found = hands.process(image)
            answer = None
            if found.multi_hand_landmarks:
                flat, world = found.multi_hand_landmarks[0], found.multi_hand_world_landmarks[0]
                answer = {
                    "joints_2d": [[p.x * width - 0.5, p.y * height - 0.5] for p in flat.landmark],
                    "joints_3d": [[p.x, p.y, p.z] for p in world.landmark],
                }
            print(json.dumps(answer), flush=True)


def ask_mediapipe(python: Path, images: Sequence[NDArray[np.uint8]]) -> tuple[Array, Array]:
    """Joints (t, 21, 2) px and (t, 21, 3) m of MediaPipe's video mode, NaN where it finds no hand."""
    command = [str(python), __file__, "--serve"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    answers = []
    with subprocess.Popen(command, **pipes) as process:
        assert process.stdin is not None and process.stdout is not None
        for image in images:
            process.stdin.write(struct.pack("<II", *image.shape[:2]) + np.ascontiguousarray(image).tobytes())
            process.stdin.flush()
            line = process.stdout.readline()
            if not line:
                raise SystemExit("MediaPipe's process ended; does --python have mediapipe==0.10.21?")
            answers.append(json.loads(line))
        process.stdin.close()
    return stack(answers)


def stack(answers: Iterable[dict[str, Any] | None]) -> tuple[Array, Array]:
    empty = {"joints_2d": np.full((21, 2), np.nan), "joints_3d": np.full((21, 3), np.nan)}
    full = [answer or empty for answer in answers]
    return tuple(np.array([answer[name] for answer in full], np.float64) for name in empty)  # type: ignore[return-value]


def follow(model: Any, images: Sequence[NDArray[np.uint8]], K: Array, smoothing: Any) -> tuple[Array, Array]:
    """Joints of our tracker's first track."""
    from handscope.infer.tracking import TrackingConfig

    pairs = ((i / FPS, image) for i, image in enumerate(images))
    answers = []
    for frame in model.video(pairs, K=K, config=TrackingConfig(smoothing=smoothing, most_hands=1)):
        hand = frame.hands[0] if frame.hands else None
        answers.append(hand and {"joints_2d": hand.joints_2d, "joints_3d": hand.joints_3d})
    return stack(answers)


def by_frame(model: Any, images: Sequence[NDArray[np.uint8]], K: Array) -> tuple[Array, Array]:
    """Joints of the best hand of every frame, looked at as a picture of its own."""
    found = (model(image, K) for image in images)
    return stack({"joints_2d": h[0].joints_2d, "joints_3d": h[0].joints_3d} if h else None for h in found)


def measure(joints_2d: Array, joints_3d: Array, clip: Sequence[Any]) -> list[float]:
    """The columns for one clip; 3D joints are compared relative to the wrist."""
    from handscope.evaluation.motion import acceleration_error, lag

    true_2d = np.stack([sample.hands[0].joints_2d for sample in clip])
    true_3d = 1e3 * np.stack([sample.hands[0].joints_3d - sample.hands[0].joints_3d[:1] for sample in clip])
    own_3d = 1e3 * (joints_3d - joints_3d[:, :1])
    row = []
    for own, true in ((joints_2d, true_2d), (own_3d, true_3d)):
        error = float(np.nanmean(np.linalg.norm(own - true, axis=-1)))
        row += [acceleration_error(own, true), lag(own, true), error]
    return [*row, 100 * float(np.isfinite(joints_2d[:, 0, 0]).mean())]


def sequence(model: Any, folder: Path, python: Path | None) -> str:
    """Markdown: 2D error and side on the photographs of joints-dev, picture by picture and as a video."""
    from handscope.data.dev_sets import JointsDev
    from handscope.infer.tracking import TrackingConfig

    dev = JointsDev(folder)
    samples = sorted((dev[i] for i in range(len(dev))), key=lambda sample: sample.key)
    images, labels = [sample.image for sample in samples], [sample.hands[0] for sample in samples]
    true = np.stack([label.joints_2d for label in labels])
    singly = [model(sample.image, sample.K)[:1] for sample in samples]
    config = TrackingConfig(smoothing=None, most_hands=1)
    pairs = ((i / FPS, image) for i, image in enumerate(images))
    tracked = model.video(pairs, K=samples[0].K, config=config)
    lines = ["| | found | 2D error (px of 256) | side right | tracks |", "|---|---|---|---|---|"]
    for name, answers in {"every frame a picture": singly, "tracked": [frame.hands for frame in tracked]}.items():
        found = [(hands[0], i) for i, hands in enumerate(answers) if hands]
        error = np.mean([np.linalg.norm(hand.joints_2d - true[i], axis=1).mean() for hand, i in found])
        side = np.mean([hand.handedness == labels[i].handedness for hand, i in found])
        tracks = len({hand.track for hand, _ in found} - {None}) or "-"
        lines.append(f"| {name} | {len(found)} | {error:.2f} | {100 * side:.1f} % | {tracks} |")
    if python is not None:
        joints, _ = ask_mediapipe(python, images)
        seen = np.isfinite(joints[:, 0, 0])
        error = np.linalg.norm(joints - true, axis=-1)[seen].mean()
        lines.append(f"| MediaPipe 0.10.21, video mode | {seen.sum()} | {error:.2f} | - | - |")
    return "\n".join(lines)


def table(rows: dict[str, Array]) -> str:
    """Markdown: means over the clips."""
    lines = [f"| | {' | '.join(COLUMNS)} |", f"|---|{'---|' * len(COLUMNS)}"]
    for name, values in rows.items():
        cells = [f"{v:.2f}" for v in values[:-1]] + [f"{values[-1]:.0f} %"]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def tune(model: Any, clips: dict[int, list[Any]]) -> None:
    """A grid over the filters of joints, and of orientation and pose; jitter as a share of the unfiltered one's."""
    from handscope.infer.smoothing import HandSmoother, OneEuroConfig, SmoothingConfig
    from handscope.infer.tracking import Tracker, TrackingConfig

    raw = {}
    for seed, clip in clips.items():
        tracker = Tracker(model.models, TrackingConfig(smoothing=None, most_hands=1))
        raw[seed] = [tracker(sample.image, i / FPS, sample.K)[0] for i, sample in enumerate(clip)]

    def mean(smooth: Callable[[], Callable]) -> Array:
        rows = []
        for seed, hands in raw.items():
            run = smooth()
            kept = [run(hand, i / FPS) for i, hand in enumerate(hands)]
            joints = stack({"joints_2d": hand.joints_2d, "joints_3d": hand.joints_3d} for hand in kept)
            rows.append(measure(*joints, clips[seed]))
        return np.mean(rows, 0)

    plain = mean(lambda: lambda hand, time: hand)
    print("cutoff slope | 2D jitter share, lag | 3D jitter share, lag (3D: cutoff - 0.5, same slope)")
    for cutoff in (1.0, 1.5, 2.0, 3.0):
        for slope in (1.0, 2.0, 4.0):
            joints = OneEuroConfig(cutoff=cutoff, slope=slope, speed_cutoff=2.0)
            turn = OneEuroConfig(cutoff=cutoff - 0.5, slope=slope)
            config = SmoothingConfig(joints=joints, orientation=turn, pose=turn)
            row = mean(lambda config=config: HandSmoother(model.models.assembler.told_in, config))
            print(f"{cutoff} {slope} | {row[0] / plain[0]:.2f} {row[1]:.2f} | {row[3] / plain[3]:.2f} {row[4]:.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--python", type=Path, help="an interpreter that has mediapipe==0.10.21")
    parser.add_argument("--seeds", type=int, nargs="+", default=[11, 12, 13, 14])
    parser.add_argument("--frames", type=int, default=120)
    parser.add_argument("--tune", action="store_true")
    parser.add_argument("--sequence", type=Path, help="the folder that holds joints-dev, instead of rendered clips")
    parser.add_argument("--weights")
    arguments = parser.parse_args()
    if arguments.serve:
        return serve()
    import handscope
    from handscope.infer.smoothing import SmoothingConfig
    from handscope.synth.clips import render_clip

    model = handscope.load(arguments.weights, threads=1)
    if arguments.sequence is not None:
        return print(sequence(model, arguments.sequence, arguments.python))
    clips = {seed: list(render_clip(seed, frames=arguments.frames, left=seed % 2 == 0)) for seed in arguments.seeds}
    if arguments.tune:
        return tune(model, clips)
    ways: dict[str, Callable] = {
        "handscope, every frame a picture": lambda images, K: by_frame(model, images, K),
        "handscope, tracked, not smoothed": lambda images, K: follow(model, images, K, None),
        "handscope, tracked and smoothed": lambda images, K: follow(model, images, K, SmoothingConfig()),
    }
    if arguments.python is not None:
        ways["MediaPipe 0.10.21, video mode"] = lambda images, K: ask_mediapipe(arguments.python, images)
    rows: dict[str, Array] = {}
    for name, way in ways.items():
        scores = [measure(*way([s.image for s in clip], clip[0].K), clip) for clip in clips.values()]
        for seed, row in zip(clips, scores, strict=True):
            print(f"clip {seed}: {name}: " + ", ".join(f"{v:.2f}" for v in row), file=sys.stderr)
        rows[name] = np.nanmean(scores, 0)
    print(table(rows))


if __name__ == "__main__":
    main()
