"""`handscope export`: a checkpoint as the ONNX file and card that `--weights` takes.

The palm and presence networks, which nobody trained here, come from the safetensors of their conversion scripts.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from handscope.errors import HandscopeError
from handscope.train.export import export
from handscope.train.pretrained import export_presence
from handscope.types import JsonValue


def parser() -> argparse.ArgumentParser:
    """Which checkpoint, of which network, where to."""
    out = argparse.ArgumentParser(
        prog="handscope export",
        description="Write NETWORK.onnx and its card, after checking that ONNX Runtime and torch agree.",
    )
    out.add_argument("network", choices=("estimator", "aligner", "detector", "context", "presence"))
    out.add_argument(
        "checkpoint",
        type=Path,
        help="what `handscope train` left in its `out` folder; of presence, what convert_landmark_backbone.py wrote",
    )
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
    notes = _read_notes(options.notes)
    if options.network == "presence":
        print(export_presence(options.checkpoint, options.out, notes))
    else:
        print(export(options.network, options.checkpoint, options.out, notes))
    return 0


def _read_notes(path: Path | None) -> dict[str, JsonValue]:
    if path is None:
        return {}
    try:
        notes = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise HandscopeError(f"{path}: not a readable JSON file ({error})") from error
    if not isinstance(notes, dict):
        raise HandscopeError(f"{path}: the notes should be a JSON object, found {type(notes).__name__}")
    return notes
