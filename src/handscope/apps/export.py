"""`handscope export`: a checkpoint as the ONNX file and card that `--weights` takes."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from handscope.errors import HandscopeError
from handscope.train.export import export


def parser() -> argparse.ArgumentParser:
    """Which checkpoint, of which network, where to."""
    out = argparse.ArgumentParser(
        prog="handscope export",
        description="Write NETWORK.onnx and its card, after checking that ONNX Runtime and torch agree.",
    )
    out.add_argument("network", choices=("estimator", "aligner", "detector"))
    out.add_argument("checkpoint", type=Path, help="what `handscope train` left in its `out` folder")
    out.add_argument("--out", type=Path, required=True, help="folder of the ONNX file and its card")
    out.add_argument(
        "--notes",
        type=Path,
        metavar="JSON",
        help="goes into the card: version, data, licence, measured figures",
    )
    return out


def main(arguments: Sequence[str]) -> int:
    """Export as the command line says."""
    options = parser().parse_args(arguments)
    if not options.checkpoint.exists():
        raise HandscopeError(f"{options.checkpoint}: no such checkpoint")
    print(export(options.network, options.checkpoint, options.out, _read_notes(options.notes)))
    return 0


def _read_notes(path: Path | None) -> dict[str, object]:
    if path is None:
        return {}
    try:
        notes = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise HandscopeError(f"{path}: not a readable JSON file ({error})") from error
    if not isinstance(notes, dict):
        raise HandscopeError(f"{path}: the notes should be a JSON object, found {type(notes).__name__}")
    return notes
