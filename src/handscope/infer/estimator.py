"""The estimator network: everything about one hand from one upright crop that shows it as a right hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from handscope.geometry.crops import Crop, crop_around, upright_frame
from handscope.infer.lifting import PosedHand
from handscope.infer.weights import Network, check_outputs
from handscope.skeleton import MIDDLE_MCP, WRIST

BATCH = 32
"""Crops that go through the network at once."""
View = tuple[NDArray[np.uint8], Crop]
"""A picture RGB uint8 (H, W, 3) and a crop of it."""
OUTPUTS = {"joints", "joint_scores", "mask", "right", "theta", "beta", "R", "T", "f", "joints_3d", "vertices"}


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """What the network says of one crop.

    `joints` (21, 2) crop px; `joint_scores` (21,); `mask` (m, m) probability over the crop; `right` the
    probability that the crop, as shown, holds a right hand; `theta` (15, 3), `beta` (10,); `hand` in the
    crop's camera, whose focal length is `focal` crop px.
    """

    crop: Crop
    joints: NDArray[np.floating]
    joint_scores: NDArray[np.floating]
    mask: NDArray[np.floating]
    right: float
    theta: NDArray[np.floating]
    beta: NDArray[np.floating]
    hand: PosedHand
    focal: float

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
    def trust(self) -> float:
        """Mean joint score, in [0, 1]."""
        return float(self.joint_scores.mean())

    @property
    def plausibility(self) -> float:
        """In [0, 1]: how well this crop was chosen (joints found, right hand shown, upright)."""
        return self.trust * self.right * (1 + self.uprightness) / 2


class Estimator:
    """The estimator network; call it with a picture and crops of it."""

    def __init__(self, network: Network) -> None:
        check_outputs(network, OUTPUTS)
        self.network = network

    @property
    def size(self) -> int:
        """Side of the crops in px."""
        return self.network.input_size

    def __call__(self, image: NDArray[np.uint8], crops: Sequence[Crop]) -> list[Estimate]:
        """One estimate for each crop of `image` RGB uint8 (H, W, 3)."""
        return self.look([(image, crop) for crop in crops])

    def look(self, views: Sequence[View]) -> list[Estimate]:
        """One estimate for each crop of its own picture, in batches of `BATCH`."""
        found = []
        for start in range(0, len(views), BATCH):
            part = views[start : start + BATCH]
            out = self.network.run(np.stack([crop.extract(image) for image, crop in part]))
            for i, (_, crop) in enumerate(part):
                found.append(_estimate(crop, {name: value[i] for name, value in out.items()}))
        return found

    def refine(self, image: NDArray[np.uint8], first: Estimate) -> Estimate:
        """Look again, upright and centred on the joints just found, from both sides; the more plausible one is kept.

        Its `right` becomes the share that this side has of the two sides' plausibility.
        """
        return self.refine_all([(image, first)])[0]

    def refine_all(self, firsts: Sequence[tuple[NDArray[np.uint8], Estimate]]) -> list[Estimate]:
        """`refine` for estimates in pictures of their own, in the same batches."""
        views = [(image, next_crop(first, mirrored=m)) for image, first in firsts for m in (False, True)]
        looks = self.look(views)
        return [_more_plausible(*pair) for pair in zip(looks[::2], looks[1::2], strict=True)]


def _estimate(crop: Crop, out: dict[str, NDArray[np.floating]]) -> Estimate:
    """The network's outputs for one crop, by their names."""
    return Estimate(
        crop=crop,
        joints=out["joints"].astype(np.float64),
        joint_scores=out["joint_scores"],
        mask=out["mask"],
        right=float(out["right"]),
        theta=out["theta"],
        beta=out["beta"],
        hand=PosedHand(**{name: out[name] for name in ("R", "T", "joints_3d", "vertices")}),
        focal=float(out["f"]),
    )


def _more_plausible(one: Estimate, two: Estimate) -> Estimate:
    better, worse = sorted((one, two), key=lambda estimate: -estimate.plausibility)
    share = better.plausibility / max(better.plausibility + worse.plausibility, 1e-12)
    return replace(better, right=share)


def next_crop(estimate: Estimate, *, mirrored: bool) -> Crop:
    """The upright crop of the joints just found, at most 2.5 times larger or smaller than the last."""
    centre, side, up = upright_frame(estimate.joints_2d)
    last = estimate.crop.size / estimate.crop.scale
    side = min(max(side, last / 2.5), last * 2.5)
    return crop_around(centre, side, up, size=estimate.crop.size, mirrored=mirrored)
