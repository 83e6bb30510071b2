"""How far fingers are bent, from 21 joints alone: one formula for anybody's."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from handscope.skeleton import JOINT_NAMES, PARENTS

TURNING = tuple(k for k in range(len(PARENTS)) if k and k in PARENTS)
"""Joints that have a bone before them and one after: all but wrist and tips."""
BENDS = tuple(JOINT_NAMES[k] for k in TURNING)


def bends(joints: NDArray[np.floating]) -> NDArray[np.float64]:
    """Angles (..., 15) in degrees between the bone to a joint and the bone from it, of joints (..., 21, 3): 0 is
    straight. No side and no sign: a finger bent backwards is as bent as one forwards.
    """
    joints = np.asarray(joints, np.float64)
    before = np.stack([joints[..., k, :] - joints[..., PARENTS[k], :] for k in TURNING], -2)
    after = np.stack([joints[..., PARENTS.index(k), :] - joints[..., k, :] for k in TURNING], -2)
    sine = np.linalg.norm(np.cross(before, after), axis=-1)
    return np.degrees(np.arctan2(sine, (before * after).sum(-1)))
