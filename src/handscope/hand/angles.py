"""Joint angles in degrees: flexion, abduction and twist of every joint, and how the hand is turned to the camera.

A joint's rotation is flexion @ abduction @ twist about the asset's axes at rest, zero in the flat hand: flexion about
an axis that the bone before carries, twist about the bone after, abduction about what is perpendicular to both, as the
International Society of Biomechanics has it (Wu et al. 2005, J. Biomech. 38, 981-992; Grood and Suntay 1983). So
flexion may go all the way round, and is never mixed up with the others but where abduction is a right angle, which no
finger reaches. Flexion bends towards the palm, abduction moves a finger towards the thumb's side, twist turns its back
to the little finger's side; both hands alike.

To the camera a hand is turned by three angles, zero where the fingers point up in the picture and the palm looks at the
camera: roll turns it clockwise in the picture, pitch tips the fingers towards the camera, yaw turns the thumb's side
towards the camera (180 shows the back). Roll is of the picture, pitch and yaw of either hand alike. Where the fingers
point straight at the camera, roll and yaw are one.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from handscope.geometry.rotations import axis_angle_to_matrix, matrix_to_axis_angle, rotation_between
from handscope.hand.assets import HandAsset, load_asset
from handscope.skeleton import FINGERS, MODEL_FINGERS
from handscope.types import Handedness

Array = NDArray[np.floating]

MODEL_JOINT_NAMES = tuple(
    f"{finger}_{part}"
    for finger in MODEL_FINGERS
    for part in (("cmc", "mcp", "ip") if finger == "thumb" else ("mcp", "pip", "dip"))
)
"""The 15 joints that turn, in the order of theta; the same words as in `skeleton.JOINT_NAMES`."""
MOTIONS = ("flexion", "abduction", "twist")
CAMERA_ANGLES = ("roll", "pitch", "yaw")
ANGLE_NAMES = (
    *(f"wrist_{name}" for name in CAMERA_ANGLES),
    *(f"{joint}_{motion}" for joint in MODEL_JOINT_NAMES for motion in MOTIONS),
)
"""The 48 angles of a hand, in this order wherever they are columns."""

WRIST, MIDDLE_MCP = 0, 4
"""Of the model's 16 joints."""
UP = np.array([0.0, 1.0, 0.0])
"""The back of the hand in a hand model's own frame."""


def joint_angles(theta: ArrayLike, asset: HandAsset) -> Array:
    """Flexion, abduction and twist (..., 15, 3) in degrees of poses `theta` (..., 15, 3), axis-angle in radians."""
    axes = joint_axes(asset)
    turn = axes @ axis_angle_to_matrix(np.asarray(theta, np.float64)) @ np.swapaxes(axes, -1, -2)
    flexion = np.arctan2(-turn[..., 1, 2], turn[..., 2, 2])
    abduction = np.arcsin(np.clip(turn[..., 0, 2], -1, 1))
    twist = np.arctan2(-turn[..., 0, 1], turn[..., 0, 0])
    return np.degrees(np.stack([flexion, abduction, twist], -1))


def pose_of_angles(angles: ArrayLike, asset: HandAsset) -> Array:
    """The pose theta (..., 15, 3), axis-angle in radians, whose joints have these `angles` (..., 15, 3) in degrees."""
    axes = joint_axes(asset)
    about = np.radians(np.asarray(angles, np.float64))[..., None] * axes
    flexion, abduction, twist = (axis_angle_to_matrix(about[..., k, :]) for k in range(3))
    return matrix_to_axis_angle(flexion @ abduction @ twist)


def camera_angles(R: ArrayLike, asset: HandAsset, handedness: Handedness) -> Array:
    """Roll, pitch and yaw (..., 3) in degrees of hands turned by `R` (..., 3, 3): for a left hand, as in `Hand`, that
    of the mirrored picture.
    """
    side, _, fingers = np.moveaxis(np.asarray(R, np.float64) @ hand_axes(asset).T, -1, 0)
    pitch = np.arcsin(np.clip(-fingers[..., 2], -1, 1))
    roll = np.arctan2(fingers[..., 0], -fingers[..., 1])
    across = np.stack([np.cos(roll), np.sin(roll), np.zeros_like(roll)], -1)
    yaw = np.arctan2((side * np.cross(across, fingers)).sum(-1), (side * across).sum(-1))
    return np.degrees(np.stack([roll if handedness == "right" else -roll, pitch, yaw], -1))


def turn_of_camera_angles(angles: ArrayLike, asset: HandAsset, handedness: Handedness) -> Array:
    """The rotations R (..., 3, 3) of hands with these `angles` (..., 3) of roll, pitch and yaw in degrees."""
    roll, pitch, yaw = np.moveaxis(np.radians(np.asarray(angles, np.float64)), -1, 0)
    roll = roll if handedness == "right" else -roll
    zero = np.zeros_like(roll)
    across = np.stack([np.cos(roll), np.sin(roll), zero], -1)
    fingers = np.stack([np.sin(roll) * np.cos(pitch), -np.cos(roll) * np.cos(pitch), -np.sin(pitch)], -1)
    side = np.cos(yaw)[..., None] * across + np.sin(yaw)[..., None] * np.cross(across, fingers)
    return np.stack([side, np.cross(fingers, side), fingers], -1) @ hand_axes(asset)


def named_angles(theta: ArrayLike, R: ArrayLike, asset: HandAsset, handedness: Handedness) -> dict[str, float]:
    """One hand's angles in degrees by `ANGLE_NAMES`."""
    turned = camera_angles(R, asset, handedness)
    return dict(zip(ANGLE_NAMES, [*turned.tolist(), *joint_angles(theta, asset).ravel().tolist()], strict=True))


def joint_axes(asset: HandAsset) -> Array:
    """Axes (15, 3, 3) of flexion, abduction and twist at rest, unit and at right angles.

    Those of the asset; a MANO file has none: there the open hand's, each turned by the smallest rotation that lays its
    twist axis along the bone that the joint carries.
    """
    if asset.axes is not None:
        return asset.axes.astype(np.float64)
    axes = joint_axes(load_asset())
    return np.stack([own @ rotation_between(own[2], bone).T for own, bone in zip(axes, bones(asset), strict=True)])


def bones(asset: HandAsset) -> Array:
    """Rest vectors (15, 3) from each joint that turns to the next one towards the tip, of the mean hand, metres."""
    tips = asset.template[asset.tips][[FINGERS.index(finger) for finger in MODEL_FINGERS]]
    along = np.concatenate([asset.joints[1:].reshape(5, 3, 3), tips[:, None]], 1).astype(np.float64)
    return np.diff(along, axis=1).reshape(15, 3)


def hand_axes(asset: HandAsset) -> Array:
    """The whole hand's axes (3, 3) at rest, as rows: to the thumb's side, out of the back, along the fingers (from the
    wrist to the middle knuckle).
    """
    fingers = (asset.joints[MIDDLE_MCP] - asset.joints[WRIST]).astype(np.float64)
    fingers /= np.linalg.norm(fingers)
    side = np.cross(UP, fingers)
    side /= np.linalg.norm(side)
    return np.stack([side, np.cross(fingers, side), fingers])
