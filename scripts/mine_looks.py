"""What the shipped networks take for hands, and whether it is one: what the context network learns from.

    python scripts/mine_looks.py ../shared/data runs/looks.npz [--scenes 800] [--workers 2]
    python scripts/mine_looks.py ../shared/data runs/looks_held_out.npz --held-out

Detector, aligner and estimator look at photographs of people (train part; with --held-out those of the sources that
train nothing), at photographs of single hands and at rendered scenes, and what is a hand to them at a low score is kept
with what lies round it (`handscope.data.looks`). It is one where the box of its joints and a labelled hand's have the
IoU that means "found"; in pictures whose hands are all labelled all else is none, but for what lies on an `ignore` box.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from mine_candidates import labelled_boxes
from numpy.typing import NDArray
from rich.progress import track

from handscope.data.looks import LARGER, Look, write_looks
from handscope.data.people import PeopleDataset
from handscope.data.photos import PhotoDataset
from handscope.evaluation.matching import FOUND_IOU
from handscope.geometry.boxes import box_area, box_iou, shared_area, tight_box
from handscope.infer import detection
from handscope.infer.context import HANDS, surroundings
from handscope.infer.effort import FULL
from handscope.infer.models import Models, open_models
from handscope.infer.refinement import refine
from handscope.nn.context import CROP_PX
from handscope.synth.config import SynthConfig
from handscope.synth.scene import render_sample
from handscope.types import HandLabel, Sample

LEAST_SCORE = 0.2
EFFORT = replace(FULL, proposed=0.2, unlikely=0.05, first_score=0.5)
"""Many more than will ever be judged."""
EVERY_PHOTO = 3
"""Of the photographs of single hands, whose places are easy, every third."""
SEED = 79
IN_IGNORED = 0.1
"""Share of a place from which it lies on an `ignore` box."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--held-out", action="store_true")
    parser.add_argument("--scenes", type=int, default=800)
    parser.add_argument("--count", type=int, help="of the photographs; default: all")
    parser.add_argument("--workers", type=int, default=1)
    options = parser.parse_args()
    with ProcessPoolExecutor(options.workers) as pool:
        parts = [pool.submit(mined, options, number) for number in range(options.workers)]
        looks = [look for part in parts for look in part.result()]
    write_looks(options.out, looks)
    kinds = {kind: sum(look.source == kind for look in looks) for kind in sorted({look.source for look in looks})}
    print(f"{options.out}: {len(looks)} looks, {np.mean([look.hand for look in looks]):.1%} at hands, {kinds}")


def mined(options: argparse.Namespace, number: int) -> list[Look]:
    """The looks of one of the processes, by its number."""
    models = replace(open_models(min_score=LEAST_SCORE), effort=EFFORT, context=None)
    looks = []
    for sample in samples(options, number):
        looks += [Look(crop, hand, sample.source) for crop, hand in looked(sample, models)]
    return looks


def samples(options: argparse.Namespace, number: int) -> Iterator[Sample]:
    """The pictures of one of the processes."""
    mine = slice(number, None, options.workers)
    people = PeopleDataset(options.data, "held-out" if options.held_out else "train")
    for i in track(range(len(people))[: options.count][mine], "people", disable=number > 0):
        sample = people[i]
        yield sample
        if not options.held_out:
            yield mirrored(sample)
    if options.held_out:
        return
    photos = PhotoDataset(options.data)
    for i in track(range(0, len(photos), EVERY_PHOTO)[: options.count][mine], "photos", disable=number > 0):
        yield photos[i]
    config = SynthConfig(scenes=True, scene_size=320)
    for i in track(range(options.scenes)[mine], "scenes", disable=number > 0):
        yield render_sample(config, SEED, i)


def mirrored(sample: Sample) -> Sample:
    """The picture left to right, with the boxes of what is labelled: to the networks, other hands at other places."""
    width = sample.image.shape[1]
    hands, ignored = labelled_boxes(sample)
    turn = lambda boxes: np.column_stack([width - 1 - boxes[:, 2], boxes[:, 1], width - 1 - boxes[:, 0], boxes[:, 3]])  # noqa: E731
    return replace(
        sample,
        image=np.ascontiguousarray(sample.image[:, ::-1]),
        hands=tuple(HandLabel(box=box) for box in turn(hands)),
        ignored=turn(ignored),
    )


def looked(sample: Sample, models: Models) -> Iterator[tuple[NDArray[np.uint8], bool]]:
    """What lies round each place of one picture that is known to be a hand or none, and which it is."""
    (candidates,) = detection.search(models, [sample.image])
    for estimate in refine(models.estimator, [sample.image] * len(candidates), [c.first for c in candidates]):
        hand = is_hand(tight_box(estimate.joints_2d).astype(np.float64), sample)
        if hand is not None:
            crop = surroundings(estimate.joints_2d, round(CROP_PX * LARGER), hands=HANDS * LARGER)
            yield crop.extract(sample.image, border=cv2.BORDER_CONSTANT), hand


def is_hand(box: NDArray[np.float64], sample: Sample) -> bool | None:
    """Whether the box (4,) of joints is that of a labelled hand; None where that is not known."""
    hands, ignored = labelled_boxes(sample)
    if box_iou(box, hands).max(initial=0) >= FOUND_IOU:
        return True
    unknown = shared_area(box[None], ignored).max(initial=0) >= IN_IGNORED * max(float(box_area(box)), 1e-6)
    return None if unknown or not sample.complete else False


if __name__ == "__main__":
    main()
