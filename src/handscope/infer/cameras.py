"""Which camera took a picture: what callers say of it, fitted to the picture as it is read.

A `Camera` with a size belongs to a picture of that size as the file holds it: it is turned as EXIF turns the picture,
and scaled with it. A plain `K` has no size: it is taken to be the upright picture's, as is a focal length.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np
from numpy.typing import ArrayLike

from handscope.errors import HandscopeError, shown
from handscope.geometry.camera import LEAST_FOCAL, MOST_PX, Camera, default_intrinsics, intrinsics_of_focal
from handscope.infer.decoding import Picture

CameraLike = Camera | ArrayLike | float | str | None
"""What callers may say of a camera: a `Camera`, K (3, 3) px, a focal length in px, "exif", or nothing."""
BY_EXIF = "exif"
FAR_OFF = 1 / 8
"""Of a picture's longer side: principal points further from the middle than this are remarked on, if K has no size."""
TURNED_FROM = 5
"""EXIF orientations from here on lay the picture on its side."""


def camera_of(given: CameraLike, picture: Picture) -> tuple[Camera, tuple[str, ...]]:
    """The camera of `picture`, with its size, and remarks on what was guessed; HandscopeError if it cannot be its."""
    width, height = picture.size
    if given is None:
        return Camera(default_intrinsics(width, height), (width, height)), ()
    if isinstance(given, str):
        return _by_exif(given, picture)
    if isinstance(given, Camera):
        return (_without_size if given.size is None else _with_size)(given, picture)
    if not isinstance(given, list | tuple) and np.ndim(cast(ArrayLike, given)) == 0:
        return Camera(intrinsics_of_focal(_focal(given), width, height), (width, height)), ()
    return _without_size(Camera(given), picture)


def _by_exif(given: str, picture: Picture) -> tuple[Camera, tuple[str, ...]]:
    if given != BY_EXIF:
        kinds = f"a Camera, a 3 x 3 matrix, a focal length in px, or {BY_EXIF!r}"
        raise HandscopeError(f"K must be {kinds}; got {shown(given)}")
    if picture.focal is None:
        camera, _ = camera_of(None, picture)
        return camera, ("its EXIF tells no focal length: 1.2 long sides are assumed",)
    return camera_of(picture.focal, picture)


def _focal(given: CameraLike) -> float:
    try:
        focal = float(cast(float, given))
    except (TypeError, ValueError, OverflowError):
        focal = 0.0
    if not LEAST_FOCAL <= focal <= MOST_PX:
        told = f"{focal:g}" if focal else type(given).__name__
        raise HandscopeError(f"a focal length must be from {LEAST_FOCAL:g} to {MOST_PX:g} pixels, got {told}")
    return focal


def _without_size(camera: Camera, picture: Picture) -> tuple[Camera, tuple[str, ...]]:
    width, height = picture.size
    x, y = camera.K[:2, 2]
    if not (-0.5 <= x <= width - 0.5 and -0.5 <= y <= height - 0.5):
        raise HandscopeError(
            f"{_named(picture)}K's principal point ({x:g}, {y:g}) lies outside this picture of {width} x {height} px: "
            "say which size K belongs to, Camera(K, size=(W, H)) or --K ...@WxH"
        )
    off = float(np.hypot(x - (width - 1) / 2, y - (height - 1) / 2))
    notes = ()
    if off > FAR_OFF * max(width, height):
        notes = (
            f"K's principal point is {off:.0f} px from the middle of {width} x {height} px: if K belongs to another "
            "size or turn of the picture, say so (Camera(K, size=(W, H)), --K ...@WxH)",
        )
    return camera.of_size(width, height), notes


def _with_size(camera: Camera, picture: Picture) -> tuple[Camera, tuple[str, ...]]:
    assert camera.size is not None
    width, height = picture.size
    on_its_side = picture.orientation >= TURNED_FROM
    stored = (height, width) if on_its_side else (width, height)
    if _is_scaled(camera.size, stored):
        return camera.oriented(picture.orientation).resized(width, height), ()
    if on_its_side and _is_scaled(camera.size, (width, height)):
        return camera.resized(width, height), ()
    turned = _is_scaled(camera.size, (height, width))
    remedy = "turn the Camera too (Camera.turned)" if turned else "crop the Camera too (Camera.cropped)"
    own = "{} x {}".format(*camera.size)
    raise HandscopeError(
        f"{_named(picture)}the camera's picture has {own} px, this one {width} x {height}: neither the same size nor a "
        f"scaled one; {remedy}"
    )


def _is_scaled(one: tuple[int, int], other: tuple[int, int]) -> bool:
    """Whether sizes are those of a picture and of a smaller or larger copy, whose sides were rounded to whole px."""
    by_width, by_height = other[0] / one[0], other[1] / one[1]
    return abs(one[1] * by_width - other[1]) <= 1 or abs(one[0] * by_height - other[0]) <= 1


def _named(picture: Picture) -> str:
    return "" if picture.path is None else f"{picture.path}: "


def one_camera_each(K: CameraLike | Sequence[CameraLike], count: int) -> list[CameraLike]:
    """A camera for each of `count` pictures: one is for all, a list has one for each."""
    if isinstance(K, list | tuple) and not _is_matrix(K):
        if len(K) != count:
            raise HandscopeError(f"K: {len(K)} given for {count} pictures; give one for each")
        return list(K)
    if isinstance(K, np.ndarray) and K.ndim == 3:
        return one_camera_each(list(K), count)
    one = cast(CameraLike, K)
    plain = one is None or isinstance(one, str | Camera) or not isinstance(one, list | tuple | np.ndarray)
    plain = plain or (isinstance(one, np.ndarray) and one.ndim == 0)
    return [one if plain else Camera(cast(ArrayLike, one))] * count


def _is_matrix(K: Sequence[object]) -> bool:
    """Whether a list is the rows of one matrix."""
    return len(K) > 0 and all(_is_row(row) for row in K)


def _is_row(row: object) -> bool:
    """Whether this is a list of plain numbers."""
    if isinstance(row, np.ndarray):
        return row.ndim == 1
    return isinstance(row, list | tuple) and not any(isinstance(number, list | tuple | np.ndarray) for number in row)


def parse_camera(text: str, distortion: str | None = None) -> CameraLike:
    """A camera from the command line or a request: `exif`, or FX,FY,CX,CY or nine numbers, with `@WxH` the size they
    belong to; `distortion` are 4, 5 or 8 numbers. HandscopeError for anything else.
    """
    if text.strip().lower() == BY_EXIF and distortion is None:
        return BY_EXIF
    numbers, at, size = text.partition("@")
    values, sides = _numbers(numbers), _numbers(size.lower().replace("x", ","))
    sides = [side for side in sides if abs(side) <= MOST_PX]
    if len(values) not in (4, 9) or (at and len(sides) != 2):
        raise HandscopeError(
            f"a camera is FX,FY,CX,CY or the nine numbers of K, perhaps with @WxH, or exif; got {text!r}"
        )
    if len(values) == 4:
        fx, fy, cx, cy = values
        values = [fx, 0, cx, 0, fy, cy, 0, 0, 1]
    lens = None if distortion is None else _numbers(distortion)
    return Camera(np.reshape(values, (3, 3)), (int(sides[0]), int(sides[1])) if at else None, lens)


def _numbers(text: str) -> list[float]:
    try:
        return [float(part) for part in text.replace(",", " ").split()]
    except ValueError:
        return []
