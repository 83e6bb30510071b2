"""What is fuzzed: each target reads a file as the project does, and may end in a `HandscopeError`, nothing else."""

from __future__ import annotations

import asyncio
import io
import json
import threading
from collections.abc import Callable
from contextlib import redirect_stderr, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fuzz import seeds
from handscope.errors import HandscopeError

Run = Callable[[Path], None]
MOST_FRAMES = 8


@dataclass(frozen=True)
class Target:
    """`seeds` are contents by name; `open` makes, in a folder of its own, what reads one file that ends in `suffix`."""

    seeds: Callable[[], seeds.Contents]
    open: Callable[[Path], Run]
    suffix: str


def refused(run: Run) -> Run:
    """`run`, which may refuse a file in one sentence."""

    def read(path: Path) -> None:
        try:
            run(path)
        except HandscopeError as error:
            told = str(error)
            assert "\n" not in told and len(told) < 2000, f"not one sentence: {told!r}"
            assert told.isprintable(), f"letters that command a terminal: {told!r}"

    return read


def _pictures(folder: Path) -> Run:
    from handscope.infer.decoding import inspect_picture
    from handscope.infer.frames import FrameFolder, kind_of
    from handscope.infer.images import find_pictures, read_picture

    def run(path: Path) -> None:
        content = path.read_bytes()
        if len(content) <= seeds.MUTABLE:
            nameless = path.with_suffix("")
            nameless.write_bytes(content)
            kind_of(nameless)
            refused(lambda path: find_pictures(path.parent) and None)(path)
            refused(lambda path: inspect_picture(content, path) and None)(path)
            refused(lambda path: [None for _ in FrameFolder([path], 30.0)] and None)(path)
        picture = read_picture(path)
        assert picture.image.dtype == np.uint8 and picture.image.ndim == 3 and picture.image.shape[2] == 3
        assert min(picture.image.shape) > 0 and picture.image.flags.c_contiguous
        assert picture.focal is None or np.isfinite(picture.focal)

    return refused(run)


def _videos(folder: Path) -> Run:
    from handscope.infer.frames import VideoReader, kind_of

    def run(path: Path) -> None:
        kind_of(path)
        path.with_suffix("").write_bytes(path.read_bytes())
        kind_of(path.with_suffix(""))
        with VideoReader(path, threads=1) as reader:
            assert np.isfinite([reader.rate, reader.pixel_aspect, reader.count]).all()
            last = -1.0
            for index, (number, time, image) in enumerate(reader):
                assert image.dtype == np.uint8 and image.shape[2] == 3 and number >= index and time > last
                last = time
                if index + 1 >= MOST_FRAMES:
                    return
            assert all(np.isfinite(lost.time) and lost.time >= 0 for lost in reader.lost)

    return refused(run)


def _pickles(folder: Path) -> Run:
    from handscope.hand.assets import load_asset, load_mano_mean_pose
    from handscope.unpickle import load_arrays

    def touch(value: Any) -> None:
        if isinstance(value, np.ndarray | np.generic):
            np.asarray(value).tobytes()
        elif isinstance(value, dict):
            touch(list(value.values())[:50])
        elif isinstance(value, list | tuple):
            for one in value[:50]:
                if not isinstance(one, list | tuple | dict):
                    touch(one)

    def run(path: Path) -> None:
        for read in (
            lambda: load_arrays(path, "fetch it again"),
            lambda: load_asset(path),
            lambda: load_mano_mean_pose(path),
        ):
            refused(lambda _, read=read: touch(read()))(path)

    return run


def _arrays(folder: Path) -> Run:
    from handscope.hand.assets import load_asset
    from handscope.npz import read_npz

    def run(path: Path) -> None:
        for read in (lambda: read_npz(path, "fetch it again", most=2**24), lambda: load_asset(path).joints):
            refused(lambda _, read=read: read())(path)

    return run


def _answers(folder: Path) -> Run:
    from handscope.evaluation.foreign import load_answers

    def run(path: Path) -> None:
        ending, _, content = path.read_bytes().partition(b"\n")
        if ending in (b"csv", b"json", b"zip", b"npz"):
            named = path.with_name(f"answers.{ending.decode()}")
            named.write_bytes(content)
            found = load_answers(named)
            assert found.joints_2d.shape[1:] == (21, 2) and len(found.found) == len(found.joints_3d)
            for masks in (found.masks, found.mesh_masks):
                for i in range(len(masks or ())):
                    masks[i]  # type: ignore[index]

    return refused(run)


def _cards(folder: Path) -> Run:
    from handscope.infer.calibration import Calibration
    from handscope.infer.crop_policy import Tolerance
    from handscope.infer.detector import card_threshold
    from handscope.infer.weights import mixture, open_network
    from toy_networks import save_detector

    save_detector(folder / "detector.onnx")

    def run(path: Path) -> None:
        (folder / "detector.json").write_bytes(path.read_bytes())
        network = open_network("detector", folder)
        numbers = [
            card_threshold(network),
            *vars(Tolerance.of(network.card)).values(),
            *vars(Calibration.of(network.card)).values(),
        ]
        assert np.isfinite(numbers).all() and mixture({"detector": network}) is None

    return refused(run)


def _shards(folder: Path) -> Run:
    from handscope.data.shards import ShardReader, check_shard

    def run(path: Path) -> None:
        for name in (".index", ".sha256"):
            path.with_name(path.name + name).unlink(missing_ok=True)
        reader = ShardReader([path])
        for i in range(len(reader)):
            refused(lambda _, i=i: reader[i] and None)(path)
        check_shard(path)

    return refused(run)


def _recipes(folder: Path) -> Run:
    from handscope.ablation.study import read_study
    from handscope.train.recipe import from_arguments, read_recipe

    def parse(path: Path) -> None:
        with suppress(SystemExit), redirect_stderr(io.StringIO()):  # the parser's own sentence
            from_arguments(["--config", str(path)])

    for name in ("recipes/small.yaml", "recipes/ablations/table2.yaml"):
        (folder / Path(name).name).write_bytes((seeds.ROOT / name).read_bytes())

    def run(path: Path) -> None:
        for read in (read_recipe, read_study, parse):
            refused(lambda _, read=read: read(path) and None)(path)

    return run


def _requests(folder: Path) -> Run:
    from handscope.apps.service.api import Limits, create_app
    from handscope.infer.pipeline import load
    from toy_networks import save_networks

    app = create_app(load(save_networks(folder / "weights"), threads=1), Limits(max_bytes=2**20, max_pixels=2**20))
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, daemon=True).start()

    async def start() -> Any:
        inside = app.router.lifespan_context(app)
        await inside.__aenter__()
        return inside

    running = asyncio.run_coroutine_threadsafe(start(), loop).result()

    def run(path: Path) -> None:
        request = parsed(path.read_bytes())
        if request is not None:
            assert running is not None  # who lets go of it ends the service
            status, headers, body = asyncio.run_coroutine_threadsafe(ask(app, *request), loop).result()
            assert status < 500 or status == 503, f"status {status}: {body[:300]!r}"
            if headers.get(b"content-type", b"").startswith(b"application/json"):
                json.loads(body, parse_constant=lambda word: 1 / 0)

    return run


def parsed(content: bytes) -> tuple[dict[str, Any], bytes] | None:
    """An ASGI scope and a body from a raw request; None for what no server would pass on."""
    head, _, body = content.partition(b"\r\n\r\n")
    line, *lines = head.split(b"\r\n")
    words = line.split(b" ")
    if len(words) != 3 or not words[1].startswith(b"/") or not line.isascii():
        return None
    path, _, query = words[1].partition(b"?")
    headers = [
        (name.strip().lower(), value.strip())
        for name, _, value in (one.partition(b":") for one in lines)
        if name.strip()
    ]
    from urllib.parse import unquote_to_bytes

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": words[0].decode(),
        "scheme": "http",
        "path": unquote_to_bytes(path).decode("utf-8", "replace"),
        "raw_path": path,
        "query_string": query,
        "root_path": "",
        "headers": headers,
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }
    return scope, body


async def ask(app: Any, scope: dict[str, Any], body: bytes) -> tuple[int, dict[bytes, bytes], bytes]:
    """Status, headers and body of the answer."""
    waiting = [{"type": "http.request", "body": body, "more_body": False}]
    told: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        if waiting:
            return waiting.pop()
        await asyncio.sleep(60)
        return {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        told.append(message)

    with suppress(HandscopeError):
        await app(scope, receive, send)
    first = next(message for message in told if message["type"] == "http.response.start")
    content = b"".join(message.get("body", b"") for message in told if message["type"] == "http.response.body")
    return first["status"], dict(first["headers"]), content


TARGETS = {
    "pictures": Target(seeds.pictures, _pictures, ".img"),
    "videos": Target(seeds.videos, _videos, ".mp4"),
    "pickles": Target(seeds.pickles, _pickles, ".pkl"),
    "arrays": Target(seeds.arrays, _arrays, ".npz"),
    "answers": Target(seeds.answers, _answers, ".any"),
    "cards": Target(seeds.cards, _cards, ".json"),
    "shards": Target(seeds.shards, _shards, ".tar"),
    "recipes": Target(seeds.recipes, _recipes, ".yaml"),
    "requests": Target(seeds.requests, _requests, ".http"),
}
