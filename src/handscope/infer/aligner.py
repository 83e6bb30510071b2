"""The aligner network: where the joints lie in a rough crop and which side it shows, in a sixth of the estimator's
time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from handscope.geometry.crops import Crop
from handscope.infer.crop_estimates import CropEstimate, View, batches, extract_crops
from handscope.infer.crop_policy import next_crop, resized
from handscope.infer.weights import Network, check_outputs

FAR_TURN_DEG, FAR_ZOOM = 40.0, 0.35
"""What is turned or sized this much otherwise than the crop was (degrees, log of the extent) gets a second pass."""


@dataclass(frozen=True, eq=False)
class Aligner:
    """The aligner network; call it with a picture and crops of it."""

    network: Network

    def __post_init__(self) -> None:
        check_outputs(self.network, {"joints", "right"})

    def __call__(self, image: NDArray[np.uint8], crops: Sequence[Crop]) -> list[CropEstimate]:
        """One estimate for each crop of `image` RGB uint8 (H, W, 3)."""
        return self.estimate([(image, crop) for crop in crops])

    def estimate(self, views: Sequence[View]) -> list[CropEstimate]:
        """One estimate for each crop of its own picture, whatever their sizes in px."""
        found = []
        shown = [(image, resized(crop, self.network.input_size)) for image, crop in views]
        for part in batches(shown, self.network.device.crops):
            out = self.network.run(extract_crops(part))
            found += [
                CropEstimate(
                    crop=crop,
                    joints=out["joints"][i].astype(np.float64),
                    right=float(out["right"][i]),
                    presence=float(out["presence"][i]) if "presence" in out else None,
                )
                for i, (_, crop) in enumerate(part)
            ]
        return found

    def align(self, views: Sequence[View], size: int) -> list[CropEstimate]:
        """One estimate for each crop, from a second pass where the first saw the hand turned or sized otherwise: the
        `next_crop` of each, `size` px, shows a right hand upright.
        """
        return self.follow(views, self.estimate(views), size)

    def follow(self, views: Sequence[View], estimates: Sequence[CropEstimate], size: int) -> list[CropEstimate]:
        """`align` after the first pass over each of `views`."""
        found = list(estimates)
        far = [i for i, estimate in enumerate(found) if _is_far(estimate)]
        again = self.estimate([(views[i][0], next_crop(found[i], size)) for i in far])
        for i, estimate in zip(far, again, strict=True):
            found[i] = estimate
        return found


def _is_far(estimate: CropEstimate) -> bool:
    crop = next_crop(estimate, estimate.crop.size)
    zoom = abs(np.log(max(crop.extent / estimate.crop.extent, 1e-6)))
    return bool(estimate.uprightness < np.cos(np.deg2rad(FAR_TURN_DEG)) or zoom > FAR_ZOOM)
