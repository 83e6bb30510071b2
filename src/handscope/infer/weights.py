"""The shipped networks: where they lie, that they are what their cards say, and how they are opened.

Each `NAME.onnx` has a card `NAME.json` beside it: sha256, version, training data, licence. A damaged or
swapped file is found here, before it gives odd answers. Who can swap a network can swap its card: of the shipped set
both are also held against what the code says (`SEALS`; scripts/seal_weights.py writes it).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict, cast

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from handscope.errors import AssetError, shown
from handscope.infer.devices import CPU, Device, check_started, prepare_options
from handscope.paths import as_path, read_bytes

NAMES = ("estimator", "aligner", "detector", "presence", "context")
EIGHT_BIT = ("estimator", "aligner")
"""Of these `NAME-8bit.onnx` ships too, for who asks for speed on a CPU (scripts/quantise_networks.py)."""
THREADS = 1
"""Of a network unless told: more spin while they wait, so that a picture took longer with two on two idle cores, and
longer still beside other work (docs/faq.md)."""
SEALS = {
    "estimator": (
        "50230c7c3d8c187e027053983ead37ba4673555c0169c75c85d76b69cff3678a",
        "12c0bb9c1949fccd37aab274dae281e23cfb8f03bbfaacae061122c05bb7b3fc",
    ),
    "aligner": (
        "658c7b3e977ea5d92b12556b2d369f71c358b940a7f3f4a8b0a52e72e3f89a3c",
        "69b543158cbdc6c3fffcd20ff6a68cd134d7ad51aa4cd007a281341ce95b61c4",
    ),
    "detector": (
        "f1f74d4093e5f4bbf60386bb45aa08c53f97f8d7b94725a8a584e7f4fdbddbe6",
        "fb93f4cc01eb37bbe540952c61f1ca5c866adfd99d33fe42834cbedaa5c75906",
    ),
    "presence": (
        "0b983de0fab8d1d0d8f743e27f61210acb413c1b7437f9d76e895588da3423bf",
        "4313e5db1bdd11623fc7a007316df74fbeb2b97c7ec08d2a5a7d934149a8a47c",
    ),
    "context": (
        "8773f3fb0fdc8f4ccf942ffb99e9283e001b3a07777b766bed13a899993e6420",
        "a375403aeee6f70db1027a3f430efe7945e50a5d114b72613f3519d010bc1390",
    ),
    "estimator-8bit": (
        "8a5c01e015e9c443d4a9be103a539964b9f455367c1f921dfe219efba9338003",
        "f388d8c0c973a6581bf4591a64d147198183d3ae601c20f675151736fe9aee92",
    ),
    "aligner-8bit": (
        "86da63ab759990b400cc7aae2a43ea9608132d1f3ee5f2ff6b78900cd5ae4efb",
        "86da426959fe063e17091e6b615ddab2f0632fba97f2471d11da1de0efe88ada",
    ),
}
"""SHA-256 of each shipped network, and of its card's content."""
MOST_TOLD = 200
"""Letters of what ONNX Runtime says of a file."""
AGAIN = "reinstall handscope or export it again"
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
    """An ONNX Runtime session with the card of its file, the file's SHA-256 and the device that it runs on."""

    path: Path
    session: onnxruntime.InferenceSession
    card: Card
    sha256: str = ""
    device: Device = CPU

    @property
    def input_size(self) -> int:
        """Side S in px of the square picture (n, S, S, 3) that the network takes."""
        return int(self.session.get_inputs()[0].shape[1])

    @property
    def output_shapes(self) -> dict[str, list[int | str]]:
        """Shape of every output by its name; axes of any length are strings."""
        return {output.name: output.shape for output in self.session.get_outputs()}

    def run(self, batch: NDArray[np.uint8]) -> dict[str, NDArray[np.floating]]:
        """Every output by its name, for `batch` (n, S, S, 3); on some devices filled up with its last picture."""
        names, count = list(self.output_shapes), len(batch)
        if more := self.device.filled(count) - count:
            batch = np.concatenate([batch, np.repeat(batch[-1:], more, 0)])
        values = self.session.run(names, {self.session.get_inputs()[0].name: batch})
        return {name: np.asarray(value)[:count] for name, value in zip(names, values, strict=True)}


def open_network(
    name: str,
    folder: str | Path | None = None,
    threads: int | None = None,
    device: Device = CPU,
    *,
    eight_bit: bool = False,
) -> Network:
    """Open one of `NAMES` of `folder` (None: the shipped files) on `threads` (None: `THREADS`) of the CPU, or on
    another device; of the shipped ones with `eight_bit` those in 8 bits, where there are such.

    A folder that holds one of them stands for all: the others are the shipped ones.
    """
    path = _place(name, folder, eight_bit)
    data = read_bytes(path, AssetError)
    shipped = path.parent == SHIPPED
    card = _read_card(path.with_suffix(".json"), required=shipped)
    _verify(path, data, card)
    if shipped and seal(data, card) != SEALS[path.stem]:
        raise AssetError(f"{path}: neither this file nor its card may differ from those of this release; reinstall it")
    session = _open_session(path, data, threads, device)
    return Network(path, session, card, hashlib.sha256(data).hexdigest(), device)


def _place(name: str, folder: str | Path | None, eight_bit: bool = False) -> Path:
    """Where one of `NAMES` lies; AssetError if it does not."""
    stem = f"{name}-8bit" if eight_bit and folder is None and name in EIGHT_BIT else name
    folder = SHIPPED if folder is None else as_path(folder)
    if not folder.is_dir() and folder != SHIPPED:
        raise AssetError(
            f"{folder}: no such folder of weights; it should hold "
            f"{', '.join(f'{one}.onnx' for one in NAMES[:-1])} or {NAMES[-1]}.onnx"
        )
    path = folder / f"{stem}.onnx"
    if not path.is_file() and folder != SHIPPED and any((folder / f"{other}.onnx").is_file() for other in NAMES):
        folder, path = SHIPPED, SHIPPED / f"{name}.onnx"
    if not path.is_file():
        remedy = "reinstall handscope" if folder == SHIPPED else "`handscope export` writes it"
        raise AssetError(f"{path}: not found; {remedy}")
    return path


def digests(folder: str | Path | None = None, *, eight_bit: bool = False) -> dict[str, str]:
    """SHA-256 of each network's file, as `open_network` finds it."""
    places = {name: _place(name, folder, eight_bit) for name in NAMES}
    return {name: hashlib.sha256(read_bytes(path, AssetError)).hexdigest() for name, path in places.items()}


def _read_card(path: Path, *, required: bool) -> Card:
    """The card, or an empty one if a user's own file has none."""
    if not path.is_file():
        if required:
            raise AssetError(f"{path}: the card of the weights is missing; reinstall handscope")
        return {}
    try:
        card = json.loads(read_bytes(path, AssetError))
    except (ValueError, RecursionError) as error:
        raise AssetError(f"{path}: the card is not valid JSON ({error}); {AGAIN}") from error
    if not isinstance(card, dict):
        raise AssetError(f"{path}: the card should be a JSON object, found {type(card).__name__}; {AGAIN}")
    if wrong := [
        f"{key} is {shown(card[key])}" for key, right in CHECKS.items() if key in card and not right(card[key])
    ]:
        raise AssetError(f"{path}: not a card of weights: {', '.join(wrong)}; {AGAIN}")
    return cast(Card, card)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and -1e6 <= value <= 1e6


def _are_numbers(*names: str) -> Callable[[object], bool]:
    return lambda value: isinstance(value, dict) and all(_is_number(value[name]) for name in names if name in value)


CHECKS: dict[str, Callable[[object], bool]] = {
    "sha256": lambda value: isinstance(value, str),
    "version": lambda value: isinstance(value, str),
    "threshold": lambda value: _is_number(value) and 0 <= cast(float, value) <= 1,
    "calibration": _are_numbers("offset", "slope"),
    "crop": _are_numbers("translation", "scale", "rotation_deg"),
}
"""What the entries of a card that are read must be."""


def _verify(path: Path, data: bytes, card: Card) -> None:
    expected, found = card.get("sha256"), hashlib.sha256(data).hexdigest()
    if expected is not None and expected != found:
        raise AssetError(
            f"{path}: sha256 {found[:12]}, expected {str(expected)[:12]}; the file is damaged or not the one "
            "its card describes: reinstall handscope or export it again"
        )


def seal(data: bytes, card: Card) -> tuple[str, str]:
    """SHA-256 of a network's file, and of what its card says, however that is laid out."""
    said = json.dumps(card, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(data).hexdigest(), hashlib.sha256(said.encode()).hexdigest()


def _open_session(path: Path, data: bytes, threads: int | None, device: Device) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors only
    options.inter_op_num_threads = 1
    options.intra_op_num_threads = THREADS if threads is None else threads
    try:
        prepare_options(device, options)
        session = onnxruntime.InferenceSession(data, options, providers=device.providers)
    except Exception as error:  # ONNX Runtime's own exception classes are private
        told = str(error).strip()
        reason = told.splitlines()[0][:MOST_TOLD] if told else type(error).__name__
        where = "" if device is CPU else f" on device {device.name}, which needs {device.needs}"
        raise AssetError(f"{path}: ONNX Runtime cannot open this file{where} ({reason})") from error
    check_started(device, session)
    return session


def mixture(networks: Mapping[str, Network]) -> str | None:
    """A remark that names each of the networks, if only some of them are those of this release."""
    sealed = {digest for digest, _ in SEALS.values()}
    ours = {name for name, network in networks.items() if network.sha256 in sealed}
    if not ours or len(ours) == len(networks):
        return None
    told = [
        f"{name} {network.sha256[:12]}{'' if name in ours else f' ({network.path.parent})'}"
        for name, network in networks.items()
    ]
    return f"networks of two sets: {', '.join(told)}; those without a folder are this release's"


def check_outputs(network: Network, expected: set[str]) -> None:
    """Raise if the file lacks outputs that the code reads."""
    found = set(network.output_shapes)
    if missing := expected - found:
        raise AssetError(
            f"{network.path}: lacks the outputs {', '.join(sorted(missing))} "
            f"(has {', '.join(sorted(found))}); export it with this version of handscope"
        )
