"""A hand's joints where a data set or another tool has them (docs/joints.md); mesh and parameters stay as they are."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from handscope.errors import HandscopeError
from handscope.geometry.camera import Camera
from handscope.hand.conventions import check_convention, regressor
from handscope.types import Hand, JointConvention

AnyHand = TypeVar("AnyHand", bound=Hand)
NEAR_M = 1e-3
"""Joints nearer to the camera, or behind it, are seen as if they were that far away."""


def in_convention(hand: AnyHand, name: str) -> AnyHand:
    """`hand` with `joints_3d` and `joints_2d` of the convention `name`.

    In 3D they are weighted sums of its joints; in the picture they move as the projections of those in 3D do. Raises
    HandscopeError for names that there are not, and to and from MANO's joints, which a mesh of MANO's alone has.
    """
    convention = check_convention(name)
    if convention == hand.joint_convention:
        return hand
    if "mano" in (convention, hand.joint_convention):
        raise HandscopeError(
            f"this hand has {hand.joint_convention} joints, which do not become {convention} ones: "
            f"handscope.load(hand_model='MANO_RIGHT.pkl', joint_convention={convention!r}) tells hands so"
        )
    weights = regressor(convention) @ np.linalg.inv(regressor(hand.joint_convention))
    return with_joints(hand, weights @ hand.joints_3d, convention)


def with_joints(hand: AnyHand, joints: NDArray[np.floating], convention: JointConvention) -> AnyHand:
    """`hand` with `joints` (21, 3) metres in the camera frame; those in the picture move along."""
    camera = Camera(hand.K, distortion=hand.distortion)
    moved = camera.project(joints, near=NEAR_M) - camera.project(hand.joints_3d, near=NEAR_M)
    return replace(hand, joints_3d=joints, joints_2d=hand.joints_2d + moved, joint_convention=convention)
