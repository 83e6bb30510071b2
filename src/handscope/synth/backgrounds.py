"""What lies behind the hands: regions of photographs without hands, or procedural rooms, skies and
surfaces.

Photographs come from folders (any picture in them is taken to be free of hands) and from an index of
pictures with boxes round their hands (JSON lines with `file` and `boxes`, as /data/photos/index.jsonl): of
these only regions outside the boxes are shown. Decoded pictures are kept by every worker; which one a
sample shows depends on the sample's own random numbers alone.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from handscope.errors import HandscopeError

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp"}
LONGEST_PX = 1000
CHOICE = 24
KEPT = 2 * CHOICE
Image = NDArray[Any]


@dataclass(frozen=True)
class Source:
    """A photograph and the rectangles (n, 4) px in it that show hands."""

    path: Path
    boxes: tuple[tuple[float, ...], ...] = ()


def find_sources(folders: tuple[str, ...] = (), index: str | None = None) -> list[Source]:
    """Every picture below `folders` and every picture of `index` that leaves room beside its hands."""
    sources: list[Source] = []
    for folder in folders:
        found = sorted(p for p in Path(folder).rglob("*") if p.suffix.lower() in SUFFIXES)
        if not found:
            raise HandscopeError(
                f"{folder}: found no pictures for backgrounds; expected a folder with .jpg or .png files"
            )
        sources += [Source(path) for path in found]
    if index is not None:
        path = Path(index)
        if not path.is_file():
            raise HandscopeError(
                f"{index}: no such index; expected JSON lines with `file`, `boxes`, `width` and `height`"
            )
        for line in path.read_text(encoding="utf-8").splitlines():
            entry = json.loads(line)
            boxes = tuple(tuple(float(v) for v in box) for box in entry["boxes"])
            taken = sum((b[2] - b[0]) * (b[3] - b[1]) for b in boxes)
            if taken < 0.5 * entry["width"] * entry["height"]:
                file = path.parent / entry["file"]
                sources.append(Source(file if file.is_file() else path.parent.parent / entry["file"], boxes))
    return sources


class Backgrounds:
    """Samples backgrounds from the `CHOICE` photographs of the moment; keeps the last `KEPT` decoded."""

    def __init__(self, sources: list[Source]) -> None:
        self.sources = sources
        self._chosen: NDArray[np.integer] = np.zeros(0, int)
        self._whole = np.array([i for i, s in enumerate(sources) if not s.boxes], int)
        self._boxed = np.array([i for i, s in enumerate(sources) if s.boxes], int)
        self._cache: OrderedDict[int, tuple[Image, NDArray[np.float64]] | None] = OrderedDict()

    def _load(self, i: int) -> tuple[Image, NDArray[np.float64]] | None:
        if i in self._cache:
            self._cache.move_to_end(i)
            return self._cache[i]
        source = self.sources[i]
        large = (
            source.path.suffix.lower() in {".jpg", ".jpeg"}
            and source.path.stat().st_size > 800_000
            and not source.boxes
        )
        image = cv2.imread(str(source.path), cv2.IMREAD_REDUCED_COLOR_4 if large else cv2.IMREAD_COLOR)
        loaded = None
        if image is not None and min(image.shape[:2]) >= 48:
            scale = min(1.0, LONGEST_PX / max(image.shape[:2]))
            if scale < 1:
                image = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
            boxes = np.array(source.boxes, np.float64).reshape(-1, 4) * scale
            loaded = np.ascontiguousarray(image[..., ::-1]), boxes
        self._cache[i] = loaded
        if len(self._cache) > KEPT:
            self._cache.popitem(last=False)
        return loaded

    def choose(self, rng: np.random.Generator) -> None:
        """Restrict what is sampled from now on to a few photographs, half of them from the folders and half from
        the index.
        """
        kinds = [kind for kind in (self._whole, self._boxed) if len(kind)]
        picks = [rng.choice(kind, CHOICE // len(kinds)) for kind in kinds]
        self._chosen = np.concatenate(picks) if picks else np.zeros(0, int)

    def sample(self, rng: np.random.Generator, width: int, height: int, *, smallest: float = 0.25) -> tuple[Image, str]:
        """A background (height, width, 3) and where it comes from ('photo' or 'procedural').

        Regions take at least the share `smallest` of the photograph's short side.
        """
        for _ in range(3 if len(self._chosen) else 0):
            loaded = self._load(int(rng.choice(self._chosen)))
            if loaded is None:
                continue
            region = free_region(rng, loaded[0].shape[1], loaded[0].shape[0], loaded[1], width / height, smallest)
            if region is not None:
                x0, y0, x1, y1 = region
                part = loaded[0][y0:y1, x0:x1]
                while part.shape[0] >= 3 * height:  # nearest pixels first: averaging large regions is slow
                    part = part[::2, ::2]
                if rng.random() < 0.5:
                    part = part[:, ::-1]
                shrink = part.shape[0] > height
                part = cv2.resize(part, (width, height), interpolation=cv2.INTER_AREA if shrink else cv2.INTER_LINEAR)
                return part, "photo"
        return procedural(rng, width, height), "procedural"


def free_region(
    rng: np.random.Generator,
    width: int,
    height: int,
    boxes: NDArray[np.floating],
    aspect: float,
    smallest: float,
) -> tuple[int, int, int, int] | None:
    """A rectangle (x0, y0, x1, y1) of `aspect` = width / height that touches none of the widened `boxes`;
    None if none is found.
    """
    margin = 0.12 * (boxes[:, 2:] - boxes[:, :2])
    grown = np.concatenate([boxes[:, :2] - margin, boxes[:, 2:] + margin], 1)
    largest = min(width, height * aspect)
    for attempt in range(12):
        share = rng.uniform(smallest, 1.0) if attempt < 6 else rng.uniform(min(0.25, smallest), 0.6)
        w = max(int(largest * share), 24)
        h = max(int(w / aspect), 24)
        if w > width or h > height:
            continue
        x, y = int(rng.integers(width - w + 1)), int(rng.integers(height - h + 1))
        apart = (grown[:, 0] >= x + w) | (grown[:, 2] <= x) | (grown[:, 1] >= y + h) | (grown[:, 3] <= y)
        if apart.all():
            return x, y, x + w, y + h
    return None


def clouds(
    rng: np.random.Generator, width: int, height: int, roughness: float, channels: int = 1
) -> NDArray[np.float32]:
    """Smooth noise (height, width, channels) of about unit variance; larger `roughness` puts more into fine
    detail.
    """
    total = np.zeros((height, width, channels), np.float32)
    norm = 0.0
    for octave, cells in enumerate((2, 4, 8, 16, 32)):
        weight = roughness**octave
        grid = rng.standard_normal((cells + 1, cells + 1, channels)).astype(np.float32)
        up = cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC)
        total += weight * up.reshape(height, width, channels)
        norm += weight**2
    return total / np.float32(np.sqrt(norm) * 0.75)


def muted_colour(rng: np.random.Generator) -> NDArray[np.float32]:
    """An RGB colour in [0, 1] as walls, furniture and clothes have them."""
    hsv = np.array(
        [[[rng.integers(180), int(255 * min(rng.beta(1.2, 2.6), 1)), int(255 * rng.uniform(0.15, 0.97))]]], np.uint8
    )
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)[0, 0].astype(np.float32) / 255


def pattern(rng: np.random.Generator, size: int) -> NDArray[np.float32]:
    """A repeating surface (size, size, 3) in [0, 1]: plain, striped, checked, knitted, speckled, grained."""
    base, second = muted_colour(rng), muted_colour(rng)
    x = np.arange(size, dtype=np.float32) / size
    kind = rng.integers(7)
    waves = int(rng.integers(1, 9))
    stripe_x, stripe_y = np.sin(2 * np.pi * waves * x), np.sin(2 * np.pi * int(rng.integers(1, 9)) * x)
    edge = rng.uniform(1, 8)
    if kind <= 1:
        share = np.zeros((size, size), np.float32)
    elif kind == 2:
        share = np.broadcast_to(np.clip(0.5 + edge * stripe_y, 0, 1)[:, None], (size, size))
    elif kind == 3:
        share = 0.5 * (np.clip(0.5 + edge * stripe_x, 0, 1)[None] + np.clip(0.5 + edge * stripe_y, 0, 1)[:, None])
    elif kind == 4:
        knit = np.abs(np.sin(np.pi * 16 * x))[:, None] * np.abs(np.sin(np.pi * 16 * (x[None] + 0.3 * x[:, None])))
        second = base * 0.55
        share = 1 - knit
    elif kind == 5:
        share = (rng.random((size, size)) < rng.uniform(0.02, 0.3)).astype(np.float32)
    else:
        share = 0.5 + 0.5 * np.sin(2 * np.pi * (waves * x[None] + 0.4 * clouds(rng, size, size, 0.6)[..., 0]))
    surface = base + (second - base) * share[..., None]
    grain = 1 + rng.uniform(0.01, 0.08) * rng.standard_normal((size, size, 1)).astype(np.float32)
    return np.clip(surface * grain, 0, 1).astype(np.float32)


def procedural(rng: np.random.Generator, width: int, height: int) -> Image:
    """A background without a photograph: light over a wall, sky, table or cloth, with blurred things in it."""
    image = _surface(rng, width, height)
    for _ in range(int(rng.integers(0, 9))):
        soft = _soft_shape(rng, width, height)
        colour = muted_colour(rng) * (1 + 0.12 * clouds(rng, width, height, 0.5))
        image = image * (1 - soft) + colour * soft
    light = 1 + 0.18 * clouds(rng, width, height, 0.25)
    return (np.clip(image * light, 0, 1) * 255 + 0.5).astype(np.uint8)


def _surface(rng: np.random.Generator, width: int, height: int) -> NDArray[np.floating]:
    """What fills a procedural background (height, width, 3): a gradient, a pattern, wood, or foliage and gravel."""
    kind = rng.integers(4)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32) / max(height, width)
    if kind == 0:
        a, b = muted_colour(rng), muted_colour(rng)
        angle = rng.normal(np.pi / 2, 0.6)
        t = (x * np.cos(angle) + y * np.sin(angle))[..., None] + 0.06 * clouds(rng, width, height, 0.5)
        return a + (b - a) * np.clip(t, 0, 1)
    if kind == 1:
        scale = rng.uniform(1, 5)
        tile = cv2.resize(pattern(rng, 64), None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
        repeats = (-(-height // tile.shape[0]), -(-width // tile.shape[1]), 1)
        return np.tile(np.asarray(tile, np.float32), repeats)[:height, :width]
    if kind == 2:
        tone = muted_colour(rng) * np.array([1.0, 0.8, 0.6], np.float32)
        turn = rng.uniform(0, np.pi)
        across = x * np.cos(turn) + y * np.sin(turn)
        rings = np.sin(60 * across + 2.2 * clouds(rng, width, height, 0.45)[..., 0])
        return tone * (1 + 0.12 * rings[..., None] + 0.05 * clouds(rng, width, height, 0.9))
    mix = np.eye(3) * 0.3 + 0.23  # channels vary mostly together
    return muted_colour(rng) + 0.13 * clouds(rng, width, height, 0.85, 3) @ mix


def _soft_shape(rng: np.random.Generator, width: int, height: int) -> NDArray[np.floating]:
    """A blurred rectangle or ellipse (height, width, 1) in [0, 1]: a thing near or far."""
    shape = np.zeros((height, width), np.uint8)
    x, y = rng.uniform([-0.1 * width, -0.1 * height], [1.1 * width, 1.1 * height])
    w, h = rng.uniform(0.04, 0.5, 2) * max(width, height)
    rectangle = ((float(x), float(y)), (float(w), float(h)), float(rng.choice([0, 90, rng.uniform(0, 180)])))
    if rng.random() < 0.65:
        cv2.fillConvexPoly(shape, cv2.boxPoints(rectangle).astype(np.int32), 255)
    else:
        cv2.ellipse(shape, rectangle, 255, -1)
    return cv2.GaussianBlur(shape, (0, 0), rng.uniform(0.6, 6))[..., None].astype(np.float32) / 255
