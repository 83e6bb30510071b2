"""Pictures without hands from photographs with them: what lies beside, above or below all the boxes.

There are no held-out pictures without a hand; their hand-free parts are what a false alarm can be measured on. A
forearm that leaves its box may be in them, which makes them harder than an empty room.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from handscope.data.photos import PhotoDataset
from handscope.evaluation.protocols import Scores
from handscope.geometry.boxes import longer_side
from handscope.types import Hand, Sample

MARGIN = 0.15
"""The boxes are widened by this share of their larger side first."""
SMALLEST_PX = 64
SMALLEST_SHARE = 0.15
"""Parts with a shorter side or a smaller share of the picture than these are left out."""


class HandFreeParts:
    """Map-style: the largest hand-free part of every photograph that has one, as a `Sample` without hands."""

    def __init__(self, photos: PhotoDataset) -> None:
        self.photos = photos
        self.parts: list[tuple[int, tuple[int, int, int, int]]] = []
        for i, photo in enumerate(photos.photos):
            boxes = [hand.box for hand in photo.hands if hand.box is not None]
            if len(boxes) == len(photo.hands):  # a hand without a box may be anywhere
                width, height = photo.size
                part = largest_free_part(boxes, width, height)
                if part is not None:
                    self.parts.append((i, part))

    def __len__(self) -> int:
        return len(self.parts)

    def __getitem__(self, i: int) -> Sample:
        index, (x0, y0, x1, y1) = self.parts[i]
        sample = self.photos[index]
        return replace(sample, image=np.ascontiguousarray(sample.image[y0:y1, x0:x1]), hands=())


def largest_free_part(boxes: Sequence[ArrayLike], width: int, height: int) -> tuple[int, int, int, int] | None:
    """The largest rectangle (x0, y0, x1, y1) left of, right of, above or below all boxes; None if that is small."""
    if not boxes:
        return 0, 0, width, height
    corners = np.array(boxes, np.float64)
    grow = MARGIN * longer_side(corners)[:, None]
    x0, y0 = np.floor((corners[:, :2] - grow).min(0)).clip(0, (width, height)).astype(int).tolist()
    x1, y1 = np.ceil((corners[:, 2:] + grow).max(0)).clip(0, (width, height)).astype(int).tolist()
    parts = [(0, 0, x0, height), (x1, 0, width, height), (0, 0, width, y0), (0, y1, width, height)]
    best = max(parts, key=lambda p: (p[2] - p[0]) * (p[3] - p[1]))
    sides = best[2] - best[0], best[3] - best[1]
    large = min(sides) >= SMALLEST_PX and sides[0] * sides[1] >= SMALLEST_SHARE * width * height
    return best if large else None


def score_hand_free(samples: Sequence[Sample], predictions: Sequence[Sequence[Hand]]) -> Scores:
    """Every hand seen is a false alarm."""
    alarms = sum(len(hands) for hands in predictions)
    return {"pictures": float(len(samples)), "false_alarms_per_picture": alarms / max(len(samples), 1)}
