"""Networks of others that ship as they are: the palm detector and the judge of presence, both MediaPipe's.

Their weights are safetensors of the conversion scripts, not checkpoints: nothing was trained here.
"""

from __future__ import annotations

import datetime
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import torch
from jaxtyping import Float
from safetensors import safe_open
from torch import Tensor, nn

from handscope.files import write_file
from handscope.nn.palm import ExportedPalms, PalmNetwork
from handscope.nn.presence import CROP_PX, ExportedPresence, HandPresence
from handscope.train.export import write_checked
from handscope.types import JsonValue

Pretrained = Literal["palm", "presence"]
PICTURE_PX = 192
"""What the palm network was made for."""
TOLERANCE = {"palm": 1e-3, "presence": 1e-4}
"""How far ONNX Runtime and torch may differ: px of palms, probabilities."""


class Bend(nn.Module):
    """A PReLU as two depthwise 1x1 convolutions: ONNX Runtime's own leaves the blocked layout of its convolutions, and
    takes 17 ms for the palm network where this takes 10.
    """

    def __init__(self, original: nn.PReLU) -> None:
        super().__init__()
        slopes = original.weight.detach()
        channels = len(slopes)
        self.straight = nn.Conv2d(channels, channels, 1, groups=channels, bias=False)
        self.above = nn.Conv2d(channels, channels, 1, groups=channels, bias=False)
        self.straight.weight = nn.Parameter(slopes.view(-1, 1, 1, 1).clone())
        self.above.weight = nn.Parameter((1 - slopes).view(-1, 1, 1, 1))

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """Slope times x, and the rest of x where it is positive."""
        return self.straight(x) + self.above(x.relu())


def split_bends(network: nn.Module) -> None:
    """Every PReLU becomes a `Bend`, in place."""
    for module in list(network.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, nn.PReLU):
                setattr(module, name, Bend(child))


def load_pretrained(kind: Pretrained, weights: Path) -> ExportedPalms | ExportedPresence:
    """The network as it ships, with weights that float16 holds."""
    network = (
        ExportedPalms(PalmNetwork.load(weights)) if kind == "palm" else ExportedPresence(HandPresence.load(weights))
    )
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(parameter.half().float())
    split_bends(network)
    return network.eval()


def export_pretrained(kind: Pretrained, weights: Path, out: Path, notes: Mapping[str, JsonValue]) -> Path:
    """Write `out`/{kind}.onnx and its card; `notes` (licence, measured figures) goes into the card.

    Raises HandscopeError if ONNX Runtime and torch disagree by more than `TOLERANCE` anywhere.
    """
    network = load_pretrained(kind, weights)
    size = PICTURE_PX if kind == "palm" else CROP_PX
    out.mkdir(parents=True, exist_ok=True)
    path = out / f"{kind}.onnx"
    name, any_size = ("image", True) if kind == "palm" else ("crop", False)
    digest, worst = write_checked(network, size, name, path, tolerance=TOLERANCE[kind], any_size=any_size)
    with safe_open(weights, "pt") as file:
        origin = file.metadata() or {}
    card = {
        "name": kind,
        "sha256": digest,
        "date": datetime.date.today().isoformat(),
        "origin": origin,
        "weights_sha256": hashlib.sha256(weights.read_bytes()).hexdigest(),
        "onnx_against_torch": worst,
        **notes,
    }
    write_file(out / f"{kind}.json", json.dumps(card, indent=1) + "\n")
    return path
