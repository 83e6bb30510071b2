"""One thread runs the networks: it takes what waits and sends it through together."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field

from handscope.infer.inputs import PictureInput
from handscope.infer.results import Hands

Model = Callable[[list[PictureInput]], list[Hands]]
"""Pictures with their cameras in, the hands of each out."""


class BusyError(Exception):
    """Too much is to be done before this."""


@dataclass(frozen=True, eq=False)
class Job:
    """A picture that waits for the networks, by the monotonic clock until `until`: then its answer is BusyError."""

    given: PictureInput
    until: float = float("inf")
    answer: Future[Hands] = field(default_factory=Future)

    @property
    def pixels(self) -> int:
        """Of the picture."""
        return self.given.image.shape[0] * self.given.image.shape[1]


class Batcher:
    """A queue and its thread; `submit` gives a future, `close` ends the thread after the batch it is at."""

    def __init__(
        self, model: Model, *, size: int, max_pixels: int, told: Callable[[int, int, float], None] = lambda *_: None
    ) -> None:
        self._model, self._size, self._max_pixels, self._told = model, size, max_pixels, told
        self._queue: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="handscope networks", daemon=True)
        self._thread.start()

    def submit(self, job: Job) -> Future[Hands]:
        """Let a job wait its turn; cancel the future to take it back."""
        self._queue.put(job)
        return job.answer

    def close(self) -> None:
        """No more jobs; those that wait are answered first."""
        self._queue.put(None)
        self._thread.join()

    def _work(self) -> None:
        held: Job | None = None
        while True:
            first = self._queue.get() if held is None else held
            if first is None:
                return
            jobs, held, ended = self._together(first)
            self._run([job for job in jobs if _still_waits(job)])
            if ended:
                return

    def _together(self, first: Job) -> tuple[list[Job], Job | None, bool]:
        """What goes through at once: at most `size` pictures and `max_pixels` pixels; the job that was too much;
        whether the end was reached.
        """
        jobs, pixels = [first], first.pixels
        while len(jobs) < self._size:
            try:
                job = self._queue.get_nowait()
            except queue.Empty:
                break
            if job is None:
                return jobs, None, True
            pixels += job.pixels
            if pixels > self._max_pixels:
                return jobs, job, False
            jobs.append(job)
        return jobs, None, False

    def _run(self, jobs: list[Job]) -> None:
        """Answer jobs; a picture that breaks the model does not spoil the others."""
        if not jobs:
            return
        start = time.perf_counter()
        try:
            answers = self._model([job.given for job in jobs])
        except Exception as error:  # whatever it is, the thread lives on
            if len(jobs) == 1:
                jobs[0].answer.set_exception(error)
            else:
                for job in jobs:
                    self._run([job])
            return
        self._told(len(jobs), sum(map(len, answers)), time.perf_counter() - start)
        for job, hands in zip(jobs, answers, strict=True):
            job.answer.set_result(hands)


def _still_waits(job: Job) -> bool:
    """Whether somebody still wants the answer; who has waited too long is told so."""
    if not job.answer.set_running_or_notify_cancel():
        return False
    late = time.monotonic() > job.until
    if late:
        job.answer.set_exception(BusyError())
    return not late
