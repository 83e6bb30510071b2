"""The hand model in numpy, for the runtime and for synthesis (paper, Eqs. 3 and 4); `hand.layer` is its twin in torch.

M(beta, theta) = W(T + B_S(beta) + B_P(theta), J(beta), theta, weights), then x_cam = R (x - wrist) + T.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from handscope.geometry.rotations import axis_angle_to_matrix
from handscope.hand.assets import HandAsset
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
    b = beta.shape[0]
    count = len(asset.template)
    joints = asset.joints + (beta @ asset.joint_dirs.reshape(48, -1).T).reshape(b, 16, 3)
    local = axis_angle_to_matrix(theta)
    feature = (local - np.eye(3, dtype=np.float32)).reshape(b, 135)
    moved = beta @ asset.shapedirs.reshape(count * 3, -1).T + feature @ asset.posedirs.reshape(count * 3, 135).T
    vertices = asset.template + moved.reshape(b, count, 3)
    rotation, position = _chain(joints, local)
    shift = position - (rotation @ joints[..., None])[..., 0]
    transform = np.concatenate([rotation.reshape(b, 16, 9), shift], -1)
    blended = asset.weights @ transform  # (b, V, 12)
    turn = blended[..., :9].reshape(b, count, 3, 3)
    vertices = (turn @ vertices[..., None])[..., 0] + blended[..., 9:]
    all_joints = np.concatenate([position, vertices[:, asset.tips]], 1)[:, MODEL_TO_CANONICAL]
    wrist = joints[:, :1]
    vertices, all_joints = vertices - wrist, all_joints - wrist
    if R is not None:
        turn = np.asarray(R, np.float32).transpose(0, 2, 1)
        vertices, all_joints = vertices @ turn, all_joints @ turn
    if T is not None:
        place = np.asarray(T, np.float32)[:, None]
        vertices, all_joints = vertices + place, all_joints + place
    return Posed(vertices, all_joints)


def _chain(joints: NDArray[np.floating], local: NDArray[np.floating]) -> tuple[NDArray, NDArray]:
    """Forward kinematics, the five fingers side by side: rotations (b, 16, 3, 3), positions (b, 16, 3)."""
    b = joints.shape[0]
    fingers, turns = joints[:, 1:].reshape(b, 5, 3, 3), local.reshape(b, 5, 3, 3, 3)
    position, rotation = [fingers[:, :, 0]], [turns[:, :, 0]]
    for i in (1, 2):
        bone = (fingers[:, :, i] - fingers[:, :, i - 1])[..., None]
        position.append(position[-1] + (rotation[-1] @ bone)[..., 0])
        rotation.append(rotation[-1] @ turns[:, :, i])
    identity = np.broadcast_to(np.eye(3, dtype=joints.dtype), (b, 1, 3, 3))
    rotations = np.concatenate([identity, np.stack(rotation, 2).reshape(b, 15, 3, 3)], 1)
    positions = np.concatenate([joints[:, :1], np.stack(position, 2).reshape(b, 15, 3)], 1)
    return rotations, positions
