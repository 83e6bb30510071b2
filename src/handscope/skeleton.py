"""The hand's skeleton: one joint order inside, 20 bones, and the orders of other tools.

Canonical order (FreiHAND, OpenPose, MediaPipe, CMU Panoptic): 0 wrist; 1-4 thumb CMC, MCP, IP, tip;
5-8 index MCP, PIP, DIP, tip; 9-12 middle; 13-16 ring; 17-20 little finger.
"""

import numpy as np

FINGERS = ("thumb", "index", "middle", "ring", "little")

JOINT_NAMES = (
    "wrist",
    *(f"thumb_{part}" for part in ("cmc", "mcp", "ip", "tip")),
    *(f"{finger}_{part}" for finger in FINGERS[1:] for part in ("mcp", "pip", "dip", "tip")),
)

WRIST, MIDDLE_MCP = 0, 9
TIPS = (4, 8, 12, 16, 20)
MCPS = (5, 9, 13, 17)

PARENTS = (-1, 0, 1, 2, 3, 0, 5, 6, 7, 0, 9, 10, 11, 0, 13, 14, 15, 0, 17, 18, 19)
"""Parent of every joint in the canonical order; -1 for the wrist."""

BONES = tuple((parent, child) for child, parent in enumerate(PARENTS) if parent >= 0)
"""The set S of (parent, child) pairs of the paper's section 3.1: 20 bones, ordered by child."""

MODEL_FINGERS = ("index", "middle", "little", "ring", "thumb")
"""MANO's finger order: model joints are wrist, then three joints of each of these fingers."""

MODEL_PARENTS = (-1, 0, 1, 2, 0, 4, 5, 0, 7, 8, 0, 10, 11, 0, 13, 14)
"""The model joint above each of the 16, -1 for the wrist."""

MODEL_LAST_JOINTS = (3, 6, 9, 12, 15)
"""The model joint that carries the tip of each of `MODEL_FINGERS`."""

MODEL_TIP_OWNERS = tuple(MODEL_LAST_JOINTS[MODEL_FINGERS.index(finger)] for finger in FINGERS)
"""The same for the tips of thumb, index, middle, ring and little finger."""

MODEL_TO_CANONICAL = np.array([0, 13, 14, 15, 16, 1, 2, 3, 17, 4, 5, 6, 18, 10, 11, 12, 19, 7, 8, 9, 20])
"""Index into [16 model joints, then the tips of thumb, index, middle, ring, little] for each canonical joint."""

RHD_TO_CANONICAL = np.array([0, 4, 3, 2, 1, 8, 7, 6, 5, 12, 11, 10, 9, 16, 15, 14, 13, 20, 19, 18, 17])
"""RHD, each hand: wrist, then thumb to little finger, each from the tip to the base."""

STB_TO_CANONICAL = np.array([0, 17, 18, 19, 20, 13, 14, 15, 16, 9, 10, 11, 12, 5, 6, 7, 8, 1, 2, 3, 4])
"""STB: PALM centre, then little finger to thumb, each from the base to the tip; joint 0 stays the palm."""

INTERHAND_TO_CANONICAL = np.array([20, 3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12, 19, 18, 17, 16])
"""InterHand2.6M, each hand: thumb to little finger, each from the tip to the base, then the wrist."""


def finger_of(joint: int) -> str | None:
    """The finger a canonical joint belongs to, or None for the wrist."""
    return None if joint == WRIST else FINGERS[(joint - 1) // 4]
