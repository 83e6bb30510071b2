"""How long the bones of hands are."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from handscope.hand.assets import load_asset
from handscope.hand.model import pose_hand
from handscope.skeleton import BONES

Array = NDArray[np.floating]


@lru_cache(maxsize=1)
def reference_bones() -> Array:
    """Lengths (20,) in metres of the open hand's bones, in the order of `BONES`."""
    joints = pose_hand(load_asset(), np.zeros((1, 10)), np.zeros((1, 15, 3))).joints[0]
    return bone_lengths(joints[None])[0]


def bone_lengths(joints: Array) -> Array:
    """Lengths (n, 20) of the bones of joints (n, 21, c)."""
    parents, children = np.array(BONES).T
    return np.linalg.norm(joints[:, children] - joints[:, parents], axis=-1)
