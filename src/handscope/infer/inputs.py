"""What a caller gives, checked once: pictures, cameras, boxes. What is wrong with them is said in one sentence.

Networks know square pixels. A picture whose camera has others is stretched before it is read, and its hands are told in
the picture as it was.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from handscope.errors import HandscopeError, shown
from handscope.geometry.camera import Camera
from handscope.geometry.crops import Crop
from handscope.geometry.masks import CroppedMask
from handscope.infer.cameras import CameraLike, camera_of
from handscope.infer.decoding import Picture
from handscope.infer.images import Source, take_picture
from handscope.types import Hand

Given = TypeVar("Given")
AnyHand = TypeVar("AnyHand", bound=Hand)

SMALLEST_PX = 16
"""Pictures with a shorter side than this show no hand that could be read."""
FARTHEST = 4
"""So many longer sides a box may reach out of its picture: OpenCV's mirrored border takes as long as it is far."""
SQUARE = 0.02
"""Pixels that are wider than high, or higher than wide, by less than this are square."""


@dataclass(frozen=True, kw_only=True, eq=False)
class PictureInput:
    """A picture ready to be read: `image` RGB uint8 (H, W, 3) of square pixels, its `camera`, `boxes` (n, 4) px or None
    where the detector shall search; `given` is the camera of the picture as it was, which hands are told in by `told`.
    `source` is the path it came from, `notes` are remarks on what was guessed.
    """

    image: NDArray[np.uint8]
    camera: Camera
    given: Camera
    boxes: NDArray[np.float64] | None = None
    source: str | None = None
    notes: tuple[str, ...] = ()

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the picture as it was given, px."""
        assert self.given.size is not None
        return self.given.size

    @property
    def is_large_enough(self) -> bool:
        """Whether a hand could be read in it at all."""
        return min(self.size) >= SMALLEST_PX

    def told(self, hand: AnyHand) -> AnyHand:
        """A hand found in `image`, in the px of the picture as it was given."""
        if self.camera is self.given:
            return hand
        width, height = self.size
        stretch = np.array(self.image.shape[1::-1]) / (width, height)
        back = lambda points: (points + 0.5) / stretch - 0.5  # noqa: E731
        crop = hand.cropped_mask.crop
        matrix = np.column_stack([crop.matrix[:, :2] * stretch, crop.apply((stretch - 1) / 2)])
        return replace(
            hand,
            K=self.given.K,
            joints_2d=back(hand.joints_2d),
            box=back(hand.box.reshape(2, 2)).ravel(),
            cropped_mask=CroppedMask(hand.cropped_mask.values, Crop(matrix, crop.size), height, width),
        )


def prepare(source: Source | Picture, K: CameraLike = None, boxes: ArrayLike | None = None) -> PictureInput:
    """A picture, its camera and boxes round its hands, if known, as one `PictureInput`.

    Raises HandscopeError (ImageError for pictures) if one of them is not what it should be.
    """
    picture = source if isinstance(source, Picture) else take_picture(source)
    camera, remarks = camera_of(K, picture)
    width, height = picture.size
    given = PictureInput(
        image=picture.image,
        camera=camera,
        given=camera,
        boxes=None if boxes is None else check_boxes(boxes, width, height),
        source=None if picture.path is None else str(picture.path),
        notes=picture.notes + remarks,
    )
    if abs(camera.K[0, 1]) > SQUARE * camera.K[1, 1]:
        given = replace(given, notes=(*given.notes, "K has a skew: it counts in 3D, the picture is read as it is"))
    return given if abs(camera.pixel_aspect - 1) < SQUARE else _squared(given)


def _squared(given: PictureInput) -> PictureInput:
    """The picture stretched, never shrunk, until its pixels are square."""
    aspect, (width, height) = given.camera.pixel_aspect, given.size
    size = (round(width * aspect), height) if aspect > 1 else (width, round(height / aspect))
    boxes = given.boxes
    if boxes is not None:
        boxes = (boxes + 0.5) * np.tile(np.divide(size, (width, height)), 2) - 0.5
    ratio = f"{aspect:.3g} times as wide as high" if aspect > 1 else f"{1 / aspect:.3g} times as high as wide"
    return replace(
        given,
        image=cv2.resize(given.image, size, interpolation=cv2.INTER_LINEAR).astype(np.uint8, copy=False),
        camera=given.camera.resized(*size),
        boxes=boxes,
        notes=(*given.notes, f"its pixels are {ratio}: it is stretched before it is read"),
    )


def one_each(given: Sequence[Given | None] | None, count: int, name: str) -> list[Given | None]:
    """`given` for each of `count` pictures; None is for all."""
    if given is None:
        return [None] * count
    if not isinstance(given, list | tuple) and np.ndim(given) == 0:  # type: ignore[arg-type]
        raise HandscopeError(f"{name}: a list with one for each of {count} pictures, got {shown(given)}")
    if len(given) != count:
        raise HandscopeError(f"{name}: {len(given)} given for {count} pictures; give one for each")
    return list(given)


def check_boxes(boxes: ArrayLike, width: int, height: int) -> NDArray[np.float64]:
    """`boxes` as float64 (n, 4), or one sentence on what is wrong with them."""
    try:
        array = np.asarray(boxes, np.float64)
    except (TypeError, ValueError, OverflowError):
        array = np.full(1, np.nan)
    if array.size == 0:
        return np.zeros((0, 4))
    array = np.atleast_2d(array)
    if array.ndim != 2 or array.shape[1] != 4 or not np.isfinite(array).all():
        raise HandscopeError(f"boxes must be (n, 4) finite numbers x0, y0, x1, y1; got {shown(boxes)}")
    farthest = FARTHEST * max(width, height)
    for x0, y0, x1, y1 in array:
        text = f"box {x0:g},{y0:g},{x1:g},{y1:g}"
        if x1 - x0 < 4 or y1 - y0 < 4:
            raise HandscopeError(f"{text}: must be x0,y0,x1,y1 with x1 > x0 and y1 > y0, 4 px at least")
        if x0 >= width or y0 >= height or x1 <= 0 or y1 <= 0:
            raise HandscopeError(f"{text}: lies outside the picture of {width} x {height} px")
        if max(-x0, -y0, x1 - width, y1 - height) > farthest:
            raise HandscopeError(f"{text}: reaches too far outside the picture of {width} x {height} px to be a hand's")
    return array
