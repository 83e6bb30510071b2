"""Forward kinematics and skinning of a hand in numpy (paper, Eqs. 3 and 4); `kinematics_torch` is the twin in torch.

A hand is 16 joints in MANO's order: the wrist and, finger by finger, three joints from base to tip. Rest places are
those of the open hand; a joint turns in the frame that the joints above it have turned already. The wrist itself is
never turned here: who places the hand before a camera turns all that comes out. Works in the precision of what it is
given.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]


def chain(joints: Array, local: Array) -> tuple[Array, Array]:
    """Forward kinematics, the five fingers side by side: rotations (b, 16, 3, 3) and places (b, 16, 3) of the rest
    joints (b, 16, 3) after the turns `local` (b, 15, 3, 3).
    """
    b = joints.shape[0]
    rotations = np.empty((b, 16, 3, 3), np.result_type(joints, local))
    positions = np.empty((b, 16, 3), rotations.dtype)
    rotations[:, 0], positions[:, 0] = np.eye(3), joints[:, 0]
    fingers, turns = joints[:, 1:].reshape(b, 5, 3, 3), local.reshape(b, 5, 3, 3, 3)
    turned, placed = rotations[:, 1:].reshape(b, 5, 3, 3, 3), positions[:, 1:].reshape(b, 5, 3, 3)
    turned[:, :, 0], placed[:, :, 0] = turns[:, :, 0], fingers[:, :, 0]
    for i in (1, 2):
        bone = (fingers[:, :, i] - fingers[:, :, i - 1])[..., None]
        placed[:, :, i] = placed[:, :, i - 1] + (turned[:, :, i - 1] @ bone)[..., 0]
        turned[:, :, i] = turned[:, :, i - 1] @ turns[:, :, i]
    return rotations, positions


def carried(offsets: Array, owners: tuple[int, ...], rotations: Array, positions: Array) -> Array:
    """Places (b, n, 3) of points that joints `owners` (n) carry along; `offsets` (b, n, 3) from there at rest."""
    chosen = list(owners)
    return positions[:, chosen] + (rotations[:, chosen] @ offsets[..., None])[..., 0]


def joint_transforms(joints: Array, rotations: Array, positions: Array) -> Array:
    """What each joint does to the points it moves, as rows (b, 16, 12): nine of the rotation, three of the shift."""
    shift = positions - (rotations @ joints[..., None])[..., 0]
    return np.concatenate([rotations.reshape(-1, 16, 9), shift], -1)


def skin(vertices: Array, weights: Array, transforms: Array) -> Array:
    """Linear blend skinning: rest `vertices` (b, c, 3) moved by `transforms` (b, 16, 12) as `weights` (c, 16) say."""
    blended = weights @ transforms  # (b, c, 12)
    turn = blended[..., :9].reshape(*vertices.shape, 3)
    return (turn @ vertices[..., None])[..., 0] + blended[..., 9:]
