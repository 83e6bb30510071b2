"""The shipped networks: where they lie, that they are what their cards say, and how they are opened.

Each `NAME.onnx` has a card `NAME.json` beside it: sha256, version, training data, licence. A damaged or
swapped file is found here, before it gives odd answers.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict, cast

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from handscope.errors import AssetError
from handscope.paths import as_path

NAMES = ("estimator", "aligner", "detector", "presence")
THREADS = 1
"""Of a network unless told: more spin while they wait, so that a picture took longer with two on two idle cores, and
longer still beside other work (docs/faq.md)."""
SHIPPED = Path(__file__).parent / "weights"


class Card(TypedDict, total=False):
    """What is read of a card; whatever else it holds is for people (docs/model-card.md)."""

    name: str
    version: str
    sha256: str
    threshold: float
    calibration: dict[str, float]
    crop: dict[str, float]


@dataclass(frozen=True)
class Network:
    """An ONNX Runtime session with the card of its file."""

    path: Path
    session: onnxruntime.InferenceSession
    card: Card

    @property
    def input_size(self) -> int:
        """Side S in px of the square picture (n, S, S, 3) that the network takes."""
        return int(self.session.get_inputs()[0].shape[1])

    @property
    def output_shapes(self) -> dict[str, list[int | str]]:
        """Shape of every output by its name; axes of any length are strings."""
        return {output.name: output.shape for output in self.session.get_outputs()}

    def run(self, batch: NDArray[np.uint8]) -> dict[str, NDArray[np.floating]]:
        """Every output by its name, for `batch` (n, S, S, 3)."""
        names = list(self.output_shapes)
        values = self.session.run(names, {self.session.get_inputs()[0].name: batch})
        return {name: np.asarray(value) for name, value in zip(names, values, strict=True)}


def open_network(name: str, folder: str | Path | None = None, threads: int | None = None) -> Network:
    """Open one of `NAMES` of `folder` (None: the shipped files) on `threads` (None: `THREADS`).

    A folder that holds one of them stands for all: the others are the shipped ones.
    """
    folder = SHIPPED if folder is None else as_path(folder)
    if not folder.is_dir() and folder != SHIPPED:
        raise AssetError(
            f"{folder}: no such folder of weights; it should hold "
            f"{', '.join(f'{one}.onnx' for one in NAMES[:-1])} or {NAMES[-1]}.onnx"
        )
    path = folder / f"{name}.onnx"
    if not path.is_file() and any((folder / f"{other}.onnx").is_file() for other in NAMES):
        folder, path = SHIPPED, SHIPPED / f"{name}.onnx"
    if not path.is_file():
        remedy = "reinstall handscope" if folder == SHIPPED else "`handscope export` writes it"
        raise AssetError(f"{path}: not found; {remedy}")
    data = path.read_bytes()
    card = _read_card(path.with_suffix(".json"), required=folder == SHIPPED)
    _verify(path, data, card)
    return Network(path, _open_session(path, data, threads), card)


def _read_card(path: Path, *, required: bool) -> Card:
    """The card, or an empty one if a user's own file has none."""
    if not path.is_file():
        if required:
            raise AssetError(f"{path}: the card of the weights is missing; reinstall handscope")
        return {}
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise AssetError(f"{path}: the card is not valid JSON ({error}); reinstall or export it again") from error
    if not isinstance(card, dict):
        raise AssetError(f"{path}: the card should be a JSON object, found {type(card).__name__}")
    return cast(Card, card)


def _verify(path: Path, data: bytes, card: Card) -> None:
    expected, found = card.get("sha256"), hashlib.sha256(data).hexdigest()
    if expected is not None and expected != found:
        raise AssetError(
            f"{path}: sha256 {found[:12]}, expected {str(expected)[:12]}; the file is damaged or not the one "
            "its card describes: reinstall handscope or export it again"
        )


def _open_session(path: Path, data: bytes, threads: int | None) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors only
    options.inter_op_num_threads = 1
    options.intra_op_num_threads = THREADS if threads is None else threads
    try:
        return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's own exception classes are private
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise AssetError(f"{path}: ONNX Runtime cannot open this file ({reason})") from error


def check_outputs(network: Network, expected: set[str]) -> None:
    """Raise if the file lacks outputs that the code reads."""
    found = set(network.output_shapes)
    if missing := expected - found:
        raise AssetError(
            f"{network.path}: lacks the outputs {', '.join(sorted(missing))} "
            f"(has {', '.join(sorted(found))}); export it with this version of handscope"
        )
