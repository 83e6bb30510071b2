"""Items in, rows out, in one process: what every engine's workers run.

`Settings` go from process to process; a worker makes an `Annotator` of them once. It takes items in windows that depend
on the list alone, and what goes through the networks together is cut within a window: an item's numbers are the same
whoever reads it, and whenever.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from typing import Any

from handscope import __version__
from handscope.batch.manifest import Item
from handscope.batch.reading import Patience, Reader, Reading, is_plain
from handscope.batch.rows import Row, row_of
from handscope.errors import AssetError, HandscopeError, ImageError, shown
from handscope.infer.cameras import CameraLike, parse_camera
from handscope.infer.decoding_pool import DecodingPool
from handscope.infer.devices import DEVICES
from handscope.infer.effort import effort_of
from handscope.infer.limits import DecodingLimits
from handscope.infer.models import is_eight_bit
from handscope.infer.pipeline import Pipeline, load
from handscope.infer.results import Hands
from handscope.infer.streaming import AHEAD_PIXELS, Failure, FileContent, Task, failure, stream
from handscope.infer.weights import digests
from handscope.paths import as_path, read_bytes

CPU_WINDOW = 1
"""Items of a window on a CPU. Of processes side by side one picture of 320 px at a time took 0.122 to 0.125 s of a
core, four together 0.124 each, and 670 MB instead of 450; and its numbers are those that it has alone.
"""
WINDOW_BYTES = 64 * 2**20
"""Of the files of a window; a larger file is a window of its own."""
READERS = 8
"""Threads that read files ahead."""
Window = tuple[Item, ...]


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What an answer depends on, beside the picture; `handscope.load` and `--K`, `--distortion`, `--focal` say what the
    options mean. `mesh` is whether rows hold vertices, `batch` how many items a window has (by default as many as suit
    the device). `threads` and `patience` change no answer.
    """

    weights: str | None = None
    hand_model: str | None = None
    min_score: float | None = None
    tiles: int = 1
    joint_convention: str | None = None
    K: str | None = None
    distortion: str | None = None
    focal: float | None = None
    mesh: bool = False
    batch: int | None = None
    device: str = "cpu"
    effort: str = "full"
    limits: DecodingLimits = field(default_factory=DecodingLimits)
    threads: int = 1
    patience: Patience = field(default_factory=Patience)

    @property
    def camera(self) -> CameraLike:
        """Of all pictures; HandscopeError if the words say none."""
        return self.focal if self.K is None else parse_camera(self.K, self.distortion)

    @property
    def window(self) -> int:
        """How many items a window has."""
        kind = self.device.partition(":")[0]
        if kind not in DEVICES:
            raise HandscopeError(f"device must be one of {', '.join(DEVICES)}, got {shown(self.device)}")
        return self.batch or (CPU_WINDOW if kind == "cpu" else DEVICES[kind].pictures)

    def told(self) -> dict[str, Any]:
        """All that answers depend on, in plain words: networks and hand model by their SHA-256."""
        told = asdict(self)
        for name in ("threads", "patience", "weights", "hand_model"):
            del told[name]
        hand_model = None
        if self.hand_model is not None:
            hand_model = hashlib.sha256(read_bytes(as_path(self.hand_model), AssetError)).hexdigest()
        device = self.device.partition(":")[0]
        networks = digests(self.weights, eight_bit=is_eight_bit(effort_of(self.effort), device))
        told |= {"batch": self.window, "device": device}
        return told | {"version": __version__, "networks": networks, "hand_model": hand_model}

    def fingerprint(self) -> str:
        """Twelve letters that stand for `told`."""
        return hashlib.sha256(json.dumps(self.told(), sort_keys=True).encode()).hexdigest()[:12]

    def annotator(self) -> Annotator:
        """The networks, opened: once a process."""
        return Annotator(self)

    def load(self) -> Pipeline:
        """The model."""
        return load(
            self.weights,
            self.hand_model,
            self.threads,
            min_score=self.min_score,
            tiles=self.tiles,
            joint_convention=self.joint_convention,
            device=self.device,
            effort=self.effort,
        )


def windows(items: Iterable[Item], count: int) -> Iterator[Window]:
    """Items in windows of at most `count`, and of at most `WINDOW_BYTES` as far as sizes are known."""
    window: list[Item] = []
    held = 0
    for item in items:
        size = (item.size or 0) if is_plain(item) else 0
        if window and (len(window) == count or held + size > WINDOW_BYTES):
            yield tuple(window)
            window, held = [], 0
        window.append(item)
        held += size
    if window:
        yield tuple(window)


class Annotator:
    """The model of some settings, with a process that decodes for it (`infer.decoding_pool`): a picture that breaks a
    decoder is a row, and costs that process alone. Nothing but the items is read.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings, self._camera = settings, settings.camera
        self._model = settings.load()
        self._reader = Reader(settings.limits, settings.patience)
        self._pool = DecodingPool(1, settings.limits)
        self._threads = ThreadPoolExecutor(READERS, "handscope reading")

    def annotate_windows(self, given: Iterable[Window]) -> Iterator[list[Row]]:
        """The rows of each window. Files of the next window are read and decoded meanwhile."""
        ahead: tuple[Window, list[Future[Reading] | None]] | None = None
        for window in given:
            following = window, self._fetched(window)
            if ahead is not None:
                yield self._rows(*ahead)
            ahead = following
        if ahead is not None:
            yield self._rows(*ahead)

    def close(self) -> None:
        """End the process that decodes, and close what is open."""
        self._threads.shutdown(cancel_futures=True)
        self._pool.close()
        self._reader.close()

    def __enter__(self) -> Annotator:
        return self

    def __exit__(self, *told: object) -> None:
        self.close()

    def _fetched(self, window: Window) -> list[Future[Reading] | None]:
        """What is being read of a window: files of their own, and nothing yet of what lies in tables and videos."""
        most = AHEAD_PIXELS // max(len(window), 1)
        return [self._threads.submit(self._decoded, item, most) if is_plain(item) else None for item in window]

    def _decoded(self, item: Item, most_pixels: int) -> Reading:
        """What an item holds, decoded if that is no large picture: such ones are decoded when their turn comes."""
        reading = self._reader.read(item)
        if not isinstance(reading.content, FileContent):
            return reading
        content, name = reading.content
        try:
            picture = self._pool.decode_small(content, most_pixels, name).result()
        except ImageError as error:
            return reading._replace(content=failure(item.name, error))
        return reading if picture is None else reading._replace(content=picture)

    def _rows(self, window: Window, fetched: Sequence[Future[Reading] | None]) -> list[Row]:
        began = time.perf_counter()
        attempts = [1] * len(window)
        answers: list[Hands | Failure | None] = [None] * len(window)
        read: list[int] = []

        def tasks() -> Iterator[Task]:
            for place, (item, future) in enumerate(zip(window, fetched, strict=True)):
                reading = self._reader.read(item) if future is None else future.result()
                attempts[place] = reading.attempts
                if isinstance(reading.content, Failure):
                    answers[place] = reading.content
                else:
                    read.append(place)
                    yield Task(reading.content, self._camera)

        told = stream(self._model.answer, tasks(), workers=1, batch=len(window), pool=self._pool)
        for number, answer in enumerate(told):
            answers[read[number]] = answer
        seconds = (time.perf_counter() - began) / len(window)
        return [
            row_of(item, _named(item, answer), attempts=tried, seconds=seconds, mesh=self._settings.mesh)
            for item, answer, tried in zip(window, answers, attempts, strict=True)
            if answer is not None
        ]


def _named(item: Item, answer: Hands | Failure) -> Hands | Failure:
    """A failure whose sentence begins with the item's name, which a path cannot always say (`s3://`)."""
    if isinstance(answer, Hands) or answer.message.startswith(item.name):
        return answer
    name = str(as_path(item.name))
    rest = answer.message.removeprefix(f"{name}: ")
    return Failure(item.name, answer.kind, f"{item.name}: {rest}")
