"""Palms in a picture, by MediaPipe's palm detection network (nn/palm.py), as proposals where hands are.

The network is fully convolutional: the picture goes through it at one size or several, its longer side `SIZES` px, so
that small hands are seen without tiles. A palm's square and points give a hand's crop; left and right it does not know.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from handscope.geometry.boxes import best_of_each
from handscope.geometry.crops import FILL
from handscope.infer.detector import Detection, same_hand
from handscope.infer.weights import Network, check_outputs

OUTPUTS = {"scores", "boxes", "points"}
SIZES = (192, 384)
"""Longer sides of the picture, px, at which the network sees it."""
MULTIPLE = 64
"""The network's pictures have sides that this divides."""
MOST = 40
"""So many palms of a picture are told at most, the best ones."""
WRIST, MIDDLE = 0, 2
"""Of the network's seven points."""
HAND_PALMS = 2.6
"""Sides of a palm's square that the crop of its hand has."""
ADVANCE = 0.5
"""How far the crop's centre lies from the palm's towards the middle knuckle, in the palm's sides."""


class PalmDetector:
    """The palm network; call it with an RGB picture for the hands it proposes, best first."""

    def __init__(self, network: Network, *, threshold: float | None = None, sizes: Sequence[int] = SIZES) -> None:
        check_outputs(network, OUTPUTS)
        if not sizes or min(sizes) < MULTIPLE:
            raise ValueError(f"sizes must be {MULTIPLE} px and more, got {tuple(sizes)}")
        self.network = network
        self.threshold = float(network.card.get("threshold", 0.3)) if threshold is None else threshold
        self.sizes = tuple(sizes)

    def __call__(self, image: NDArray[np.uint8]) -> list[Detection]:
        """Hands in `image` RGB uint8 (H, W, 3), each once, best first."""
        return self.search([image])[0]

    def search(self, images: Sequence[NDArray[np.uint8]]) -> list[list[Detection]]:
        """The hands of each of `images`."""
        return [self._read([self._see(image, size) for size in self._sizes(image)]) for image in images]

    def _sizes(self, image: NDArray[np.uint8]) -> list[int]:
        """The sizes worth looking at: the smallest, and those that do not enlarge the picture."""
        smallest, longer = min(self.sizes), max(image.shape[:2])
        return [size for size in self.sizes if size == smallest or size <= longer]

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
        extents = HAND_PALMS * (boxes[:, 2:] - boxes[:, :2]).max(1)
        good = (length > 1e-6) & (extents > 1)
        scores, boxes, extents, up = scores[good], boxes[good], extents[good], up[good] / length[good, None]
        centres = (boxes[:, :2] + boxes[:, 2:]) / 2 + ADVANCE / HAND_PALMS * extents[:, None] * up
        half = extents[:, None] * FILL / 2
        hands = np.concatenate([centres - half, centres + half], 1)
        return [
            Detection(
                box=hands[k], up=up[k], centre=centres[k], extent=float(extents[k]), right=0.5, score=float(scores[k])
            )
            for k in best_of_each(scores, same_hand(hands, centres, extents))[:MOST]
        ]


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
