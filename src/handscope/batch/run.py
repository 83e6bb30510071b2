"""A run: a frozen list, settings, the parts that are there, and what is left to do. Engines work through `works()`.

An engine is a function of a `Run`, of its works and of a `Watch`. For each work it has the rows of its windows made by
an `Annotator` of `run.settings`, wherever that is, and hands them to `run.finish`; what it cannot finish it leaves
undone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from handscope.batch import parts
from handscope.batch.annotator import Settings, Window, windows
from handscope.batch.manifest import Item, Manifest
from handscope.batch.parts import Part
from handscope.batch.reading import relisted
from handscope.batch.rows import FAILED, FINAL, Row, table_of, tally_of
from handscope.batch.store import Store
from handscope.errors import HandscopeError


class Work(NamedTuple):
    """A part to make: the windows to read, and rows that stay as they are. A window is always read as a whole, for the
    sake of its numbers; of a row that is kept what is read is dropped.
    """

    part: Part
    windows: tuple[Window, ...]
    kept: tuple[Row, ...] = ()


@dataclass
class Tally:
    """How many rows there are, how many hands in them, and how many failures of each kind."""

    rows: int = 0
    hands: int = 0
    failed: Counter[str] = field(default_factory=Counter)

    def add(self, counts: dict[str, int], sign: int = 1) -> None:
        """Count the rows of a part, or take them back."""
        for name, count in counts.items():
            if name in ("rows", "hands"):
                setattr(self, name, getattr(self, name) + sign * count)
            else:
                self.failed[name] += sign * count

    @property
    def failures(self) -> int:
        """Of all kinds."""
        return sum(self.failed.values())


@dataclass(frozen=True)
class Watch:
    """What an engine tells while it works: the tally of rows as they are made; and how it is told to stop: between two
    windows, or a few times a second, it asks `stopping`, and leaves what is not finished.
    """

    on_rows: Callable[[dict[str, int]], None] = lambda counts: None
    stopping: Callable[[], bool] = lambda: False


Engine = Callable[["Run", Iterator[Work], Watch], None]


class Run:
    """Parts of `settings` in `store`, of the items of `manifest`; HandscopeError if there are others' parts."""

    def __init__(self, store: Store, manifest: Manifest, settings: Settings) -> None:
        self.store, self.manifest, self.settings = store, manifest, settings
        self.told = settings.told()
        self.fingerprint = settings.fingerprint()
        found = parts.listed(store)
        if others := [part for part in found if part.fingerprint != self.fingerprint]:
            raise HandscopeError(_of_others(store, others[0], self.told))
        self.done = parts.latest(found)
        for part in found:
            if part != self.done[part.shard]:  # a run was killed between two generations
                store.remove(part.name)
        self.tally = Tally()
        self._counts: dict[int, dict[str, int]] = {}
        for part, counts in parts.tallies(store, sorted(self.done.values())):
            self._counts[part.shard] = counts
            self.tally.add(counts)

    def works(self, *, retry_failed: bool = False) -> Iterator[Work]:
        """What is left to do, by shards; with `retry_failed` the failures, too, that may be none another time."""
        for number in range(self.manifest.shards):
            if number not in self.done:
                items = self.manifest.shard(number)
                yield Work(Part(number, self.fingerprint), tuple(windows(items, self.settings.window)))
            elif retry_failed and any(kind not in ("rows", "hands") for kind in self._counts[number]):
                work = self._again(number)
                if work.windows:
                    yield work

    def _again(self, number: int) -> Work:
        """The windows of a shard in which a failure may be none by now."""
        part = self.done[number]
        rows = parts.read_table(self.store, part).to_pylist()
        chosen, kept = [], []
        for window in windows(self.manifest.shard(number), self.settings.window):
            of_window = [rows[item.index - rows[0]["index"]] for item in window]
            now = [_now(item, row) for item, row in zip(window, of_window, strict=True)]
            kept += [row for item, row in zip(now, of_window, strict=True) if item is None]
            if any(item is not None for item in now):
                chosen.append(tuple(new or old for new, old in zip(now, window, strict=True)))
        return Work(part.next(), tuple(chosen), tuple(kept))

    def finish(self, work: Work, rows: Sequence[Row]) -> None:
        """Write the part of a work: its windows' rows, and those that are kept."""
        by_index = {row["index"]: row for row in (*rows, *work.kept)}
        ordered = [by_index[index] for index in sorted(by_index)]
        self.finish_table(work, table_of(ordered), tally_of(ordered))

    def finish_table(self, work: Work, table: Any, tally: dict[str, int]) -> None:
        """`finish`, of all rows of the part as a table in order. If another writer was first, its part stays."""
        if not parts.write_table(self.store, work.part, table, tally, self.told):
            _, tally = parts.about(self.store, work.part)
        number = work.part.shard
        if number in self._counts:
            self.tally.add(self._counts[number], -1)
        self.tally.add(tally)
        self._counts[number], self.done[number] = tally, work.part

    @property
    def is_complete(self) -> bool:
        """Whether every shard has its part."""
        return len(self.done) == self.manifest.shards

    def summary(self) -> dict[str, Any]:
        """How it stands, in plain numbers."""
        return {
            "rows": self.manifest.count,
            "done": self.tally.rows,
            "ok": self.tally.rows - self.tally.failures,
            "failed": {kind: count for kind, count in sorted(self.tally.failed.items()) if count},
            "hands": self.tally.hands,
            "shards": self.manifest.shards,
            "parts": len(self.done),
            "complete": self.is_complete,
            "fingerprint": self.fingerprint,
            "settings": self.told,
        }


def _now(item: Item, row: Row) -> Item | None:
    """The item to read again, as its file is now; None for a row that stays."""
    if row["status"] != FAILED:
        return None
    now = relisted(item)
    known = item.size if row["size"] is None else row["size"], row["stamp"]
    if row["error_kind"] in FINAL and (now.size, now.stamp) == known:
        return None
    return now


def _of_others(store: Store, part: Part, told: dict[str, Any]) -> str:
    theirs, _ = parts.about(store, part)
    names = [name for name in sorted({*theirs, *told}) if theirs.get(name) != told.get(name)]
    return f"{store.address}: holds parts made with another {' and '.join(names) or 'version'}; give another --out"
