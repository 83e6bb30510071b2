"""Parts: a Parquet file a shard, which is all the book there is. A shard is done when its part exists.

A part is called by its shard, the settings' fingerprint and, if failed rows were tried again, its generation. It is put
there once and never changed; a later generation takes the place of the earlier one, which goes when the later one is
there. Its metadata holds the settings and a tally of its rows.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

from handscope.batch.manifest import arrow
from handscope.batch.rows import STORAGE
from handscope.batch.store import Store, scratch
from handscope.errors import HandscopeError

FOLDER = "parts"
SETTINGS, TALLY = "handscope.settings", "handscope.tally"
_NAMED = re.compile(r"(\d{7,})-([0-9a-f]{12})(?:\.(\d+))?\.parquet")
READERS = 16
"""Threads that look into parts."""


class Part(NamedTuple):
    """Which shard it is of, by which settings, and how many times failed rows of it were tried again."""

    shard: int
    fingerprint: str
    generation: int = 0

    @property
    def name(self) -> str:
        """Of the file."""
        again = f".{self.generation}" if self.generation else ""
        return f"{FOLDER}/{self.shard:07d}-{self.fingerprint}{again}.parquet"

    def next(self) -> Part:
        """The one that takes its place."""
        return self._replace(generation=self.generation + 1)


def listed(store: Store) -> list[Part]:
    """All parts in a store, of whatever settings and generation."""
    found = (_NAMED.fullmatch(name) for name in store.names(FOLDER))
    return [Part(int(name[1]), name[2], int(name[3] or 0)) for name in found if name is not None]


def latest(parts: Sequence[Part]) -> dict[int, Part]:
    """The last generation of each shard, of parts of one fingerprint."""
    return {part.shard: part for part in sorted(parts)}


def write_table(store: Store, part: Part, table: Any, tally: dict[str, int], settings: dict[str, Any]) -> bool:
    """Put a part there, its rows as a table in order; whether this call did it, and not another writer before."""
    _, parquet = arrow()
    told = {SETTINGS: json.dumps(settings, sort_keys=True), TALLY: json.dumps(tally)}
    table = table.replace_schema_metadata({**(table.schema.metadata or {}), **told})
    with scratch() as folder:
        with (folder / "part").open("wb") as file:
            parquet.write_table(table, file, **STORAGE)
        first = store.put_once(part.name, folder / "part")
    if part.generation:
        store.remove(part._replace(generation=part.generation - 1).name)
    return first


def read_table(store: Store, part: Part, columns: Sequence[str] | None = None) -> Any:
    """A part as pyarrow's table; HandscopeError if it is none of ours."""
    pa, parquet = arrow()
    try:
        with store.open(part.name) as file:
            return parquet.read_table(file, columns=None if columns is None else list(columns))
    except (pa.ArrowException, OSError) as error:
        raise HandscopeError(f"{store.address}/{part.name}: not a part that can be read; delete it") from error


def about(store: Store, part: Part) -> tuple[dict[str, Any], dict[str, int]]:
    """The settings and the tally of a part."""
    pa, parquet = arrow()
    try:
        with store.open(part.name) as file:
            metadata = parquet.read_schema(file).metadata or {}
        return json.loads(metadata[SETTINGS.encode()]), json.loads(metadata[TALLY.encode()])
    except (pa.ArrowException, OSError, KeyError, ValueError) as error:
        raise HandscopeError(f"{store.address}/{part.name}: not a part that can be read; delete it") from error


def tallies(store: Store, parts: Sequence[Part]) -> Iterator[tuple[Part, dict[str, int]]]:
    """The tally of each part."""
    with ThreadPoolExecutor(READERS) as threads:
        yield from zip(parts, threads.map(lambda part: about(store, part)[1], parts), strict=True)
