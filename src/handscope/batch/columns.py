"""Pictures in, hands out, value by value: the column that frameworks of tables add to their own tables.

Its type is `rows.hand_type()`, of which daft-physical-ai's `track_hands` has the first four fields: code that reads the
one reads the other.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from handscope.batch.annotator import Settings
from handscope.batch.manifest import Item
from handscope.batch.rows import Row, row_of
from handscope.infer.decoding_pool import DecodingPool
from handscope.infer.streaming import Failure, FileContent, Task, stream


class HandsColumn:
    """The model of some settings, opened once. Call it with pictures: RGB (H, W, 3) uint8, the bytes of files, or None.

    Gives a list of hands for each, and None for what is none or cannot be read; files are decoded in a process that one
    of them may cost.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings, self._camera = settings, settings.camera
        self._model = settings.load()
        self._pool = DecodingPool(1, settings.limits)

    def __call__(self, pictures: Sequence[Any]) -> list[list[Row] | None]:
        """In order."""
        there = [place for place, picture in enumerate(pictures) if picture is not None]

        def tasks() -> Iterator[Task]:
            for place in there:
                picture = pictures[place]
                if isinstance(picture, bytes | bytearray | memoryview):
                    yield Task(FileContent(bytes(picture), f"picture {place}"), self._camera)
                else:
                    yield Task(np.asarray(picture), self._camera)

        told: list[list[Row] | None] = [None] * len(pictures)
        answers = stream(self._model.answer, tasks(), workers=1, batch=self._settings.window, pool=self._pool)
        for place, answer in zip(there, answers, strict=True):
            if not isinstance(answer, Failure):
                told[place] = row_of(Item(place, ""), answer, mesh=self._settings.mesh)["hands"]
        return told

    def close(self) -> None:
        """End the process that decodes."""
        self._pool.close()
