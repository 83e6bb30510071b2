"""One hand over time as a BVH motion file (Biovision): a skeleton of offsets and a line of angles a frame.

BVH has no rest turns: joints' frames at rest are the model's own axes, and offsets those of the flat hand. World: y up,
z back, the camera at the origin; centimetres and degrees. A joint's rotation is Rz @ Rx @ Ry of its three channels.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from handscope.errors import HandscopeError
from handscope.infer.formats.animation import motion_of
from handscope.infer.formats.rig import NAMES, build_rig
from handscope.infer.formats.style import PLAIN, MeshStyle
from handscope.types import Hand

CM = 100.0
LOCKED = 1e-6
"""Cosine of x below which two of three angles are one."""
FRAME_RATE = 30.0
"""Of a motion whose frames have no even rate of their own: a BVH's frames are evenly spaced."""


def to_bvh(
    frames: Hand | Sequence[Hand | None],
    fps: float = FRAME_RATE,
    *,
    times: Sequence[float] | None = None,
    style: MeshStyle = PLAIN,
) -> str:
    """One hand frame by frame, as for `to_glb_animation`; frames without it are bridged. A single hand is one frame.

    Frames come at `style.frame_rate`, by default at `fps`.
    """
    listed = [frames] if isinstance(frames, Hand) else frames
    rate = style.frame_rate or fps
    if not rate > 0:
        raise HandscopeError(f"fps must be positive, got {rate}")
    motion = motion_of(listed, fps, times=times, rate=rate)
    rig = build_rig(motion.model, motion.beta, left=motion.left, bones="mano")
    offsets, label = rig.offsets * CM, "left" if motion.left else "right"
    lines, order = ["HIERARCHY"], []

    def describe(joint: int, depth: int) -> None:
        pad, children = "  " * depth, np.flatnonzero(rig.parents == joint)
        offset = " ".join(f"{value:.6f}" for value in offsets[joint])
        if joint >= 16:
            lines.extend([f"{pad}End Site", f"{pad}{{", f"{pad}  OFFSET {offset}", f"{pad}}}"])
            return
        order.append(joint)
        places = "6 Xposition Yposition Zposition" if joint == 0 else "3"
        lines.extend([f"{pad}{'ROOT' if joint == 0 else 'JOINT'} {label}_{NAMES[joint]}", f"{pad}{{"])
        lines.extend([f"{pad}  OFFSET {offset}", f"{pad}  CHANNELS {places} Zrotation Xrotation Yrotation"])
        for child in children:
            describe(int(child), depth + 1)
        lines.append(f"{pad}}}")

    describe(0, 0)
    angles = euler_zxy(motion.turns[:, order])  # (n, 16, 3) degrees
    rows = np.concatenate([motion.places * CM, angles.reshape(len(angles), -1)], 1)
    lines += ["MOTION", f"Frames: {len(rows)}", f"Frame Time: {1 / rate:.8f}"]
    lines += [" ".join(f"{value:.5f}" for value in row) for row in rows]
    return "\n".join(lines) + "\n"


def euler_zxy(matrices: NDArray[np.floating]) -> NDArray[np.float64]:
    """Degrees (n, ..., 3) about z, x and y, so that a rotation (n, ..., 3, 3) is Rz @ Rx @ Ry; no jumps by a whole turn
    along the first axis. Where x is a right angle z and y are one turn, and y is zero.
    """
    x = np.arcsin(np.clip(matrices[..., 2, 1], -1, 1))
    locked = np.hypot(matrices[..., 0, 1], matrices[..., 1, 1]) < LOCKED
    z = np.where(
        locked,
        np.arctan2(matrices[..., 1, 0], matrices[..., 0, 0]),
        np.arctan2(-matrices[..., 0, 1], matrices[..., 1, 1]),
    )
    y = np.where(locked, 0.0, np.arctan2(-matrices[..., 2, 0], matrices[..., 2, 2]))
    return np.degrees(np.unwrap(np.stack([z, x, y], -1), axis=0))
