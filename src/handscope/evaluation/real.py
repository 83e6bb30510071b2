"""`handscope bench real`: models on real photographs, side by side, as in protocols.py.

    bench(Path("../shared/data"), [Column("handscope", model)], out=Path("out/bench"))

scores every model over the same pictures, writes scores.json, report.md and overlays (if asked for) and returns the
scores by column and set; `report` makes them one table.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from handscope.data.dev_sets import JointsDev, MasksDev
from handscope.data.photos import PhotoDataset
from handscope.errors import HandscopeError
from handscope.evaluation.hand_free import HandFreeParts, score_hand_free
from handscope.evaluation.protocols import Scores, score_joints, score_masks, score_photos
from handscope.evaluation.side_by_side import side_by_side
from handscope.files import writable_folder, write_file
from handscope.types import Hand, Sample, SampleSource

Model = Callable[[NDArray[np.uint8]], Sequence[Hand]]
Draw = Callable[[NDArray[np.uint8], Sequence[Hand]], NDArray[np.uint8]]
Progress = Callable[[str, int, int], None]
"""Told the set, the number of pictures done and their total."""

SETS = ("joints-dev", "masks-dev", "photos held-out", "parts without hands")
SOURCES = ("ti1k", "dwivedi", "subhih")
"""Photographs with human boxes."""

MEASURES = {
    "pictures": ("pictures", "{:.0f}", 1),
    "hands": ("labelled hands", "{:.0f}", 1),
    "found": ("hands found", "{:.1f} %", 100),
    "false_alarms_per_picture": ("false alarms a picture", "{:.3f}", 1),
    "error_px256_mean": ("2D error, mean, px of 256", "{:.2f}", 1),
    "error_px256_median": ("2D error, median, px of 256", "{:.2f}", 1),
    "projected_error_px256_mean": ("2D error of the mesh's joints, mean, px of 256", "{:.2f}", 1),
    "pck_0.1": ("PCK@0.1 of the box side", "{:.1f} %", 100),
    "pck_0.2": ("PCK@0.2 of the box side", "{:.1f} %", 100),
    "pa_error_mm_mean": ("PA 3D error, mm", "{:.2f}", 1),
    "handedness": ("left or right", "{:.1f} %", 100),
    "mesh_mask_iou": ("IoU of rendered mesh and estimated mask", "{:.3f}", 1),
    "iou_mean": ("mean IoU in the joints' box, without forearm", "{:.3f}", 1),
    "iou_median": ("median IoU in the joints' box, without forearm", "{:.3f}", 1),
    "iou_in_front_mean": ("mean IoU of everything in front of the wrist", "{:.3f}", 1),
    "iou_at_least_0.5": ("IoU at least 0.5", "{:.1f} %", 100),
    "thumb_tip_error": ("thumb tip error, of the box side", "{:.4f}", 1),
    "index_tip_error": ("index tip error, of the box side", "{:.4f}", 1),
    "ms_per_picture": ("time a picture, ms", "{:.0f}", 1),
}
"""What each score is called in a report, how it is written and its factor."""


@dataclass(frozen=True)
class Column:
    """A model and what it can be scored on: some of `SETS`, less the measures `without`."""

    name: str
    model: Model
    sets: Sequence[str] = SETS
    without: Sequence[str] = ()


MEDIAPIPE_SETS = ("joints-dev", "photos held-out", "parts without hands")
MEDIAPIPE_WITHOUT = ("projected_error_px256_mean", "mesh_mask_iou")
"""MediaPipe Hands has no mask, no mesh and no camera."""


class AskedOnce:
    """A model that answers the same picture (the same array) once, for columns that tell its hands in several ways."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.image: NDArray[np.uint8] | None = None
        self.hands: Sequence[Hand] = ()

    def __call__(self, image: NDArray[np.uint8]) -> Sequence[Hand]:
        """Its hands."""
        if image is not self.image:
            self.image, self.hands = image, self.model(image)
        return self.hands


CONVENTION_SETS = ("joints-dev", "photos held-out")
CONVENTION_WITHOUT = ("ms_per_picture", "mesh_mask_iou")
"""What depends on whose joints are told (docs/joints.md), which a column of the same hands in others' joints says."""


def bench(
    data: Path,
    columns: Sequence[Column],
    *,
    out: Path | None = None,
    labels: Path | None = None,
    limit: int | None = None,
    sets: Sequence[str] = SETS,
    draw: Draw | None = None,
    progress: Progress | None = None,
) -> dict[str, dict[str, Scores]]:
    """Scores, by column and set, on joints-dev, masks-dev and the held-out photographs under `data`.

    `limit` takes that many pictures of each of the `sets`, evenly spread. `labels`, a file of pseudo-labels, is
    not needed: it adds hands that nobody boxed. With `draw` and `out`, every picture with the first column's hands
    goes to out/overlays/<set>/.
    """
    results: dict[str, dict[str, Scores]] = {column.name: {} for column in columns}
    for name in sets:
        samples, score = open_set(name, data, labels)
        active = [column for column in columns if name in column.sets]
        chosen = spread(len(samples), limit)
        pictures: list[Sample] = []
        hands: dict[str, list[list[Hand]]] = {column.name: [] for column in active}
        seconds = dict.fromkeys(hands, 0.0)
        for done, i in enumerate(chosen):
            sample = samples[i]
            for column in active:
                start = time.perf_counter()
                hands[column.name].append(list(column.model(sample.image)))
                seconds[column.name] += time.perf_counter() - start
            pictures.append(without_pixels(sample))
            if draw is not None and out is not None and active:
                save_overlay(out / "overlays" / name, sample, draw(sample.image, hands[active[0].name][-1]))
            if progress is not None:
                progress(name, done + 1, len(chosen))
        for column in active:
            scores = score(pictures, hands[column.name])
            scores["ms_per_picture"] = 1000 * seconds[column.name] / max(len(chosen), 1)
            results[column.name][name] = {key: v for key, v in scores.items() if key not in column.without}
    if out is not None:
        writable_folder(out)
        write_file(out / "scores.json", json.dumps(results, indent=1) + "\n")
        write_file(out / "report.md", report(results) + "\n")
    return results


def open_set(
    name: str, data: Path, labels: Path | None
) -> tuple[SampleSource, Callable[[list[Sample], list[list[Hand]]], Scores]]:
    """The pictures of one of `SETS` and the function that scores them."""
    if name == "joints-dev":
        return JointsDev(data), score_joints
    if name == "masks-dev":
        return MasksDev(data), score_masks
    if name == "photos held-out":
        return PhotoDataset(data, labels, split="held-out", sources=SOURCES), score_photos
    if name == "parts without hands":
        return HandFreeParts(PhotoDataset(data, labels, split="held-out", sources=SOURCES)), score_hand_free
    raise HandscopeError(f"{name}: no such set to score; choose from {', '.join(SETS)}")


def without_pixels(sample: Sample) -> Sample:
    """The sample with a picture of the same shape that takes no memory: scores need its size only."""
    return replace(sample, image=np.broadcast_to(np.uint8(0), sample.image.shape))


def spread(total: int, limit: int | None) -> list[int]:
    """Indices of `limit` of `total` things, evenly spread; all of them without a limit."""
    count = total if limit is None else min(limit, total)
    return np.linspace(0, total - 1, count).round().astype(int).tolist()


def report(results: dict[str, dict[str, Scores]]) -> str:
    """The scores as one Markdown table, a column a model; "-" where a model does not say."""
    return side_by_side({name: {group: _titled(one) for group, one in sets.items()} for name, sets in results.items()})


def _titled(scores: Scores) -> dict[str, str]:
    """Each score as a reader wants it, by what it is called in a report."""
    return {MEASURES[key][0] if key in MEASURES else key: written(key, value) for key, value in scores.items()}


def written(measure: str, value: float) -> str:
    """A score as a reader wants it, in its unit."""
    _, form, factor = MEASURES.get(measure, ("", "{:.4g}", 1))
    return form.format(factor * value)


def save_overlay(folder: Path, sample: Sample, picture: NDArray[np.uint8]) -> None:
    """Write one overlay (RGB) as folder/<last part of the sample's key>.jpg."""
    folder.mkdir(parents=True, exist_ok=True)
    name = sample.key.rsplit("/", 1)[-1]
    source = sample.source.rsplit("/", 1)[-1]
    cv2.imwrite(str(folder / f"{source}-{name}.jpg"), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
