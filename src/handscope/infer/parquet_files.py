"""A Parquet file of a video in the making: rows in, row groups out, whole or not at all."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Generic, TypeVar

from handscope.errors import VideoError, missing_extra
from handscope.files import NewFile

Row = TypeVar("Row")
ROW_GROUP = 1024
"""Rows that are kept in memory, and go to the file together."""


class ParquetFile(Generic[Row]):
    """The file at `path`, of the schema `schema(pyarrow)`; `table(pyarrow, schema, rows)` makes a table of some rows.
    VideoError without the extra [video].
    """

    def __init__(
        self, path: Path, schema: Callable[[Any], Any], table: Callable[[Any, Any, Sequence[Row]], Any]
    ) -> None:
        try:
            import pyarrow
            import pyarrow.parquet
        except ImportError as error:
            raise VideoError(missing_extra(path.name, error.name, "video")) from error
        self._pa, self._table, self._schema = pyarrow, table, schema(pyarrow)
        self._file = NewFile(path)
        self._content = self._file.path.open("wb")  # Arrow would read a name with a colon as an address
        self._writer = pyarrow.parquet.ParquetWriter(self._content, self._schema, compression="zstd")
        self._rows: list[Row] = []

    def add(self, rows: Iterable[Row]) -> None:
        """Keep some rows; every `ROW_GROUP` go to the file."""
        self._rows += rows
        if len(self._rows) >= ROW_GROUP:
            self._flush()

    def _flush(self) -> None:
        if self._rows:
            self._writer.write_table(self._table(self._pa, self._schema, self._rows))
            self._rows = []

    def close(self, rest: Iterable[Row] = ()) -> None:
        """Write the rows that remain, and the `rest`, and the footer; then the file is in its place."""
        try:
            with self._content:
                self._rows += rest
                self._flush()
                self._writer.close()
        except BaseException:  # without its footer nobody can read it
            self._file.discard()
            raise
        self._file.finish()
