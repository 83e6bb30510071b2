"""`mp.solutions.drawing_utils`: landmarks and connections painted over a picture, or plotted in 3D."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import floor
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from handscope.errors import HandscopeError, missing_extra

WHITE_COLOR, BLACK_COLOR = (224, 224, 224), (0, 0, 0)
RED_COLOR, GREEN_COLOR, BLUE_COLOR = (0, 0, 255), (0, 128, 0), (255, 0, 0)
LEAST_SEEN = 0.5
"""Landmarks whose visibility or presence is set (not 0) and lower are left out."""


@dataclass
class DrawingSpec:
    """Colour (in the order of the picture's channels), thickness of lines and radius of circles, px."""

    color: tuple[int, int, int] = WHITE_COLOR
    thickness: int = 2
    circle_radius: int = 2


RED, WHITE = DrawingSpec(color=RED_COLOR), DrawingSpec()
THICK_RED, THICK_BLACK = DrawingSpec(color=RED_COLOR, thickness=5), DrawingSpec(color=BLACK_COLOR, thickness=5)
Specs = DrawingSpec | Mapping[Any, DrawingSpec]


def draw_landmarks(
    image: NDArray[np.uint8],
    landmark_list: Any,
    connections: Iterable[Any] | None = None,
    landmark_drawing_spec: Specs | None = RED,
    connection_drawing_spec: Specs | None = WHITE,
    is_drawing_landmarks: bool = True,
) -> None:
    """Paint landmarks (a list, or an object with `landmark`) and their connections into `image` (H, W, 3)."""
    if not landmark_list:
        return
    if image.ndim != 3 or image.shape[2] != 3:
        raise ValueError("Input image must contain three channel bgr data.")
    height, width = image.shape[:2]
    points = getattr(landmark_list, "landmark", landmark_list)
    shown = {i: (p.x, p.y) for i, p in enumerate(points) if _is_seen(p) and 0 <= p.x <= 1 and 0 <= p.y <= 1}
    places = {i: (min(floor(x * width), width - 1), min(floor(y * height), height - 1)) for i, (x, y) in shown.items()}
    for pair in _pairs(connections, len(points)):
        spec = _spec(connection_drawing_spec, pair)
        if spec is not None and pair[0] in places and pair[1] in places:
            cv2.line(image, places[pair[0]], places[pair[1]], spec.color, spec.thickness)
    for i, place in places.items() if is_drawing_landmarks else ():
        spec = _spec(landmark_drawing_spec, i)
        if spec is not None:
            border = max(spec.circle_radius + 1, int(spec.circle_radius * 1.2))
            cv2.circle(image, place, border, WHITE_COLOR, spec.thickness)
            cv2.circle(image, place, spec.circle_radius, spec.color, spec.thickness)


def plot_landmarks(
    landmark_list: Any,
    connections: Iterable[Any] | None = None,
    landmark_drawing_spec: DrawingSpec = THICK_RED,
    connection_drawing_spec: DrawingSpec = THICK_BLACK,
    elevation: int = 10,
    azimuth: int = 10,
) -> None:
    """Show landmarks in 3D with matplotlib, which must be installed."""
    if not landmark_list:
        return
    try:
        from matplotlib import pyplot
    except ModuleNotFoundError as error:
        raise HandscopeError(missing_extra("plot_landmarks", error.name, "train")) from error
    points = getattr(landmark_list, "landmark", landmark_list)
    turned = np.array([(-p.z, p.x, -p.y) for p in points])
    axes: Any = pyplot.figure(figsize=(10, 10)).add_subplot(projection="3d")
    axes.view_init(elev=elevation, azim=azimuth)
    axes.scatter3D(*turned.T, color=_of_pyplot(landmark_drawing_spec), linewidth=landmark_drawing_spec.thickness)
    for pair in _pairs(connections, len(points)):
        line = turned[list(pair)].T
        axes.plot3D(*line, color=_of_pyplot(connection_drawing_spec), linewidth=connection_drawing_spec.thickness)
    pyplot.show()


def _is_seen(point: Any) -> bool:
    told = (getattr(point, name, None) for name in ("visibility", "presence"))
    return all(not value or value >= LEAST_SEEN for value in told)


def _pairs(connections: Iterable[Any] | None, count: int) -> list[tuple[int, int]]:
    """Numbers of landmarks; `Connection`s have `start` and `end`."""
    pairs = [(c.start, c.end) if hasattr(c, "start") else (c[0], c[1]) for c in connections or ()]
    for first, second in pairs:
        if not (0 <= first < count and 0 <= second < count):
            raise ValueError(
                f"Landmark index is out of range. Invalid connection from landmark #{first} to landmark #{second}."
            )
    return pairs


def _spec(specs: Specs | None, key: Any) -> DrawingSpec | None:
    return specs[key] if isinstance(specs, Mapping) else specs


def _of_pyplot(spec: DrawingSpec) -> Sequence[float]:
    return tuple(value / 255 for value in spec.color[::-1])
