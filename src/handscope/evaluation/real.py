"""`handscope bench real`: a model on real photographs, as in protocols.py.

    bench(Path("../shared/data"), model, out=Path("out/bench"))

writes scores.json and predictions' overlays (if asked for) and returns the scores; `report` makes them a
table.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from handscope.data.dev_sets import JointsDev, MasksDev
from handscope.data.photos import PhotoDataset
from handscope.errors import HandscopeError
from handscope.evaluation.protocols import Scores, score_joints, score_masks, score_photos
from handscope.types import Hand, Sample

Model = Callable[[NDArray[np.uint8]], Sequence[Hand]]
Draw = Callable[[NDArray[np.uint8], Sequence[Hand]], NDArray[np.uint8]]
Progress = Callable[[str, int, int], None]
"""Told the set, the number of pictures done and their total."""

SETS = ("joints-dev", "masks-dev", "photos held-out")
SOURCES = ("ti1k", "dwivedi", "subhih")
"""Photographs with human boxes."""


class SampleList(Protocol):
    """Anything map-style that yields samples."""

    def __len__(self) -> int: ...

    def __getitem__(self, i: int, /) -> Sample: ...


def bench(
    data: Path,
    model: Model,
    *,
    out: Path | None = None,
    labels: Path | None = None,
    limit: int | None = None,
    sets: Sequence[str] = SETS,
    draw: Draw | None = None,
    progress: Progress | None = None,
) -> dict[str, Scores]:
    """Scores of `model` on joints-dev, masks-dev and the held-out photographs under `data`.

    `limit` takes that many pictures of each of the `sets`, evenly spread. `labels` is the pseudo-label file,
    which says which photographs are held out; without it the photographs are left out. With `draw` and `out`,
    every picture's overlay goes to out/overlays/<set>/.
    """
    results = {}
    for name in sets:
        if name == "photos held-out" and labels is None:
            continue
        samples, score = open_set(name, data, labels)
        chosen = spread(len(samples), limit)
        pictures, predictions, seconds = [], [], 0.0
        for done, i in enumerate(chosen):
            sample = samples[i]
            start = time.perf_counter()
            predictions.append(list(model(sample.image)))
            seconds += time.perf_counter() - start
            pictures.append(without_pixels(sample))
            if draw is not None and out is not None:
                save_overlay(out / "overlays" / name, sample, draw(sample.image, predictions[-1]))
            if progress is not None:
                progress(name, done + 1, len(chosen))
        results[name] = score(pictures, predictions) | {
            "ms_per_picture": 1000 * seconds / max(len(chosen), 1)
        }
    if out is not None:
        write_json(out / "scores.json", results)
    return results


def open_set(
    name: str, data: Path, labels: Path | None
) -> tuple[SampleList, Callable[[list[Sample], list[list[Hand]]], Scores]]:
    """The pictures of one of `SETS` and the function that scores them."""
    if name == "joints-dev":
        return JointsDev(data), score_joints
    if name == "masks-dev":
        return MasksDev(data), score_masks
    if name == "photos held-out":
        return PhotoDataset(data, labels, split="held-out", sources=SOURCES), score_photos
    raise HandscopeError(f"{name}: no such set to score; choose from {', '.join(SETS)}")


def without_pixels(sample: Sample) -> Sample:
    """The sample with a picture of the same shape that takes no memory: scores need its size only."""
    return replace(sample, image=np.broadcast_to(np.uint8(0), sample.image.shape))


def spread(total: int, limit: int | None) -> list[int]:
    """Indices of `limit` of `total` things, evenly spread; all of them without a limit."""
    count = total if limit is None else min(limit, total)
    return np.linspace(0, total - 1, count).round().astype(int).tolist()


def report(results: dict[str, Scores]) -> str:
    """The scores as a Markdown table."""
    lines = ["| set | measure | value |", "|---|---|---|"]
    for name, scores in results.items():
        lines += [f"| {name} | {measure} | {value:.4g} |" for measure, value in scores.items()]
    return "\n".join(lines)


def save_overlay(folder: Path, sample: Sample, picture: NDArray[np.uint8]) -> None:
    """Write one overlay (RGB) as folder/<last part of the sample's key>.jpg."""
    folder.mkdir(parents=True, exist_ok=True)
    name = sample.key.rsplit("/", 1)[-1]
    source = sample.source.rsplit("/", 1)[-1]
    cv2.imwrite(str(folder / f"{source}-{name}.jpg"), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))


def write_json(path: Path, value: object) -> None:
    """Write beside, then move into place."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".part")
    temporary.write_text(json.dumps(value, indent=1) + "\n")
    os.replace(temporary, path)
