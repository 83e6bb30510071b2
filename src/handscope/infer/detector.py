"""Where hands may be: one network over the picture, at one size or several, and non-maximum suppression.

The network (nn/detector.py) is fully convolutional, so that small hands are seen without tiles: the picture goes
through it with its longer side `SIZES` px. It gives two kinds of answers: its own, and those of MediaPipe's palm
network that it stands on, whose squares and points give a hand's crop too; left and right that network does not know.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from handscope.geometry.boxes import best_of_each, box_centre, longer_side, same_place
from handscope.geometry.crops import FILL
from handscope.geometry.looks import MULTIPLE, shrunk, to_picture, worthwhile
from handscope.infer.weights import Network, check_outputs

OUTPUTS = {"scores", "boxes", "up", "crops", "right", "palm_scores", "palm_boxes", "palm_points"}
SIZES = (192, 384)
"""Longer sides of the picture, px, at which the network sees it."""
MAX_PROPOSALS = 40
"""So many places of a picture are looked at at most, the best ones."""
ALONE = 0.3
"""Score from which an answer is a place of its own: weaker ones lie beside every sure hand."""
WRIST, MIDDLE = 0, 2
"""Of the palm network's seven points."""
HAND_PALMS = 2.6
"""Sides of a palm's square that the crop of its hand has."""
ADVANCE = 0.5
"""How far the crop's centre lies from the palm's towards the middle knuckle, in the palm's sides."""


@dataclass(frozen=True, kw_only=True)
class Detection:
    """One hand in picture pixels: tight `box` of the joints (4,), upright crop and handedness.

    `centre` (2,) and `extent`, the picture px that its square covers, place the upright crop; `up` (2,) is the unit
    direction wrist to middle knuckle; `right` is the probability of a right hand, `score` that of a hand; `beside`: it
    is likely to be another answer's hand.
    """

    box: NDArray[np.floating]
    up: NDArray[np.floating]
    centre: NDArray[np.floating]
    extent: float
    right: float
    score: float
    beside: bool = False


def card_threshold(network: Network) -> float:
    """The least score of a detection that the network's card advises."""
    return float(network.card.get("threshold", 0.3))


@dataclass(frozen=True, eq=False)
class Detector:
    """The detector network; call it with an RGB picture for the hands it proposes, best first.

    `threshold` is the least score of a detection, `sizes` are those at which the network sees each picture.
    """

    network: Network
    threshold: float
    sizes: tuple[int, ...] = SIZES

    def __post_init__(self) -> None:
        check_outputs(self.network, OUTPUTS)
        if not self.sizes or min(self.sizes) < MULTIPLE:
            raise ValueError(f"sizes must be {MULTIPLE} px and more, got {self.sizes}")

    def __call__(self, image: NDArray[np.uint8], *, least: float = 0.0) -> list[Detection]:
        """Hands in `image` RGB uint8 (H, W, 3), each once, best first, `MAX_PROPOSALS` at most; of those above the
        threshold the ones of the `least` score and more.
        """
        return self.search([image], least=least)[0]

    def search(self, images: Sequence[NDArray[np.uint8]], *, least: float = 0.0) -> list[list[Detection]]:
        """The hands of each of `images`; looks of one size share batches, as many as the device takes."""
        least = max(least, self.threshold)
        own: list[list[Detection]] = [[] for _ in images]
        palms: list[list[Detection]] = [[] for _ in images]
        for part in _looks(images, self.sizes, self.network.device.looks):
            answers = self.network.run(np.stack([look.shown for look in part]))
            for k, look in enumerate(part):
                out = {name: value[k] for name, value in answers.items()}
                own[look.picture] += own_answers(out, least, look.scale)
                palms[look.picture] += palm_answers(out, least, look.scale)
        return [merged(*both)[:MAX_PROPOSALS] for both in zip(own, palms, strict=True)]


class _Look(NamedTuple):
    """A picture, by its number, as the network sees it at one size (h, w, 3), and the `scale` (2,) of that."""

    picture: int
    shown: NDArray[np.uint8]
    scale: NDArray[np.float64]


def _looks(images: Sequence[NDArray[np.uint8]], sizes: Sequence[int], most: int) -> Iterator[list[_Look]]:
    """Every look at every picture; those of one shape together, at most `most` at once, each picture's in order of
    `sizes`.
    """
    for size in sizes:
        waiting: dict[tuple[int, ...], list[_Look]] = {}
        for i, image in enumerate(images):
            if size not in worthwhile(image, sizes):
                continue
            look = _Look(i, *shrunk(image, size))
            alike = waiting.setdefault(look.shown.shape, [])
            alike.append(look)
            if len(alike) == most:
                yield waiting.pop(look.shown.shape)
        yield from waiting.values()


def own_answers(out: dict[str, NDArray[np.floating]], threshold: float, scale: NDArray[np.float64]) -> list[Detection]:
    """What the cells of one look say above the threshold, in picture px."""
    keep = np.flatnonzero((out["scores"] >= threshold) & (out["crops"][:, 2] > 1.0))
    boxes = to_picture(out["boxes"][keep].reshape(-1, 2, 2), scale).reshape(-1, 4)
    centres = to_picture(out["crops"][keep, :2], scale)
    extents = out["crops"][keep, 2].astype(np.float64) / scale.mean()
    return [
        Detection(
            box=boxes[k],
            up=out["up"][keep[k]].astype(np.float64),
            centre=centres[k],
            extent=float(extents[k]),
            right=float(out["right"][keep[k]]),
            score=float(out["scores"][keep[k]]),
        )
        for k in range(len(keep))
    ]


def palm_answers(out: dict[str, NDArray[np.floating]], threshold: float, scale: NDArray[np.float64]) -> list[Detection]:
    """What the palm network says of one look above the threshold, as hands in picture px."""
    keep = np.flatnonzero(out["palm_scores"] >= threshold)
    scores = out["palm_scores"][keep]
    palms = to_picture(out["palm_boxes"][keep].reshape(-1, 2, 2), scale).reshape(-1, 4)
    points = to_picture(out["palm_points"][keep], scale)
    up = points[:, MIDDLE] - points[:, WRIST]
    length = np.hypot(*up.T)
    extents = HAND_PALMS * longer_side(palms)
    up = up / np.maximum(length, 1e-9)[:, None]
    centres = box_centre(palms) + ADVANCE / HAND_PALMS * extents[:, None] * up
    half = extents[:, None] * FILL / 2
    hands = np.concatenate([centres - half, centres + half], 1)
    return [
        Detection(
            box=hands[k], up=up[k], centre=centres[k], extent=float(extents[k]), right=0.5, score=float(scores[k])
        )
        for k in np.flatnonzero((length > 1e-6) & (extents > 1))
    ]


def merged(own: Sequence[Detection], palms: Sequence[Detection]) -> list[Detection]:
    """Each hand once, best first; the score of one that both kinds of answers show is that of either, as if they were
    independent. One under `ALONE` that lies where a better one does, which yields to yet a better one elsewhere, is
    told as `beside` it.
    """
    found = [*own, *palms]
    if not found:
        return []
    boxes, centres = np.stack([d.box for d in found]), np.stack([d.centre for d in found])
    extents, scores = np.array([d.extent for d in found]), np.array([d.score for d in found])
    same = same_place(boxes, centres, extents)
    wrong = np.where(same, 1 - scores, 1.0)
    either = 1 - wrong[:, : len(own)].min(1, initial=1.0) * wrong[:, len(own) :].min(1, initial=1.0)
    beside = (same & (scores > scores[:, None])).any(1) & (scores < ALONE)
    kept = [replace(found[k], score=float(either[k]), beside=bool(beside[k])) for k in best_of_each(scores, same)]
    return sorted(kept, key=lambda detection: -detection.score)


def sizes_for(tiles: int) -> tuple[int, ...]:
    """The sizes at which the network sees what it would see in `tiles` x `tiles` parts."""
    return SIZES if tiles == 1 else (*SIZES, *[SIZES[-1] * n for n in range(2, tiles + 1)])
