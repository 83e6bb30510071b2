"""What a caller gives, checked once: pictures, cameras, boxes. What is wrong with them is said in one sentence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image

from handscope.errors import HandscopeError
from handscope.geometry.camera import default_intrinsics
from handscope.infer.images import read_picture, to_rgb_array

Source = str | Path | Image.Image | NDArray[np.generic]
"""A picture as callers have it: a path, a PIL image, an array."""
Given = TypeVar("Given")

SMALLEST_PX = 16
"""Pictures with a shorter side than this show no hand that could be read."""


@dataclass(frozen=True, kw_only=True, eq=False)
class PictureInput:
    """A picture ready to be read: `image` RGB uint8 (H, W, 3), intrinsics `K` (3, 3) px, `boxes` (n, 4) px or None
    where the detector shall search; `source` is the path it came from, `notes` are the reader's remarks.
    """

    image: NDArray[np.uint8]
    K: NDArray[np.float64]
    boxes: NDArray[np.float64] | None = None
    source: str | None = None
    notes: tuple[str, ...] = ()

    @property
    def height(self) -> int:
        """Rows of the picture."""
        return self.image.shape[0]

    @property
    def width(self) -> int:
        """Columns of the picture."""
        return self.image.shape[1]

    @property
    def is_large_enough(self) -> bool:
        """Whether a hand could be read in it at all."""
        return min(self.height, self.width) >= SMALLEST_PX


def prepare(image: Source, K: ArrayLike | None = None, boxes: ArrayLike | None = None) -> PictureInput:
    """A picture, the intrinsics of its camera and boxes round its hands, if known, as one `PictureInput`.

    Raises HandscopeError (ImageError for pictures) if one of them is not what it should be.
    """
    picture, source, notes = _read(image)
    height, width = picture.shape[:2]
    return PictureInput(
        image=picture,
        K=default_intrinsics(width, height) if K is None else check_intrinsics(K),
        boxes=None if boxes is None else check_boxes(boxes, width, height),
        source=source,
        notes=notes,
    )


def _read(image: Source) -> tuple[NDArray[np.uint8], str | None, tuple[str, ...]]:
    if isinstance(image, str | Path):
        picture = read_picture(image)
        return picture.image, str(image), picture.notes
    return to_rgb_array(image), None, ()


def one_camera_each(K: ArrayLike | Sequence[ArrayLike | None] | None, count: int) -> list[ArrayLike | None]:
    """Intrinsics for each of `count` pictures: None and one (3, 3) are for all, a list has one for each."""
    if K is not None and np.size(cast(Sequence[ArrayLike], K)[0]) == 3:  # rows of numbers: one camera
        return [cast(ArrayLike, K)] * count
    return one_each(cast(Sequence[ArrayLike | None] | None, K), count, "K")


def one_each(given: Sequence[Given | None] | None, count: int, name: str) -> list[Given | None]:
    """`given` for each of `count` pictures; None is for all."""
    if given is None:
        return [None] * count
    if len(given) != count:
        raise HandscopeError(f"{name}: {len(given)} given for {count} pictures; give one for each")
    return list(given)


def check_intrinsics(K: ArrayLike) -> NDArray[np.float64]:
    """`K` as float64 (3, 3), or one sentence on what is wrong with it."""
    matrix = np.asarray(K, np.float64)
    ok = matrix.shape == (3, 3) and np.isfinite(matrix).all() and (np.diag(matrix) > 0).all()
    if not ok or not np.allclose(matrix[2], [0, 0, 1]) or matrix[1, 0] != 0:
        raise HandscopeError(
            f"K must be [[fx, 0, cx], [0, fy, cy], [0, 0, 1]] in pixels with positive fx and fy; got {matrix.tolist()}"
        )
    return matrix


def check_boxes(boxes: ArrayLike, width: int, height: int) -> NDArray[np.float64]:
    """`boxes` as float64 (n, 4), or one sentence on what is wrong with them."""
    array = np.asarray(boxes, np.float64)
    array = array.reshape(-1, 4) if array.size % 4 == 0 and array.ndim <= 2 else array
    if array.ndim != 2 or not np.isfinite(array).all():
        raise HandscopeError(f"boxes must be (n, 4) numbers x0, y0, x1, y1; got shape {np.shape(boxes)}")
    for x0, y0, x1, y1 in array:
        text = f"box {x0:g},{y0:g},{x1:g},{y1:g}"
        if x1 - x0 < 4 or y1 - y0 < 4:
            raise HandscopeError(f"{text}: must be x0,y0,x1,y1 with x1 > x0 and y1 > y0, 4 px at least")
        if x0 >= width or y0 >= height or x1 <= 0 or y1 <= 0:
            raise HandscopeError(f"{text}: lies outside the picture of {width} x {height} px")
    return array
