"""The mesh follows the heat-maps: a few Gauss-Newton steps from what the regressor heads say to what the 2D
joints say.

The paper asks both to agree in training (section 3.3); here they are made to agree for the hand at hand. The
unknowns are three angles at each of the 15 joints, the orientation and T; each costs what it moves away from
the network's answer, fingers bending most easily. Places in the picture come from the heat-maps; how far a bone
points away from the camera from the heads and from the POF's third channel (Eq. 2), which sees it on the bone itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from handscope.geometry.camera import NEAR_M
from handscope.geometry.rotations import axis_angle_to_matrix, matrix_to_axis_angle
from handscope.hand.assets import HandAsset
from handscope.hand.kinematics import carried, chain
from handscope.hand.model import pose_hand
from handscope.infer.full_camera import PosedHand
from handscope.skeleton import BONES, MODEL_TIP_OWNERS, MODEL_TO_CANONICAL, TIPS

PIXEL = 1.0
"""Standard deviation of a sure joint's place, px of a 128 px crop."""
BONE_DEPTH = 0.25
"""Standard deviation of a bone's z as the POF has it: metres away from the camera for each metre of bone."""
BEND, SPREAD, TWIST = 0.35, 0.20, 0.05
"""Standard deviations in radians about the axes of flexion, abduction and twist at a finger's first joint."""
STIFF = 0.03
"""The same for abduction and twist at the other joints, which hinge."""
TURN, SHIFT, DEPTH = 0.20, 0.05, 0.04
"""Standard deviations of the orientation (radians) and of T across and along the view (metres)."""
STEPS = 3
CROSS = np.cross(np.eye(3)[:, None], np.eye(3)).transpose(0, 2, 1).reshape(3, 9)
"""v @ CROSS is the matrix (9,) that takes a to v x a."""
PARENT, CHILD = np.array(BONES).T


@dataclass(frozen=True)
class Fitted:
    """Shape `beta` (10,), joint rotations `theta` (15, 3) axis-angle and the hand they pose in the crop's camera."""

    beta: NDArray[np.floating]
    theta: NDArray[np.floating]
    hand: PosedHand


def fit(
    asset: HandAsset,
    beta: NDArray[np.floating],
    theta: NDArray[np.floating],
    hand: PosedHand,
    focal: float,
    joints_2d: NDArray[np.floating],
    scores: NDArray[np.floating],
    bone_depths: NDArray[np.floating] | None,
    size: int,
) -> Fitted:
    """Move `theta` (15, 3), R and T so that the joints project to `joints_2d` (21, 2) crop px, as far as
    `scores` (21,) trust them, and the bones point away from the camera by `bone_depths` (20,), the z of unit vectors,
    if there are any.

    `focal` in crop px; the principal point is the crop's centre, its side is `size`.
    """
    moving = _Chain(asset, beta, theta, hand)
    sigma = _deviations()
    weight = np.repeat(np.sqrt(np.clip(scores, 0, 1)) / (PIXEL * size / 128), 2)
    target = (joints_2d - (size - 1) / 2).ravel()
    bone_weight = np.clip(scores[PARENT] * scores[CHILD], 0, 1) ** 0.25 / BONE_DEPTH
    moved = np.zeros(51)
    for _ in range(STEPS):
        joints, jacobian = moving.joints(moved)
        depth = np.maximum(joints[:, 2], NEAR_M)
        seen = joints[:, :2] / depth[:, None] * focal
        to_pixel = np.zeros((21, 2, 3))
        to_pixel[:, 0, 0] = to_pixel[:, 1, 1] = focal / depth
        to_pixel[:, :, 2] = -seen / depth[:, None]
        slope = np.einsum("jpc,jcd->jpd", to_pixel, jacobian).reshape(42, 51) * weight[:, None]
        gap = (target - seen.ravel()) * weight
        # robust: a joint far off counts as much as its distance, not its square
        far = np.sqrt(np.clip(3.0 / np.maximum(np.abs(gap), 1e-9), None, 1.0))
        slope, gap = slope * far[:, None], gap * far
        if bone_depths is not None:
            bones = joints[CHILD] - joints[PARENT]
            length = np.linalg.norm(bones, axis=1)  # of stiff bones: it does not change
            turn = (jacobian[CHILD, 2] - jacobian[PARENT, 2]) / length[:, None]
            slope = np.concatenate([slope, turn * bone_weight[:, None]])
            gap = np.concatenate([gap, (bone_depths - bones[:, 2] / length) * bone_weight])
        normal = slope.T @ slope
        normal.flat[::52] += 1 / sigma**2
        moved = moved + np.linalg.solve(normal, slope.T @ gap - moved / sigma**2)
    local, R, T = moving.parts(moved)
    angles = matrix_to_axis_angle(local)
    return posed(asset, beta, angles, R, T)


def posed(asset: HandAsset, beta: NDArray, theta: NDArray, R: NDArray, T: NDArray) -> Fitted:
    """The hand of these parameters."""
    found = pose_hand(asset, beta[None], theta[None], R[None], T[None])
    return Fitted(beta, theta, PosedHand(R=R, T=T, joints_3d=found.joints[0], vertices=found.vertices[0]))


@cache
def _deviations() -> NDArray[np.float64]:
    """Standard deviations (51,) of the unknowns: 15 x (flexion, abduction, twist), orientation, T."""
    angles = np.tile([BEND, STIFF, STIFF], (15, 1))
    angles[::3] = BEND, SPREAD, TWIST
    angles[12] = BEND, BEND, SPREAD  # the thumb's saddle joint
    return np.concatenate([angles.ravel(), [TURN] * 3, [SHIFT, SHIFT, DEPTH]])


@cache
def _descendants(parents: tuple[int, ...]) -> NDArray[np.bool_]:
    """(15, 21): which of [16 joints, 5 tips] move when joint j + 1 turns."""
    out = np.zeros((16, 21), bool)
    for i in range(1, 16):
        j = i
        while j > 0:
            out[j, i] = True
            j = parents[j]
    for t, owner in enumerate(MODEL_TIP_OWNERS):
        out[:, 16 + t] = out[:, owner]
    out.setflags(write=False)
    return out[1:]


class _Chain:
    """Forward kinematics about the network's answer: joints (21, 3) and how they move with the 51 unknowns."""

    def __init__(
        self, asset: HandAsset, beta: NDArray[np.floating], theta: NDArray[np.floating], hand: PosedHand
    ) -> None:
        rest = asset.joints.astype(np.float64) + asset.joint_dirs.astype(np.float64) @ beta
        self.rest = rest - rest[0]
        self.local = axis_angle_to_matrix(np.asarray(theta, np.float64))
        self.R, self.T = np.asarray(hand.R, np.float64), np.asarray(hand.T, np.float64)
        self.axes = np.tile(np.eye(3), (15, 1, 1)) if asset.axes is None else asset.axes.astype(np.float64)
        turned, placed = self._pose(self.local, self.R, self.T)
        tips = np.asarray(hand.joints_3d, np.float64)[list(TIPS)]
        owners = list(MODEL_TIP_OWNERS)
        self.tips = np.einsum("tba,tb->ta", turned[owners], tips - placed[owners])  # in their bone's frame
        self.below = _descendants(tuple(int(parent) for parent in asset.parents))

    def _pose(self, local: NDArray, R: NDArray, T: NDArray) -> tuple[NDArray, NDArray]:
        """Rotations (16, 3, 3) and places (16, 3) of the joints in the camera."""
        turned, placed = (part[0] for part in chain(self.rest[None], local[None]))
        return R @ turned, placed @ R.T + T

    def parts(self, moved: NDArray[np.float64]) -> tuple[NDArray, NDArray, NDArray]:
        """Joint rotations (15, 3, 3), R and T after the unknowns have moved."""
        angles = np.einsum("jk,jka->ja", moved[:45].reshape(15, 3), self.axes)
        turns = axis_angle_to_matrix(np.vstack([angles, moved[45:48]]))
        return self.local @ turns[:15], turns[15] @ self.R, self.T + moved[48:]

    def joints(self, moved: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Canonical joints (21, 3) in the camera and their derivative (21, 3, 51), exact where an angle has not
        moved.
        """
        local, R, T = self.parts(moved)
        turned, placed = self._pose(local, R, T)
        points = np.concatenate([placed, carried(self.tips[None], MODEL_TIP_OWNERS, turned[None], placed[None])[0]])
        slope = np.zeros((21, 3, 51))
        spin = np.einsum("jab,jkb->jka", turned[1:], self.axes)  # (15, 3 axes, 3) in the camera
        arm = points[None] - placed[1:, None]  # (15, 21, 3) from the turning joint
        moves = (spin.reshape(45, 3) @ CROSS).reshape(15, 9, 3) @ arm.transpose(0, 2, 1)  # (15, 3 axes x 3, 21)
        moves = moves.reshape(15, 3, 3, 21) * self.below[:, None, None]
        slope[:, :, :45] = moves.transpose(3, 2, 0, 1).reshape(21, 3, 45)
        slope[:, :, 45:48] = (CROSS.reshape(3, 3, 3) @ (points - T).T).transpose(2, 1, 0)
        slope[:, :, 48:] = np.eye(3)
        return points[MODEL_TO_CANONICAL], slope[MODEL_TO_CANONICAL]
