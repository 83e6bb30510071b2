"""`handscope bench KIND`: the whole path, detector on, against labelled pictures, real and rendered; calibration."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from handscope import __version__
from handscope.apps.bench_calibrate import calibrate
from handscope.apps.bench_pictures import Bars
from handscope.apps.bench_pictures import rendered as rendered_pictures
from handscope.apps.bench_scenes import add_scenes, bench_scenes
from handscope.apps.options import add_compute
from handscope.errors import HandscopeError
from handscope.files import writable_folder, write_file

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from handscope.types import Hand, Sample

LABELS = "recipes/labels/photos_pseudo.jsonl.gz"
REAL = """Accuracy on joints-dev, masks-dev and held-out photographs, whole pictures in; with --peer mediapipe,
MediaPipe Hands over the same pictures beside it."""
RENDERED = """Accuracy on whole rendered pictures: by side, skin tone, view, hidden joints and size. Give a seed that
never trained."""
CALIBRATE = """How often a joint of a given score is right, and the logistic that makes a score that share: fitted on
rendered pictures and, with --data, as much on the train split of the photographs; checked on other rendered pictures,
held-out photographs and joints-dev."""
EPILOG = """--peer mediapipe runs MediaPipe in an environment of its own: the one of --peer-python, else of the variable
HANDSCOPE_MEDIAPIPE_PYTHON, else one made in the user's cache folder on first use (pip install mediapipe==0.10.21)."""


def parser() -> argparse.ArgumentParser:
    """What to measure on; then its own options."""
    out = argparse.ArgumentParser(prog="handscope bench", description="Measure accuracy on labelled pictures.")
    kinds = out.add_subparsers(dest="kind", metavar="KIND", required=True)
    _add_real(kinds)
    _add_common(add_scenes(kinds, EPILOG))
    _add_rendered(kinds)
    _add_calibrate(kinds)
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


def _add_rendered(kinds: argparse._SubParsersAction) -> None:
    rendered = kinds.add_parser("rendered", help="rendered pictures, where all is known", description=RENDERED)
    rendered.add_argument("--shards", type=Path, metavar="DIR", help="pictures of `handscope synth` instead")
    _add_synthesis(rendered, count=500)
    _add_common(rendered)


def _add_calibrate(kinds: argparse._SubParsersAction) -> None:
    calibrate = kinds.add_parser("calibrate", help="joint scores that mean what they say", description=CALIBRATE)
    add = calibrate.add_argument
    add("--data", type=Path, metavar="DIR", help="folder with joints-dev and photos")
    add("--labels", type=Path, default=Path(LABELS), metavar="FILE", help=f"pseudo-labels (default: {LABELS})")
    add("--plot", type=Path, metavar="PNG", help="reliability diagrams (needs matplotlib)")
    add("--write", action="store_true", help="write the logistic into the card of the estimator")
    _add_synthesis(calibrate, count=300)
    _add_common(calibrate)


def _add_synthesis(one: argparse.ArgumentParser, *, count: int) -> None:
    one.add_argument("--count", type=int, default=count, metavar="N", help=f"pictures to render (default: {count})")
    one.add_argument("--seed", type=int, default=9001, help="of the synthesis (default: 9001)")
    one.add_argument("--scenes", action="store_true", help="of 0 to 3 hands anywhere, not one in the middle")
    one.add_argument("--size", type=int, default=320, metavar="PX", help="their longer side (default: 320)")
    one.add_argument("--backgrounds", nargs="+", default=[], metavar="DIR", help="photographs without hands")
    one.add_argument("--photo-index", metavar="FILE", help="photographs with boxes around their hands")


def _add_common(one: argparse.ArgumentParser) -> None:
    one.add_argument("--limit", type=int, metavar="N", help="only N pictures of each set, evenly spread")
    one.add_argument("--out", type=Path, metavar="DIR", help="folder for scores.json, report.md and the like")
    one.add_argument("--weights", metavar="DIR", help="folder with estimator.onnx and the like")
    one.add_argument("--threads", type=int, default=1, metavar="N", help="CPU threads (default: 1)")
    add_compute(one)


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
    from handscope.infer.joint_conventions import in_convention
    from handscope.infer.pipeline import load
    from handscope.viz import draw

    if options.overlays and options.out is None:
        raise HandscopeError("--overlays needs --out, the folder to draw into")
    if options.peer_python is not None and options.peer is None:
        raise HandscopeError("--peer-python needs --peer mediapipe")
    if not options.data.is_dir():
        raise HandscopeError(f"{options.data}: no such folder of labelled photographs")
    own = real.AskedOnce(load(options.weights, threads=options.threads, device=options.compute))
    name = f"handscope {__version__}"

    def in_mediapipes_joints(image: NDArray[np.uint8]) -> list[Hand]:
        return [in_convention(hand, "mediapipe") for hand in own(image)]

    columns = [
        real.Column(name, own),
        real.Column(f"{name}, MediaPipe's joints", in_mediapipes_joints, real.CONVENTION_SETS, real.CONVENTION_WITHOUT),
    ]
    with ExitStack() as stack:
        if options.peer is not None:
            print("starting MediaPipe", file=sys.stderr)
            other = stack.enter_context(peer.MediaPipe(peer.find_python(options.peer_python)))
            name = f"MediaPipe {other.version}"
            columns.append(real.Column(name, other, real.MEDIAPIPE_SETS, real.MEDIAPIPE_WITHOUT))
        show = stack.enter_context(Bars())
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


def bench_rendered(options: argparse.Namespace) -> int:
    """Rendered pictures, by groups."""
    from handscope.evaluation import rendered
    from handscope.evaluation.real import spread
    from handscope.hand.assets import load_asset
    from handscope.infer.pipeline import load

    samples: Sequence[Sample] = rendered_pictures(options, options.seed)
    if options.shards is not None:
        from handscope.data.shards import ShardReader

        samples = ShardReader(sorted(options.shards.glob("*.tar")))
    chosen = spread(len(samples), options.limit)
    model = load(options.weights, threads=options.threads, device=options.compute)
    with Bars() as show:
        rows, alarms = rendered.measure_all(
            (samples[i] for i in chosen), model, load_asset(), lambda done: show("rendered", done, len(chosen))
        )
    table = rendered.report(rows, pictures=len(chosen), alarms=alarms)
    if options.out is not None:
        figures = rendered.summary(rows, pictures=len(chosen), alarms=alarms)
        writable_folder(options.out)
        write_file(options.out / "rendered.json", json.dumps(figures, indent=1) + "\n")
        write_file(options.out / "rendered.md", table + "\n")
    print(table)
    return 0


KINDS: dict[str, Callable[[argparse.Namespace], int]] = {
    "real": bench_real,
    "scenes": bench_scenes,
    "rendered": bench_rendered,
    "calibrate": calibrate,
}
