"""Joints as dex-retargeting takes them: 21 x 3 metres about the wrist, in its MANO frame.

It estimates a frame from the wrist and the knuckles of index and middle finger (x from the middle knuckle to the
wrist, y across the palm, z towards the index finger) and turns that by a fixed matrix for each side:
`SingleHandDetector` of its example `vector_retargeting`, which reads MediaPipe's world landmarks. Ours have the
same order and handedness of axes, so they go in alike.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from handscope.skeleton import MIDDLE_MCP, WRIST
from handscope.types import Hand

INDEX_MCP = 5
OPERATOR_TO_MANO = {
    "right": np.array([[0.0, 0, -1], [-1, 0, 0], [0, 1, 0]]),
    "left": np.array([[0.0, 0, -1], [1, 0, 0], [0, -1, 0]]),
}
"""dex-retargeting's OPERATOR2MANO_RIGHT and OPERATOR2MANO_LEFT."""


def to_retargeting(hand: Hand) -> NDArray[np.float64]:
    """Joints (21, 3) in metres for `retargeting.retarget`: the wrist at the origin, the middle knuckle on +z."""
    joints = np.asarray(hand.joints_3d, np.float64)
    joints = joints - joints[WRIST]
    return joints @ palm_frame(joints) @ OPERATOR_TO_MANO[hand.handedness]


def palm_frame(joints: NDArray[np.floating]) -> NDArray[np.float64]:
    """Axes (3, 3) as columns: along the palm to the wrist, its normal, and across it towards the index finger."""
    wrist, index, middle = (np.asarray(joints[i], np.float64) for i in (WRIST, INDEX_MCP, MIDDLE_MCP))
    along = wrist - middle
    along = along / np.linalg.norm(along)
    normal = np.cross(along, index - middle)
    length = np.linalg.norm(normal)
    if length < 1e-9:
        raise ValueError("wrist, index and middle knuckle lie on one line: the palm has no plane")
    across = np.cross(normal / length, along)  # towards the index knuckle
    return np.stack([along, np.cross(across, along), across], axis=1)
