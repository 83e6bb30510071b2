"""Palms in a picture, by MediaPipe's palm detection network (nn/palm.py): where hands may be.

The network is fully convolutional: the picture goes through it at one size or several, its longer side `SIZES` px, so
that small hands are seen without tiles. A palm's square and points give a hand's crop; left and right it does not know.
`Proposals` puts it beside handscope's own detector, which knows what shows no palm: fists, held things, hands that fill
the picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from handscope.geometry.boxes import best_of_each, box_centre, longer_side
from handscope.geometry.crops import FILL
from handscope.infer.detector import Detection, Detector, same_hand, suppress
from handscope.infer.weights import Network, check_outputs

OUTPUTS = {"scores", "boxes", "points"}
SIZES = (192, 384)
"""Longer sides of the picture, px, at which the network sees it."""
MAX_ENLARGED = 1.3
"""How much larger than it is a picture may be seen, if the smallest size does not ask for more."""
MULTIPLE = 32
"""The network's pictures have sides that this divides."""
MAX_PROPOSALS = 40
"""So many places of a picture are looked at at most, the best ones."""
WRIST, MIDDLE = 0, 2
"""Of the network's seven points."""
HAND_PALMS = 2.6
"""Sides of a palm's square that the crop of its hand has."""
ADVANCE = 0.5
"""How far the crop's centre lies from the palm's towards the middle knuckle, in the palm's sides."""


@dataclass(frozen=True, eq=False)
class PalmDetector:
    """The palm network; call it with an RGB picture for the hands it proposes, best first.

    `threshold` is the least score of a palm, `sizes` are those at which the network sees each picture.
    """

    network: Network
    threshold: float
    sizes: tuple[int, ...] = SIZES

    def __post_init__(self) -> None:
        check_outputs(self.network, OUTPUTS)
        if not self.sizes or min(self.sizes) < MULTIPLE:
            raise ValueError(f"sizes must be {MULTIPLE} px and more, got {self.sizes}")

    def __call__(self, image: NDArray[np.uint8]) -> list[Detection]:
        """Hands in `image` RGB uint8 (H, W, 3), each once, best first."""
        return self.search([image])[0]

    def search(self, images: Sequence[NDArray[np.uint8]]) -> list[list[Detection]]:
        """The hands of each of `images`."""
        return [self._read([self._see(image, size) for size in self._sizes(image)]) for image in images]

    def _sizes(self, image: NDArray[np.uint8]) -> list[int]:
        """The sizes worth looking at: the smallest, and those that hardly enlarge the picture."""
        smallest, most = min(self.sizes), MAX_ENLARGED * max(image.shape[:2])
        return [size for size in self.sizes if size == smallest or size <= most]

    def _see(self, image: NDArray[np.uint8], size: int) -> tuple[NDArray[np.floating], ...]:
        """Scores (k,), squares (k, 4) and points (k, 7, 2) above the threshold, picture px."""
        small, scale = shrunk(image, size)
        out = self.network.run(small[None])
        keep = np.flatnonzero(out["scores"][0] >= self.threshold)
        boxes, points = out["boxes"][0, keep].reshape(-1, 2, 2), out["points"][0, keep]
        to_picture = lambda places: (places.astype(np.float64) + 0.5) / scale - 0.5  # noqa: E731
        return out["scores"][0, keep], to_picture(boxes).reshape(-1, 4), to_picture(points)

    def _read(self, seen: Sequence[tuple[NDArray[np.floating], ...]]) -> list[Detection]:
        """Detections of what was seen at all sizes, each hand once."""
        scores, boxes, points = (np.concatenate(parts) for parts in zip(*seen, strict=True))
        up = points[:, MIDDLE] - points[:, WRIST]
        length = np.hypot(*up.T)
        extents = HAND_PALMS * longer_side(boxes)
        good = (length > 1e-6) & (extents > 1)
        scores, boxes, extents, up = scores[good], boxes[good], extents[good], up[good] / length[good, None]
        centres = box_centre(boxes) + ADVANCE / HAND_PALMS * extents[:, None] * up
        half = extents[:, None] * FILL / 2
        hands = np.concatenate([centres - half, centres + half], 1)
        return [
            Detection(
                box=hands[k], up=up[k], centre=centres[k], extent=float(extents[k]), right=0.5, score=float(scores[k])
            )
            for k in best_of_each(scores, same_hand(hands, centres, extents))[:MAX_PROPOSALS]
        ]


@dataclass(frozen=True, eq=False)
class Proposals:
    """Both detectors as one: what either sees, each hand once, best first, `MAX_PROPOSALS` at most."""

    detector: Detector
    palms: PalmDetector | None = None

    def __call__(self, image: NDArray[np.uint8]) -> list[Detection]:
        """The hands that may be in `image` RGB uint8 (H, W, 3)."""
        return self.search([image])[0]

    def search(self, images: Sequence[NDArray[np.uint8]]) -> list[list[Detection]]:
        """Those in each of `images`."""
        own = self.detector.search(images)
        if self.palms is None:
            return [found[:MAX_PROPOSALS] for found in own]
        both = zip(own, self.palms.search(images), strict=True)
        return [suppress([*found, *palms])[:MAX_PROPOSALS] for found, palms in both]


def sizes_for(tiles: int) -> tuple[int, ...]:
    """The sizes at which the palm network sees what the detector sees in `tiles` x `tiles` parts."""
    return SIZES if tiles == 1 else (*SIZES, *[SIZES[-1] * n for n in range(2, tiles + 1)])


def shrunk(image: NDArray[np.uint8], size: int) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """The picture with a longer side of `size` px, black to the right and below up to multiples of `MULTIPLE`; and the
    scale (2,) of its width and height.
    """
    height, width = image.shape[:2]
    ratio = size / max(height, width)
    columns, rows = max(1, round(width * ratio)), max(1, round(height * ratio))
    method = cv2.INTER_AREA if ratio < 1 else cv2.INTER_LINEAR
    small = cv2.resize(image, (columns, rows), interpolation=method)
    canvas = np.zeros((-(-rows // MULTIPLE) * MULTIPLE, -(-columns // MULTIPLE) * MULTIPLE, 3), np.uint8)
    canvas[:rows, :columns] = small
    return canvas, np.array([columns / width, rows / height])
