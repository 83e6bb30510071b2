"""The engine of one machine: processes of one thread each, as many as there are cores.

A process gets the windows of a shard and sends their rows back as they are done, so that one that dies costs the window
that it had in hand, and nothing if it does not die of it again. A picture that ended two processes all alone is a row
that says so. A process for which no shard is left takes half of the windows that another one has not begun, so that all
end together. This process writes the parts. Processes are spawned, and end when this one does, however it ends.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection, wait

import cv2

from handscope.batch.addresses import MEMORY
from handscope.batch.annotator import Settings, Window
from handscope.batch.manifest import Item, arrow
from handscope.batch.rows import KILLED, Row, failed_row, table_of, tally_of
from handscope.batch.run import Run, Watch, Work
from handscope.errors import HandscopeError

DEATHS = 2
"""So many processes must have died of a window, or of a picture alone, before it is held to be the cause."""
STARTS = 3
"""So many processes may die before they are ready, one after the other."""
LOOK_S = 0.2
"""How often it is asked whether to stop."""
_Told = tuple[bytes, dict[str, int]]
"""Rows as Arrow's bytes, and their tally."""
ENVIRONMENT = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


def cores() -> int:
    """CPUs that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def work_locally(run: Run, works: Iterator[Work], watch: Watch, *, processes: int | None = None) -> None:
    """Do the works in so many processes (by default one a core), or with 0 in this one, which items of `memory://` want
    anyway. Raises HandscopeError if processes do not start.
    """
    processes = cores() if processes is None else processes
    if processes == 0 or any(source.startswith(MEMORY) for source in run.manifest.sources):
        _work_here(run, works, watch)
        return
    crew: list[_Worker] = []
    with _one_thread_each():
        try:
            windows = -(-run.manifest.count // run.settings.window)
            crew += [_Worker(run.settings) for _ in range(min(processes, windows))]
            _work_together(run, works, watch, crew)
        finally:
            for worker in crew:
                worker.end()


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Spawned processes begin with this environment."""
    before = {name: os.environ.get(name) for name in ENVIRONMENT}
    os.environ.update(ENVIRONMENT)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


def _work_here(run: Run, works: Iterator[Work], watch: Watch) -> None:
    with run.settings.annotator() as annotator:
        for work in works:
            rows: list[Row] = []
            for told in annotator.annotate_windows(work.windows):
                rows += told
                watch.on_rows(tally_of(told))
                if watch.stopping():
                    return
            run.finish(work, rows)


def _work_together(run: Run, works: Iterator[Work], watch: Watch, crew: Sequence[_Worker]) -> None:
    while not watch.stopping():
        for worker in crew:
            if not worker.is_busy and (work := next(works, None)) is not None:
                worker.give(_Shard(work, watch))
        busy = [worker for worker in crew if worker.is_busy]
        if not busy:
            return
        for worker in crew:
            if not worker.is_busy:
                max(busy, key=lambda one: one.untouched).share_with(worker)
        busy = [worker for worker in crew if worker.is_busy]
        heard = wait([worker.pipe for worker in busy], LOOK_S)
        for worker in busy:
            if worker.pipe in heard and (shard := worker.listen()) is not None:
                finish_told(run, shard.work, shard.told, shard.tally)


def finish_told(run: Run, work: Work, told: Sequence[bytes], tally: dict[str, int]) -> None:
    """Write the part of a work whose rows came as Arrow's bytes."""
    pa, _ = arrow()
    table = pa.concat_tables([pa.ipc.open_stream(content).read_all() for content in told])
    if work.kept:
        run.finish(work, table.to_pylist())
    else:
        run.finish_table(work, table, tally)


class Deputy:
    """A process that works for this one: what engines with workers of their own have in each of them, so that a picture
    costs no worker, and a row at most.
    """

    def __init__(self, settings: Settings) -> None:
        with _one_thread_each():
            self._worker = _Worker(settings)

    def rows(self, work: Work, stopping: Callable[[], bool] = lambda: False) -> tuple[list[bytes], dict[str, int]]:
        """The rows of a work's windows as Arrow's bytes, and their tally; none of them if it was told to stop.
        HandscopeError if processes do not start.
        """
        shard = _Shard(work, Watch())
        with _one_thread_each():
            self._worker.give(shard)
            while not stopping():
                if wait([self._worker.pipe], LOOK_S) and self._worker.listen() is not None:
                    return shard.told, shard.tally
        self.end()
        return [], {}

    def end(self) -> None:
        """End the process."""
        self._worker.end()


class _Trial:
    """A window of which processes died: its pictures are read alone; if all of them live, together once more."""

    def __init__(self, window: Window) -> None:
        self.window = window
        self.alone: list[_Told] = []
        self.fatal = False

    @property
    def is_complete(self) -> bool:
        """Whether every picture was read alone."""
        return len(self.alone) == len(self.window)


class _Shard:
    """A work in hand, in spans, each of which is a process's."""

    def __init__(self, work: Work, watch: Watch) -> None:
        self.work = work
        self.spans = [_Span(work.windows, watch)]

    @property
    def is_told(self) -> bool:
        """Whether all rows are there."""
        return not any(span.windows() for span in self.spans)

    @property
    def told(self) -> list[bytes]:
        """What is told so far, in order."""
        return [content for span in self.spans for content in span.told]

    @property
    def tally(self) -> dict[str, int]:
        """Of what is told so far."""
        tally = Counter({"rows": 0, "hands": 0})
        for span in self.spans:
            tally.update(span.tally)
        return dict(tally)

    def split(self, span: _Span) -> _Span:
        """The windows that this span gives away, as a span of their own."""
        given = span.split()
        self.spans.insert(self.spans.index(span) + 1, given)
        return given


class _Span:
    """Windows that wait, the first of which is being read, and what is told of those before.

    A window of which `DEATHS` processes died is read a picture at a time. If a picture is fatal alone, these are the
    rows; if none is, the window is read as a whole once more, for the sake of the numbers that it has in other runs.
    """

    def __init__(self, windows: Iterable[Window], watch: Watch) -> None:
        self._watch = watch
        self.told: list[bytes] = []
        self.tally: Counter[str] = Counter()
        self._waiting = deque(windows)
        self._deaths = 0
        self._trial: _Trial | None = None

    @property
    def untouched(self) -> int:
        """How many windows no process has seen, as one looks a window ahead."""
        return 0 if self._trial is not None else max(len(self._waiting) - 2, 0)

    def split(self) -> _Span:
        """The later half of the windows that are untouched, which are this span's no more."""
        given = [self._waiting.pop() for _ in range(-(-self.untouched // 2))]
        return _Span(reversed(given), self._watch)

    def windows(self) -> tuple[Window, ...]:
        """Those to read next; none if all is told."""
        if self._trial is None:
            return tuple(self._waiting)
        if self._trial.is_complete:
            return (self._trial.window,)
        return tuple((item,) for item in self._trial.window[len(self._trial.alone) :])

    def take(self, told: _Told) -> None:
        """The rows of the first of `windows`."""
        self._deaths = 0
        if self._trial is None or self._trial.is_complete:
            self._settle([told])
        else:
            self._add_alone(self._trial, told)

    def died(self, code: int | None) -> None:
        """A process died with the first of `windows` in hand."""
        self._deaths += 1
        if self._trial is not None and self._trial.is_complete:
            self._settle(self._trial.alone)
        elif self._deaths == DEATHS:
            self._deaths = 0
            if self._trial is None:
                self._trial = _Trial(self._waiting[0])
            else:
                self._trial.fatal = True
                self._add_alone(self._trial, _told([_killed(self._trial.window[len(self._trial.alone)], code)]))

    def _add_alone(self, trial: _Trial, told: _Told) -> None:
        trial.alone.append(told)
        if trial.is_complete and trial.fatal:
            self._settle(trial.alone)

    def _settle(self, told: Sequence[_Told]) -> None:
        """These are the rows of the first window that waits."""
        self._waiting.popleft()
        self._trial, self._deaths = None, 0
        for content, counts in told:
            self.told.append(content)
            self.tally.update(counts)
            self._watch.on_rows(counts)


class _Worker:
    """A process, its pipe, and what it has in hand: a span of a shard."""

    def __init__(self, settings: Settings) -> None:
        self._settings, self._failures = settings, 0
        self._hand: tuple[_Shard, _Span] | None = None
        self._start()

    @property
    def is_busy(self) -> bool:
        """Whether it has something in hand."""
        return self._hand is not None

    @property
    def untouched(self) -> int:
        """How many windows it could give away."""
        return 0 if self._hand is None else self._hand[1].untouched

    def give(self, shard: _Shard) -> None:
        """Hand it a shard, of which nothing is begun."""
        self._take_up(shard, shard.spans[0])

    def share_with(self, other: _Worker) -> None:
        """Give half of what is untouched to a process that has nothing in hand; nothing if there is none."""
        if self._hand is None or not self.untouched:
            return
        shard, span = self._hand
        other._take_up(shard, shard.split(span))
        with suppress(OSError):  # it is dead: that is heard when we listen
            self.pipe.send(("until", self._heard + len(span.windows())))

    def listen(self) -> _Shard | None:
        """Take what it has to say, now that it does; the shard, if all of it is told."""
        assert self._hand is not None
        shard, span = self._hand
        try:
            kind, told = self.pipe.recv()
        except (EOFError, OSError):
            self._bury(span)
        else:
            if kind == "refused":
                raise HandscopeError(told)
            if kind == "ready":
                self._is_ready, self._failures = True, 0
            if kind == "rows":
                self._heard += 1
                if span.windows():  # else it was on its way before it heard what it has given away
                    span.take(told)
            if kind != "done":
                return None
        if span.windows():
            self._send(span)
            return None
        self._hand = None
        return shard if shard.is_told else None

    def end(self) -> None:
        """End it, whatever it is at."""
        self._process.kill()
        self._process.join()
        self.pipe.close()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self._process = context.Process(target=serve, args=(theirs, self._settings), daemon=True)
        self._process.start()
        theirs.close()
        self._is_ready, self._heard = False, 0

    def _take_up(self, shard: _Shard, span: _Span) -> None:
        self._hand = shard, span
        self._send(span)

    def _send(self, span: _Span) -> None:
        self._heard = 0
        with suppress(OSError):  # it is dead: that is heard when we listen
            self.pipe.send(("windows", span.windows()))

    def _bury(self, span: _Span) -> None:
        """Another process takes its place."""
        self._process.join()
        code = self._process.exitcode
        self.pipe.close()
        if not self._is_ready:
            self._failures += 1
            if self._failures >= STARTS:
                raise HandscopeError(f"the processes of this run do not start (exit code {code})")
        elif span.windows():
            span.died(code)
        self._start()


def serve(pipe: Connection, settings: Settings) -> None:
    """What a process does: take windows, tell their rows, until nobody asks any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's matter
    cv2.setNumThreads(1)
    with suppress(EOFError, OSError):  # nobody listens any more
        try:
            annotator = settings.annotator()
        except HandscopeError as error:
            pipe.send(("refused", str(error)))
            return
        with annotator:
            pipe.send(("ready", None))
            while True:
                kind, told = pipe.recv()
                if kind == "windows":
                    for rows in annotator.annotate_windows(_until(pipe, told)):
                        pipe.send(("rows", _told(rows)))
                    pipe.send(("done", None))


def _until(pipe: Connection, windows: Sequence[Window]) -> Iterator[Window]:
    """The windows, up to those that are heard to be another process's by now."""
    last = len(windows)
    for number, window in enumerate(windows):
        while pipe.poll():
            _, last = pipe.recv()
        if number >= last:
            return
        yield window


def _told(rows: Sequence[Row]) -> _Told:
    pa, _ = arrow()
    table, sink = table_of(rows), pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes(), tally_of(rows)


def _killed(item: Item, code: int | None) -> Row:
    why = f"by signal {-code}" if code is not None and code < 0 else f"with exit code {code}"
    told = f"{item.name}: {DEATHS} processes ended {why} over this picture alone; look at it, or leave it out"
    return failed_row(item, KILLED, told, attempts=2 * DEATHS)
