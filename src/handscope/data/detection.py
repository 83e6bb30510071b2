"""Whole pictures for the detector: hands of every size, place and turn, on canvases of several sources.

A canvas shows one picture (letterboxed as at run time, or turned and scaled so that its hand has a sampled
size) or a mosaic of four, over black bars, a plain tone or a photograph without hands; close-up pictures of
hands may be pasted on top. Labels follow: joints where they are known give the tight box and the upright
crop, human boxes only the place. Hands that are mostly outside, hidden or tiny are neither hand nor
background: they are `ignored`, and so are boxes and pictures in which hands may be that nobody labelled.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Dataset

from handscope.data.transforms import LEAST_JOINTS, Example, PhotometricConfig, change_light
from handscope.errors import HandscopeError
from handscope.geometry.boxes import HAND_MARGIN, box_centre, longer_side, shared_area, tight_box
from handscope.geometry.crops import FILL, Crop, upright_frame
from handscope.types import HandLabel, Sample, SampleSource

Image = NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True)
class CanvasConfig:
    """How canvases are put together. Shares are probabilities; sizes are shares of the canvas."""

    size: int = 256
    most_hands: int = 16
    plain: float = 0.3
    mosaic: float = 0.12
    pasted: float = 0.25
    hand_size: tuple[float, float] = (0.05, 0.95)
    any_rotation_prob: float = 0.35
    rotation_deg: float = 20.0
    over_photograph: float = 0.6
    smallest_px: float = 8.0
    photometric: PhotometricConfig = field(default_factory=lambda: PhotometricConfig(erase=0.1, blur=0.25))


@dataclass
class Placed:
    """A hand on the canvas: joints (21, 2) px or, where only a box is known, its four corners (4, 2) px."""

    points: NDArray[np.float64]
    right: bool | None
    upright: bool
    """Whether a box of the corners is still the hand's box (it is not after a large turn)."""
    ignored: bool = False

    @property
    def has_joints(self) -> bool:
        """Whether the points are joints."""
        return len(self.points) == 21

    @property
    def box(self) -> NDArray[np.floating]:
        """Tight box (4,) of the joints; a human's box of a hand is made smaller by the usual margin."""
        exact = self.has_joints or self.ignored
        return tight_box(self.points, 0.0 if exact else -HAND_MARGIN / (1 + 2 * HAND_MARGIN))


@dataclass(frozen=True)
class Part:
    """Pictures to choose from, how often, and what they are used for."""

    samples: SampleSource
    weight: float
    pasted: bool = False
    """Close-ups that are shown small on top of other pictures."""


class DetectionMixture(Dataset[Example]):
    """`mixture[n]` is example n: image (S, S, 3) uint8 and the fields of `losses.detection.HandTable`."""

    def __init__(
        self, parts: Sequence[Part], backgrounds: SampleSource, config: CanvasConfig | None = None, seed: int = 0
    ) -> None:
        if any(len(part.samples) == 0 for part in parts) or not parts or len(backgrounds) == 0:
            raise HandscopeError("the detector's data: every source and the backgrounds need at least one picture")
        self.config, self.seed, self.backgrounds = config or CanvasConfig(), seed, backgrounds
        self.whole = [part for part in parts if not part.pasted]
        self.close = [part for part in parts if part.pasted]

    def __getitem__(self, index: int) -> Example:
        rng = np.random.default_rng([self.seed, index])
        image, hands = self.compose(rng)
        image = change_light(image, rng, self.config.photometric)
        return {"image": image, **hand_table(hands, self.config.most_hands)}

    def compose(self, rng: np.random.Generator) -> tuple[Image, list[Placed]]:
        """One canvas before changes of light, and its hands."""
        config, size = self.config, self.config.size
        canvas, hands = self._ground(rng), []
        if rng.random() < config.mosaic:
            for region in quarters(size, rng):
                hands += self._add(canvas, region, pick(self.whole + self.close, rng), rng)
            return canvas, hands
        whole = np.array([0, 0, size, size])
        hands += self._add(canvas, whole, pick(self.whole, rng), rng, plain=rng.random() < config.plain)
        if self.close and rng.random() < config.pasted:
            extent = rng.uniform(0.15, 0.6) * size
            x, y = rng.uniform(0, size - extent, 2)
            region = np.array([x, y, x + extent, y + extent]).round().astype(int)
            if not any(shared_area(hand.box, region) > 0 for hand in hands):
                hands += self._add(canvas, region, pick(self.close, rng), rng, soft=True)
        return canvas, hands

    def _ground(self, rng: np.random.Generator) -> Image:
        """What shows where no picture does."""
        size = self.config.size
        if rng.random() < self.config.over_photograph:
            image = self.backgrounds[int(rng.integers(len(self.backgrounds)))].image
            height, width = image.shape[:2]
            extent = rng.uniform(0.4, 1.0) * min(height, width)
            centre = [rng.uniform(extent / 2, n - extent / 2) for n in (width, height)]
            scale = size / extent
            matrix = np.array([[scale, 0, size / 2 - scale * centre[0]], [0, scale, size / 2 - scale * centre[1]]])
            return Crop(matrix, size).extract(image)
        tone = rng.integers(0, 256, 3) if rng.random() < 0.4 else np.zeros(3)
        return np.tile(tone.astype(np.uint8), (size, size, 1))

    def _add(
        self,
        canvas: Image,
        region: NDArray[np.integer],
        sample: Sample,
        rng: np.random.Generator,
        *,
        plain: bool = False,
        soft: bool = False,
    ) -> list[Placed]:
        """Paint `sample` into `region` (x0, y0, x1, y1) of the canvas; its hands as they lie there."""
        config = self.config
        matrix, turn, mirrored = placement(sample, region, rng, config, plain=plain)
        cover = coverage(sample.image.shape, matrix, config.size, soft)
        inside = np.zeros_like(cover)
        x0, y0, x1, y1 = region
        inside[y0:y1, x0:x1] = cover[y0:y1, x0:x1]
        painted = Crop(matrix, config.size).extract(sample.image, cv2.BORDER_REPLICATE)
        canvas[:] = (canvas + inside[..., None] * (painted.astype(np.float32) - canvas) + 0.5).astype(np.uint8)
        placed = []
        for label in sample.hands:
            hand = place(label, matrix, turn, mirrored)
            if hand is not None:
                hand.ignored = hidden(label) or too_little(hand.box, inside, config.smallest_px)
                placed.append(hand)
        return [*placed, *doubtful(sample, matrix, region)]


def doubtful(sample: Sample, matrix: NDArray[np.float64], region: NDArray[np.integer]) -> list[Placed]:
    """Where nothing is asked of the canvas: the picture's ignored boxes, and of one with unlabelled hands all of it."""
    boxes = [] if sample.ignored is None else list(np.asarray(sample.ignored, np.float64))
    corners = [_corners(box) @ matrix[:, :2].T + matrix[:, 2] for box in boxes]
    if not sample.complete:
        corners.append(_corners(region))
    return [Placed(points, None, True, ignored=True) for points in corners]


def _corners(box: NDArray[np.number]) -> NDArray[np.float64]:
    """The four corners (4, 2) of a box."""
    x0, y0, x1, y1 = box
    return np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], np.float64)


def pick(parts: Sequence[Part], rng: np.random.Generator) -> Sample:
    """A sample from a part chosen by weight."""
    weights = np.array([part.weight for part in parts])
    part = parts[int(rng.choice(len(parts), p=weights / weights.sum()))]
    return part.samples[int(rng.integers(len(part.samples)))]


def quarters(size: int, rng: np.random.Generator) -> list[NDArray[np.integer]]:
    """Four rectangles that share a corner near the middle."""
    x, y = (rng.uniform(0.35, 0.65, 2) * size).round().astype(int)
    return [np.array(r) for r in ([0, 0, x, y], [x, 0, size, y], [0, y, x, size], [x, y, size, size])]


def placement(
    sample: Sample,
    region: NDArray[np.integer],
    rng: np.random.Generator,
    config: CanvasConfig,
    *,
    plain: bool,
) -> tuple[NDArray[np.float64], float, bool]:
    """The map (2, 3) of picture px to canvas px, its turn in radians and whether it mirrors.

    A plain placement is a letterbox, now and then mirrored. Otherwise one hand is chosen, and turn, size and
    place are sampled for it.
    """
    height, width = sample.image.shape[:2]
    extent = region[2:] - region[:2]
    fit = float(min(extent / (width, height)))
    mirrored = bool(rng.random() < 0.5)
    boxes = [hand_box(label) for label in sample.hands]
    boxes = [box for box in boxes if box is not None]
    if plain or not boxes:
        scale = fit if plain else fit * float(np.exp(rng.uniform(0, 0.7)))
        turn = float(np.deg2rad(rng.normal(0, 4)))
        source, target = np.array([width - 1, height - 1]) / 2, (region[:2] + region[2:] - 1) / 2
        target = target + rng.normal(0, 0.02, 2) * extent
    else:
        box = boxes[int(rng.integers(len(boxes)))]
        low, high = np.log(config.hand_size)
        wanted = float(np.exp(rng.uniform(low, high))) * float(extent.min())
        span = float(longer_side(box))
        scale = float(np.clip(wanted / max(span, 1.0), 0.4 * fit, 4.0 * fit))
        free = rng.random() < config.any_rotation_prob
        turn = float(rng.uniform(-np.pi, np.pi)) if free else float(np.deg2rad(rng.normal(0, config.rotation_deg)))
        source = box_centre(box)
        reach = np.maximum(extent - 0.85 * scale * span, 0) / 2
        target = (region[:2] + region[2:] - 1) / 2 + rng.uniform(-1, 1, 2) * reach
    c, s = scale * np.cos(turn), scale * np.sin(turn)
    linear = np.array([[c, -s], [s, c]])
    if mirrored:
        linear[:, 0] = -linear[:, 0]
    return np.column_stack([linear, target - linear @ source]), turn, mirrored


def coverage(shape: tuple[int, ...], matrix: NDArray[np.float64], size: int, soft: bool) -> NDArray[np.float32]:
    """Where the picture lies on the canvas, in [0, 1]; with `soft` its edges fade."""
    height, width = shape[:2]
    corners = np.array([[-0.5, -0.5], [width - 0.5, -0.5], [width - 0.5, height - 0.5], [-0.5, height - 0.5]])
    corners = corners @ matrix[:, :2].T + matrix[:, 2]
    cover = np.zeros((size, size), np.uint8)
    cv2.fillConvexPoly(cover, corners.round().astype(np.int32), 255)
    if soft:
        reach = max(int(0.04 * np.ptp(corners[:, 0])), 1)
        framed = cv2.copyMakeBorder(cover, 1, 1, 1, 1, cv2.BORDER_CONSTANT)
        cover = cv2.erode(framed, np.ones((2 * reach + 1,) * 2, np.uint8))[1:-1, 1:-1]
        cover = cv2.GaussianBlur(cover, (0, 0), reach / 2 + 0.1)
    return cover.astype(np.float32) / np.float32(255)


def hand_box(label: HandLabel) -> NDArray[np.floating] | None:
    """Box of the joints, or the human's, of one hand."""
    if label.joints_2d is not None and _joints_are_known(label):
        return tight_box(label.joints_2d)
    return label.box


def _joints_are_known(label: HandLabel) -> bool:
    """Enough joints for a frame: those that the teacher is unsure of are still near."""
    return label.joints_2d_known is not None and int(label.joints_2d_known.sum()) >= LEAST_JOINTS


def place(label: HandLabel, matrix: NDArray[np.float64], turn: float, mirrored: bool) -> Placed | None:
    """The hand after the map; None if nothing says where it is."""
    if label.joints_2d is not None and _joints_are_known(label):
        points = label.joints_2d
    elif label.box is not None:
        points = _corners(label.box)
    else:
        return None
    right = None if label.handedness is None else (label.handedness == "right") != mirrored
    moved = np.asarray(points, np.float64) @ matrix[:, :2].T + matrix[:, 2]
    return Placed(moved, right, abs(turn) < 0.12)


def hidden(label: HandLabel) -> bool:
    """True if nearly nothing of a synthetic hand is seen."""
    return label.visible is not None and int(label.visible.sum()) < 4


def too_little(box: NDArray[np.floating], cover: NDArray[np.float32], smallest_px: float) -> bool:
    """True if the hand is tiny or less than half of its box is on the covered canvas."""
    size = cover.shape[0]
    x0, y0, x1, y1 = box
    area = max((x1 - x0) * (y1 - y0), 1.0)
    if max(x1 - x0, y1 - y0) < smallest_px:
        return True
    low, high = np.clip([x0, y0], 0, size).astype(int), np.clip(np.ceil([x1, y1]), 0, size).astype(int)
    return bool(cover[low[1] : high[1], low[0] : high[0]].sum() < 0.5 * area)


def hand_table(hands: Sequence[Placed], rows: int) -> Example:
    """Rows of `losses.detection.HandTable`, at most `rows`, the largest hands first."""
    table = {
        "present": np.zeros(rows, bool),
        "ignored": np.zeros(rows, bool),
        "boxes": np.zeros((rows, 4), np.float32),
        "up": np.zeros((rows, 2), np.float32),
        "crops": np.zeros((rows, 3), np.float32),
        "right": np.zeros(rows, np.float32),
        "box_known": np.zeros(rows, bool),
        "frame_known": np.zeros(rows, bool),
        "right_known": np.zeros(rows, bool),
    }
    order = sorted(hands, key=lambda hand: -float(longer_side(hand.box)))
    for i, hand in enumerate(order[:rows]):
        box = hand.box
        table["present"][i], table["ignored"][i] = not hand.ignored, hand.ignored
        table["boxes"][i] = box
        table["box_known"][i] = hand.has_joints or hand.upright
        table["crops"][i] = [*box_centre(box), longer_side(box) / FILL]
        if hand.has_joints:
            centre, extent, up = upright_frame(hand.points)
            length = float(np.hypot(*up))
            table["crops"][i] = [*centre, extent]
            table["up"][i] = up / max(length, 1e-6)
            table["frame_known"][i] = length > 0.08 * extent
        if hand.right is not None:
            table["right"][i], table["right_known"][i] = hand.right, True
    return table


class Joined:
    """Several sources one after the other."""

    def __init__(self, sources: Sequence[SampleSource]) -> None:
        self.sources = tuple(sources)
        self.ends = np.cumsum([len(source) for source in self.sources]).tolist()

    def __len__(self) -> int:
        return self.ends[-1]

    def __getitem__(self, i: int) -> Sample:
        which = bisect_right(self.ends, i)
        return self.sources[which][i - (self.ends[which - 1] if which else 0)]


class Pictures:
    """Photographs without hands, from a folder, shrunk to `longest` px and kept in memory."""

    def __init__(self, folder: str, *, longest: int = 480) -> None:
        self.images = []
        for path in sorted(Path(folder).glob("*.jpg")):
            pixels = cv2.imread(str(path), cv2.IMREAD_REDUCED_COLOR_2)
            if pixels is None:
                raise HandscopeError(f"{path}: cannot be read as a picture; copy the data again")
            shrink = min(1.0, longest / max(pixels.shape[:2]))
            pixels = cv2.resize(pixels, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
            self.images.append(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB))
        if not self.images:
            raise HandscopeError(f"{folder}: no pictures (*.jpg) for backgrounds; give a folder that holds some")

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, i: int) -> Sample:
        return Sample(key=str(i), source="background", image=self.images[i], hands=())
