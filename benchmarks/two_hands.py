"""Swapped hands: two hands that touch, cross, leave and come back, followed; and the ten labelled clips of signers.

    python benchmarks/two_hands.py rendered [--seeds 21 22 23 24] [--peer-python MEDIAPIPE_ENV/bin/python]
    python benchmarks/two_hands.py clips ../shared/data [--peer-python MEDIAPIPE_ENV/bin/python]
    python benchmarks/two_hands.py apart [--seeds 21 22] [--count 150]

Ours are known by their track's number. MediaPipe's video mode tells no numbers: it is known by left and right.
`apart`: where two hands are from each other in space, as every crop says and as told (`handscope.infer.two_hands`), in
`count` pictures of touching hands a seed, boxes given, and in the clips' frames in which boxes overlap.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from unittest import mock

import numpy as np
from rich.progress import track as progress

import handscope
from handscope.data.scenes import labelled_clips
from handscope.evaluation.identity import Told, identities, outcomes
from handscope.evaluation.pairs import penetration, relative_root_error
from handscope.evaluation.peer import MediaPipe, find_python
from handscope.evaluation.scenes import rendered_scene, touch
from handscope.geometry.boxes import shared_area, tight_box
from handscope.infer import pipeline
from handscope.infer.frames import VideoReader
from handscope.infer.results import FoundHand
from handscope.infer.two_hands import kept_apart
from handscope.synth.pair_clips import EVENTS, render_pair_clip
from handscope.synth.scene import render_sample
from handscope.synth.scene_set import KINDS
from handscope.types import Sample

FPS, EDGE = 30.0, 12
"""Of the clips; and the frames before and after an event that say who is who."""
EVERY, NEAR = 4, 0.35
"""Of so many frames one is read apart; and how far joints may be off, of their box."""
Follow = Callable[[Iterable[np.ndarray]], Iterator[list[Told]]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kind", choices=("rendered", "clips", "apart"))
    parser.add_argument("data", type=Path, nargs="?")
    parser.add_argument("--seeds", type=int, nargs="+", default=[21, 22, 23, 24])
    parser.add_argument("--count", type=int, default=150)
    parser.add_argument("--peer-python", type=Path)
    options = parser.parse_args()
    if options.kind == "apart":
        apart(options.seeds, options.count)
        return
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


def apart(seeds: Sequence[int], count: int) -> None:
    model = handscope.load()
    pictures: dict[str, list[tuple[Sample, bool]]] = {"touching": []}
    for seed in progress(seeds, "pictures"):
        for n in range(count):
            sample = render_sample(KINDS["touching"], seed, n)
            if touch(sample):
                pictures["touching"].append((sample, True))
        for event in EVENTS:
            for sample in list(render_pair_clip(seed, event))[::EVERY]:
                one, two = (tight_box(hand.joints_2d) for hand in sample.hands)
                if shared_area(one, two) > 0:
                    pictures.setdefault(f"clips: {event}", []).append((sample, False))
    print("| pictures | pairs read | | wrists' offset off by, mm: median | 75 % | in each other, mm: median | mean |")
    print("|---|---|---|---|---|---|---|")
    for name, samples in pictures.items():
        pairs = [pair for sample, given in progress(samples, name) if (pair := read_pair(model, sample, given))]
        told = [kept_apart(hands) for hands, _ in pairs]
        for way, answers in (("as read", [hands for hands, _ in pairs]), ("as told", told)):
            if not answers:
                continue
            off = [
                1000 * relative_root_error((one.joints_3d, two.joints_3d), true)
                for (one, two), (_, true) in zip(answers, pairs, strict=True)
            ]
            deep = [1000 * penetration(one, two) for one, two in answers]
            cells = [*np.percentile(off, [50, 75]).tolist(), np.median(deep), np.mean(deep)]
            print(f"| {name} | {len(pairs)} of {len(samples)} | {way} | {' | '.join(f'{c:.1f}' for c in cells)} |")


def read_pair(
    model: handscope.Pipeline, sample: Sample, given: bool
) -> tuple[list[FoundHand], tuple[np.ndarray, np.ndarray]] | None:
    """Both hands as every crop says, in the labels' order, and their true joints; None unless both are told, with
    joints that lie within `NEAR` of the labelled ones, in shares of their box, in the mean.
    """
    boxes = rendered_scene(sample).boxes if given else None
    with mock.patch.object(pipeline, "kept_apart", list):
        hands = model(sample.image, K=None if sample.K is None else np.asarray(sample.K), boxes=boxes)
    found = []
    for label in sample.hands:
        truth = np.asarray(label.joints_2d)
        off = [np.linalg.norm(hand.joints_2d - truth, axis=1).mean() / np.ptp(truth, axis=0).max() for hand in hands]
        if not off or min(off) > NEAR:
            return None
        found.append(hands[int(np.argmin(off))])
    if found[0] is found[1]:
        return None
    one, two = (np.asarray(label.joints_3d, np.float64) for label in sample.hands)
    return found, (one, two)


def table(counts: dict[tuple[str, str], Counter[str]]) -> None:
    print("| event | model | hands | the same after it | swapped | another number | not told |")
    print("|---|---|---|---|---|---|---|")
    for (event, name), seen in counts.items():
        total = sum(seen.values())
        cells = " | ".join(f"{seen[kind]}" for kind in ("same", "swapped", "new", "lost"))
        print(f"| {event} | {name} | {total} | {cells} |")


if __name__ == "__main__":
    main()
