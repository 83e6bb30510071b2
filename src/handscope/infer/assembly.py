"""From what the network says of a crop to a `Hand` of the picture: fitted, refined by its outline, in full camera."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from handscope.errors import HandscopeError
from handscope.geometry.boxes import tight_box
from handscope.geometry.camera import Camera, project_centred
from handscope.geometry.crops import Crop
from handscope.geometry.masks import CroppedMask
from handscope.hand.assets import HandAsset
from handscope.hand.conventions import OWN
from handscope.infer.calibration import Calibration
from handscope.infer.estimator import Estimate
from handscope.infer.fitting import fit
from handscope.infer.full_camera import PosedHand, crop_to_full, settle
from handscope.infer.joint_conventions import in_convention, with_joints
from handscope.infer.mano import refit
from handscope.infer.results import FoundHand
from handscope.infer.silhouette_refinement import refine_silhouette
from handscope.skeleton import TIPS
from handscope.types import JointConvention

BOX_MARGIN = 0.015
"""How much further a box reaches than what is seen of a hand, in its larger sides: as people draw them (so the mean IoU
with their boxes is greatest, over the three sources of the training photographs)."""
SPECK = 0.04
"""Pieces of a mask below this share of the largest one are no part of the hand."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Assembler:
    """Call it with an `Estimate` for its `FoundHand`; `told` says that as the caller wants it.

    `asset` is the hand model that the estimator was trained with; `target` the one that hands are told in, if another
    (MANO); `calibration` turns raw joint scores into probabilities; `joint_convention` is whose joints are told, by
    default those of the hand model. Raises HandscopeError if MANO's are asked for without its model.
    """

    asset: HandAsset
    target: HandAsset | None = None
    calibration: Calibration = Calibration()
    joint_convention: JointConvention | None = None

    def __post_init__(self) -> None:
        model = self.target or self.asset
        if self.joint_convention == "mano" and model.name != "MANO":
            raise HandscopeError("joint_convention 'mano' needs MANO's hand model: give hand_model MANO_RIGHT.pkl too")

    @property
    def told_convention(self) -> JointConvention:
        """Whose joints hands are told with."""
        return self.joint_convention or OWN[(self.target or self.asset).name]

    def told(self, hand: FoundHand) -> FoundHand:
        """A hand of `asset` in the wanted hand model and joints."""
        if self.target is None:
            return hand if self.joint_convention is None else in_convention(hand, self.joint_convention)
        fitted = refit(hand, self.target)
        if self.joint_convention in (None, "mano"):
            joints = with_joints(hand, fitted.joints_3d, "mano")
        else:
            joints = in_convention(hand, self.joint_convention)
        return replace(
            fitted,
            joints_2d=joints.joints_2d,
            joints_3d=joints.joints_3d,
            joint_convention=joints.joint_convention,
        )

    def __call__(self, estimate: Estimate, score: float, camera: Camera) -> FoundHand:
        """What the network says of a crop, in the `camera` of its picture, whose size it knows."""
        assert camera.size is not None
        (width, height), K = camera.size, camera.K
        crop = estimate.crop
        seen = without_specks(estimate.mask)
        fitted = fit(
            self.asset,
            estimate.beta,
            estimate.theta,
            estimate.hand,
            estimate.focal,
            estimate.joints,
            estimate.joint_scores,
            estimate.bone_depths,
            crop.size,
        )
        fitted = refine_silhouette(self.asset, fitted, estimate.joints, seen, estimate.focal, crop.size)
        joints = crop.invert(blended(estimate, fitted.hand))
        placed = crop_to_full(fitted.hand, estimate.focal, without_lens(crop, camera), K, width)
        straight = camera.undistorted(joints)
        placed = settle(placed, straight, estimate.joint_scores, K, mirrored=crop.mirrored)
        return FoundHand(
            handedness="left" if crop.mirrored else "right",
            score=score,
            box=box_of(joints, seen, crop).clip(0, [width - 1, height - 1, width - 1, height - 1]),
            joints_2d=joints,
            joint_scores=self.calibration(estimate.joint_scores),
            cropped_mask=CroppedMask(seen.astype(np.float32), crop, height, width),
            joints_3d=placed.joints_3d,
            vertices=placed.vertices,
            faces=self.asset.faces_of("left" if crop.mirrored else "right"),
            theta=fitted.theta,
            beta=fitted.beta,
            R=placed.R,
            T=placed.T,
            K=K,
            joint_visibility=estimate.joint_visibility,
            distortion=camera.distortion,
            extras={"right": 1 - estimate.right if crop.mirrored else estimate.right},
            asset=self.asset,
            joint_convention=OWN[self.asset.name],
        )


def without_lens(crop: Crop, camera: Camera) -> Crop:
    """The crop as it would lie in the picture of a lens that does not distort: exact at its centre, with its slope."""
    if camera.distortion is None:
        return crop
    centre = crop.centre
    around = camera.undistorted(centre + np.array([[0, 0], [0.5, 0], [-0.5, 0], [0, 0.5], [0, -0.5]]))
    slope = np.column_stack([around[1] - around[2], around[3] - around[4]])
    linear = crop.matrix[:, :2] @ np.linalg.inv(slope)
    return Crop(np.column_stack([linear, (crop.size - 1) / 2 - linear @ around[0]]), crop.size)


def blended(estimate: Estimate, fitted: PosedHand) -> NDArray[np.float64]:
    """Joints (21, 2) crop px: those of the heat-maps where they are sure, else those of the fitted mesh.

    The heat-maps' share is the square of a joint's score; all of it at fingertips, whose place people mark as the
    heat-maps do.
    """
    projected = project_centred(fitted.joints_3d, estimate.focal, estimate.crop.size)
    share = np.square(np.clip(estimate.joint_scores, 0, 1))[:, None]
    share[list(TIPS)] = 1.0
    return share * estimate.joints + (1 - share) * projected


def without_specks(mask: NDArray[np.floating]) -> NDArray[np.floating]:
    """The mask (m, m) without pieces smaller than `SPECK` of the largest: fingers behind an object stay."""
    count, pieces, stats, _ = cv2.connectedComponentsWithStats((mask > 0.5).astype(np.uint8))
    if count <= 2:
        return mask
    areas = stats[1:, cv2.CC_STAT_AREA]
    specks = 1 + np.flatnonzero(areas < SPECK * areas.max())
    return np.where(np.isin(pieces, specks), np.float32(0), mask)


def box_of(joints: NDArray[np.floating], mask: NDArray[np.floating], crop: Crop) -> NDArray[np.float64]:
    """Box (4,) px around what is seen of a hand, its joints (21, 2) px and the crop's mask (m, m), and `BOX_MARGIN`."""
    points = np.asarray(joints, np.float64)
    rows, columns = np.nonzero(mask > 0.5)
    if len(rows):
        cell = crop.size / len(mask)
        centres = crop.invert((np.column_stack([columns, rows]) + 0.5) * cell - 0.5)
        half = cell / 2 / crop.scale
        points = np.concatenate([points, centres - half, centres + half])
    return tight_box(points, BOX_MARGIN).astype(np.float64)
