"""Which crop to take next: of a detection, of a box, of the joints just found, of the same place seen otherwise."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from handscope.geometry.boxes import box_centre, longer_side
from handscope.geometry.crops import FILL, Crop, crop_around, upright_crop, upright_frame
from handscope.infer.crop_estimates import CropEstimate
from handscope.infer.detector import Detection
from handscope.infer.weights import Card

NOISES = 1.5
"""A crop is good enough if it is off by no more than this many times the noise (one standard deviation) that the
estimator's training crops had."""
EXTENTS, PLACES, TURNS = 256, 8, 4096
"""How fine the grid is that crops lie on."""
MAX_ZOOM = 2.5
"""How many times larger or smaller than the last one a crop may become at once: joints of a bad crop mislead."""


@dataclass(frozen=True, kw_only=True)
class Tolerance:
    """How far a crop may be off without another pass: `translation` in crop sides, `scale` as the logarithm of
    the extent, `rotation_deg` in degrees.
    """

    translation: float = NOISES * 0.05
    scale: float = NOISES * 0.14
    rotation_deg: float = NOISES * 16.0

    @staticmethod
    def of(card: Card) -> Tolerance:
        """`NOISES` times the crop augmentation that a card says its network was trained with; where it says none, that
        of `recipes/small.yaml`.
        """
        noise = card.get("crop", {})
        told = {f.name: NOISES * float(noise[f.name]) for f in fields(Tolerance) if f.name in noise}
        return Tolerance(**told)


def is_settled(estimate: CropEstimate, tolerance: Tolerance) -> bool:
    """Whether a right hand is shown in the crop its own joints ask for, within `tolerance`."""
    centre, extent, _ = upright_frame(estimate.joints_2d)
    crop = estimate.crop
    shift = np.hypot(*(centre - crop.centre)) / crop.extent
    zoom = abs(np.log(max(extent / crop.extent, 1e-6)))
    upright = estimate.uprightness > np.cos(np.deg2rad(tolerance.rotation_deg))
    return bool(shift < tolerance.translation and zoom < tolerance.scale and upright and not estimate.shows_left)


def next_crop(estimate: CropEstimate, size: int) -> Crop:
    """The upright crop, `size` px, of the joints just found, mirrored the other way if a left hand was shown; at most
    `MAX_ZOOM` times larger or smaller than the last.
    """
    centre, extent, up = upright_frame(estimate.joints_2d)
    mirrored = estimate.crop.mirrored != estimate.shows_left
    return on_grid(crop_around(centre, bounded(extent, estimate.crop.extent), up, size=size, mirrored=mirrored))


def asked(estimate: CropEstimate) -> Crop:
    """The upright crop, of the same size in px and mirrored as it was, of the joints just found."""
    crop = estimate.crop
    return on_grid(upright_crop(estimate.joints_2d, size=crop.size, mirrored=crop.mirrored))


def on_grid(crop: Crop) -> Crop:
    """The nearest crop of a grid so fine that networks see the same: of extents `EXTENTS` an octave, of centres
    `PLACES` a crop px, of directions `TURNS` a turn. Sums that differ in their last bits, as other processors' do, then
    lead to the very same crop, and not to other levels in it.
    """
    extent = float(np.exp2(np.rint(np.log2(crop.extent) * EXTENTS) / EXTENTS))
    step = extent / crop.size / PLACES
    x, y = -crop.rotation[1]
    angle = np.rint(np.arctan2(y, x) / (2 * np.pi) * TURNS) / TURNS * 2 * np.pi
    up = (np.cos(angle), np.sin(angle))
    return crop_around(np.rint(crop.centre / step) * step, extent, up, size=crop.size, mirrored=crop.mirrored)


def bounded(extent: float, last: float) -> float:
    """The `extent` of a crop in picture px, at most `MAX_ZOOM` times larger or smaller than the `last` one's."""
    return min(max(extent, last / MAX_ZOOM), last * MAX_ZOOM)


def resized(crop: Crop, size: int, wider: float = 1.0) -> Crop:
    """What `crop` shows, in `size` px, or `wider` times as much."""
    return crop_around(crop.centre, crop.extent * wider, -crop.rotation[1], size=size, mirrored=crop.mirrored)


def other_side(crop: Crop) -> Crop:
    """The same place, size and direction, mirrored."""
    return crop_around(crop.centre, crop.extent, -crop.rotation[1], size=crop.size, mirrored=not crop.mirrored)


def detected_crop(detection: Detection, size: int, *, mirrored: bool | None = None) -> Crop:
    """The rough crop, `size` px, that a detection gives; mirrored as its side says unless told."""
    mirrored = detection.right < 0.5 if mirrored is None else mirrored
    return on_grid(crop_around(detection.centre, detection.extent, detection.up, size=size, mirrored=mirrored))


def crops_of_box(box: NDArray[np.floating], size: int) -> list[Crop]:
    """Eight crops of a box (4,) px: wrist to knuckle up, right, down, left; as it is and mirrored."""
    centre, extent = box_centre(box), float(longer_side(box)) / FILL
    return [
        crop_around(centre, extent, up, size=size, mirrored=mirrored)
        for up in ((0, -1), (1, 0), (0, 1), (-1, 0))
        for mirrored in (False, True)
    ]
