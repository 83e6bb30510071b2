"""The open hand's skin as a picture: the maps that synthesis paints with, mixed for one person of a middle tone."""

from __future__ import annotations

from functools import cache
from importlib import resources

import cv2
import numpy as np
from numpy.typing import NDArray

from handscope.types import frozen_array

BACK, PALM, NAIL = (np.array(colour) / 255 for colour in ((206, 160, 130), (222, 175, 150), (228, 180, 160)))
"""sRGB colours of a middle tone."""
STRENGTH = {"red": 0.4, "crease": 0.6, "vein": 0.15}
DARKENS = {"red": (0.04, 0.40, 0.36), "crease": (0.30, 0.52, 0.55), "vein": (0.22, 0.13, 0.04)}
"""By how much a full mark takes from red, green and blue light (as `render.shading` has it)."""
MOTTLE = 0.25


@cache
def skin_texture(size: int = 1024) -> NDArray[np.uint8]:
    """sRGB (size, size, 3) by the open hand's texture coordinates, row 0 at v = 1."""
    path = resources.files("handscope.hand") / "data" / "hand_right_skin.npz"
    with resources.as_file(path) as file, np.load(file) as data:
        maps = {name: _scaled(data[name], size) for name in data.files}
    palm, nail = maps["palm"], maps["nail"]
    light = BACK**2.2 * (1 - palm) + PALM**2.2 * palm
    light = light * (1 + (maps["mottle"] - 0.5) * MOTTLE)
    for mark, taken in DARKENS.items():
        light = light * (1 - maps[mark] * STRENGTH[mark] * np.array(taken))
    light = light * (1 - nail) + NAIL**2.2 * nail
    return frozen_array((light.clip(0, 1) ** (1 / 2.2) * 255 + 0.5).astype(np.uint8))


def _scaled(levels: NDArray[np.uint8], size: int) -> NDArray[np.float32]:
    """A map (size, size, 1) in [0, 1]."""
    return (cv2.resize(levels, (size, size), interpolation=cv2.INTER_AREA)[..., None] / 255).astype(np.float32)
