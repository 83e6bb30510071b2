"""Where the hands are: one small network over the letterboxed picture, and non-maximum suppression.

For a large picture with small hands the same network also looks at overlapping tiles (`tiles=2`: two by
two, and so on); hands cut by an inner border of a tile are left to the tile that shows them whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from handscope.geometry.boxes import best_of_each, box_iou
from handscope.geometry.crops import Crop, crop_around
from handscope.infer.weights import Network, check_outputs

OUTPUTS = {"scores", "boxes", "up", "crops", "right"}
BATCH = 8
"""Pictures (or tiles) that go through the network at once."""
TILE_OVERLAP = 0.25
"""Share of a tile that its neighbour shows too."""


@dataclass(frozen=True, kw_only=True)
class Detection:
    """One hand in picture pixels: tight `box` of the joints (4,), upright crop and handedness.

    `centre` (2,) and `extent`, the picture px that its square covers, place the upright crop; `up` (2,) is the unit
    direction wrist to middle knuckle; `right` is the probability of a right hand, `score` that of a hand.
    """

    box: NDArray[np.floating]
    up: NDArray[np.floating]
    centre: NDArray[np.floating]
    extent: float
    right: float
    score: float


def card_threshold(network: Network) -> float:
    """The least score of a detection that the network's card advises."""
    return float(network.card.get("threshold", 0.3))


def letterbox(size: int, x0: float, y0: float, x1: float, y1: float) -> Crop:
    """The whole rectangle (pixel centres x0..x1 - 1, y0..y1 - 1) centred in a square of `size` px."""
    centre = ((x0 + x1 - 1) / 2, (y0 + y1 - 1) / 2)
    return crop_around(centre, max(x1 - x0, y1 - y0), (0.0, -1.0), size=size)


@dataclass(frozen=True, eq=False)
class Detector:
    """The detector network; call it with an RGB picture for its hands, best first.

    `threshold` is the least score of a detection; with `tiles` above 1 the network also sees so many by so many parts
    of each picture.
    """

    network: Network
    threshold: float
    tiles: int = 1

    def __post_init__(self) -> None:
        check_outputs(self.network, OUTPUTS)
        if self.tiles < 1:
            raise ValueError(f"tiles must be 1 or more, got {self.tiles}")

    def __call__(self, image: NDArray[np.uint8]) -> list[Detection]:
        """Hands in `image` RGB uint8 (H, W, 3), each once, best first."""
        return self.search([image])[0]

    def search(self, images: Sequence[NDArray[np.uint8]]) -> list[list[Detection]]:
        """The hands of each of `images`; the network sees them in batches of `BATCH`."""
        regions = [(number, region) for number, image in enumerate(images) for region in self._regions(image)]
        found: list[list[Detection]] = [[] for _ in images]
        for start in range(0, len(regions), BATCH):
            part = regions[start : start + BATCH]
            views = [_view(images[number], region, self.network.input_size) for number, region in part]
            out = self.network.run(np.stack([small for _, small in views]))
            for i, (number, region) in enumerate(part):
                one = {name: value[i] for name, value in out.items()}
                height, width = images[number].shape[:2]
                detections = self._read(one, views[i][0], region)
                found[number] += [d for d in detections if not _is_cut(d, region, width, height)]
        return [suppress(detections) for detections in found]

    def _regions(self, image: NDArray[np.uint8]) -> list[tuple[int, int, int, int]]:
        """The whole picture and, if asked for, its tiles: (x0, y0, x1, y1)."""
        height, width = image.shape[:2]
        tiles = tile_boxes(width, height, self.tiles) if self.tiles > 1 else ()
        return [(0, 0, width, height), *tiles]

    def _read(
        self, out: dict[str, NDArray[np.floating]], view: Crop, region: tuple[int, int, int, int]
    ) -> list[Detection]:
        """Detections above the threshold inside `region`, in picture px, each hand once."""
        keep = np.flatnonzero((out["scores"] >= self.threshold) & (out["crops"][:, 2] > 1.0))
        corner = np.array(region[:2], np.float64)
        boxes = (view.invert(out["boxes"][keep].reshape(-1, 2, 2)) + corner).reshape(-1, 4)
        centres = view.invert(out["crops"][keep, :2]) + corner
        scores, extents = out["scores"][keep], out["crops"][keep, 2].astype(np.float64) / view.scale
        return [
            Detection(
                box=boxes[k],
                up=out["up"][keep[k]].astype(np.float64),
                centre=centres[k],
                extent=float(extents[k]),
                right=float(out["right"][keep[k]]),
                score=float(scores[k]),
            )
            for k in best_of_each(scores, same_hand(boxes, centres, extents))
        ]


def _view(image: NDArray[np.uint8], region: tuple[int, int, int, int], size: int) -> tuple[Crop, NDArray[np.uint8]]:
    """The letterbox of `region` of the picture, and what it shows (size, size, 3)."""
    x0, y0, x1, y1 = region
    view = letterbox(size, 0, 0, x1 - x0, y1 - y0)
    return view, view.extract(np.ascontiguousarray(image[y0:y1, x0:x1]), border=cv2.BORDER_CONSTANT)


def tile_boxes(width: int, height: int, count: int) -> Iterator[tuple[int, int, int, int]]:
    """`count` x `count` rectangles (x0, y0, x1, y1) that cover the picture, neighbours overlapping."""
    share = 1.0 / (count - (count - 1) * TILE_OVERLAP)  # of the picture, each way, for one tile
    for row in range(count):
        for column in range(count):
            start = np.array([column, row]) * (1 - TILE_OVERLAP) * share
            x0, y0 = (start * (width, height)).astype(int)
            x1, y1 = np.ceil((start + share) * (width, height)).astype(int)
            yield int(x0), int(y0), min(int(x1), width), min(int(y1), height)


def _is_cut(detection: Detection, tile: tuple[int, int, int, int], width: int, height: int) -> bool:
    """True if the box reaches a border of the tile that is not a border of the picture."""
    x0, y0, x1, y1 = tile
    margin = 0.02 * max(x1 - x0, y1 - y0)
    low_x, low_y, high_x, high_y = detection.box
    return bool(
        (low_x < x0 + margin and x0 > 0)
        or (low_y < y0 + margin and y0 > 0)
        or (high_x > x1 - margin and x1 < width)
        or (high_y > y1 - margin and y1 < height)
    )


def suppress(found: list[Detection]) -> list[Detection]:
    """Each hand once, best first."""
    if len(found) < 2:
        return found
    boxes, centres = np.stack([d.box for d in found]), np.stack([d.centre for d in found])
    extents, scores = np.array([d.extent for d in found]), np.array([d.score for d in found])
    return [found[k] for k in best_of_each(scores, same_hand(boxes, centres, extents))]


def same_hand(
    boxes: NDArray[np.floating],
    centres: NDArray[np.floating],
    extents: NDArray[np.floating],
    *,
    iou: float = 0.5,
    closeness: float = 0.2,
) -> NDArray[np.bool_]:
    """Which of n detections show one hand (n, n): of a high box IoU or of nearly the same crop centre.

    `boxes` (n, 4), `centres` (n, 2), `extents` (n,) of the crops; `closeness` is the distance of the centres in extents
    of the smaller crop.
    """
    apart = np.hypot(*(centres[:, None] - centres).transpose(2, 0, 1))
    return (box_iou(boxes[:, None], boxes) > iou) | (apart < closeness * np.minimum(extents[:, None], extents))
