"""The judge of presence, MediaPipe's network, which ships as it is.

Its weights are safetensors of the conversion script, not a checkpoint: nothing was trained here.
"""

from __future__ import annotations

import datetime
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import safe_open

from handscope.files import write_file
from handscope.nn.presence import CROP_PX, ExportedPresence, HandPresence
from handscope.train.export import TOLERANCE, write_checked
from handscope.types import JsonValue


def export_presence(weights: Path, out: Path, notes: Mapping[str, JsonValue]) -> Path:
    """Write `out`/presence.onnx and its card; `notes` (licence, measured figures) goes into the card.

    Raises HandscopeError if ONNX Runtime and torch disagree by more than 1e-4.
    """
    network = ExportedPresence(HandPresence.load(weights)).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(parameter.half().float())
    out.mkdir(parents=True, exist_ok=True)
    path = out / "presence.onnx"
    digest, worst = write_checked(network, CROP_PX, "crop", path, tolerance=TOLERANCE)
    with safe_open(weights, "pt") as file:
        origin = file.metadata() or {}
    card = {
        "name": "presence",
        "sha256": digest,
        "date": datetime.date.today().isoformat(),
        "origin": origin,
        "weights_sha256": hashlib.sha256(weights.read_bytes()).hexdigest(),
        "onnx_against_torch": worst,
        **notes,
    }
    write_file(out / "presence.json", json.dumps(card, indent=1) + "\n")
    return path
