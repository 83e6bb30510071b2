"""Swapped hands: two hands that touch, cross, leave and come back, followed; and the ten labelled clips of signers.

    python benchmarks/two_hands.py rendered [--seeds 21 22 23 24] [--peer-python MEDIAPIPE_ENV/bin/python]
    python benchmarks/two_hands.py clips ../shared/data [--peer-python MEDIAPIPE_ENV/bin/python]

Ours are known by their track's number. MediaPipe's video mode tells no numbers: it is known by left and right.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np
from rich.progress import track as progress

import handscope
from handscope.data.scenes import labelled_clips
from handscope.evaluation.identity import Told, identities, outcomes
from handscope.evaluation.peer import MediaPipe, find_python
from handscope.geometry.boxes import tight_box
from handscope.infer.frames import VideoReader
from handscope.synth.pair_clips import EVENTS, render_pair_clip
from handscope.types import Sample

FPS, EDGE = 30.0, 12
"""Of the clips; and the frames before and after an event that say who is who."""
Follow = Callable[[Iterable[np.ndarray]], Iterator[list[Told]]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kind", choices=("rendered", "clips"))
    parser.add_argument("data", type=Path, nargs="?")
    parser.add_argument("--seeds", type=int, nargs="+", default=[21, 22, 23, 24])
    parser.add_argument("--peer-python", type=Path)
    options = parser.parse_args()
    with ExitStack() as stack:
        models: dict[str, Follow] = {"handscope": ours(handscope.load())}
        if options.peer_python is not None:
            peer = stack.enter_context(MediaPipe(find_python(options.peer_python), options=["--video"]))
            models["MediaPipe"] = theirs(peer)
        if options.kind == "rendered":
            rendered(models, options.seeds)
        else:
            real(models, options.data)


def ours(model: handscope.Pipeline) -> Follow:
    def follow(pictures: Iterable[np.ndarray]) -> Iterator[list[Told]]:
        for frame in model.video(pictures, fps=FPS):
            yield [Told(tight_box(hand.joints_2d), hand.track) for hand in frame.hands]

    return follow


def theirs(peer: MediaPipe) -> Follow:
    def follow(pictures: Iterable[np.ndarray]) -> Iterator[list[Told]]:
        peer.begin_video()
        for picture in pictures:
            hands = [hand for hand in peer(picture) if hand.score >= 0.5]
            yield [Told(tight_box(hand.joints_2d), hand.handedness) for hand in hands]

    return follow


def rendered(models: dict[str, Follow], seeds: Sequence[int]) -> None:
    counts: dict[tuple[str, str], Counter[str]] = {}
    for seed in progress(seeds, "clips"):
        for event in EVENTS:
            clip = list(render_pair_clip(seed, event))
            boxes = [shown(sample) for sample in clip]
            for name, follow in models.items():
                told = follow(sample.image for sample in clip)
                who = [identities(truth, answer) for truth, answer in zip(boxes, told, strict=True)]
                counts.setdefault((event, name), Counter()).update(outcomes(who, EDGE))
    table(counts)


def shown(sample: Sample) -> list[np.ndarray | None]:
    """The boxes of hands that are to be seen."""
    return [
        tight_box(hand.joints_2d) if hand.visible is not None and hand.visible.sum() >= 8 else None
        for hand in sample.hands
    ]


def real(models: dict[str, Follow], data: Path) -> None:
    """Ten clips of one signer each: a swap is a track (or a side) that is told of the other hand later on."""
    counts: dict[tuple[str, str], Counter[str]] = {}
    for clip in progress(labelled_clips(data), "clips"):
        for name, follow in models.items():
            last: dict[str, object] = {}
            tally = counts.setdefault(("ten clips", name), Counter())
            for i, answer in enumerate(follow(pictures_of(clip.path))):
                if i not in clip.frames:
                    continue
                scene = clip.frames[i]
                who = identities(list(scene.boxes), answer)
                for side, one in zip(scene.sides, who, strict=True):
                    if one is None or side is None:
                        continue
                    other = "left" if side == "right" else "right"
                    swapped = last.get(other) == one and last.get(side) not in (None, one)
                    new = not swapped and last.get(side) not in (None, one)
                    tally["swapped" if swapped else "new" if new else "same"] += 1
                    last[side] = one
    table(counts)


def pictures_of(path: Path) -> Iterator[np.ndarray]:
    with VideoReader(path) as reader:
        for _, _, picture in reader.pictures():
            yield picture.image


def table(counts: dict[tuple[str, str], Counter[str]]) -> None:
    print("| event | model | hands | the same after it | swapped | another number | not told |")
    print("|---|---|---|---|---|---|---|")
    for (event, name), seen in counts.items():
        total = sum(seen.values())
        cells = " | ".join(f"{seen[kind]}" for kind in ("same", "swapped", "new", "lost"))
        print(f"| {event} | {name} | {total} | {cells} |")


if __name__ == "__main__":
    main()
