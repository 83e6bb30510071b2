"""`handscope bench`: the whole path, detector on, against labelled real photographs."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.progress import Progress, TaskID

from handscope.errors import HandscopeError
from handscope.evaluation.real import bench, report
from handscope.infer.pipeline import load
from handscope.viz import draw


def parser() -> argparse.ArgumentParser:
    """Which photographs, which weights, where to."""
    out = argparse.ArgumentParser(
        prog="handscope bench",
        description="Accuracy on joints-dev, masks-dev and held-out photographs, whole pictures in.",
    )
    out.add_argument("--data", type=Path, required=True, help="folder with joints-dev, masks-dev, photos")
    out.add_argument(
        "--labels", type=Path, help="pseudo-label file, which says which photographs are held out"
    )
    out.add_argument("--limit", type=int, help="only so many pictures of each set, evenly spread")
    out.add_argument("--out", type=Path, help="folder for scores.json and the overlays")
    out.add_argument("--overlays", action="store_true", help="draw every picture's hands into --out")
    out.add_argument("--weights", help="folder with estimator.onnx and detector.onnx")
    out.add_argument("--threads", type=int, default=1, help="CPU threads (default: 1)")
    return out


def main(arguments: Sequence[str]) -> int:
    """Run the benchmark and print its table."""
    options = parser().parse_args(arguments)
    if options.overlays and options.out is None:
        raise HandscopeError("--overlays needs --out, the folder to draw into")
    if not options.data.is_dir():
        raise HandscopeError(f"{options.data}: no such folder of labelled photographs")
    model = load(options.weights, threads=options.threads)
    with Progress(console=Console(stderr=True), transient=True) as progress:
        bars: dict[str, TaskID] = {}

        def show(name: str, done: int, total: int) -> None:
            if name not in bars:
                bars[name] = progress.add_task(name, total=total)
            progress.update(bars[name], completed=done)

        scores = bench(
            options.data,
            model,
            out=options.out,
            labels=options.labels,
            limit=options.limit,
            draw=partial(draw, min_side=640) if options.overlays else None,
            progress=show,
        )
    print(report(scores))
    return 0
