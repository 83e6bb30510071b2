"""The parts of a run as the one file that people want: a part in memory at a time, and the file there whole or not.

What a picture's hands look like in it is decided by `infer.formats`, so that it is what one picture alone would give.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from handscope.batch import parts
from handscope.batch.manifest import NAME, Manifest, arrow
from handscope.batch.rows import OK, STORAGE, Row, hands_of, name_of, schema
from handscope.batch.store import Store
from handscope.errors import HandscopeError
from handscope.files import NewFile
from handscope.hand.assets import HandAsset
from handscope.infer.formats import COCO_CATEGORY, CSV_COLUMNS, coco_annotation, coco_image, hand_to_dict, to_csv

OF_IMAGES = ("index", "uri", "frame", "status", "width", "height")
"""Columns that say which pictures there are."""


class Results:
    """The rows in a store, in the order of the list. HandscopeError if there are none or, unless `partial`, not all."""

    def __init__(self, store: Store, *, partial: bool = False) -> None:
        if not store.exists(NAME):
            raise HandscopeError(f"{store.address}: holds no results of `handscope batch`")
        self.store, self.manifest = store, Manifest(store)
        found = parts.listed(store)
        if len({part.fingerprint for part in found}) > 1:
            raise HandscopeError(f"{store.address}: holds parts of several settings; delete those of one")
        self._parts = [part for _, part in sorted(parts.latest(found).items())]
        missing = self.manifest.shards - len(self._parts)
        if missing and not partial:
            told = f"{missing} of {self.manifest.shards} parts are not there yet"
            raise HandscopeError(f"{store.address}: {told}; run `handscope batch` again, or collect with --partial")

    @property
    def count(self) -> int:
        """How many parts there are."""
        return len(self._parts)

    def tables(self, columns: Sequence[str] | None = None) -> Iterator[Any]:
        """The parts as pyarrow's tables."""
        return (parts.read_table(self.store, part, columns) for part in self._parts)

    def rows(self, columns: Sequence[str] | None = None) -> Iterator[Row]:
        """All rows."""
        return (row for table in self.tables(columns) for row in table.to_pylist())


def write_parquet(path: Path, results: Results, asset: HandAsset | None = None) -> None:
    """One table of all rows, a row group a part."""
    _, parquet = arrow()
    with NewFile(path) as beside, beside.open("wb") as file:
        writer = None
        for table in results.tables():
            writer = writer or parquet.ParquetWriter(file, table.schema, **STORAGE)
            writer.write_table(table.cast(writer.schema))
        (writer or parquet.ParquetWriter(file, schema(), **STORAGE)).close()


def write_csv(path: Path, results: Results, asset: HandAsset | None = None) -> None:
    """A line a joint of each hand."""
    with NewFile(path) as beside, beside.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerow(CSV_COLUMNS)
        for row in results.rows():
            _, _, lines = to_csv(hands_of(row, asset), source=name_of(row)).partition("\n")
            file.write(lines)


def write_lines(path: Path, results: Results, asset: HandAsset | None = None) -> None:
    """A JSON object a row: `source`, of a video `frame` and `time`, `width`, `height`, `hands`; why, if it failed."""
    with NewFile(path) as beside, beside.open("w", encoding="utf-8", newline="\n") as file:
        for row in results.rows():
            told: dict[str, Any] = {"source": row["uri"]}
            told |= {name: row[name] for name in ("frame", "time") if row[name] is not None}
            told |= {name: row[name] for name in ("width", "height")}
            told |= {"hands": [hand_to_dict(hand) for hand in hands_of(row, asset)]}
            told |= {} if row["status"] == OK else {"problem": row["error"], "kind": row["error_kind"]}
            file.write(json.dumps(told, allow_nan=False) + "\n")


def write_coco(path: Path, results: Results, asset: HandAsset | None = None) -> None:
    """COCO-WholeBody's layout; the `id` of a picture is its number in the list, from 1 on. Pictures that failed are not
    among them.
    """
    with NewFile(path) as beside, beside.open("w", encoding="utf-8") as file:
        file.write('{"images": [')
        rows = (row for row in results.rows(OF_IMAGES) if row["status"] == OK)
        _listed(file, (coco_image(row["index"] + 1, name_of(row), row["width"], row["height"]) for row in rows))
        file.write(f'], "categories": [{json.dumps(COCO_CATEGORY)}], "annotations": [')
        _listed(file, _annotations(results, asset))
        file.write("]}\n")


def _annotations(results: Results, asset: HandAsset | None) -> Iterator[dict[str, Any]]:
    number = 0
    for row in results.rows():
        for hand in hands_of(row, asset):
            number += 1
            yield coco_annotation(hand, number, row["index"] + 1)


def _listed(file: IO[str], objects: Iterable[dict[str, Any]]) -> None:
    for number, one in enumerate(objects):
        file.write((", " if number else "") + json.dumps(one))


Writer = Callable[[Path, Results, HandAsset | None], None]
WRITERS: dict[str, tuple[Writer, str]] = {
    "coco": (write_coco, "COCO-WholeBody's keypoints, as JSON"),
    "csv": (write_csv, "a line a joint of each hand"),
    "jsonl": (write_lines, "a JSON object a picture"),
    "parquet": (write_parquet, "all rows as they are, in one table"),
}
"""Kinds of files, each with one line about it."""
