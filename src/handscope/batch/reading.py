"""The bytes of items, wherever they are: what may be better in a moment is tried again, ever less often."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, NamedTuple

from handscope.batch.addresses import file_system, is_remote, local_path
from handscope.batch.manifest import Item
from handscope.batch.rows import CHANGED
from handscope.batch.sources import column_of, open_table, stamp_of
from handscope.batch.videos import VideoFrames
from handscope.errors import HandscopeError
from handscope.infer.decoding import Picture, check_bytes
from handscope.infer.images import UnreadableError
from handscope.infer.limits import DecodingLimits
from handscope.infer.streaming import Failure, FileContent, failure
from handscope.paths import reason

HOPELESS = (FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError, HandscopeError)
"""Errors that another attempt does not mend."""


class Reading(NamedTuple):
    """What an item holds, or why it cannot be had, after so many attempts."""

    content: FileContent | Picture | Failure
    attempts: int = 1


@dataclass(frozen=True, kw_only=True)
class Patience:
    """So many attempts, the second after `wait_s` seconds and each further one after twice as long."""

    attempts: int = 5
    wait_s: float = 0.5


class ChangedError(HandscopeError):
    """A file is another one than the list says."""


def is_plain(item: Item) -> bool:
    """Whether the item is a file of its own, which threads may read."""
    return item.frame is None


class Reader:
    """Reads items; what is no plain file is read fastest in order, and by one thread alone."""

    def __init__(self, limits: DecodingLimits, patience: Patience | None = None) -> None:
        self._limits, self._patience = limits, patience or Patience()
        self._videos, self._cells = VideoFrames(), _Cells()

    def read(self, item: Item) -> Reading:
        """The item's file, or its frame."""
        attempt = 0
        while True:
            attempt += 1
            try:
                return Reading(self._once(item), attempt)
            except ChangedError as error:
                return Reading(Failure(item.name, CHANGED, str(error)), attempt)
            except HOPELESS as error:
                return Reading(self._told(item, error), attempt)
            except Exception as error:  # every store's package has errors of its own
                if attempt >= self._patience.attempts:
                    return Reading(self._told(item, error), attempt)
                time.sleep(self._patience.wait_s * 2 ** (attempt - 1))

    def close(self) -> None:
        """Close what is open."""
        self._videos.close()
        self._cells.close()

    def _told(self, item: Item, error: Exception) -> Failure:
        if not isinstance(error, HandscopeError):
            why = "no such file" if isinstance(error, FileNotFoundError) else f"cannot read it ({reason(error)})"
            error = UnreadableError(f"{item.name}: {why}")
        return failure(item.name, error)

    def _once(self, item: Item) -> FileContent | Picture:
        if item.frame is not None and item.time is not None:
            return self._videos.picture(item.address, item.frame, item.time)
        if item.frame is not None:
            return FileContent(self._cells.cell(item.address, item.frame), item.name)
        content = self._file(item)
        if item.size is not None and len(content) != item.size:
            raise ChangedError(_changed(item, f"{len(content)} bytes, {item.size} when it was listed"))
        return FileContent(content, item.name)

    def _file(self, item: Item) -> bytes:
        if is_remote(item.address):
            system, place = file_system(item.address)
            size = item.size if item.size is not None else system.info(place).get("size")
            check_bytes(local_path(item.address), size or 0, self._limits)
            return system.cat_file(place)
        path = local_path(item.address)
        about = path.stat()
        check_bytes(path, about.st_size, self._limits)
        if item.stamp and item.stamp != str(about.st_mtime_ns):
            raise ChangedError(_changed(item, "its time is another one"))
        if not path.is_file():  # a pipe would keep us waiting
            raise UnreadableError(f"{path}: not a file")
        return path.read_bytes()


def _changed(item: Item, why: str) -> str:
    return f"{item.name}: the file was changed after it was listed ({why}); --retry-failed takes the new one"


def relisted(item: Item) -> Item:
    """The item with size and stamp of its file as it is now; as it was if nobody says."""
    size, stamp = stamp_of(item.address)
    return item if size is None and not stamp else item._replace(size=size, stamp=stamp)


class _Cells:
    """Pictures that lie in tables; the last table stays open, and of it some rows."""

    def __init__(self) -> None:
        self._open: tuple[str, Any, str, str | None] | None = None
        self._rows: tuple[int, list[Any]] = (0, [])
        self._batches: Iterator[Any] = iter(())

    def cell(self, address: str, row: int) -> bytes:
        """The bytes in a row."""
        if self._open is None or self._open[0] != address:
            self.close()
            file = open_table(address)
            self._open = (address, file, *column_of(file, address))
        if row < self._rows[0] or not self._rows[1]:
            self._begin(row)
        while row >= self._rows[0] + len(self._rows[1]):
            batch = next(self._batches, None)
            if batch is None:
                raise UnreadableError(f"{address}#{row}: the table has no such row")
            self._rows = self._rows[0] + len(self._rows[1]), batch.column(0).to_pylist()
        value = self._rows[1][row - self._rows[0]]
        value = value.get(self._open[3]) if isinstance(value, dict) and self._open[3] else value
        if not isinstance(value, bytes):
            raise UnreadableError(f"{address}#{row}: the cell of the column {self._open[2]} holds no bytes")
        return value

    def _begin(self, row: int) -> None:
        """At the row group that holds the row."""
        assert self._open is not None
        _, file, column, _ = self._open
        first = group = 0
        while group < file.metadata.num_row_groups - 1 and first + file.metadata.row_group(group).num_rows <= row:
            first += file.metadata.row_group(group).num_rows
            group += 1
        groups = range(group, file.metadata.num_row_groups)
        self._batches = file.iter_batches(batch_size=16, columns=[column], row_groups=groups)
        self._rows = first, []

    def close(self) -> None:
        """Close the table."""
        if self._open is not None:
            with suppress(OSError):
                self._open[1].close(force=True)
        self._open, self._rows, self._batches = None, (0, []), iter(())
