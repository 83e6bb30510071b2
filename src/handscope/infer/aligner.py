"""The aligner network: where the joints lie in a rough crop and which side it shows, in a sixth of the estimator's
time.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from handscope.geometry.crops import Crop
from handscope.infer.crop_estimates import Look, View, batches, cut, next_crop, resized
from handscope.infer.weights import Network, check_outputs

FAR_TURN_DEG, FAR_ZOOM = 40.0, 0.35
"""What is turned or sized this much otherwise than the crop was (degrees, log of the side) is looked at once more."""


class Aligner:
    """The aligner network; call it with a picture and crops of it."""

    def __init__(self, network: Network) -> None:
        check_outputs(network, {"joints", "right"})
        self.network = network

    def __call__(self, image: NDArray[np.uint8], crops: Sequence[Crop]) -> list[Look]:
        """One look for each crop of `image` RGB uint8 (H, W, 3)."""
        return self.look([(image, crop) for crop in crops])

    def look(self, views: Sequence[View]) -> list[Look]:
        """One look for each crop of its own picture, whatever their sizes in px."""
        looks = []
        for part in batches([(image, resized(crop, self.network.input_size)) for image, crop in views]):
            out = self.network.run(cut(part))
            looks += [
                Look(crop=crop, joints=joints.astype(np.float64), right=float(right))
                for (_, crop), joints, right in zip(part, out["joints"], out["right"], strict=True)
            ]
        return looks

    def align(self, views: Sequence[View], size: int) -> list[View]:
        """The upright crops, `size` px, that these crops' joints ask for, mirrored so that they show right hands."""
        return self.follow(views, self.look(views), size)

    def follow(self, views: Sequence[View], looks: Sequence[Look], size: int) -> list[View]:
        """`align` after the first look at each of `views`."""
        looks = list(looks)
        far = [i for i, look in enumerate(looks) if _is_far(look)]
        again = self.look([(views[i][0], next_crop(looks[i], size)) for i in far])
        for i, look in zip(far, again, strict=True):
            looks[i] = look
        return [(image, next_crop(look, size)) for (image, _), look in zip(views, looks, strict=True)]


def _is_far(look: Look) -> bool:
    crop = next_crop(look, look.crop.size)
    zoom = abs(np.log(max(crop.extent / look.crop.extent, 1e-6)))
    return bool(look.uprightness < np.cos(np.deg2rad(FAR_TURN_DEG)) or zoom > FAR_ZOOM)
