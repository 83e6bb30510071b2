"""How long handscope takes beside MediaPipe: one network pass, and from the picture to the hands; one thread each.

    MEDIAPIPE_ENV/bin/python -m pip install onnxruntime ai-edge-litert
    PYTHONPATH=src MEDIAPIPE_ENV/bin/python benchmarks/speed.py --data ../shared/data [--weights DIR]

Everything runs in one process, in an environment with mediapipe==0.10.21 (handscope's light runtime works there too,
with its older numpy), ours and theirs in turn so that both see the same moods of the machine, pinned to one core.

- network: estimator.onnx (one crop to joints, mask, mesh) in ONNX Runtime against hand_landmark_full.tflite in LiteRT
  with XNNPACK, which is what MediaPipe itself runs.
- picture: `Pipeline.__call__` against `solutions.hands.Hands(static_image_mode=True)` as it comes (two hands at most),
  on the pictures of joints-dev; only pictures in which both see one hand are counted.

Printed are medians in ms by the clock and of CPU time (which other work on the machine disturbs less), and ratios of
ours to theirs: medians of the ratios of neighbours. The aim is 1.0.
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"
os.environ.setdefault("GLOG_minloglevel", "3")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import argparse
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import mediapipe
import numpy as np
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

from handscope.infer.pipeline import Pipeline, load

LANDMARKS = Path(mediapipe.__file__).parent / "modules" / "hand_landmark" / "hand_landmark_full.tflite"
Times = NDArray[np.float64]


def timed(work: Callable[[], Any]) -> tuple[Any, tuple[float, float]]:
    """What `work` gives, and its ms by the clock and of CPU time."""
    clock, cpu = time.perf_counter(), time.process_time()
    given = work()
    return given, (1000 * (time.perf_counter() - clock), 1000 * (time.process_time() - cpu))


def network_times(model: Pipeline, rounds: int) -> tuple[Times, Times]:
    """Our and their times (rounds, 2) of one pass over one crop."""
    size = model.models.estimator.size
    rng = np.random.default_rng(0)
    ours_in = rng.integers(0, 256, (1, size, size, 3)).astype(np.uint8)
    theirs = Interpreter(str(LANDMARKS), num_threads=1)
    theirs.allocate_tensors()
    entrance = theirs.get_input_details()[0]
    theirs_in = rng.random(entrance["shape"]).astype(np.float32)
    exits = [output["index"] for output in theirs.get_output_details()]

    def their_pass() -> None:
        theirs.set_tensor(entrance["index"], theirs_in)
        theirs.invoke()
        for index in exits:
            theirs.get_tensor(index)

    def our_pass() -> None:
        model.models.estimator.network.run(ours_in)

    return in_turn(our_pass, their_pass, rounds)


def in_turn(ours: Callable[[], Any], theirs: Callable[[], Any], rounds: int, warm: int = 10) -> tuple[Times, Times]:
    """Times (rounds, 2) of both, each round in the other order."""
    for _ in range(warm):
        ours(), theirs()
    pairs = []
    for i in range(rounds):
        if i % 2:
            a, b = timed(ours)[1], timed(theirs)[1]
        else:
            b, a = timed(theirs)[1], timed(ours)[1]
        pairs.append((a, b))
    both = np.array(pairs)
    return both[:, 0], both[:, 1]


def picture_times(model: Pipeline, pictures: Sequence[NDArray[np.uint8]]) -> tuple[Times, Times]:
    """Our and their times (n, 2) for every picture in which both see one hand."""
    pairs = []
    with mediapipe.solutions.hands.Hands(static_image_mode=True) as theirs:
        for picture in (*pictures[:3], *pictures):
            hands, ours = timed(lambda picture=picture: model(picture))
            found, other = timed(lambda picture=picture: theirs.process(picture))
            if len(hands) == 1 and len(found.multi_hand_landmarks or []) == 1:
                pairs.append((ours, other))
    both = np.array(pairs[3:]).reshape(-1, 2, 2)
    return both[:, 0], both[:, 1]


def line(name: str, ours: Times, theirs: Times) -> str:
    """A row of the table."""
    if len(ours) == 0:
        return f"| {name} | 0 | - | - | - | - |"
    mine, other, ratio = (np.median(values, axis=0) for values in (ours, theirs, ours / theirs))
    cells = [f"{a:.1f} / {b:.1f} | {r:.2f}" for a, b, r in zip(mine, other, ratio, strict=True)]
    return f"| {name} | {len(ours)} | {' | '.join(cells)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder that holds joints-dev")
    parser.add_argument("--weights", type=Path, help="folder with estimator.onnx and detector.onnx")
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--pictures", type=int, default=60)
    options = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    cv2.setNumThreads(1)
    model = load(options.weights, threads=1)
    paths = sorted((options.data / "joints-dev").glob("*.jpg"))
    chosen = np.linspace(0, len(paths) - 1, options.pictures).round().astype(int)
    pictures = [np.ascontiguousarray(cv2.imread(str(paths[i]))[..., ::-1]) for i in chosen]
    print("| what | times | ours / theirs, ms by the clock | ratio | ours / theirs, ms of CPU | ratio |")
    print("|---|---|---|---|---|---|")
    print(line("one network pass", *network_times(model, options.rounds)), flush=True)
    print(line("picture to hands", *picture_times(model, pictures)), flush=True)


if __name__ == "__main__":
    main()
