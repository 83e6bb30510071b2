"""From what a dataset says of a hand, in canonical order, to a `HandLabel`: 2D from 3D, boxes, zeros if unknown."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from handscope.geometry.boxes import tight_box
from handscope.geometry.camera import project
from handscope.types import FloatArray, Handedness, HandLabel, HandModel, JointConvention


def hand_label(
    *,
    handedness: Handedness | None = None,
    joints_2d: ArrayLike | None = None,
    known_2d: ArrayLike | None = None,
    joints_3d: ArrayLike | None = None,
    known_3d: ArrayLike | None = None,
    K: ArrayLike | None = None,
    visible: ArrayLike | None = None,
    mask: NDArray[np.uint8] | None = None,
    box: ArrayLike | None = None,
    model: dict[str, FloatArray] | None = None,
    hand_model: HandModel | None = None,
    joint_convention: JointConvention = "anatomical",
) -> HandLabel:
    """A label of `joints_2d` (21, 2) px and `joints_3d` (21, 3) m in the camera frame.

    Without `joints_2d`, those in 3D are projected by `K` (3, 3). Without `box`, it is that of the known joints. What is
    given without `known_*` is known wherever it is finite. `model` holds theta, beta, R and T of `hand_model`.
    `joint_convention` is whose joints they are.
    """
    model = model or {}
    spatial, spatial_known = _known(joints_3d, known_3d)
    if joints_2d is None and spatial is not None and K is not None:
        assert spatial_known is not None
        before = spatial_known & (spatial[:, 2] > 1e-6)
        joints_2d = project(np.where(before[:, None], spatial, [0.0, 0.0, 1.0]), K)
        known_2d = before if known_2d is None else np.asarray(known_2d, bool) & before
    flat, flat_known = _known(joints_2d, known_2d)
    if box is None and flat is not None:
        box = tight_box(flat[flat_known])
    return HandLabel(
        handedness=handedness,
        box=None if box is None else np.asarray(box, np.float64),
        joints_2d=flat,
        joints_2d_known=flat_known,
        visible=None if visible is None else np.asarray(visible, bool),
        joints_3d=spatial,
        joints_3d_known=spatial_known,
        mask=mask,
        theta=model.get("theta"),
        beta=model.get("beta"),
        R=model.get("R"),
        T=model.get("T"),
        hand_model=hand_model if model else None,
        joint_convention=joint_convention,
    )


def _known(
    joints: ArrayLike | None, known: ArrayLike | None
) -> tuple[NDArray[np.float64] | None, NDArray[np.bool_] | None]:
    """Joints (21, c) with zeros where unknown, and which are known (21,); None, None if none is."""
    if joints is None:
        return None, None
    joints = np.asarray(joints, np.float64)
    finite: NDArray[np.bool_] = np.all(np.isfinite(joints), axis=1)
    certain = finite if known is None else np.asarray(known, bool) & finite
    return (np.where(certain[:, None], joints, 0.0), certain) if certain.any() else (None, None)
