"""What a synthetic picture says about each of its hands."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from handscope.geometry.boxes import tight_box
from handscope.geometry.camera import project
from handscope.synth.appearance import tone_of
from handscope.synth.dressing import DressedHand
from handscope.synth.rendering import FACTOR, Rendered
from handscope.types import HandLabel

FLESH_M = np.array([45, 40, 26, 20, 10, *([42, 20, 18, 10] * 4)]) * 1e-3
"""How deep under the skin a visible joint may lie, per canonical joint: up to the palm's thickness seen at
a slant.
"""


def _bones_at() -> NDArray[np.bool_]:
    """Whether skin of model bone b may lie over canonical joint j without hiding it (21, 16)."""
    table = np.zeros((21, 16), bool)
    table[0, 0] = True
    for finger, base in enumerate((13, 1, 4, 10, 7)):  # the first bone of thumb, index, middle, ring, little finger
        for i in range(4):
            table[1 + 4 * finger + i, [0 if i == 0 else base + i - 1, min(base + i, base + 2)]] = True
    return table


BONES_AT = _bones_at()


def label_hand(
    hand: DressedHand, index: int, rendered: Rendered | None, K: NDArray[np.floating], height: int, width: int
) -> HandLabel:
    """Everything known of hand `index` in a picture; `rendered` is None if nothing was rendered inside it."""
    joints = hand.joints
    joints_2d = project(joints, K)
    mask = np.zeros((height, width), np.uint8)
    if rendered is not None:
        x0, y0 = rendered.origin
        h, w = rendered.coverage.shape[1:]
        mask[y0 : y0 + h, x0 : x0 + w] = (rendered.coverage[index] * 255 + 0.5).astype(np.uint8)
    known = np.ones(21, bool)
    return HandLabel(
        handedness="left" if hand.left else "right",
        box=tight_box(joints_2d),
        joints_2d=joints_2d,
        joints_2d_known=known,
        visible=visible_joints(joints, joints_2d, index, rendered, height, width),
        joints_3d=joints,
        joints_3d_known=known,
        mask=mask,
        theta=hand.placed.theta,
        beta=hand.placed.beta,
        R=hand.placed.R,
        T=hand.placed.T,
        hand_model="open",
        tone=tone_of(hand.part.surfaces[0].material),
    )


def visible_joints(
    joints: NDArray[np.floating],
    joints_2d: NDArray[np.floating],
    index: int,
    rendered: Rendered | None,
    height: int,
    width: int,
) -> NDArray[np.bool_]:
    """Per joint (21,): inside the picture, with nothing before it but the flesh of its own bones."""
    inside = (joints_2d >= -0.5).all(1) & (joints_2d[:, 0] < width - 0.5) & (joints_2d[:, 1] < height - 0.5)
    if rendered is None:
        return inside
    sample = np.round((joints_2d - rendered.origin + 0.5) * FACTOR - 0.5).astype(int)
    column = sample[:, 0].clip(0, rendered.depth.shape[1] - 1)
    row = sample[:, 1].clip(0, rendered.depth.shape[0] - 1)
    face = rendered.face[row, column]
    gap = joints[:, 2] - rendered.depth[row, column]
    own = (face >= 0) & (rendered.body_of[rendered.group_of[face]] == index)
    nearby = BONES_AT[np.arange(21), rendered.bone_of[face]]
    clear = np.where(own, nearby & (gap <= FLESH_M), gap <= 0.002)
    return inside & ((face < 0) | clear)
