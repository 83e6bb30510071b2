"""The hand model in numpy, for the runtime and for synthesis (paper, Eqs. 3 and 4); `hand.layer` is its twin in torch.

M(beta, theta) = W(T + B_S(beta) + B_P(theta), J(beta), theta, weights), then x_cam = R (x - wrist) + T.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from handscope.geometry.rotations import axis_angle_to_matrix
from handscope.hand.assets import HandAsset
from handscope.hand.kinematics import chain, joint_transforms, skin
from handscope.skeleton import MODEL_TO_CANONICAL


class Posed(NamedTuple):
    """Vertices (b, V, 3) and canonical joints (b, 21, 3), metres."""

    vertices: NDArray[np.floating]
    joints: NDArray[np.floating]


def pose_hand(
    asset: HandAsset,
    beta: ArrayLike,
    theta: ArrayLike,
    R: ArrayLike | None = None,
    T: ArrayLike | None = None,
) -> Posed:
    """Pose a right hand.

    `beta` (b, 10); `theta` (b, 15, 3) axis-angle in MANO's joint order; `R` (b, 3, 3) and `T` (b, 3) place it in the
    camera, T being the wrist. Without them the wrist is at the origin of the model's own frame.
    """
    beta, theta = np.asarray(beta, np.float32), np.asarray(theta, np.float32)
    joints = rest_joints(asset, beta)
    local = axis_angle_to_matrix(theta)
    rotation, position = chain(joints, local)
    vertices = _skinned(asset, slice(None), beta, local, joints, rotation, position)
    all_joints = np.concatenate([position, vertices[:, asset.tips]], 1)[:, MODEL_TO_CANONICAL]
    wrist = joints[:, :1]
    return Posed(_placed(vertices - wrist, R, T), _placed(all_joints - wrist, R, T))


def pose_joints(
    asset: HandAsset, beta: ArrayLike, theta: ArrayLike, R: ArrayLike | None = None, T: ArrayLike | None = None
) -> NDArray[np.floating]:
    """The joints (b, 21, 3) of `pose_hand` alone, in the precision of `beta`: of the mesh only the tips are posed."""
    beta = np.asarray(beta)
    joints = rest_joints(asset, beta)
    local = axis_angle_to_matrix(np.asarray(theta, beta.dtype))
    rotation, position = chain(joints, local)
    tips = _skinned(asset, asset.tips, beta, local, joints, rotation, position)
    both = np.concatenate([position, tips], 1)[:, MODEL_TO_CANONICAL]
    return _placed(both - joints[:, :1], R, T)


def rest_joints(asset: HandAsset, beta: NDArray[np.floating]) -> NDArray[np.floating]:
    """Joints (b, 16, 3) in metres of the open hands of shapes `beta` (b, 10), in the model's own frame."""
    return asset.joints + (beta @ asset.joint_dirs.reshape(48, -1).T).reshape(-1, 16, 3)


def _skinned(
    asset: HandAsset,
    chosen: slice | NDArray[np.integer],
    beta: NDArray[np.floating],
    local: NDArray[np.floating],
    joints: NDArray[np.floating],
    rotation: NDArray[np.floating],
    position: NDArray[np.floating],
) -> NDArray[np.floating]:
    """The `chosen` vertices (b, c, 3) posed by linear blend skinning (Eqs. 3 and 4)."""
    b = beta.shape[0]
    template = asset.template[chosen]
    count = len(template)
    feature = (local - np.eye(3, dtype=local.dtype)).reshape(b, 135)
    moved = beta @ asset.shapedirs[chosen].reshape(count * 3, -1).T
    moved = moved + feature @ asset.posedirs[chosen].reshape(count * 3, 135).T
    vertices = template + moved.reshape(b, count, 3)
    return skin(vertices, asset.weights[chosen], joint_transforms(joints, rotation, position))


def _placed(points: NDArray[np.floating], R: ArrayLike | None, T: ArrayLike | None) -> NDArray[np.floating]:
    """Points (b, n, 3) relative to the wrist, turned by `R` (b, 3, 3) and moved by `T` (b, 3) where given."""
    if R is not None:
        points = points @ np.asarray(R, points.dtype).transpose(0, 2, 1)
    return points if T is None else points + np.asarray(T, points.dtype)[:, None]
