"""Hands for the bodies SMPL-X and SMPL-H, whose hands are MANO's: finger poses, and how the wrists are turned.

A body turns its wrist relative to its forearm, which a picture of a hand does not show: `wrist_pose` makes the body's
parameter of the wrist's turn in the camera, told here, and of the forearm's, which the body's fit knows.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from handscope.errors import HandscopeError
from handscope.geometry.rotations import matrix_to_axis_angle
from handscope.infer.formats.rig import MIRROR
from handscope.types import Hand

RESIDUAL = "mano_residual_mm"


def to_smplx(hands: Hand | Sequence[Hand]) -> dict[str, NDArray[np.float64]]:
    """The best left and the best right hand as parameters of SMPL-X and SMPL-H.

    Of each `SIDE`: `SIDE_hand_pose` (45,) axis-angle relative to the FLAT hand (`use_pca=False, flat_hand_mean=True`),
    in the body's joint order (index, middle, little, ring finger, thumb), of a left hand a left hand's;
    `SIDE_wrist_turn` (3, 3) the wrist's turn in the camera (x right, y down, z forward), `SIDE_wrist` (3,) its place in
    metres, `SIDE_betas` (10,) MANO's shape (bodies have shapes of their own), `SIDE_residual_mm`: how far, on average,
    MANO's joints stay from where they would lie in the hand that was found. Raises HandscopeError for hands that were
    not told in MANO: bodies have MANO's joints, and another model's pose is not theirs.
    """
    listed = [hands] if isinstance(hands, Hand) else hands
    told: dict[str, NDArray[np.float64]] = {}
    for side in ("left", "right"):
        hand = max((one for one in listed if one.handedness == side), key=lambda one: one.score, default=None)
        if hand is None:
            continue
        if hand.asset is None or hand.asset.name != "MANO":
            raise HandscopeError(
                "SMPL-X and SMPL-H have MANO's hands: tell hands in MANO first, "
                "handscope.load(hand_model='MANO_RIGHT.pkl') or --hand-model MANO_RIGHT.pkl"
            )
        mirror = MIRROR if side == "left" else np.ones(3)
        turned = np.array([1.0, -1.0, -1.0]) if side == "left" else np.ones(3)  # an axis-angle in the mirror
        told |= {
            f"{side}_hand_pose": (np.asarray(hand.theta, np.float64) * turned).ravel(),
            f"{side}_wrist_turn": np.asarray(hand.R, np.float64) * np.outer(mirror, mirror),
            f"{side}_wrist": np.asarray(hand.T, np.float64) * mirror,
            f"{side}_betas": np.asarray(hand.beta, np.float64),
            f"{side}_residual_mm": np.array(hand.extras.get(RESIDUAL, np.nan), np.float64),
        }
    return told


def to_smplx_npz(hands: Hand | Sequence[Hand]) -> bytes:
    """`to_smplx` as a file for `numpy.load`."""
    buffer = io.BytesIO()
    arrays: dict[str, Any] = {"flat_hand_mean": np.array(True), **to_smplx(hands)}
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def wrist_pose(wrist_turn: NDArray[np.floating], forearm_turn: NDArray[np.floating]) -> NDArray[np.float64]:
    """The body's pose (3,) of a wrist, axis-angle, that turns its hand to `wrist_turn` (3, 3) where the forearm (the
    elbow's joint) is turned by `forearm_turn` (3, 3); both in one frame.
    """
    local = np.asarray(forearm_turn, np.float64).T @ np.asarray(wrist_turn, np.float64)
    return matrix_to_axis_angle(local).astype(np.float64)
