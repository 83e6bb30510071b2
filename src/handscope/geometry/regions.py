"""Parts of a picture that joints divide."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from handscope.skeleton import MIDDLE_MCP, WRIST


def before_wrist(joints: NDArray[np.floating], height: int, width: int) -> NDArray[np.bool_]:
    """Pixels (height, width) on the knuckles' side of the line through the wrist, at right angles to wrist -> middle
    knuckle, of `joints` (21, 2) px.
    """
    x, y = np.arange(width), np.arange(height)[:, None]
    forward = joints[MIDDLE_MCP] - joints[WRIST]
    return (x - joints[WRIST, 0]) * forward[0] + (y - joints[WRIST, 1]) * forward[1] >= 0
