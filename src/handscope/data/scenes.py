"""Labelled scenes: people's photographs (`people/index.jsonl`) and every sixth frame of clips (`videos/labels.jsonl`).

Hands are boxes by eye with sides where they are sure; see the data's README.md for what `ignore` and `crowd` mean.
Only the `dev` split of the photographs and the labelled clips are for scoring; neither may train anything.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from handscope.data.files import read_json_lines
from handscope.data.people import FOLDER, read_photograph
from handscope.geometry.boxes import box_area


@dataclass(frozen=True, kw_only=True)
class Scene:
    """What is known of one picture of `width` x `height` px: boxes (n, 4) of hands with their `sides` ("left", "right"
    or None), boxes (m, 4) to `ignore` (a hand is there, but tiny, hidden or not separable); in a `crowd` there are
    more hands than boxes.
    """

    name: str
    width: int
    height: int
    boxes: NDArray[np.float64]
    sides: tuple[str | None, ...]
    ignore: NDArray[np.float64]
    crowd: bool = False

    @property
    def is_empty(self) -> bool:
        """Whether no hand at all is to be found."""
        return not len(self.boxes) and not len(self.ignore) and not self.crowd

    @property
    def sizes(self) -> NDArray[np.float64]:
        """Sides (n,) of squares of the boxes' areas, px where the picture's longer side is 640."""
        return np.sqrt(box_area(self.boxes)) * 640 / max(self.width, self.height)


class People:
    """The photographs of `people` that were looked at, of one split, and of `sources` if some are named: a sequence of
    pairs (scene, RGB picture).
    """

    def __init__(self, root: Path | str, split: str = "dev", sources: Collection[str] | None = None) -> None:
        self.folder = Path(root) / "people"
        rows = read_json_lines(self.folder / "index.jsonl", FOLDER)
        looked_at = [
            row
            for row in rows
            if row["split"] == split and row["hands"] is not None and (sources is None or row["source"] in sources)
        ]
        self.scenes = [_scene(row, row["file"]) for row in looked_at]
        self.sources = [str(row["source"]) for row in looked_at]

    def __len__(self) -> int:
        return len(self.scenes)

    def __getitem__(self, i: int) -> tuple[Scene, NDArray[np.uint8]]:
        scene = self.scenes[i]
        return scene, read_photograph(self.folder / scene.name)

    def __iter__(self) -> Iterator[tuple[Scene, NDArray[np.uint8]]]:
        return (self[i] for i in range(len(self)))


@dataclass(frozen=True)
class LabelledClip:
    """A video and what is known of some of its frames, by their numbers."""

    path: Path
    frames: dict[int, Scene]


def labelled_clips(root: Path | str) -> list[LabelledClip]:
    """The clips of `videos` that have labels, by name."""
    folder = Path(root) / "videos"
    rows = read_json_lines(folder / "labels.jsonl", FOLDER)
    return [
        LabelledClip(
            folder / clip,
            {int(row["frame"]): _scene(row, f"{clip}:{row['frame']}") for row in rows if row["clip"] == clip},
        )
        for clip in sorted({str(row["clip"]) for row in rows})
    ]


def _scene(row: dict[str, Any], name: str) -> Scene:
    return Scene(
        name=name,
        width=int(row["width"]),
        height=int(row["height"]),
        boxes=_boxes([hand["box"] for hand in row["hands"]]),
        sides=tuple(hand["side"] for hand in row["hands"]),
        ignore=_boxes(row["ignore"]),
        crowd=bool(row.get("crowd", False)),
    )


def _boxes(boxes: Sequence[Sequence[float]]) -> NDArray[np.float64]:
    return np.array(boxes, np.float64).reshape(-1, 4)
