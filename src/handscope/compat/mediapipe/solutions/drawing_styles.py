"""`mp.solutions.drawing_styles`: a colour for the palm and each finger."""

from __future__ import annotations

from handscope.compat.mediapipe.landmarks import FINGERS, PALM
from handscope.compat.mediapipe.solutions.drawing_utils import DrawingSpec

COLOURS = {
    "THUMB": (180, 229, 255),
    "INDEX_FINGER": (128, 64, 128),
    "MIDDLE_FINGER": (0, 204, 255),
    "RING_FINGER": (48, 255, 48),
    "PINKY": (192, 101, 21),
}
OF_PALM = {"landmarks": (48, 48, 255), "connections": (128, 128, 128)}
KNUCKLES = (0, 1, 5, 9, 13, 17)


def get_default_hand_landmarks_style() -> dict[int, DrawingSpec]:
    """By landmark: the palm's red, each finger's own colour."""
    style = {i: DrawingSpec(OF_PALM["landmarks"], thickness=-1, circle_radius=5) for i in KNUCKLES}
    for name, pairs in FINGERS.items():
        style |= {second: DrawingSpec(COLOURS[name], thickness=-1, circle_radius=5) for _, second in pairs}
    return style


def get_default_hand_connections_style() -> dict[tuple[int, int], DrawingSpec]:
    """By connection: the palm's grey, each finger's own colour."""
    style = {pair: DrawingSpec(OF_PALM["connections"], thickness=3) for pair in PALM}
    for name, pairs in FINGERS.items():
        style |= {pair: DrawingSpec(COLOURS[name], thickness=2) for pair in pairs}
    return style
