"""The tidy table of a video (`tidy`) as Parquet and as CSV, written as the frames come."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from handscope.files import NewFile
from handscope.infer.frames import Lost
from handscope.infer.parquet_files import ParquetFile
from handscope.infer.tidy import KEYS, NUMBERS, Gaps, Row, columns_of
from handscope.infer.video import VideoFrame

ABOUT = (
    "a row a hand a frame; seen is false, and the numbers are missing, where a track was not seen between its first "
    "and last frame; time in seconds by a player's clock; px: x right, y down, centre of the top-left pixel at 0, 0; "
    "m: camera frame, x right, y down, z forward; deg: docs/angles.md"
)
RUN = "handscope.run"
"""The key, in table.parquet's metadata, of what the table was made from."""


class TidyTableWriter:
    """table.parquet; `run` is kept in its metadata."""

    def __init__(self, path: Path, run: str | None = None) -> None:
        self._gaps = Gaps()
        self._file: ParquetFile[Row] = ParquetFile(path, lambda pa: schema(pa, run), _table)

    def write(self, frame: VideoFrame, painted: NDArray[np.uint8]) -> None:
        """Keep the frame's hands."""
        self._file.add(self._gaps.add(frame))

    def skip(self, lost: Lost) -> None:
        """Nothing to tell: there is a row for each hand."""

    def close(self) -> None:
        """Write the rows that remain and the footer."""
        self._file.close(self._gaps.rest())


def _table(pa: Any, columns: Any, rows: Sequence[Row]) -> Any:
    return pa.table(columns_of(rows), schema=columns)


class TidyCsvWriter:
    """table.csv: the same in text."""

    def __init__(self, path: Path) -> None:
        self._file, self._gaps = NewFile(path), Gaps()
        self._content = self._file.path.open("w", encoding="utf-8", newline="")
        self._writer = csv.writer(self._content, lineterminator="\n")
        self._writer.writerow([*KEYS, *[column.name for column in NUMBERS]])

    def write(self, frame: VideoFrame, painted: NDArray[np.uint8]) -> None:
        """Append the rows that are complete."""
        self._append(self._gaps.add(frame))

    def skip(self, lost: Lost) -> None:
        """Nothing to tell: there is a row for each hand."""

    def _append(self, rows: Iterable[Row]) -> None:
        for row in rows:
            numbers = [None] * len(NUMBERS) if row.numbers is None else row.numbers.tolist()
            self._writer.writerow(in_text([row.frame, row.time, row.track, row.handedness, row.seen, *numbers]))

    def close(self) -> None:
        """Append the rows that remain."""
        try:
            with self._content:
                self._append(self._gaps.rest())
        except BaseException:
            self._file.discard()
            raise
        self._file.finish()


def in_text(values: Sequence[Any]) -> list[str]:
    """A row, the values of `KEYS` and `NUMBERS`, as cells; empty where there is no number."""
    frame, time, track, handedness, seen, *numbers = values
    told = [
        "" if value is None else f"{value:.{column.digits}f}" for value, column in zip(numbers, NUMBERS, strict=True)
    ]
    return [str(frame), f"{time:.6f}", str(track), str(handedness), str(int(seen)), *told]


def schema(pa: Any, run: str | None = None) -> Any:
    """Of table.parquet."""
    kinds = (pa.int32(), pa.float64(), pa.int32(), pa.string(), pa.bool_())
    numbers = [(column.name, pa.float32()) for column in NUMBERS]
    return pa.schema(
        [*zip(KEYS, kinds, strict=True), *numbers], metadata={"handscope": ABOUT} | ({} if run is None else {RUN: run})
    )
