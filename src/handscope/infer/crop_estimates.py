"""What a look at a crop shows at least, and what crop its joints ask for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from handscope.geometry.crops import Crop, crop_around, upright_frame
from handscope.skeleton import MIDDLE_MCP, WRIST

SHIFT, ZOOM, TURN_DEG = 0.075, 0.21, 24.0
"""How far a crop may be off without another look: crop sides, log of the side, degrees. One and a half times the noise
(one standard deviation) that training crops had."""
BATCH = 32
"""Crops that go through a network at once."""
View = tuple[NDArray[np.uint8], Crop]
"""A picture RGB uint8 (H, W, 3) and a crop of it."""
Item = TypeVar("Item")


@dataclass(frozen=True, kw_only=True)
class Look:
    """`joints` (21, 2) crop px and the probability `right` that the crop, as shown, holds a right hand."""

    crop: Crop
    joints: NDArray[np.floating]
    right: float

    @property
    def joints_2d(self) -> NDArray[np.float64]:
        """Joints (21, 2) in picture px."""
        return self.crop.invert(self.joints)

    @property
    def uprightness(self) -> float:
        """Cosine between wrist to middle knuckle and the crop's up."""
        x, y = self.joints[MIDDLE_MCP] - self.joints[WRIST]
        return float(-y / max(np.hypot(x, y), 1e-6))

    @property
    def fitness(self) -> float:
        """In [0, 1]: how well the crop was chosen (right hand shown, upright)."""
        return self.right * (1 + self.uprightness) / 2

    @property
    def shows_left(self) -> bool:
        """Whether the crop, as shown, rather holds a left hand."""
        return self.right < 0.5


def is_settled(look: Look) -> bool:
    """Whether a right hand is shown in the crop its own joints ask for, but for `SHIFT`, `ZOOM` and `TURN_DEG`."""
    centre, extent, _ = upright_frame(look.joints_2d)
    crop = look.crop
    shift = np.hypot(*(centre - crop.centre)) / crop.extent
    zoom = abs(np.log(max(extent / crop.extent, 1e-6)))
    upright = look.uprightness > np.cos(np.deg2rad(TURN_DEG))
    return bool(shift < SHIFT and zoom < ZOOM and upright and not look.shows_left)


def next_crop(look: Look, size: int) -> Crop:
    """The upright crop, `size` px, of the joints just found, mirrored the other way if a left hand was shown; at most
    2.5 times larger or smaller than the last.
    """
    centre, extent, up = upright_frame(look.joints_2d)
    last = look.crop.extent
    extent = min(max(extent, last / 2.5), last * 2.5)
    return crop_around(centre, extent, up, size=size, mirrored=look.crop.mirrored != look.shows_left)


def resized(crop: Crop, size: int, wider: float = 1.0) -> Crop:
    """What `crop` shows, in `size` px, or `wider` times as much."""
    return crop_around(crop.centre, crop.extent * wider, -crop.rotation[1], size=size, mirrored=crop.mirrored)


def other_side(crop: Crop) -> Crop:
    """The same place, size and direction, mirrored."""
    return crop_around(crop.centre, crop.extent, -crop.rotation[1], size=crop.size, mirrored=not crop.mirrored)


def batches(items: Sequence[Item]) -> list[Sequence[Item]]:
    """In order, at most `BATCH` at once."""
    return [items[start : start + BATCH] for start in range(0, len(items), BATCH)]


def cut(views: Sequence[View]) -> NDArray[np.uint8]:
    """The crops of their pictures (n, S, S, 3)."""
    return np.stack([crop.extract(image) for image, crop in views])
