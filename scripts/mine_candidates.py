"""What the shipped networks take for hands in pictures whose hands are all labelled, and where else nothing is: the
negatives of presence, and frames of hands without joints (`handscope.data.candidates`).

    python scripts/mine_candidates.py people ../shared/data recipes/labels/candidates_people.jsonl.gz
    python scripts/mine_candidates.py shards runs/data/scenes runs/data/scenes_candidates.jsonl.gz

What the detector proposes at a score of 0.08 and more (16 places a picture at most) is looked at once. A place shows a
labelled hand if the box of its joints and the hand's have an IoU of 0.4; it shows none if that is under 0.15, less than
three tenths of it lie in a hand's box and less than a tenth in a box that is ignored. Two places of each picture are
chosen at random.
"""

from __future__ import annotations

import argparse
import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from handscope.data.catalog import open_shards
from handscope.data.people import PeopleDataset
from handscope.files import write_file
from handscope.geometry.boxes import box_area, box_iou, shared_area, tight_box
from handscope.geometry.crops import FILL, upright_frame
from handscope.infer.crop_policy import detected_crop, next_crop
from handscope.infer.models import Models, open_models
from handscope.types import Handedness, Sample, SampleSource

LEAST_SCORE, MOST = 0.08, 16
SAME_IOU, OTHER_IOU = 0.4, 0.15
IN_HANDS, IN_IGNORED = 0.3, 0.1
AT_RANDOM = 2
RANDOM_EXTENTS = (0.06, 0.5)
"""Of the picture's longer side."""

Boxes = NDArray[np.float64]
Place = list[Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kind", choices=("people", "shards"))
    parser.add_argument("path", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--count", type=int, help="of the source's pictures; default: all")
    arguments = parser.parse_args()
    source: SampleSource = (
        PeopleDataset(arguments.path) if arguments.kind == "people" else open_shards(str(arguments.path))
    )
    models = open_models(min_score=LEAST_SCORE)
    count = min(len(source), arguments.count or len(source))
    lines = [json.dumps(mined(source[i], models, np.random.default_rng(i))) for i in track(range(count))]
    write_file(arguments.out, gzip.compress("\n".join([*lines, ""]).encode(), mtime=0))


def mined(sample: Sample, models: Models, rng: np.random.Generator) -> dict[str, Any]:
    """The line of one picture."""
    hands, ignored = labelled_boxes(sample)
    found: list[Place] = []
    none: list[Place] = []
    for box, place in proposed(sample.image, models):
        overlap = box_iou(box, hands)
        if overlap.max(initial=0) >= SAME_IOU:
            found.append([int(overlap.argmax()), *place])
        elif sample.complete and is_empty(box, hands, ignored):
            none.append(place)
    if sample.complete:
        none += [place for box, place in anywhere(sample.image, rng) if is_empty(box, hands, ignored)]
    return {"key": sample.key, "none": none, "hands": found}


def labelled_boxes(sample: Sample) -> tuple[Boxes, Boxes]:
    """Those of a picture's hands (n, 4) and of what is ignored in it (m, 4), px."""
    seen = [tight_box(hand.joints_2d) if hand.box is None else hand.box for hand in sample.hands]
    ignored = np.zeros((0, 4)) if sample.ignored is None else np.asarray(sample.ignored, np.float64)
    return np.array(seen, np.float64).reshape(-1, 4), ignored


def proposed(image: NDArray[np.uint8], models: Models) -> list[tuple[Boxes, Place]]:
    """The joints' box (4,) px and the frame of every place that looks like a hand."""
    detections = models.detector(image)[:MOST]
    if not detections:
        return []
    views = [(image, detected_crop(detection, models.estimator.size)) for detection in detections]
    assert models.aligner is not None
    glances = models.aligner.align(views, models.estimator.size)
    estimates = models.estimator(image, [next_crop(glance, models.estimator.size) for glance in glances])
    found = []
    for estimate in estimates:
        centre, extent, up = upright_frame(estimate.joints_2d)
        side: Handedness = "left" if estimate.crop.mirrored else "right"
        found.append((tight_box(estimate.joints_2d).astype(np.float64), place_of(centre, extent, up, side)))
    return found


def anywhere(image: NDArray[np.uint8], rng: np.random.Generator) -> list[tuple[Boxes, Place]]:
    """The same of places at random, of any direction and side."""
    height, width = image.shape[:2]
    found = []
    for _ in range(AT_RANDOM):
        extent = float(np.exp(rng.uniform(*np.log(RANDOM_EXTENTS)))) * max(height, width)
        centre, angle = rng.uniform(0, [width, height]), rng.uniform(-np.pi, np.pi)
        half = extent * FILL / 2
        side: Handedness = "left" if rng.random() < 0.5 else "right"
        up = np.array([np.sin(angle), -np.cos(angle)])
        found.append((np.concatenate([centre - half, centre + half]), place_of(centre, extent, up, side)))
    return found


def place_of(centre: NDArray[np.floating], extent: float, up: NDArray[np.floating], side: Handedness) -> Place:
    return [*np.round(centre, 1).tolist(), round(float(extent), 1), *np.round(up, 3).tolist(), side]


def is_empty(box: Boxes, hands: Boxes, ignored: Boxes) -> bool:
    """Whether a place shows no hand for sure."""
    area = max(float(box_area(box)), 1e-6)
    inside = lambda boxes: shared_area(box[None], boxes).max(initial=0) / area  # noqa: E731
    overlap = box_iou(box, hands).max(initial=0)
    return bool(overlap < OTHER_IOU and inside(hands) < IN_HANDS and inside(ignored) < IN_IGNORED)


if __name__ == "__main__":
    main()
