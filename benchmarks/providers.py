"""What each device of this machine says and takes beside the CPU: the one command for a machine that has a GPU.

    pip uninstall -y onnxruntime; pip install "onnxruntime-gpu[cuda,cudnn]"   # or another of docs/devices.md
    python benchmarks/providers.py [PICTURES ...] [--devices cuda] [--rounds 5] [--threads 1]

For every device whose provider is installed (or those named) it prints one row: ms a picture, alone and in a list of
all, both medians of rounds after a first one that is not counted (graphs are compiled and tuned in it; its seconds are
told too), and the largest difference of what it says of these pictures from what the CPU says. It ends with 1 if a
device misses hands that the CPU finds or finds others, or moves joints by more than `--tolerance` px, else with 0.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

import handscope
from handscope.infer.devices import CPU, DEVICES, device_of
from handscope.infer.images import to_rgb_array

SAMPLES = Path(__file__).parent.parent / "samples"
Answers = Sequence[handscope.Hands]


def seconds(work) -> tuple[float, object]:
    begun = time.perf_counter()
    given = work()
    return time.perf_counter() - begun, given


def times(model: handscope.Pipeline, pictures: Sequence[NDArray[np.uint8]], rounds: int) -> tuple[float, float, float]:
    """Seconds of the first round, and medians of the later ones: seconds a picture one by one, and in one list."""
    first = seconds(lambda: ([model(picture) for picture in pictures], model(list(pictures))))[0]
    alone = [seconds(lambda: [model(picture) for picture in pictures])[0] for _ in range(rounds)]
    together = [seconds(lambda: model(list(pictures)))[0] for _ in range(rounds)]
    return first, statistics.median(alone) / len(pictures), statistics.median(together) / len(pictures)


def difference(ours: Answers, theirs: Answers) -> tuple[int, float, float, float]:
    """Of two answers to the same pictures: hands that one of them lacks, and the largest differences of joints in px
    and mm (from the wrist), and of scores, of the hands that both have.
    """
    lost, px, mm, score = 0, 0.0, 0.0, 0.0
    for one, other in zip(ours, theirs, strict=True):
        left = list(other)
        for hand in one:
            near = min(left, key=lambda its: float(np.abs(its.joints_2d - hand.joints_2d).max()), default=None)
            if near is None or np.abs(near.box - hand.box).max() > (hand.box[2:] - hand.box[:2]).max() / 4:
                lost += 1
                continue
            left.remove(near)
            px = max(px, float(np.abs(near.joints_2d - hand.joints_2d).max()))
            relative = [its.joints_3d - its.joints_3d[:1] for its in (hand, near)]
            mm = max(mm, 1000 * float(np.abs(relative[0] - relative[1]).max()))
            score = max(score, abs(hand.score - near.score))
        lost += len(left)
    return lost, px, mm, score


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("pictures", nargs="*", type=Path, help="pictures with hands (default: samples/)")
    parser.add_argument("--devices", nargs="+", help="their names (default: all whose provider is installed)")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1, help="of a network on the CPU")
    parser.add_argument("--tolerance", type=float, default=1.0, metavar="PX")
    options = parser.parse_args()
    paths = options.pictures or sorted(SAMPLES.glob("*.jpg"))
    pictures = [to_rgb_array(path) for path in paths]
    installed = onnxruntime.get_available_providers()
    names = options.devices or [name for name, device in DEVICES.items() if device.provider in installed]
    for name in names:
        device_of(name)
    print(f"onnxruntime {onnxruntime.__version__}, {len(pictures)} pictures, providers: {', '.join(installed)}\n")
    print("| device | first round, s | ms a picture, alone | in a list | other hands | px | mm | score |")
    print("|---|---|---|---|---|---|---|---|")
    reference: Answers = handscope.load(threads=options.threads)(pictures)
    good = True
    for name in [CPU.name, *(name for name in names if name != CPU.name)]:
        model = handscope.load(threads=options.threads, device=name)
        first, alone, together = times(model, pictures, options.rounds)
        lost, px, mm, score = difference(reference, model(pictures))
        good &= lost == 0 and px <= options.tolerance
        print(
            f"| {name} | {first:.1f} | {1000 * alone:.1f} | {1000 * together:.1f} | {lost} | {px:.3f} | {mm:.3f} "
            f"| {score:.4f} |",
            flush=True,
        )
    return 0 if good else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except handscope.HandscopeError as error:
        sys.exit(f"providers: {error}")
