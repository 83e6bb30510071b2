"""The estimator network: everything about one hand from one upright crop that shows it as a right hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from handscope.geometry.crops import Crop
from handscope.hand.assets import load_asset
from handscope.hand.model import pose_joints
from handscope.infer.crop_estimates import CropEstimate, View, batches, extract_crops
from handscope.infer.full_camera import PosedHand
from handscope.infer.weights import Network, check_outputs

OUTPUTS = {"joints", "joint_scores", "mask", "right", "theta", "beta", "R", "T", "f"}
POSED = {"joints_3d", "vertices"}
"""Networks in 8 bits leave them out."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Estimate(CropEstimate):
    """What the network says of one crop.

    `joint_scores` (21,); `bone_depths` (20,) the z of unit vectors along the bones (None from weights exported before
    0.2); `joint_visibility` (21,) in [0, 1] (None from weights without that head); `mask` (m, m) probability over the
    crop; `theta` (15, 3), `beta` (10,); `hand` in the crop's camera, whose focal length is `focal` crop px.
    """

    joint_scores: NDArray[np.floating]
    bone_depths: NDArray[np.floating] | None
    joint_visibility: NDArray[np.floating] | None = None
    mask: NDArray[np.floating]
    theta: NDArray[np.floating]
    beta: NDArray[np.floating]
    hand: PosedHand
    focal: float

    @property
    def confidence(self) -> float:
        """Mean joint score, in [0, 1]."""
        return float(self.joint_scores.mean())

    @property
    def is_truncated(self) -> bool:
        """Whether the mask reaches the crop's upper edge or one of its sides, but for a cell."""
        return bool(max(self.mask[:2].max(), self.mask[:, :2].max(), self.mask[:, -2:].max()) > 0.5)

    @property
    def plausibility(self) -> float:
        """In [0, 1]: `fitness`, and joints found."""
        return self.confidence * self.fitness


@dataclass(frozen=True, eq=False)
class Estimator:
    """The estimator network; call it with a picture and crops of it."""

    network: Network

    def __post_init__(self) -> None:
        check_outputs(self.network, OUTPUTS | POSED if self.poses else OUTPUTS)

    @property
    def poses(self) -> bool:
        """Whether the network gives the hand's mesh and its joints in space; else they are posed here, the joints
        alone, as an estimate's mesh is posed again when it is fitted.
        """
        return bool(POSED.intersection(self.network.output_shapes))

    @property
    def size(self) -> int:
        """Side of the crops in px."""
        return self.network.input_size

    def __call__(self, image: NDArray[np.uint8], crops: Sequence[Crop]) -> list[Estimate]:
        """One estimate for each crop of `image` RGB uint8 (H, W, 3)."""
        return self.estimate([(image, crop) for crop in crops])

    def estimate(self, views: Sequence[View]) -> list[Estimate]:
        """One estimate for each crop of its own picture, in batches as large as the device's."""
        found = []
        for part in batches(views, self.network.device.crops):
            out = self.network.run(extract_crops(part))
            for i, (_, crop) in enumerate(part):
                found.append(_estimate(crop, {name: value[i] for name, value in out.items()}))
        return found


def _estimate(crop: Crop, out: dict[str, NDArray[np.floating]]) -> Estimate:
    """The network's outputs for one crop, by their names."""
    return Estimate(
        crop=crop,
        joints=out["joints"].astype(np.float64),
        joint_scores=out["joint_scores"],
        bone_depths=out.get("bone_depths"),
        joint_visibility=out.get("joint_visibility"),
        mask=out["mask"],
        right=float(out["right"]),
        presence=float(out["presence"]) if "presence" in out else None,
        theta=out["theta"],
        beta=out["beta"],
        hand=_hand(out),
        focal=float(out["f"]),
    )


def _hand(out: dict[str, NDArray[np.floating]]) -> PosedHand:
    R, T = out["R"], out["T"]
    if "vertices" in out:
        return PosedHand(R=R, T=T, joints_3d=out["joints_3d"], vertices=out["vertices"])
    joints = pose_joints(load_asset(), out["beta"][None], out["theta"][None], R[None], T[None])[0]
    return PosedHand(R=R, T=T, joints_3d=joints, vertices=np.zeros((0, 3), joints.dtype))
