"""Whether a hand is there at all: the judge of what detectors propose and of where tracks are.

MediaPipe's landmark network tells it of a crop around joints found before (nn/presence.py). It was made for crops that
its own joints ask for, of left and of right hands alike.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from handscope.geometry.crops import Crop, crop_around, upright_frame
from handscope.infer.crop_estimates import batches, extract_crops
from handscope.infer.weights import Network, check_outputs

HANDS = 2.0
"""Larger sides of the joints' upright box that a crop's side has."""
ADVANCE = 0.1
"""How far its centre lies beyond the box's towards the fingers, in the box's heights."""


class Presence:
    """The presence network; call it with pictures and the joints of a hand in each."""

    def __init__(self, network: Network) -> None:
        check_outputs(network, {"presence"})
        self.network = network

    def __call__(self, hands: Sequence[tuple[NDArray[np.uint8], NDArray[np.floating], bool]]) -> NDArray[np.float64]:
        """Probabilities (n,) that there are hands at these joints (21, 2) px of RGB pictures (H, W, 3); the flag says
        whether the crop is to be mirrored.
        """
        size = self.network.input_size
        views = [(image, crop_of(joints, size, mirrored=mirrored)) for image, joints, mirrored in hands]
        found: list[NDArray[np.floating]] = [
            self.network.run(extract_crops(part))["presence"] for part in batches(views)
        ]
        return np.concatenate([np.zeros(0), *found]).astype(np.float64)


def crop_of(joints: NDArray[np.floating], size: int, *, mirrored: bool = False) -> Crop:
    """The crop, `size` px, that MediaPipe takes around joints (21, 2) px."""
    centre, extent, up = upright_frame(joints, fill=1 / HANDS)
    length = max(float(np.hypot(*up)), 1e-9)
    along = (joints - centre) @ (up / length)
    return crop_around(centre + ADVANCE * np.ptp(along) * up / length, extent, up, size=size, mirrored=mirrored)
