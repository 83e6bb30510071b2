"""What there is to annotate, listed once: a run that is resumed, and every worker of it, has the same list.

The list is one Parquet file in the store, in an order that depends on the sources alone. Item n belongs to shard
n // `shard_rows` for ever. A file's size and stamp (a store's etag, a disk's time of change) say which content is
meant.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from handscope.batch.store import Store, scratch
from handscope.errors import HandscopeError, missing_extra

NAME = "manifest.parquet"
VERSION = 1
ROW_GROUP = 8192
SHARD_ROWS = 512
"""Of a part, unless told: a minute of one core, half a megabyte."""
_ABOUT = b"handscope.manifest"


class Item(NamedTuple):
    """A picture to annotate: `address` is the path or address of its file; `frame` its number in a video, with `time`
    in seconds by a player's clock, or its row in a table, without. `size` in bytes and `stamp` are those of the file,
    None and "" if unknown; `index` is its number in the list.
    """

    index: int
    address: str
    frame: int | None = None
    time: float | None = None
    size: int | None = None
    stamp: str = ""

    @property
    def name(self) -> str:
        """What rows and sentences call it: `file#frame`."""
        return self.address if self.frame is None else f"{self.address}#{self.frame}"


class Manifest:
    """The list that lies in a store; `sources` are the words that it was made of."""

    def __init__(self, store: Store) -> None:
        pa, parquet = arrow()
        self._store = store
        try:
            with store.open(NAME) as content:
                file = parquet.ParquetFile(content)
                about = json.loads((file.schema_arrow.metadata or {})[_ABOUT])
                self.sources = tuple(about["sources"])
                self.shard_rows, version = int(about["shard_rows"]), about["version"]
                self.count = int(file.metadata.num_rows)
        except (pa.ArrowException, KeyError, ValueError, OSError) as error:
            raise HandscopeError(f"{store.address}/{NAME}: not a list that `handscope batch` wrote") from error
        if version != VERSION:
            raise HandscopeError(f"{store.address}/{NAME}: of another version of handscope; give another --out")
        self._group: tuple[int, list[Item]] = (-1, [])

    @property
    def shards(self) -> int:
        """How many there are."""
        return -(-self.count // self.shard_rows)

    def shard(self, number: int) -> list[Item]:
        """The items of one shard."""
        first = number * self.shard_rows
        last = min(first + self.shard_rows, self.count)
        found: list[Item] = []
        for group in range(first // ROW_GROUP, -(-last // ROW_GROUP)):
            found += [item for item in self._items(group) if first <= item.index < last]
        return found

    def _items(self, group: int) -> list[Item]:
        """Of a row group; the last one is kept."""
        if self._group[0] != group:
            with self._store.open(NAME) as content:
                rows = arrow()[1].ParquetFile(content).read_row_group(group).to_pydict()
            columns = [rows[name] for name in Item._fields[1:]]
            items = [Item(group * ROW_GROUP + n, *values) for n, values in enumerate(zip(*columns, strict=True))]
            self._group = group, items
        return self._group[1]


def freeze(
    store: Store,
    items: Iterable[Item],
    sources: Sequence[str],
    *,
    shard_rows: int = SHARD_ROWS,
    on_count: Callable[[int], None] | None = None,
) -> Manifest:
    """The list of a store, made of `items` if there is none yet. HandscopeError if there is one of other sources."""
    if not store.exists(NAME):
        with scratch() as folder:
            _write(folder / NAME, items, sources, shard_rows, on_count)
            store.put_once(NAME, folder / NAME)
    manifest = Manifest(store)
    if manifest.sources != tuple(sources):
        theirs = ", ".join(manifest.sources[:3]) + (", ..." if len(manifest.sources) > 3 else "")
        raise HandscopeError(f"{store.address}: holds results of other sources ({theirs}); give another --out")
    return manifest


def _write(
    path: Path, items: Iterable[Item], sources: Sequence[str], shard_rows: int, on_count: Callable[[int], None] | None
) -> None:
    pa, parquet = arrow()
    about = json.dumps({"version": VERSION, "sources": list(sources), "shard_rows": shard_rows})
    schema = pa.schema(
        [("address", pa.string()), ("frame", pa.int64()), ("time", pa.float64()), ("size", pa.int64()),
         ("stamp", pa.string())],
        metadata={_ABOUT: about},
    )  # fmt: skip
    count = 0
    with path.open("wb") as file, parquet.ParquetWriter(file, schema, compression="zstd") as writer:
        for group in _groups(items):
            columns = zip(*[item[1:] for item in group], strict=True)
            arrays = [pa.array(values, field.type) for values, field in zip(columns, schema, strict=True)]
            writer.write_batch(pa.record_batch(arrays, schema=schema), row_group_size=ROW_GROUP)
            count += len(group)
            if on_count is not None:
                on_count(count)
    if not count:
        raise HandscopeError(f"no pictures and no videos in {', '.join(sources)}")


def _groups(items: Iterable[Item]) -> Iterator[list[Item]]:
    group: list[Item] = []
    for item in items:
        group.append(item)
        if len(group) == ROW_GROUP:
            yield group
            group = []
    if group:
        yield group


def arrow() -> tuple[Any, Any]:
    """pyarrow and its Parquet, or one sentence on how to get them."""
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise HandscopeError(missing_extra("`handscope batch`", error.name, "batch")) from error
    return pyarrow, parquet
