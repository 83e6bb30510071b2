"""A hand told in another hand model's terms: MANO's pose, shape and mesh fitted to the joints that were found.

The network speaks of the shipped open hand. MANO has the same skeleton and the same axes, so theta and R start from
ours, beta from the mean hand; a few Gauss-Newton steps bring its 21 joints to where MANO's would lie in our hand
(`hand.conventions`: MANO's knuckles are 17 mm from ours), with priors that keep the pose near ours and the shape near
the mean. Tips are vertices, and MANO's are not quite ours: they count less.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from handscope.geometry.rotations import axis_angle_to_matrix
from handscope.hand.assets import HandAsset
from handscope.hand.conventions import OWN, regressor
from handscope.hand.model import pose_hand, pose_joints
from handscope.infer.joint_conventions import in_convention
from handscope.skeleton import TIPS, WRIST
from handscope.types import Hand

AnyHand = TypeVar("AnyHand", bound=Hand)
JOINT, TIP = 0.001, 0.003
"""Standard deviations in metres of the distance between a joint, or a tip, of the two models."""
BEND, TURN, SHIFT, SHAPE = 0.3, 0.3, 0.02, 1.0
"""Standard deviations of theta and of the orientation (radians), of T (metres) and of beta, about their start."""
STEPS = 6
EPSILON = 1e-4


def refit(hand: AnyHand, model: HandAsset) -> AnyHand:
    """`hand` with mesh, joints, theta, beta, R and T of `model`; `extras["mano_residual_mm"]` is how far, on average
    over the 21 joints, the model stays from where its own joints would lie in `hand` (`conventions.regressor`).
    """
    left = hand.handedness == "left"
    side = np.array([-1.0 if left else 1.0, 1.0, 1.0])
    own = in_convention(hand, "anatomical").joints_3d
    target = (
        regressor(OWN[model.name]) @ np.asarray(own, np.float64) * side
    )  # of the right hand in the mirrored picture
    start = np.concatenate([np.ravel(hand.theta), np.zeros(3), target[WRIST], np.zeros(10)]).astype(np.float64)
    moved = _solve(model, start, np.asarray(hand.R, np.float64), target)
    theta, R, T, beta = _parts(moved[None], np.asarray(hand.R, np.float64))
    posed = pose_hand(model, beta, theta, R, T)
    joints = posed.joints[0].astype(np.float64)
    residual = float(np.linalg.norm(joints - target, axis=-1).mean() * 1000)
    return replace(
        hand,
        asset=model,
        vertices=posed.vertices[0] * side,
        faces=model.faces_of(hand.handedness),
        joints_3d=joints * side,
        theta=theta[0],
        beta=beta[0],
        R=R[0],
        T=T[0],
        extras={**hand.extras, "mano_residual_mm": residual},
    )


def _solve(model: HandAsset, start: NDArray, R: NDArray, target: NDArray) -> NDArray[np.float64]:
    """The 61 unknowns (theta, turn, T, beta) at which joints and priors are in balance."""
    spread = np.concatenate([np.full(45, BEND), np.full(3, TURN), np.full(3, SHIFT), np.full(10, SHAPE)])
    weight = np.full((21, 1), 1 / JOINT)
    weight[list(TIPS)] = 1 / TIP
    count = len(start)
    moved = start.copy()
    for _ in range(STEPS):
        tried = np.vstack([moved, moved + EPSILON * np.eye(count)])  # forward differences, all at once
        theta, turn, T, beta = _parts(tried, R)
        joints = pose_joints(model, beta, theta, turn, T)
        slope = (joints[1:] - joints[0]) * (weight / EPSILON)
        gap = ((target - joints[0]) * weight).ravel()
        slope = slope.reshape(count, -1).T
        normal = slope.T @ slope + np.diag(1 / spread**2)
        moved = moved + np.linalg.solve(normal, slope.T @ gap - (moved - start) / spread**2)
    return moved


def _parts(moved: NDArray, R: NDArray) -> tuple[NDArray, NDArray, NDArray, NDArray]:
    """theta (b, 15, 3), R (b, 3, 3), T (b, 3) and beta (b, 10) of unknowns (b, 61); the turn goes before `R`."""
    return moved[:, :45].reshape(-1, 15, 3), axis_angle_to_matrix(moved[:, 45:48]) @ R, moved[:, 48:51], moved[:, 51:]
