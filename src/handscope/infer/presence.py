"""Whether a hand is there at all: the judge of what detectors propose and of where tracks are.

MediaPipe's landmark network tells it of a crop around joints found before (nn/presence.py). It was made for crops that
its own joints ask for, of left and of right hands alike; asked of both mirror images, it tells hands no better. Beyond
the picture it sees black: a mirrored border looks like a second hand.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from handscope.geometry.crops import FILL, Crop, crop_around
from handscope.infer.crop_estimates import View, batches
from handscope.infer.weights import Network, check_outputs

HANDS = 2.0
"""Larger sides of the joints' upright box that MediaPipe's crop covers."""
ADVANCE = 0.1
"""How far its centre lies beyond the box's towards the fingers, in the same sides."""


@dataclass(frozen=True, eq=False)
class Presence:
    """The presence network; call it with upright crops of pictures."""

    network: Network

    def __post_init__(self) -> None:
        check_outputs(self.network, {"presence"})

    def __call__(self, views: Sequence[View]) -> NDArray[np.float64]:
        """Probabilities (n,) that there are hands in these views, each a picture RGB uint8 (H, W, 3) and the upright
        crop that the joints of the hand ask for.
        """
        size = self.network.input_size
        found: list[NDArray[np.floating]] = [np.zeros(0)]
        for part in batches(views, self.network.device.crops):
            shown = [asked_crop(crop, size).extract(image, border=cv2.BORDER_CONSTANT) for image, crop in part]
            found.append(self.network.run(np.stack(shown))["presence"])
        return np.concatenate(found).astype(np.float64)


def asked_crop(crop: Crop, size: int) -> Crop:
    """The crop, `size` px, that MediaPipe would take where handscope takes the upright `crop`."""
    up = -crop.rotation[1]
    centre = crop.centre + ADVANCE * FILL * crop.extent * up
    return crop_around(centre, HANDS * FILL * crop.extent, up, size=size, mirrored=crop.mirrored)
