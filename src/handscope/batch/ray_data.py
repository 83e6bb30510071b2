"""Hands for Ray Data: a class for `map_batches`.

    ray.data.read_images("s3://bucket/pictures", mode="RGB").map_batches(
        WithHands,
        fn_constructor_kwargs={"settings": Settings()},
        batch_format="pyarrow",
        batch_size=64,
        compute=ray.data.ActorPoolStrategy(size=8),
    )

Ray makes one of these a worker, wherever it likes. Needs no import of Ray.
"""

from __future__ import annotations

from typing import Any

from handscope.batch.annotator import Settings
from handscope.batch.columns import HandsColumn
from handscope.batch.manifest import arrow
from handscope.batch.rows import hand_type


class WithHands:
    """Takes tables with a column of pictures (Ray's images, or bytes of files), gives them with one of hands more:
    lists of `rows.hand_type()`, null where a picture cannot be read.
    """

    def __init__(self, settings: Settings | None = None, column: str = "image", hands: str = "hands") -> None:
        self._hands_of = HandsColumn(settings or Settings())
        self._column, self._name = column, hands

    def __call__(self, table: Any) -> Any:
        """The table and its hands."""
        pa, _ = arrow()
        hands = self._hands_of(table.column(self._column).to_pylist())
        return table.append_column(self._name, pa.array(hands, pa.list_(hand_type())))
