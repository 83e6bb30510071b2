"""`handscope batch SOURCES --out URL`: millions of pictures into a table, in parts, by processes that fill the machine.

The same words go on where an earlier run ended, whatever ended it. Exit codes: 0 all rows are there and as many are
sound as was asked for, 1 some failed, 2 it cannot be done as asked, 3 ended because more failed than --max-failed
allows, 130 stopped.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from handscope.apps.options import add_camera, add_looking, positive
from handscope.apps.video import INTERRUPTED, Interrupt, interruptible
from handscope.batch.annotator import Settings
from handscope.batch.local import cores, work_locally
from handscope.batch.manifest import NAME, SHARD_ROWS, Manifest, freeze
from handscope.batch.run import Engine, Run, Tally, Watch
from handscope.batch.sources import absolute, items_of
from handscope.batch.store import Store, open_store
from handscope.errors import HandscopeError, printable
from handscope.infer.limits import default_limits

SUMMARY = "summary.json"
FAILED, TOO_MANY_FAILED = 1, 3
TELL_S = 30.0
"""Where nobody looks at a bar a line is told so often."""


def _local(options: argparse.Namespace) -> Engine:
    return lambda run, works, watch: work_locally(run, works, watch, processes=options.processes)


def _daft(options: argparse.Namespace) -> Engine:
    from handscope.batch.daft_engine import import_daft, work_with_daft

    import_daft()
    return lambda run, works, watch: work_with_daft(run, works, watch, ray=options.ray, workers=options.processes)


ENGINES: dict[str, Callable[[argparse.Namespace], Engine]] = {"local": _local, "daft": _daft}
"""Who works, by name."""


def parser() -> argparse.ArgumentParser:
    """What to annotate, where results go, who works, and how to look."""
    out = argparse.ArgumentParser(
        prog="handscope batch",
        description="Pictures by the million into Parquet: a row an input, whatever became of it (docs/batch.md).",
        epilog="Run it again to go on. Exit codes: 0 all is well, 1 some rows failed, 2 it cannot be done as asked, "
        "3 more failed than --max-failed allows, 130 stopped. `handscope collect URL` makes one file of the results.",
    )
    add = out.add_argument
    add(
        "sources",
        nargs="+",
        metavar="SOURCE",
        help="pictures, folders (to the bottom), patterns, videos (every frame), .txt lists, .parquet tables with a "
        "column url or bytes; also s3://, gs://, az://, http://",
    )
    add("--out", required=True, metavar="URL", help="a folder or address for results, the same when you go on")
    add("--engine", choices=tuple(ENGINES), default="local", help="who works (default: local, processes here)")
    add("--ray", metavar="ADDRESS", help="with --engine daft: on this Ray cluster (auto, HOST:6379, ray://HOST:10001)")
    add("--processes", type=positive(int), metavar="N", help=f"how many work (default: one a core, here {cores()})")
    add("--shard-rows", type=positive(int), metavar="N", help=f"rows of a part (default: {SHARD_ROWS})")
    add("--mesh", action="store_true", help="rows hold the vertices of every hand too (19 KB each)")
    add("--retry-failed", action="store_true", help="try again what failed, unless it is damaged and still the same")
    add("--max-failed", type=_limit, metavar="N|P%", help="end when more rows failed: a number, or a share such as 2%%")
    add_camera(out.add_argument_group("what you know of the camera"))
    add_looking(out.add_argument_group("how to look"))
    return out


def _limit(text: str) -> tuple[float, bool]:
    """A number, and whether it is a percentage."""
    share = text.endswith("%")
    try:
        value = float(text.removesuffix("%"))
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf") or (share and value > 100):
        raise argparse.ArgumentTypeError(f"expected a number of rows or a percentage such as 2%, found {text!r}")
    return value, share


def settings_of(options: argparse.Namespace) -> Settings:
    """What answers depend on, by the command line."""
    if options.K is None and options.distortion is not None:
        raise HandscopeError("--distortion belongs to a camera: give --K too")
    if options.K is not None and options.focal is not None:
        raise HandscopeError("give either --K or --focal, not both")
    settings = Settings(
        weights=_absolute(options.weights),
        hand_model=_absolute(options.hand_model),
        min_score=options.min_score,
        tiles=options.tiles,
        joint_convention=options.joint_convention,
        K=options.K,
        distortion=options.distortion,
        focal=options.focal,
        mesh=options.mesh,
        device=options.compute,
        effort=options.effort,
        threads=options.threads or 1,
        limits=default_limits(),
    )
    settings.camera  # noqa: B018  (it raises where the words say no camera)
    return settings


def _absolute(path: str | None) -> str | None:
    return None if path is None else str(Path(path).expanduser().absolute())


def main(arguments: Sequence[str]) -> int:
    """Do what the command line asks; the exit code."""
    options = parser().parse_args(arguments)
    if options.ray is not None and options.engine != "daft":
        raise HandscopeError("--ray is the cluster of --engine daft: give both")
    engine = ENGINES[options.engine](options)
    settings = settings_of(options)
    sources = absolute(options.sources)
    store = open_store(options.out)
    errors = Console(stderr=True)
    run = Run(store, manifest_of(store, sources, options.shard_rows, errors), settings)
    most = _most(options.max_failed, run.manifest.count)
    began, before = time.monotonic(), run.tally.rows
    with interruptible() as interrupt:
        status = Status(run, interrupt, None if options.retry_failed else most)
        with status.shown(errors):
            engine(run, run.works(retry_failed=options.retry_failed), status.watch)
    stopped = interrupt.asked and not run.is_complete
    too_many = most is not None and (run.tally.failures > most or status.too_many)
    code = _exit_code(run, stopped=stopped, too_many=too_many, limited=most is not None)
    write_summary(store, run, time.monotonic() - began, run.tally.rows - before, code)
    print(told(run, options.out))
    if stopped:
        print("stopped; the same command goes on", file=sys.stderr)
    elif code == TOO_MANY_FAILED:
        why = f"{status.failures} rows failed, more than --max-failed allows ({most})"
        print(f"handscope: {why}; mend it and go on with --retry-failed", file=sys.stderr)
    if stopped and options.engine == "daft":
        _leave(code)
    return code


def _leave(code: int) -> None:
    """End at once: Daft's threads, which hear Ctrl-C themselves, do not survive that Python ends in good order."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def manifest_of(store: Store, sources: Sequence[str], shard_rows: int | None, errors: Console) -> Manifest:
    """The list of a run, frozen now if it was not before; what is left out is told."""

    def note(text: str) -> None:
        print(f"handscope: {printable(text)}", file=sys.stderr)

    if not store.exists(NAME):
        with errors.status("listing ...") as status:
            manifest = freeze(
                store,
                items_of(sources, note),
                sources,
                shard_rows=shard_rows or SHARD_ROWS,
                on_count=lambda count: status.update(f"listing ... {count:,}"),
            )
    else:
        manifest = freeze(store, (), sources)
    if shard_rows not in (None, manifest.shard_rows):
        has = f"parts of {manifest.shard_rows} rows, not {shard_rows}"
        raise HandscopeError(f"{store.address}: has {has}; leave out --shard-rows, or give another --out")
    return manifest


def _most(given: tuple[float, bool] | None, count: int) -> int | None:
    """How many rows may fail."""
    if given is None:
        return None
    value, share = given
    return int(count * value / 100 if share else value)


def _exit_code(run: Run, *, stopped: bool, too_many: bool, limited: bool) -> int:
    if stopped:
        return INTERRUPTED
    if too_many:
        return TOO_MANY_FAILED
    return FAILED if run.tally.failures and not limited else 0


def write_summary(store: Store, run: Run, seconds: float, rows: int, code: int) -> None:
    """summary.json: how it stands, and what this run did."""
    rate = round(rows / seconds, 3) if seconds > 0 else None
    done = {"seconds": round(seconds, 3), "rows_of_this_run": rows, "rows_per_second": rate, "exit_code": code}
    store.put(SUMMARY, (json.dumps(run.summary() | done, indent=1) + "\n").encode())


def told(run: Run, out: str) -> str:
    """The last line."""
    tally = run.tally
    rows = f"{tally.rows:,} of {run.manifest.count:,} rows" if not run.is_complete else f"{tally.rows:,} rows"
    return f"{rows}, {tally.hands:,} hands{failures(tally.failed)}; {printable(out)}"


def failures(failed: Counter[str]) -> str:
    """How many failed, and of what, as the end of a line."""
    kinds = ", ".join(f"{kind} {count:,}" for kind, count in failed.most_common() if count)
    return f", {sum(failed.values()):,} failed ({kinds})" if kinds else ""


class Status:
    """How far a run is: parts that are there, and rows of those in hand. A run ends when somebody asks for it, or when
    more than `most` rows failed.
    """

    def __init__(self, run: Run, interrupt: Interrupt, most: int | None) -> None:
        self._run, self._interrupt, self._most = run, interrupt, most
        self._made = Tally()
        self._before = Tally(run.tally.rows, run.tally.hands, Counter(run.tally.failed))
        self._began = self._last = time.monotonic()
        self._tell: Callable[[], None] = lambda: None
        self.watch = Watch(self._on_rows, self._stopping)

    @property
    def failures(self) -> int:
        """Rows that failed, of all runs into this place."""
        return self._before.failures + self._made.failures

    @property
    def too_many(self) -> bool:
        """Whether more rows failed than may."""
        return self._most is not None and self.failures > self._most

    def _stopping(self) -> bool:
        return self._interrupt.asked or self.too_many

    def _on_rows(self, counts: dict[str, int]) -> None:
        self._made.add(counts)
        self._tell()

    def line(self) -> str:
        """How far it is, how fast, how long yet, and what failed."""
        done, total = min(self._before.rows + self._made.rows, self._run.manifest.count), self._run.manifest.count
        seconds = time.monotonic() - self._began
        rate = self._made.rows / seconds if seconds > 0 else 0.0
        left = f", {duration((total - done) / rate)} left" if rate else ""
        return (
            f"{done:,} of {total:,} rows, {rate:.1f} a second{left}{failures(self._before.failed + self._made.failed)}"
        )

    @contextmanager
    def shown(self, console: Console) -> Iterator[None]:
        """A bar on a terminal, elsewhere a line now and then."""
        if not console.is_terminal:
            self._tell = self._now_and_then
            yield
            return
        with Progress(BarColumn(), TextColumn("{task.description}"), console=console, transient=True) as progress:
            task = progress.add_task(self.line(), total=self._run.manifest.count, completed=self._before.rows)

            def tell() -> None:
                progress.update(task, description=self.line(), completed=self._before.rows + self._made.rows)

            self._tell = tell
            yield

    def _now_and_then(self) -> None:
        if time.monotonic() - self._last >= TELL_S:
            self._last = time.monotonic()
            print(self.line(), file=sys.stderr, flush=True)


def duration(seconds: float) -> str:
    """As people say it."""
    minutes = seconds / 60
    if minutes < 2:
        return f"{seconds:.0f} s"
    return f"{minutes:.0f} min" if minutes < 120 else f"{minutes / 60:.1f} h"
