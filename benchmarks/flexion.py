"""How far bends of fingers are off: the angle between a joint's two bones, from 21 joints, by one formula for all.

    python benchmarks/flexion.py rendered [--count 300] [--seed 9001] [--peer-python MEDIAPIPE_ENV/bin/python]
    python benchmarks/flexion.py joints-dev ../shared/data [--peer-python MEDIAPIPE_ENV/bin/python]

Told are mean absolute errors in degrees of each joint over hands that both found; MediaPipe's are its world joints.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np
from rich.progress import track

import handscope
from handscope.data.dev_sets import JointsDev
from handscope.evaluation.bends import BENDS, bends
from handscope.evaluation.matching import FOUND_IOU
from handscope.evaluation.peer import MediaPipe, find_python
from handscope.evaluation.protocols import best_match
from handscope.geometry.boxes import tight_box
from handscope.synth.config import SynthConfig
from handscope.synth.scene import render_sample
from handscope.types import Sample


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kind", choices=("rendered", "joints-dev"))
    parser.add_argument("data", type=Path, nargs="?")
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--seed", type=int, default=9001)
    parser.add_argument("--peer-python", type=Path)
    options = parser.parse_args()
    with ExitStack() as stack:
        models = {"handscope": handscope.load()}
        if options.peer_python is not None:
            models["MediaPipe"] = stack.enter_context(MediaPipe(find_python(options.peer_python)))
        samples = list(shown(options))
        found = {
            name: [errors(sample, model(sample.image)) for sample in track(samples, name)]
            for name, model in models.items()
        }
    both = [k for k in range(len(samples)) if all(rows[k] is not None for rows in found.values())]
    means = {name: np.mean([rows[k] for k in both], axis=0) for name, rows in found.items()}
    print(f"| joint | {' | '.join(means)} |\n|---|{'---|' * len(means)}")
    for j, name in enumerate([*BENDS, "mean"]):
        cells = [f"{(values.mean() if name == 'mean' else values[j]):.1f}" for values in means.values()]
        print(f"| {name} | {' | '.join(cells)} |")
    print(f"{len(both)} of {len(samples)} hands, found by all")


def shown(options: argparse.Namespace) -> Iterator[Sample]:
    if options.kind == "joints-dev":
        dev = JointsDev(options.data)
        yield from (dev[i] for i in range(len(dev)))
        return
    config = SynthConfig(size=320, fill=(0.3, 0.8))
    yield from (render_sample(config, options.seed, i) for i in range(options.count))


def errors(sample: Sample, hands: Sequence[handscope.Hand]) -> np.ndarray | None:
    """Absolute errors (15,) degrees of the answer for the first labelled hand; None if there is none."""
    label = sample.hands[0]
    hand = best_match(hands, tight_box(label.joints_2d), iou=FOUND_IOU)
    if hand is None:
        return None
    return np.abs(bends(hand.joints_3d) - bends(label.joints_3d))


if __name__ == "__main__":
    main()
