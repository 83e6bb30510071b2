"""Many pictures, one after the other: decoded ahead in processes of their own, read in batches, told in order.

Memory is bounded by pixels: so many are decoded ahead of the networks, whatever the number of pictures, and no picture
is decoded before its header has told its size. A picture that cannot be read is a `Failure` in its place; it may cost
a process, and costs no other picture anything.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import closing, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from handscope.errors import HandscopeError, ImageError
from handscope.infer.cameras import CameraLike
from handscope.infer.decoding import (
    Header,
    NotAPictureError,
    Picture,
    TooCostlyError,
    TooManyPixelsError,
    decode_picture,
)
from handscope.infer.decoding_pool import DecodingPool
from handscope.infer.images import Source, UnreadableError, take_picture
from handscope.infer.inputs import PictureInput, prepare
from handscope.infer.limits import DecodingLimits, default_limits
from handscope.infer.results import Hands
from handscope.paths import reason

AHEAD_PIXELS = 48_000_000
"""Decoded and waiting, three bytes each; one picture of more is taken alone."""
AHEAD = 32
"""Pictures looked at ahead."""
BATCH_PIXELS = 16_000_000
"""Of the pictures that go through the networks together."""

FailureKind = Literal[
    "unreadable",
    "not_a_picture",
    "damaged",
    "too_many_pixels",
    "too_costly",
    "invalid",
    "internal",
    "changed",
    "killed",
]
KINDS: tuple[tuple[type[Exception], FailureKind], ...] = (
    (UnreadableError, "unreadable"),
    (NotAPictureError, "not_a_picture"),
    (TooManyPixelsError, "too_many_pixels"),
    (TooCostlyError, "too_costly"),
    (ImageError, "damaged"),
    (HandscopeError, "invalid"),
)
"""What errors are called, the first that fits. A file that is unreadable may be readable another time; "invalid" is a
camera or box that cannot be this picture's; "internal" is a fault of ours. `handscope.batch` knows two more.
"""


@dataclass(frozen=True)
class Failure:
    """In the place of an answer: `source` as it was given, what kind of failure, and one sentence."""

    source: Any
    kind: FailureKind
    message: str


class FileContent(NamedTuple):
    """A picture's file as its bytes, and what sentences call it."""

    content: bytes
    name: str


class Task(NamedTuple):
    """A picture, its camera and boxes, if known."""

    source: Source | FileContent | Picture
    K: CameraLike = None
    boxes: ArrayLike | None = None


def stream(
    answer: Callable[[Sequence[PictureInput]], list[Hands]],
    tasks: Iterable[Task],
    *,
    workers: int,
    batch: int,
    limits: DecodingLimits | None = None,
    pool: DecodingPool | None = None,
) -> Generator[Hands | Failure, None, None]:
    """An answer or a failure for each task, in order; `answer` is given at most `batch` pictures together. Without
    workers files are decoded in this process, when their turn comes; a `pool` that is given decodes and stays open.
    """
    waiting: list[tuple[object, PictureInput | Failure]] = []
    pixels = 0
    with closing(decoded_ahead(tasks, workers=workers, limits=limits, pool=pool)) as pictures:
        for task, picture in pictures:
            given = _prepared(task, picture)
            del picture
            pixels += 0 if isinstance(given, Failure) else given.image.shape[0] * given.image.shape[1]
            waiting.append((task.source, given))
            del given
            if len(waiting) >= batch or pixels >= BATCH_PIXELS:
                yield from _told(answer, waiting)
                waiting, pixels = [], 0
    yield from _told(answer, waiting)


def decoded_ahead(
    tasks: Iterable[Task], *, workers: int, limits: DecodingLimits | None = None, pool: DecodingPool | None = None
) -> Generator[tuple[Task, Picture | HandscopeError], None, None]:
    """Each task with its picture, or why there is none, in order. What is no file is taken in this process."""
    if pool is None and workers == 0:
        for task in tasks:
            yield task, _taken(task.source, limits)
        return
    source, ahead, ended = iter(tasks), deque[_Ahead](), False
    with nullcontext(pool) if pool is not None else DecodingPool(workers, limits) as pool:
        while True:
            while not ended and len(ahead) < AHEAD and sum(one.pixels for one in ahead) < AHEAD_PIXELS:
                try:
                    ahead.append(_Ahead(next(source), pool))
                except StopIteration:
                    ended = True
            if not ahead:
                return
            ahead[0].begin()
            taken = 0
            for one in ahead:
                taken += one.pixels
                if not one.is_known() or taken > AHEAD_PIXELS:
                    break
                one.begin()
            first = ahead.popleft()
            yield first.task, first.result()
            del first


class _Ahead:
    """A task whose picture is looked at, then decoded."""

    def __init__(self, task: Task, pool: DecodingPool) -> None:
        self.task, self._pool = task, pool
        self._header: Future[Header] | None = None
        self._picture: Future[Picture] | None = None
        self._given = 0
        source = task.source.image if isinstance(task.source, Picture) else task.source
        if isinstance(source, FileContent):
            self._header = pool.inspect(*source)
        elif isinstance(source, str | Path):
            self._header = pool.inspect(source)
        elif isinstance(source, np.ndarray):
            self._given = int(np.prod(source.shape[:2]))

    @property
    def pixels(self) -> int:
        """Of the picture, as far as it is known; 0 for one that is none."""
        header = self._header
        if header is None or not header.done() or header.exception() is not None:
            return self._given
        return header.result().pixels

    def is_known(self) -> bool:
        """Whether the header has told."""
        return self._header is None or self._header.done()

    def begin(self) -> None:
        """Have it decoded, once the header has told."""
        if self._header is None or self._picture is not None or self._header.exception() is not None:
            return
        source = self.task.source
        assert isinstance(source, str | Path | FileContent)
        content, name = source if isinstance(source, FileContent) else (source, None)
        self._picture = self._pool.decode(content, name)

    def result(self) -> Picture | HandscopeError:
        """The picture, or why there is none."""
        if self._header is None:
            return _taken(self.task.source, None)
        future = self._header if self._picture is None else self._picture
        error = future.exception()
        if error is None:
            assert self._picture is not None
            return self._picture.result()
        if not isinstance(error, ImageError):
            raise error
        return error


def _taken(source: Source | FileContent | Picture, limits: DecodingLimits | None) -> Picture | HandscopeError:
    """A picture of this process."""
    try:
        if isinstance(source, Picture):
            return source
        if isinstance(source, FileContent):
            return decode_picture(*source, limits=limits or default_limits())
        return take_picture(source, limits)
    except HandscopeError as error:
        return error


def _prepared(task: Task, picture: Picture | HandscopeError) -> PictureInput | Failure:
    """A picture with its camera, ready to be read."""
    if isinstance(picture, HandscopeError):
        return failure(task.source, picture)
    try:
        return prepare(picture, task.K, task.boxes)
    except HandscopeError as error:
        return failure(task.source, error)


def _told(
    answer: Callable[[Sequence[PictureInput]], list[Hands]], waiting: Sequence[tuple[object, PictureInput | Failure]]
) -> Iterator[Hands | Failure]:
    """The answers in order; a picture that breaks the networks does not spoil the others."""
    read = [(source, given) for source, given in waiting if isinstance(given, PictureInput)]
    answers = iter(_answered(answer, read))
    for _, given in waiting:
        yield given if isinstance(given, Failure) else next(answers)


def _answered(
    answer: Callable[[Sequence[PictureInput]], list[Hands]], read: Sequence[tuple[object, PictureInput]]
) -> list[Hands | Failure]:
    if not read:
        return []
    try:
        return list(answer([given for _, given in read]))
    except Exception as error:
        if len(read) == 1:
            return [failure(read[0][0], error)]
        return [told for one in read for told in _answered(answer, [one])]


def failure(source: Any, error: Exception) -> Failure:
    """What an error means for a picture."""
    message = str(error) if isinstance(error, HandscopeError) else f"{type(error).__name__}: {reason(error)}"
    for error_type, kind in KINDS:
        if isinstance(error, error_type):
            return Failure(source, kind, message)
    return Failure(source, "internal", message)
