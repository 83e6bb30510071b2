"""One thread runs the networks: it takes what waits, decodes it, and sends it through together."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field

from handscope.infer.cameras import CameraLike
from handscope.infer.decoding import decode_picture
from handscope.infer.inputs import PictureInput, prepare
from handscope.infer.results import Hands

Model = Callable[[list[PictureInput]], list[Hands]]
"""Pictures with their cameras in, the hands of each out."""


@dataclass(frozen=True)
class Job:
    """A picture that waits, as the bytes it came in: `pixels` as its header says, `K` its camera if known."""

    data: bytes
    name: str
    pixels: int
    K: CameraLike = None
    answer: Future[Hands] = field(default_factory=Future)


class Batcher:
    """A queue and its thread; `submit` gives a future, `close` ends the thread after the batch it is at."""

    def __init__(
        self, model: Model, *, size: int, max_pixels: int, told: Callable[[int, int], None] = lambda *_: None
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
            self._run(_decoded([job for job in jobs if job.answer.set_running_or_notify_cancel()], self._max_pixels))
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

    def _run(self, read: list[tuple[Job, PictureInput]]) -> None:
        """Answer jobs whose pictures are decoded; a picture that breaks the model does not spoil the others."""
        if not read:
            return
        try:
            answers = self._model([given for _, given in read])
        except Exception as error:  # whatever it is, the thread lives on
            if len(read) == 1:
                read[0][0].answer.set_exception(error)
            else:
                for one in read:
                    self._run([one])
            return
        self._told(len(read), sum(map(len, answers)))
        for (job, given), hands in zip(read, answers, strict=True):
            job.answer.set_result(hands.of_source(job.name, given.notes))


def _decoded(jobs: list[Job], max_pixels: int) -> list[tuple[Job, PictureInput]]:
    """The jobs with their pictures; what cannot be decoded, or is not of this camera, is answered with the error."""
    read = []
    for job in jobs:
        try:
            read.append((job, prepare(decode_picture(job.data, job.name, max_pixels=max_pixels), job.K)))
        except Exception as error:  # of any decoder
            job.answer.set_exception(error)
    return read
