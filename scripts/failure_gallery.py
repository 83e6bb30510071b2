"""The worst pictures by loss of consistency: where the mesh and the maps of one hand contradict each other most.

    python scripts/failure_gallery.py --data ../shared/data --out runs/gallery

goes over the train split of the photographs and over the backgrounds (which show no hands). A hand's loss is one minus
the IoU of rendered mesh and estimated mask, plus the mean distance between projected joints and heat-map joints as a
share of the joints' box, weighted by the joints' scores. It needs no label; but labelled boxes in which nothing was
found are listed too, and so are hands on backgrounds. Writes sheet.jpg (the 48 worst, worst first) and hands.json.

The sheet shows photographs: it stays in runs/ and never enters the repository.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from handscope.data.photos import PhotoDataset
from handscope.evaluation import metrics
from handscope.evaluation.protocols import PHOTO_IOU, best_match, self_iou
from handscope.evaluation.real import SOURCES, spread
from handscope.files import write_file
from handscope.geometry.boxes import longer_side, tight_box
from handscope.geometry.camera import project
from handscope.infer.pipeline import load
from handscope.types import Hand, Sample
from handscope.viz import draw

SOURCES_WITH_DIGITS = (*SOURCES, "sign-digits")
TILE_PX, COLUMNS = 240, 8
DISTANCE_WEIGHT = 4.0
"""A joint's distance of a quarter of the box counts as much as masks that do not meet."""


@dataclass(frozen=True)
class Finding:
    """A hand with its loss, IoU and joint distance (share of the box); no box where a labelled hand was missed."""

    file: str
    loss: float
    iou: float
    gap: float
    score: float
    box: list[float] | None


def inconsistency(hand: Hand) -> tuple[float, float, float]:
    """(loss, IoU of mesh and mask, joint distance)."""
    distances = metrics.joint_errors(project(hand.joints_3d, hand.K), hand.joints_2d)
    weights = np.maximum(hand.joint_scores, 1e-3)
    gap = float((distances * weights).sum() / weights.sum() / longer_side(tight_box(hand.joints_2d)))
    iou = self_iou(hand)
    return 1 - iou + DISTANCE_WEIGHT * gap, iou, gap


def pictures(data: Path, limit: int | None) -> list[tuple[PhotoDataset | list[Path], int]]:
    """Photographs of the train split and backgrounds, as (where, index)."""
    photos = PhotoDataset(data, split="train", sources=SOURCES_WITH_DIGITS)
    backgrounds = sorted(path for path in (data / "backgrounds").iterdir() if path.suffix in (".jpg", ".png"))
    share = [(photos, i) for i in spread(len(photos), limit)]
    return share + [(backgrounds, i) for i in spread(len(backgrounds), limit)]


def read(where: PhotoDataset | list[Path], i: int) -> Sample:
    """The picture with its labels; a background has none."""
    if isinstance(where, PhotoDataset):
        return where[i]
    image = cv2.imread(str(where[i]), cv2.IMREAD_COLOR)
    return Sample(
        key=where[i].stem, source="backgrounds", image=np.ascontiguousarray(image[..., ::-1], np.uint8), hands=()
    )


def judge(sample: Sample, hands: list[Hand]) -> Iterator[Finding]:
    """Every hand seen, and every labelled box in which none was."""
    file = f"{sample.source}/{Path(sample.key).name}"
    for hand in hands:
        loss, iou, gap = inconsistency(hand)
        yield Finding(file, loss, iou, gap, hand.score, np.asarray(hand.box, float).round(1).tolist())
    for label in sample.hands:
        if label.box is not None and best_match(hands, label.box, iou=PHOTO_IOU, whole=True) is None:
            yield Finding(file, np.nan, np.nan, np.nan, 0.0, None)


def tile(image: NDArray[np.uint8], hands: list[Hand], finding: Finding) -> NDArray[np.uint8]:
    """The surroundings of the hand with everything drawn in, RGB (TILE_PX, TILE_PX, 3), captioned."""
    assert finding.box is not None
    x0, y0, x1, y1 = finding.box
    half = 0.85 * max(x1 - x0, y1 - y0, 16)
    centre = np.array([(x0 + x1) / 2, (y0 + y1) / 2])
    scale = TILE_PX / (2 * half)
    enlarge = max(1, int(np.ceil(scale)))
    drawn = draw(image, hands, min_side=enlarge * max(image.shape[:2]))
    factor = drawn.shape[0] / image.shape[0]
    matrix = np.array([[scale / factor, 0, 0], [0, scale / factor, 0]])
    matrix[:, 2] = (TILE_PX - 1) / 2 - scale * centre
    out = cv2.warpAffine(drawn, matrix, (TILE_PX, TILE_PX), flags=cv2.INTER_AREA)
    caption = f"{finding.loss:.2f} iou {finding.iou:.2f} gap {finding.gap:.2f} s {finding.score:.2f}"
    for i, text in enumerate((caption, finding.file.split("/", 1)[-1][-34:])):
        at = (4, 14 + 14 * i)
        cv2.putText(out, text, at, cv2.FONT_HERSHEY_SIMPLEX, 0.4, (0, 0, 0), 3, cv2.LINE_AA)
        cv2.putText(out, text, at, cv2.FONT_HERSHEY_SIMPLEX, 0.4, (255, 255, 255), 1, cv2.LINE_AA)
    return np.asarray(out, np.uint8)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with photos and backgrounds")
    parser.add_argument("--out", type=Path, default=Path("runs/gallery"))
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--count", type=int, default=48, help="tiles on the sheet")
    parser.add_argument("--limit", type=int, help="only so many photographs and backgrounds, evenly spread")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    model = load(options.weights, threads=1)
    everything = pictures(options.data, options.limit)
    found: list[tuple[Finding, int]] = []
    for n, (where, i) in enumerate(track(everything, "looking")):
        sample = read(where, i)
        found += [(finding, n) for finding in judge(sample, list(model(sample.image)))]
    seen = sorted((f for f in found if f[0].box is not None), key=lambda f: -f[0].loss)
    tiles = []
    for finding, n in seen[: options.count]:
        image = read(*everything[n]).image
        tiles.append(tile(image, list(model(image)), finding))
    tiles += [np.zeros((TILE_PX, TILE_PX, 3), np.uint8)] * (-len(tiles) % COLUMNS)
    rows = [np.hstack(tiles[k : k + COLUMNS]) for k in range(0, len(tiles), COLUMNS)]
    options.out.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(options.out / "sheet.jpg"), np.vstack(rows)[..., ::-1])
    missed = [finding.file for finding, _ in found if finding.box is None]
    false = [asdict(f) for f, _ in seen if f.file.startswith("backgrounds/")]
    lists = {"worst_first": [asdict(f) for f, _ in seen], "missed": missed, "on_backgrounds": false}
    write_file(options.out / "hands.json", json.dumps(lists, indent=1) + "\n")
    losses = np.array([f.loss for f, _ in seen])
    print(f"{len(everything)} pictures, {len(seen)} hands, loss median {np.median(losses):.3f}, worst {losses[0]:.2f}")
    print(f"{len(missed)} labelled hands missed, {len(false)} hands on backgrounds; {options.out / 'sheet.jpg'}")


if __name__ == "__main__":
    main()
