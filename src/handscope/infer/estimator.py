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

MOST_LOOKS = 4
DOUBTFUL = 0.5
"""Trust below which the other side is tried: one in eight of the hands in held-out photographs."""
SHIFT, ZOOM, TURN_DEG = 0.07, 0.2, 22.0
"""How far a crop may be off without another look: crop sides, log of the side, degrees. One and a half times the noise
(one standard deviation) that training crops had."""
BATCH = 32
"""Crops that go through the network at once."""
View = tuple[NDArray[np.uint8], Crop]
"""A picture RGB uint8 (H, W, 3) and a crop of it."""
OUTPUTS = {"joints", "joint_scores", "mask", "right", "theta", "beta", "R", "T", "f", "joints_3d", "vertices"}


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """What the network says of one crop.

    `joints` (21, 2) crop px; `joint_scores` (21,); `bone_depths` (20,) the z of unit vectors along the bones
    (None from weights exported before 0.2); `mask` (m, m) probability over the crop; `right` the
    probability that the crop, as shown, holds a right hand; `theta` (15, 3), `beta` (10,); `hand` in the
    crop's camera, whose focal length is `focal` crop px.
    """

    crop: Crop
    joints: NDArray[np.floating]
    joint_scores: NDArray[np.floating]
    bone_depths: NDArray[np.floating] | None
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
    def shows_left(self) -> bool:
        """Whether the crop, as shown, rather holds a left hand."""
        return self.right < 0.5

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
        """Look again, upright and centred on the joints just found, until the crop is as it should be.

        A crop that shows a left hand is mirrored for the next look; if neither side looks like a right hand, the
        more plausible one is kept, and its `right` becomes its share of the two sides' plausibility.
        """
        return self.refine_all([(image, first)])[0]

    def refine_all(self, firsts: Sequence[tuple[NDArray[np.uint8], Estimate]]) -> list[Estimate]:
        """`refine` for estimates in pictures of their own, in the same batches.

        Where the end is `DOUBTFUL`, the first crop's other side is tried too, and the surer answer kept.
        """
        found = self._look_on(firsts)
        doubtful = [i for i, estimate in enumerate(found) if estimate.trust < DOUBTFUL]
        images = [firsts[i][0] for i in doubtful]
        others = self.look([(image, other_side(firsts[i][1].crop)) for image, i in zip(images, doubtful, strict=True)])
        for i, other in zip(doubtful, self._look_on(list(zip(images, others, strict=True))), strict=True):
            found[i] = max(found[i], other, key=lambda estimate: estimate.trust)
        return found

    def _look_on(self, firsts: Sequence[tuple[NDArray[np.uint8], Estimate]]) -> list[Estimate]:
        """Look until every crop is settled, `MOST_LOOKS` times with the first."""
        found = [first for _, first in firsts]
        waiting = [i for i, estimate in enumerate(found) if not is_settled(estimate)]
        for _ in range(MOST_LOOKS - 1):
            crops = [next_crop(found[i], mirrored=found[i].crop.mirrored != found[i].shows_left) for i in waiting]
            looks = self.look([(firsts[i][0], crop) for i, crop in zip(waiting, crops, strict=True)])
            unsettled = []
            for i, estimate in zip(waiting, looks, strict=True):
                undecided = found[i].shows_left and estimate.shows_left
                found[i] = _more_plausible(found[i], estimate) if undecided else estimate
                if not undecided and not is_settled(estimate):
                    unsettled.append(i)
            waiting = unsettled
        return found


def _estimate(crop: Crop, out: dict[str, NDArray[np.floating]]) -> Estimate:
    """The network's outputs for one crop, by their names."""
    return Estimate(
        crop=crop,
        joints=out["joints"].astype(np.float64),
        joint_scores=out["joint_scores"],
        bone_depths=out.get("bone_depths"),
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


def is_settled(estimate: Estimate) -> bool:
    """Whether a right hand is shown in the crop its own joints ask for, but for `SHIFT`, `ZOOM` and `TURN_DEG`."""
    centre, side, _ = upright_frame(estimate.joints_2d)
    crop = estimate.crop
    shift = np.hypot(*(centre - crop.centre)) / crop.side
    zoom = abs(np.log(max(side / crop.side, 1e-6)))
    upright = estimate.uprightness > np.cos(np.deg2rad(TURN_DEG))
    return bool(shift < SHIFT and zoom < ZOOM and upright and not estimate.shows_left)


def other_side(crop: Crop) -> Crop:
    """The same place, size and direction, mirrored."""
    return crop_around(crop.centre, crop.side, -crop.rotation[1], size=crop.size, mirrored=not crop.mirrored)


def next_crop(estimate: Estimate, *, mirrored: bool) -> Crop:
    """The upright crop of the joints just found, at most 2.5 times larger or smaller than the last."""
    centre, side, up = upright_frame(estimate.joints_2d)
    last = estimate.crop.side
    side = min(max(side, last / 2.5), last * 2.5)
    return crop_around(centre, side, up, size=estimate.crop.size, mirrored=mirrored)
