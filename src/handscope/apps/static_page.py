"""`handscope web --static DIR`: the page that runs in the visitor's own browser, as files for any host.

The page itself (`page/`) is built from web/ (docs/browser.md) and shipped; the networks are those of the package, or
the caller's own, packed. `models/models.json` tells the page which files there are, their SHA-256, and what it reads of
the networks' cards.
"""

from __future__ import annotations

import gzip
import hashlib
import json
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple

import handscope
from handscope.errors import AssetError
from handscope.files import writable_folder, write_file
from handscope.hand.assets import OPEN_HAND
from handscope.infer.weights import NAMES, open_network
from handscope.paths import read_bytes

PAGE = Path(__file__).with_name("page")
PARTS = (
    "handscope.js", "worker.js", "page.js", "service-worker.js", "page.css", "icon.svg", "manifest.webmanifest",
    "licences.txt", "index.html",
)  # fmt: skip
"""What the page consists of beside models and examples; who comes in between sees no page before it is whole."""
RUNTIMES = {"runtime": "runtime.wasm.gz", "runtime_webgpu": "runtime-webgpu.wasm.gz"}
"""ONNX Runtime's builds by what the manifest calls them; the second one only where a browser has WebGPU."""
EXAMPLES = Path(__file__).with_name("examples")
EXAMPLE_NAMES = ("typing.jpg", "thinking.jpg", "writing.jpg")
"""Photographs to try (their credits are beside them)."""
CARD_KEYS = ("version", "threshold", "calibration", "crop")
"""What the page reads of a card."""


class Written(NamedTuple):
    """What a page consists of: how many `files`, of how many `bytes` in all, and those that a visitor without WebGPU
    fetches at first as `networks` and as `page` (its runtime and examples included)."""

    files: int
    bytes: int
    networks: int
    page: int


def write_page(folder: Path, weights: str | Path | None = None) -> Written:
    """Write the page with the networks of `weights` (None: the shipped ones) to `folder`, which is made if need be.

    Raises AssetError if the package lacks the page, or for networks that are missing or not what their cards say.
    """
    if not (PAGE / "index.html").is_file():
        raise AssetError(f"{PAGE}: the page for browsers is missing; reinstall handscope, or build it with `make web`")
    files: dict[str, bytes] = {}
    entries: dict[str, dict[str, Any]] = {}
    cards: dict[str, dict[str, Any]] = {}

    def add_model(name: str, path: str, content: bytes, packed: bytes) -> None:
        files[f"models/{path}"] = packed
        entries[name] = {"path": path, "bytes": len(packed), "sha256": hashlib.sha256(content).hexdigest()}

    for name in NAMES:
        network = open_network(name, weights)
        content = read_bytes(network.path, AssetError)
        add_model(name, f"{name}.onnx.gz", content, gzip.compress(content, compresslevel=6, mtime=0))
        cards[name] = {key: value for key, value in network.card.items() if key in CARD_KEYS}
    with resources.as_file(resources.files("handscope.hand") / "data" / OPEN_HAND) as path:
        content = read_bytes(path, AssetError)
    add_model("hand", OPEN_HAND, content, content)
    for name, built in RUNTIMES.items():
        packed = read_bytes(PAGE / built, AssetError)
        add_model(name, built, gzip.decompress(packed), packed)
    manifest = {"version": handscope.__version__, "files": entries, "cards": cards}
    files["models/models.json"] = (json.dumps(manifest, indent=1) + "\n").encode()
    files |= {f"examples/{name}": read_bytes(EXAMPLES / name, AssetError) for name in (*EXAMPLE_NAMES, "CREDITS.md")}
    files |= {name: read_bytes(PAGE / name, AssetError) for name in PARTS}
    for place in ("models", "examples"):
        writable_folder(folder / place)
    for name, data in files.items():
        write_file(folder / name, data)
    networks = sum(entries[name]["bytes"] for name in NAMES)
    total = sum(map(len, files.values()))
    page = total - networks - entries["runtime_webgpu"]["bytes"]
    return Written(files=len(files), bytes=total, networks=networks, page=page)
