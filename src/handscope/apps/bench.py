"""`handscope bench real`: the whole path, detector on, against labelled pictures."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.progress import Progress, TaskID

from handscope import __version__
from handscope.errors import HandscopeError

REAL = """Accuracy on joints-dev, masks-dev and held-out photographs, whole pictures in; with --peer mediapipe,
MediaPipe Hands over the same pictures beside it."""
EPILOG = """--peer mediapipe runs MediaPipe in an environment of its own: the one of --peer-python, else of the variable
HANDSCOPE_MEDIAPIPE_PYTHON, else one made in the user's cache folder on first use (pip install mediapipe==0.10.21)."""


def parser() -> argparse.ArgumentParser:
    """What to measure on; then its own options."""
    out = argparse.ArgumentParser(prog="handscope bench", description="Measure accuracy on labelled pictures.")
    kinds = out.add_subparsers(dest="kind", metavar="KIND", required=True)
    _add_real(kinds)
    return out


def _add_real(kinds: argparse._SubParsersAction) -> None:
    real = kinds.add_parser(
        "real", help="real photographs: joints-dev, masks-dev, photos", description=REAL, epilog=EPILOG
    )
    add = real.add_argument
    add("--data", type=Path, required=True, metavar="DIR", help="folder with joints-dev, masks-dev, photos")
    add("--peer", choices=["mediapipe"], help="score this one too")
    add("--peer-python", type=Path, metavar="FILE", help="Python of an environment that has it")
    add("--labels", type=Path, metavar="FILE", help="pseudo-labels, for hands that nobody boxed (not needed)")
    add("--overlays", action="store_true", help="draw every picture's hands into --out")
    _add_common(real)


def _add_common(one: argparse.ArgumentParser) -> None:
    one.add_argument("--limit", type=int, metavar="N", help="only N pictures of each set, evenly spread")
    one.add_argument("--out", type=Path, metavar="DIR", help="folder for scores.json, report.md and the like")
    one.add_argument("--weights", metavar="DIR", help="folder with estimator.onnx and detector.onnx")
    one.add_argument("--threads", type=int, default=1, metavar="N", help="CPU threads (default: 1)")


def main(arguments: Sequence[str]) -> int:
    """Run the benchmark and print its table."""
    if not arguments or arguments[0] not in (*KINDS, "-h", "--help"):
        given = f", not `{arguments[0]}`" if arguments else ""
        raise HandscopeError(
            f"`handscope bench` wants to know what to measure on{given}: {', '.join(KINDS)}; for real photographs "
            "`handscope bench real --data ../shared/data`"
        )
    options = parser().parse_args(arguments)
    return KINDS[options.kind](options)


def bench_real(options: argparse.Namespace) -> int:
    """joints-dev, masks-dev and held-out photographs."""
    from handscope.evaluation import peer, real
    from handscope.infer.pipeline import load
    from handscope.viz import draw

    if options.overlays and options.out is None:
        raise HandscopeError("--overlays needs --out, the folder to draw into")
    if options.peer_python is not None and options.peer is None:
        raise HandscopeError("--peer-python needs --peer mediapipe")
    if not options.data.is_dir():
        raise HandscopeError(f"{options.data}: no such folder of labelled photographs")
    columns = [real.Column(f"handscope {__version__}", load(options.weights, threads=options.threads))]
    with ExitStack() as stack:
        if options.peer is not None:
            print("starting MediaPipe", file=sys.stderr)
            other = stack.enter_context(peer.MediaPipe(peer.find_python(options.peer_python)))
            name = f"MediaPipe {other.version}"
            columns.append(real.Column(name, other, real.MEDIAPIPE_SETS, real.MEDIAPIPE_WITHOUT))
        show = stack.enter_context(_Bars())
        scores = real.bench(
            options.data,
            columns,
            out=options.out,
            labels=options.labels,
            limit=options.limit,
            draw=partial(draw, min_side=640) if options.overlays else None,
            progress=show,
        )
    print(real.report(scores))
    return 0


class _Bars(Progress):
    """One bar for each set, on stderr, gone at the end."""

    def __init__(self) -> None:
        console = Console(stderr=True)
        super().__init__(console=console, transient=True, disable=not console.is_terminal)
        self.bars: dict[str, TaskID] = {}

    def __call__(self, name: str, done: int, total: int) -> None:
        if name not in self.bars:
            self.bars[name] = self.add_task(name, total=total)
        self.update(self.bars[name], completed=done)


KINDS: dict[str, Callable[[argparse.Namespace], int]] = {"real": bench_real}
