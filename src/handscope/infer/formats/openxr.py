"""The 26 hand joints of OpenXR (XR_EXT_hand_tracking): places, turns and radii, as headsets give them.

Space: x right, y up, z back, the camera at the origin, metres. A joint's turn has -z along the bone towards the tip, +y
out of the back of the hand (of the thumb: of its nail), x to the right, on either hand. OpenXR has four metacarpals and
a palm that our skeleton lacks: the metacarpals of index to little finger begin at `BASE` of the way from the wrist to
their knuckles, the palm lies half-way along the middle finger's. A radius is the distance to the nearest vertex.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from handscope.geometry.rotations import matrix_to_quaternion
from handscope.infer.formats.rig import NAMES, VIEWER, build_rig, require_model, viewer_pose
from handscope.types import Hand

FINGERS = ("index", "middle", "ring", "little")
THUMB = {"metacarpal": "cmc", "proximal": "mcp", "distal": "ip", "tip": "tip"}
FINGER = {"metacarpal": None, "proximal": "mcp", "intermediate": "pip", "distal": "dip", "tip": "tip"}
"""OpenXR's words by ours; None where we have no joint."""
OPENXR_NAMES = (
    "palm",
    "wrist",
    *(f"thumb_{part}" for part in THUMB),
    *(f"{finger}_{part}" for finger in FINGERS for part in FINGER),
)
"""In the order of XrHandJointEXT."""
BASE = 0.25
TURN = np.array([[-1.0, 0, 0], [0, 0, -1], [0, -1, 0]])
"""OpenXR's axes (columns) in the frame of a bone (x flexion, y along it, z to the palm)."""


class XrHand(NamedTuple):
    """`positions` (26, 3) metres, `orientations` (26, 4) unit quaternions x, y, z, w, `radii` (26,) metres."""

    positions: NDArray[np.float64]
    orientations: NDArray[np.float64]
    radii: NDArray[np.float64]


def to_openxr(hand: Hand) -> XrHand:
    """A hand's 26 joints in the order of `OPENXR_NAMES`."""
    model = require_model(hand)
    rig = build_rig(model, hand.beta, left=hand.handedness == "left", bones="fingers")
    frames, places = rig.posed(*viewer_pose(hand))
    ours = {name: (places[i], frames[i]) for i, name in enumerate(NAMES)}
    joints: dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]] = {"wrist": ours["wrist"]}
    joints |= {f"thumb_{part}": ours[f"thumb_{name}"] for part, name in THUMB.items()}
    for finger in FINGERS:
        knuckle = ours[f"{finger}_mcp"][0]
        base = ours["wrist"][0] + BASE * (knuckle - ours["wrist"][0])
        joints[f"{finger}_metacarpal"] = base, _along(knuckle - base, ours["wrist"][1])
        joints |= {f"{finger}_{part}": ours[f"{finger}_{name}"] for part, name in FINGER.items() if name}
    joints["palm"] = (joints["middle_metacarpal"][0] + joints["middle_proximal"][0]) / 2, ours["wrist"][1]
    positions = np.stack([joints[name][0] for name in OPENXR_NAMES])
    turns = np.stack([joints[name][1] for name in OPENXR_NAMES]) @ TURN
    skin = hand.vertices * VIEWER
    radii = np.linalg.norm(positions[:, None] - skin[None], axis=-1).min(1)
    return XrHand(positions, np.roll(matrix_to_quaternion(turns), -1, axis=-1), radii)


def _along(bone: NDArray[np.float64], near: NDArray[np.float64]) -> NDArray[np.float64]:
    """The frame of a bone with this direction (3,) whose palm side is that of the frame `near` (3, 3)."""
    y = bone / np.linalg.norm(bone)
    x = np.cross(y, near[:, 2])
    x /= np.linalg.norm(x)
    return np.stack([x, y, np.cross(x, y)], -1)


def to_openxr_csv(hand: Hand) -> str:
    """The joints as a table: number, name, place, turn (quaternion) and radius, metres."""
    joints = to_openxr(hand)
    lines = ["joint,name,x_m,y_m,z_m,qx,qy,qz,qw,radius_m"]
    for number, (name, *values) in enumerate(zip(OPENXR_NAMES, *joints, strict=True)):
        numbers = np.concatenate([np.ravel(value) for value in values])
        lines.append(f"{number},{name}," + ",".join(f"{value:.6f}" for value in numbers))
    return "\n".join(lines) + "\n"
