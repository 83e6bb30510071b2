"""The estimator network: everything about one hand from one upright crop that shows it as a right hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from handscope.geometry.crops import Crop
from handscope.infer.crop_estimates import Look, View, batches, cut, is_settled, next_crop, other_side, resized
from handscope.infer.lifting import PosedHand
from handscope.infer.weights import Network, check_outputs

MOST_LOOKS = 4
DOUBTFUL = 0.5
"""Trust below which the other side is tried."""
WIDER = 1.35
"""How much larger the next crop is if the mask reaches an edge."""
SURE = 0.9
"""Probability of a right hand shown below which the other side is tried."""
OUTPUTS = {"joints", "joint_scores", "mask", "right", "theta", "beta", "R", "T", "f", "joints_3d", "vertices"}


@dataclass(frozen=True, kw_only=True)
class Estimate(Look):
    """What the network says of one crop.

    `joint_scores` (21,); `bone_depths` (20,) the z of unit vectors along the bones (None from weights exported before
    0.2); `mask` (m, m) probability over the crop; `theta` (15, 3), `beta` (10,); `hand` in the crop's camera, whose
    focal length is `focal` crop px.
    """

    joint_scores: NDArray[np.floating]
    bone_depths: NDArray[np.floating] | None
    mask: NDArray[np.floating]
    theta: NDArray[np.floating]
    beta: NDArray[np.floating]
    hand: PosedHand
    focal: float

    @property
    def trust(self) -> float:
        """Mean joint score, in [0, 1]."""
        return float(self.joint_scores.mean())

    @property
    def is_cut(self) -> bool:
        """Whether the mask reaches the crop's upper edge or one of its sides, but for a cell."""
        return bool(max(self.mask[:2].max(), self.mask[:, :2].max(), self.mask[:, -2:].max()) > 0.5)

    @property
    def plausibility(self) -> float:
        """In [0, 1]: `fitness`, and joints found."""
        return self.trust * self.fitness


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
        for part in batches(views):
            out = self.network.run(cut(part))
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

        Where the crop cuts the hand off, a `WIDER` one is tried too; where the end is `DOUBTFUL` or not `SURE` of its
        side, the first crop's other side. The surer answer is kept.
        """
        found = self._look_on(firsts)
        cut_off = [i for i, estimate in enumerate(found) if estimate.is_cut]
        self._try(found, firsts, cut_off, [resized(found[i].crop, self.size, WIDER) for i in cut_off])
        doubtful = [i for i, estimate in enumerate(found) if estimate.trust < DOUBTFUL or estimate.right < SURE]
        self._try(found, firsts, doubtful, [other_side(firsts[i][1].crop) for i in doubtful])
        return found

    def _try(
        self,
        found: list[Estimate],
        firsts: Sequence[tuple[NDArray[np.uint8], Estimate]],
        chosen: Sequence[int],
        crops: Sequence[Crop],
    ) -> None:
        """Looks on from other `crops` for the `chosen` of `found`, which keeps the surer answers."""
        images = [firsts[i][0] for i in chosen]
        others = self.look(list(zip(images, crops, strict=True)))
        for i, other in zip(chosen, self._look_on(list(zip(images, others, strict=True))), strict=True):
            found[i] = max(found[i], other, key=lambda estimate: estimate.trust * estimate.right)

    def _look_on(self, firsts: Sequence[tuple[NDArray[np.uint8], Estimate]]) -> list[Estimate]:
        """Look until every crop is settled, `MOST_LOOKS` times with the first."""
        found = [first for _, first in firsts]
        waiting = [i for i, estimate in enumerate(found) if not is_settled(estimate)]
        for _ in range(MOST_LOOKS - 1):
            looks = self.look([(firsts[i][0], next_crop(found[i], self.size)) for i in waiting])
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
