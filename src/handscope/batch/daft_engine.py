"""The engine that is Daft's: embedded in this process, or on a Ray cluster, whose workers it uses.

A row of a query is a shard to make; which worker makes it, when, and again if a machine is lost, is Daft's and Ray's
matter. In each worker a process of ours works (`local.Deputy`), so that a picture costs a row and no worker. Rows come
back to this process, which writes the parts. Nothing else says what is done: Daft's own checkpoints are not used (its
issue 7373: with `into_batches` one is final before the work behind it is done). What a query has not brought is asked
for by the next one.

Needs the extra [daft], for a cluster [ray].
"""

from __future__ import annotations

import json
import os
import pickle
import queue
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from handscope.batch.addresses import MEMORY
from handscope.batch.annotator import Settings
from handscope.batch.columns import HandsColumn
from handscope.batch.local import LOOK_S, Deputy, cores, finish_told
from handscope.batch.manifest import arrow
from handscope.batch.rows import hand_type
from handscope.batch.run import Run, Watch, Work
from handscope.errors import HandscopeError, missing_extra
from handscope.infer.devices import CPU
from handscope.paths import reason

WAVE = 1024
"""Shards of a query: what is lost with it is few, what waits for its last ones is little."""
MOST_TOLD = 200
"""Letters of what Daft says of a query that broke; the rest is in its log."""
FOR_GOOD = {"max_restarts": 0, "max_task_retries": 0}
"""A worker that is lost with its machine stays lost. Daft would have Ray start it again elsewhere, where the CPU that
it wants is another worker's until the query ends; and would give it work before it is there: a query without end.
"""
TRIES = 3
"""So many queries, one after the other, may break without having brought anything."""
STOP_S = 10.0
"""How long a query that is told to stop is waited for; on a cluster what is in hand goes on until this process ends."""
LOOKED_AT = 64
"""Pictures of a column that are handed over at once."""
QUIET = {"DAFT_ANALYTICS_ENABLED": "0", "DAFT_PROGRESS_BAR": "0", "RAY_USAGE_STATS_ENABLED": "0"}
"""Nothing leaves the machine, and one bar is enough."""


def work_with_daft(
    run: Run, works: Iterator[Work], watch: Watch, *, ray: str | None = None, workers: int | None = None
) -> None:
    """Do the works by so many workers (by default one a core, or one a GPU): in this process, or on the Ray cluster at
    an address (`auto`, `HOST:6379`, `ray://HOST:10001`). HandscopeError if it cannot be.
    """
    daft = import_daft()
    if any(source.startswith(MEMORY) for source in run.manifest.sources):
        raise HandscopeError(f"{MEMORY} lies in this process alone, and Daft's workers are others; leave out --engine")
    count = _connected(daft, ray, run.settings)
    while wave := list(islice(works, WAVE)):
        left = {work.part.shard: work for work in wave}
        fruitless = 0
        while left:
            before, why = len(left), "its query ended without them"
            try:
                for number, told, tally in _answers(daft, run.settings, left, workers or count(), watch.stopping, ray):
                    if (work := left.pop(number, None)) is not None:  # a lost machine's may come twice
                        watch.on_rows(tally)
                        finish_told(run, work, told, tally)
            except QueryError as error:
                why = str(error)
            if watch.stopping():
                return
            fruitless = 0 if len(left) < before else fruitless + 1
            if fruitless == TRIES:
                raise HandscopeError(f"{TRIES} times Daft gave no more results ({why}); what is done is kept")


def track_hands(images: Any, settings: Settings | None = None, *, workers: int | None = None) -> Any:
    """Daft's expression of the hands in a column of images, or of bytes of picture files: a superset of the column of
    daft-physical-ai's `track_hands`, with joints in 3D, masks and a hand model's parameters (`rows.hand_type`). Null
    where a picture cannot be read.
    """
    daft = import_daft()
    daft.method.batch(_Tracker.hands, return_dtype=hands_dtype(), batch_size=LOOKED_AT)
    tracker = daft.cls(_Tracker, cpus=1, max_concurrency=workers or cores(), name_override="handscope")
    return tracker(settings or Settings()).hands(images)


class _Tracker:
    """What Daft has in each worker of `track_hands`."""

    def __init__(self, settings: Settings) -> None:
        self._hands_of = HandsColumn(settings)

    def hands(self, pictures: Any) -> Any:
        """A list of hands for each."""
        pa, _ = arrow()
        return pa.array(self._hands_of(pictures.to_pylist()), pa.list_(hand_type()))

    def __del__(self) -> None:
        self._hands_of.close()


def hands_dtype() -> Any:
    """Daft's type of that column."""
    pa, _ = arrow()
    return import_daft().DataType.from_arrow_type(pa.list_(hand_type()))


def import_daft() -> Any:
    """Daft, told to be quiet; HandscopeError if it is not installed."""
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    try:
        import daft  # pyright: ignore[reportMissingImports]
    except ModuleNotFoundError as error:
        raise HandscopeError(missing_extra("the engine daft", error.name, "daft")) from error
    return daft


class QueryError(Exception):
    """A query that broke."""


def _connected(daft: Any, address: str | None, settings: Settings) -> Callable[[], int]:
    """Have Daft work here, or on a cluster; gives what tells how many workers there may be now."""
    on_gpu = settings.device != CPU.name
    if address is None:
        _set_runner(daft, "native", daft.set_runner_native)
        return lambda: 1 if on_gpu else cores()
    try:
        import ray  # pyright: ignore[reportMissingImports]
    except ModuleNotFoundError as error:
        raise HandscopeError(missing_extra("--ray", error.name, "ray")) from error
    _set_runner(daft, "ray", lambda: daft.set_runner_ray(address, noop_if_initialized=True))

    def count() -> int:
        found = int(ray.cluster_resources().get("GPU" if on_gpu else "CPU", 0))
        if found < 1:
            raise HandscopeError(f"{address}: this Ray cluster has no {'GPU' if on_gpu else 'CPU'} to work with")
        return found

    return count


def _set_runner(daft: Any, kind: str, set_it: Callable[[], object]) -> None:
    """Choose where Daft works; a process can do so once."""
    try:
        set_it()
    except Exception as error:  # Ray has many
        if daft.runners.get_or_infer_runner_type() != kind or "more than once" not in str(error):
            raise HandscopeError(f"Daft cannot work by its runner {kind} here ({reason(error)})") from error


def _answers(
    daft: Any,
    settings: Settings,
    works: Mapping[int, Work],
    workers: int,
    stopping: Callable[[], bool],
    address: str | None,
) -> Iterator[tuple[int, Sequence[bytes], dict[str, int]]]:
    """Shards' numbers with their rows and tallies, as they are done; ends early when it is told to stop. QueryError if
    the query breaks, HandscopeError if the settings do not work.
    """
    told: queue.Queue[dict[str, Any] | BaseException | None] = queue.Queue()
    with tempfile.TemporaryDirectory(prefix="handscope-", ignore_cleanup_errors=True) as folder:
        stop = Path(folder) / "stop"
        frame = _query(daft, settings, works, workers, address, stop)

        def ask() -> None:
            try:
                for row in frame.iter_rows(results_buffer_size=None):
                    told.put(row)
                told.put(None)
            except BaseException as error:
                told.put(error)

        thread = threading.Thread(target=ask, daemon=True, name="handscope daft")
        thread.start()
        try:
            yield from _heard(told, stopping)
        finally:  # no thread of Daft's may be at work when Python ends
            stop.touch()
            thread.join(STOP_S)


def _heard(
    told: queue.Queue[dict[str, Any] | BaseException | None], stopping: Callable[[], bool]
) -> Iterator[tuple[int, Sequence[bytes], dict[str, int]]]:
    """The rows of a query as `_answers` tells them, up to None; ends early when it is told to stop."""
    while not stopping():
        try:
            row = told.get(timeout=LOOK_S)
        except queue.Empty:
            continue
        if row is None:
            return
        if isinstance(row, BaseException):
            raise QueryError(reason(row)[:MOST_TOLD]) from row
        made = row["made"]
        if made["problem"]:
            raise HandscopeError(made["problem"])
        yield row["shard"], made["rows"], json.loads(made["tally"])


def _query(
    daft: Any, settings: Settings, works: Mapping[int, Work], workers: int, address: str | None, stop: Path
) -> Any:
    """Daft's frame of the works' numbers and what is made of them, not yet asked for."""
    on_gpu = settings.device != CPU.name and address is not None
    daft.method.batch(_Maker.make, return_dtype=_made_dtype(daft), batch_size=1)
    maker = daft.cls(
        _Maker,
        cpus=1,
        gpus=1 if on_gpu else 0,
        use_process=False,  # a worker has one of ours
        max_concurrency=min(workers, len(works)),
        name_override="handscope",
        ray_options=None if address is None else FOR_GOOD,
    )
    asked = [pickle.dumps(work._replace(kept=())) for work in works.values()]
    frame = daft.from_pydict({"shard": list(works), "work": asked})
    if address is not None:
        frame = frame.into_partitions(len(works))  # what a worker is given at a time
    return frame.select(daft.col("shard"), maker(settings, stop).make(daft.col("work")).alias("made"))


def _made_dtype(daft: Any) -> Any:
    """Of what a worker gives for a shard."""
    text, content = daft.DataType.string(), daft.DataType.binary()
    return daft.DataType.struct({"rows": daft.DataType.list(content), "tally": text, "problem": text})


class _Maker:
    """What Daft has in each of its workers: a process of ours, from the first shard on."""

    def __init__(self, settings: Settings, stop: Path) -> None:
        self._settings, self._stop = settings, stop
        self._deputy: Deputy | None = None

    def make(self, works: Any) -> list[dict[str, Any]]:
        """The rows of shards, their tally, or the problem with the settings; nothing where the file `stop` is there."""
        return [self._made(pickle.loads(work)) for work in works.to_pylist()]

    def _made(self, work: Work) -> dict[str, Any]:
        nothing = {"rows": [], "tally": "{}", "problem": ""}
        if self._stop.exists():
            return nothing
        try:
            self._deputy = self._deputy or Deputy(self._settings)
            rows, tally = self._deputy.rows(work, self._stop.exists)
        except HandscopeError as error:
            return nothing | {"problem": str(error)}
        return {"rows": rows, "tally": json.dumps(tally), "problem": ""}

    def __del__(self) -> None:
        if self._deputy is not None:
            self._deputy.end()
