"""Pictures decoded in processes of their own, each of which one picture can cost and no more: service, page and
everything that reads many pictures share this.

A process (`decoding_worker`) holds itself to memory and CPU seconds; from here it is ended when it takes `PATIENCE`
times as long by the clock. The picture that ended it is one sentence, and the next one gets a new process. Processes
are started as programs, never forked, so threads do no harm and a script needs no `if __name__ == "__main__"`; they end
when this one does, however it ends. Pixels come back through a pipe: 36 MB, twelve million pixels, take 0.02 to 0.03 s
beside the 0.3 s of decoding them.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from handscope.errors import HandscopeError, ImageError
from handscope.infer.decoding import (
    RAISE,
    Header,
    NotAPictureError,
    Picture,
    TooCostlyError,
    TooManyPixelsError,
    check_bytes,
)
from handscope.infer.decoding_worker import LENGTHS, read_exactly, write_frame
from handscope.infer.images import UnreadableError
from handscope.infer.limits import DecodingLimits, default_limits
from handscope.paths import as_path, reason

Answer = TypeVar("Answer")

PATIENCE = 3.0
"""By the clock a picture may take so many times its CPU seconds: the machine may be busy."""
START_S = 60.0
"""A new process must be ready by then."""
ENVIRONMENT = (
    "PATH", "SYSTEMROOT", "PYTHONHOME", "PYTHONUTF8", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "TMPDIR", "TEMP", "TMP",
    "LANG", "LC_ALL", "LC_CTYPE",
)  # fmt: skip
"""All that processes learn of this one's environment: no secrets."""
CLOSED = "this DecodingPool is closed"


class ProcessError(HandscopeError):
    """No process for decoding can be started."""


class DecodingPool:
    """`workers` processes that decode, started when they are needed; safe among threads, of no use after a fork.

    `limits` are by default those of the environment.
    """

    def __init__(self, workers: int = 2, limits: DecodingLimits | None = None) -> None:
        if workers < 1:
            raise HandscopeError(f"workers must be 1 or more, got {workers}")
        self._crew = _Crew(workers, limits or default_limits())
        self._owner = os.getpid()
        self._close = weakref.finalize(self, self._crew.close)

    @property
    def unlimited(self) -> tuple[str, ...]:
        """Which of memory and seconds this system cannot hold a process to, once one has been started."""
        return self._crew.unlimited

    def decode(self, source: bytes | str | Path, name: str | Path | None = None) -> Future[Picture]:
        """A picture of a file, or of its bytes, which errors call `name`. The future raises as `decode_picture` does,
        TooCostlyError for what time or memory do not suffice for; cancel it to take back what has not begun.
        """
        return self._submit(_request("decode", source, name), _picture)

    def decode_small(
        self, source: bytes | str | Path, most_pixels: int, name: str | Path | None = None
    ) -> Future[Picture | None]:
        """`decode` for a picture of at most so many pixels by its header; None for a larger one."""
        return self._submit(_request("decode", source, name, most_pixels), _small_picture)

    def inspect(self, source: bytes | str | Path, name: str | Path | None = None) -> Future[Header]:
        """Format and size of a picture, by its header."""
        return self._submit(_request("inspect", source, name), _header)

    def start(self) -> None:
        """Start one process, so that `unlimited` is known and the first picture does not wait."""
        self._crew.put_back(self._crew.take())

    def close(self) -> None:
        """End all processes; what has not been decoded is cancelled or an error."""
        self._close()

    def __enter__(self) -> DecodingPool:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _submit(self, request: _Request, convert: Callable[[_Request, dict, NDArray], Answer]) -> Future[Answer]:
        if os.getpid() != self._owner:
            raise HandscopeError("this DecodingPool is of the process that this one was forked from: make another one")
        answer: Future[Answer] = Future()
        self._crew.submit(_Job(request, convert, answer))
        return answer


class _Crew:
    """The threads of a pool, one a process, and the processes. The threads know this and not the pool, so that a pool
    that nobody uses any more ends; they hold up nothing when the program ends.
    """

    def __init__(self, workers: int, limits: DecodingLimits) -> None:
        self._workers, self._limits = workers, limits
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._idle: list[_Process] = []
        self._running: set[_Process] = set()
        self._lock, self._closed = threading.RLock(), False  # a collector may close it while one of us holds it
        self.unlimited: tuple[str, ...] = ()

    def submit(self, job: _Job) -> None:
        """Let it wait its turn."""
        with self._lock:
            if self._closed:
                raise HandscopeError(CLOSED)
            self._jobs.put(job)
            if len(self._threads) < self._workers:
                thread = threading.Thread(target=self._work, name="handscope decoding", daemon=True)
                self._threads.append(thread)
                thread.start()

    def close(self) -> None:
        """Cancel what waits, end all processes, and wait for the threads, which hear of it at once."""
        with self._lock:
            self._closed = True
            running, idle, self._idle = list(self._running), self._idle, []
        with suppress(queue.Empty):
            while (job := self._jobs.get_nowait()) is not None:
                job.answer.cancel()
        for process in running:
            process.kill()
        for process in idle:
            process.end()
        for _ in self._threads:
            self._jobs.put(None)
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join()

    def take(self) -> _Process:
        """A process that waits, or a new one."""
        with self._lock:
            process = self._idle.pop() if self._idle else None
        if process is not None and not process.is_alive():
            process.end()
            process = None
        process = process or _Process(self._limits)
        with self._lock:
            if not self._closed:
                self._running.add(process)
                self.unlimited = process.unlimited
                return process
        process.end()
        raise HandscopeError(CLOSED)

    def put_back(self, process: _Process) -> None:
        """It waits for the next picture, if it lives."""
        with self._lock:
            self._running.discard(process)
            if not self._closed and process.is_alive():
                self._idle.append(process)
                return
        process.end()

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            if job.answer.set_running_or_notify_cancel():
                try:
                    job.answer.set_result(self._done(job))
                except BaseException as error:
                    job.answer.set_exception(error)
            del job

    def _done(self, job: _Job) -> Any:
        if job.request.of == "bytes":
            check_bytes(Path(job.request.name), len(job.request.content), self._limits)
        process = self.take()
        try:
            about, image = process.ask(job.request)
        finally:
            self.put_back(process)
        return job.convert(job.request, about, image)


class _Job(NamedTuple):
    """What is asked, what is made of the answer, and where it goes."""

    request: _Request
    convert: Callable[[_Request, dict, NDArray], Any]
    answer: Future[Any]


class _Request(NamedTuple):
    """A task of `decoding_worker`, of the bytes of a picture or of a path."""

    task: Literal["decode", "inspect"]
    of: Literal["bytes", "path"]
    name: str
    content: bytes
    most_pixels: int | None


def _request(
    task: Literal["decode", "inspect"],
    source: bytes | str | Path,
    name: str | Path | None,
    most_pixels: int | None = None,
) -> _Request:
    if isinstance(source, bytes):
        return _Request(task, "bytes", str(name or "picture"), source, most_pixels)
    path = as_path(source)
    return _Request(task, "path", str(path), os.fsencode(os.path.abspath(path)), most_pixels)


class _Process:
    """One process and its pipes; used by one thread at a time."""

    def __init__(self, limits: DecodingLimits) -> None:
        self._limits = limits
        alone: dict[str, Any] = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP} if os.name == "nt" else {}
        if os.name != "nt":
            alone["start_new_session"] = True  # Ctrl-C reaches this process only
        environment = {name: os.environ[name] for name in ENVIRONMENT if name in os.environ}
        environment |= {"PYTHONPATH": os.pathsep.join(os.path.abspath(place) for place in sys.path)}
        environment |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        command = [sys.executable, "-P", "-m", "handscope.infer.decoding_worker", json.dumps(asdict(limits))]
        pipe, nothing = subprocess.PIPE, subprocess.DEVNULL
        try:
            self._process = subprocess.Popen(
                command, stdin=pipe, stdout=pipe, stderr=nothing, env=environment, bufsize=0, **alone
            )
        except OSError as error:
            raise ProcessError(f"no process for decoding can be started ({reason(error)})") from error
        self._late = False
        try:
            about, _ = self._within(START_S, self._read)
        except (EOFError, OSError, ValueError) as error:
            self.end()
            told = "too slowly" if self._late else f"not (exit code {self._process.returncode})"
            raise ProcessError(f"a process for decoding starts {told}: `{' '.join(command[:4])}`") from error
        self.unlimited = tuple(about["unlimited"])

    def is_alive(self) -> bool:
        """Whether it can be asked."""
        return self._process.poll() is None

    def ask(self, request: _Request) -> tuple[dict[str, Any], NDArray[np.uint8]]:
        """What it tells of a picture, and its pixels (n,); ImageError if it does not survive it."""

        def exchange() -> tuple[dict[str, Any], NDArray[np.uint8]]:
            assert self._process.stdin is not None
            about = {"task": request.task, "of": request.of, "name": request.name, "most_pixels": request.most_pixels}
            write_frame(self._process.stdin, about, request.content)
            return self._read()

        try:
            return self._within(PATIENCE * self._limits.seconds, exchange)
        except (EOFError, OSError, ValueError) as error:
            self.end()
            raise self._obituary(request.name) from error

    def kill(self) -> None:
        """End it and let the thread that waits for it find out."""
        with suppress(OSError):
            self._process.kill()

    def end(self) -> None:
        """End it, whatever it is at; nothing of it stays."""
        self.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            with suppress(OSError):
                if pipe is not None:
                    pipe.close()

    def _within(self, seconds: float, act: Callable[[], Answer]) -> Answer:
        """`act`, during which the process is ended if it takes longer."""

        def kill() -> None:
            self._late = True
            self.kill()

        clock = threading.Timer(seconds, kill)
        clock.daemon = True
        clock.start()
        try:
            return act()
        finally:
            clock.cancel()

    def _read(self) -> tuple[dict[str, Any], NDArray[np.uint8]]:
        """A frame; ValueError for one that a sound process would not send."""
        file = self._process.stdout
        assert file is not None
        lengths = bytearray(LENGTHS.size)
        read_exactly(file, lengths)
        size, count = LENGTHS.unpack(lengths)
        if size > 2**20 or count > 3 * self._limits.max_pixels:
            raise ValueError("no answer of ours")
        text, content = bytearray(size), np.empty(count, np.uint8)
        read_exactly(file, text)
        read_exactly(file, content.data)
        return json.loads(text), content

    def _obituary(self, name: str) -> ImageError:
        code = self._process.returncode
        if self._late or code == -getattr(signal, "SIGXCPU", 0):
            told = f"decoding takes more than {self._limits.seconds:g} s"
        elif code == -getattr(signal, "SIGKILL", 0):
            told = "the process that decoded it was ended from outside, perhaps for want of memory"
        else:
            return ImageError(f"{name}: the picture is damaged (the decoder broke down over it); export it again")
        return TooCostlyError(f"{name}: {told}; scale it down or save it in another format, or {RAISE}")


KINDS: tuple[type[ImageError], ...] = (UnreadableError, NotAPictureError, TooCostlyError, TooManyPixelsError)
"""Errors that a process may tell of, beside ImageError."""


def _picture(request: _Request, about: dict[str, Any], content: NDArray[np.uint8]) -> Picture:
    _raise_told(request.name, about)
    height, width, _ = about["shape"]
    image, notes, focal = content.reshape(height, width, 3), tuple(map(str, about["notes"])), about["focal"]
    return Picture(Path(request.name), image, notes, int(about["orientation"]), None if focal is None else float(focal))


def _small_picture(request: _Request, about: dict[str, Any], content: NDArray[np.uint8]) -> Picture | None:
    return None if about.get("larger") else _picture(request, about, content)


def _header(request: _Request, about: dict[str, Any], content: NDArray[np.uint8]) -> Header:
    _raise_told(request.name, about)
    return Header(str(about["format"]), int(about["width"]), int(about["height"]))


def _raise_told(name: str, about: dict[str, Any]) -> None:
    """Raise the error that the process tells of, if it does."""
    if "error" not in about:
        return
    if about["error"] == "MemoryError":
        raise TooCostlyError(f"{name}: there is not enough memory to decode it; scale it down, or {RAISE}")
    raise next((kind for kind in KINDS if kind.__name__ == about["error"]), ImageError)(about["message"])
