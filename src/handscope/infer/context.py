"""Whether what was taken for a hand is one, by what lies round it: noses, ears and feet are told from hands by the face
or leg that they belong to.

The network (nn/context.py) sees `HANDS` hands' width of the picture, unturned, as faces and bodies stand upright more
often than hands point up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from handscope.geometry.boxes import box_centre, longer_side, tight_box
from handscope.geometry.crops import Crop, crop_around
from handscope.infer.crop_estimates import batches
from handscope.infer.crop_policy import on_grid
from handscope.infer.weights import Network, check_outputs

HANDS = 3.3
"""Larger sides of the joints' box that the crop covers."""


@dataclass(frozen=True, eq=False)
class Context:
    """The context network; call it with joints in pictures."""

    network: Network

    def __post_init__(self) -> None:
        check_outputs(self.network, {"presence"})

    def __call__(
        self, images: Sequence[NDArray[np.uint8]], joints: Sequence[NDArray[np.floating]]
    ) -> NDArray[np.float64]:
        """Probabilities (n,) that joints (21, 2) px, each of its own picture RGB uint8 (H, W, 3), are a hand's."""
        size = self.network.input_size
        found: list[NDArray[np.floating]] = [np.zeros(0)]
        for part in batches(list(zip(images, joints, strict=True)), self.network.device.crops):
            shown = [surroundings(of, size).extract(image, border=cv2.BORDER_CONSTANT) for image, of in part]
            found.append(self.network.run(np.stack(shown))["presence"])
        return np.concatenate(found).astype(np.float64)


def surroundings(joints: NDArray[np.floating], size: int, *, hands: float = HANDS, mirrored: bool = False) -> Crop:
    """The unturned crop, `size` px, of joints (21, 2) px and what lies round them."""
    box = tight_box(joints)
    extent = hands * max(float(longer_side(box)), 1.0)
    return on_grid(crop_around(box_centre(box), extent, (0.0, -1.0), size=size, mirrored=mirrored))
