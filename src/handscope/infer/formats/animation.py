"""One tracked hand over time as an animated GLB.

The mesh is the open hand of the mean shape, bound at rest; the clip turns the wrist and the 15 joints and moves the
wrist. Pose blend shapes (the small bulges that follow a bend) are left out: as morph targets they would be 135, and
viewers read few. What that costs is in docs/formats.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from handscope.errors import HandscopeError
from handscope.geometry.rotations import axis_angle_to_matrix, matrix_to_axis_angle
from handscope.hand.assets import HandAsset
from handscope.infer.formats.gltf import Document
from handscope.infer.formats.meshes import add_mesh, add_skeleton, gltf_quaternions, wrapping
from handscope.infer.formats.rig import MIRROR, build_rig, require_model, viewer_pose
from handscope.infer.formats.style import PLAIN, MeshStyle
from handscope.skeleton import MODEL_TO_CANONICAL
from handscope.types import Hand
from handscope.viz import colours_by_finger


def to_glb_animation(
    frames: Sequence[Hand | None],
    fps: float = 30.0,
    *,
    times: Sequence[float] | None = None,
    style: MeshStyle = PLAIN,
) -> bytes:
    """One hand frame by frame; None where it was not seen (viewers then blend its neighbours).

    `times` in seconds, rising, one for each frame, replace `fps`; `style` may ask for keys at whole frames of another
    rate. All must be of one side and one hand model.
    """
    motion = motion_of(frames, fps, times=times, rate=style.frame_rate)
    rig = build_rig(motion.model, motion.beta, left=motion.left, bones=style.bones)
    label = "left" if motion.left else "right"
    document = Document()
    vertices, faces = at_rest(motion.model, motion.beta, left=motion.left)
    vertices = vertices + motion.places[0]  # viewers frame a mesh by where it is bound
    colours = colours_by_finger(vertices, (rig.rest + motion.places[0])[MODEL_TO_CANONICAL])
    wrapped = wrapping(motion.model, left=motion.left)
    mesh = add_mesh(document, vertices, faces, colours, label, rig, wrapped, style)
    node = document.add_root(name=f"{label} hand", mesh=mesh)
    skin, joints = add_skeleton(document, rig, motion.turns[0], motion.places[0], label)
    document.tree["nodes"][node]["skin"] = skin
    _add_clip(document, joints, motion.clock.astype(np.float32), rig.local(motion.turns), motion.places, label)
    return document.pack()


class Motion(NamedTuple):
    """One hand over time: its model, mean shape (10,) and side; at `clock` (n,) seconds its joints' `turns` (n, 21, 3,
    3) in the model's axes and the wrist's `places` (n, 3) in the viewer's world (`viewer_pose`).
    """

    model: HandAsset
    beta: NDArray[np.floating]
    left: bool
    clock: NDArray[np.floating]
    turns: NDArray[np.floating]
    places: NDArray[np.floating]


def motion_of(
    frames: Sequence[Hand | None], fps: float, *, times: Sequence[float] | None = None, rate: float | None = None
) -> Motion:
    """The motion of one hand, None where it was not seen; at whole frames of `rate` a second, if told."""
    seen = [(index, hand) for index, hand in enumerate(frames) if hand is not None]
    if not seen:
        raise HandscopeError("an animation needs a hand in one frame at least; all are None")
    hands = [hand for _, hand in seen]
    if len({hand.handedness for hand in hands}) > 1:
        raise HandscopeError("an animation is of one hand; these are left and right ones: give one track of them")
    clock = _clock(seen, len(frames), fps, times)
    beta = np.mean([hand.beta for hand in hands], axis=0)
    moved = on_frames(clock, *poses_of(hands), rate)
    return Motion(require_model(hands[0]), beta, hands[0].handedness == "left", *moved)


def poses_of(hands: Sequence[Hand]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Turns (n, 21, 3, 3) and the wrist's places (n, 3) of hands, as `viewer_pose` has them."""
    turns, places = zip(*(viewer_pose(hand) for hand in hands), strict=True)
    return np.stack(turns), np.stack(places)


def on_frames(
    clock: NDArray[np.floating],
    turns: NDArray[np.floating],
    places: NDArray[np.floating],
    rate: float | None,
) -> tuple[NDArray[np.float32], NDArray[np.floating], NDArray[np.floating]]:
    """The same motion at every whole frame of `rate` a second from the first seen to the last (None: as it is).

    Between two of its frames a joint turns the short way at an even speed, and the wrist goes straight.
    """
    if rate is None:
        return clock.astype(np.float32), turns, places
    first, last = np.ceil(clock[0] * rate - 1e-3), np.floor(clock[-1] * rate + 1e-3)
    wanted = np.arange(first, max(last, first) + 1) / rate
    after = np.clip(np.searchsorted(clock, wanted), 1, max(len(clock) - 1, 1))
    before, after = after - 1, np.minimum(after, len(clock) - 1)
    span = np.maximum(clock[after] - clock[before], 1e-9)
    share = np.clip((wanted - clock[before]) / span, 0, 1)
    step = matrix_to_axis_angle(np.swapaxes(turns[before], -1, -2) @ turns[after])
    moved = turns[before] @ axis_angle_to_matrix(step * share[:, None, None])
    straight = places[before] + (places[after] - places[before]) * share[:, None]
    return wanted.astype(np.float32), moved, straight


def _clock(
    seen: Sequence[tuple[int, Hand]], count: int, fps: float, times: Sequence[float] | None
) -> NDArray[np.float32]:
    """Seconds (n,) of the frames in which the hand was seen."""
    if times is None and not fps > 0:
        raise HandscopeError(f"fps must be positive, got {fps}")
    every = np.arange(count) / fps if times is None else np.asarray(times, np.float64)
    if len(every) != count:
        raise HandscopeError(f"{len(every)} times for {count} frames; give one for each")
    chosen = every[[index for index, _ in seen]].astype(np.float32)
    if chosen[0] < 0 or (np.diff(chosen) <= 0).any():
        raise HandscopeError("times must be seconds from 0 on, each later than the one before")
    return chosen


def at_rest(
    model: HandAsset, beta: NDArray[np.floating], *, left: bool
) -> tuple[NDArray[np.float64], NDArray[np.integer]]:
    """The open hand: vertices (V, 3) about the wrist in the model's axes (mirrored for a left one), and faces."""
    vertices = model.template + model.shapedirs.astype(np.float64) @ beta
    vertices = vertices - model.joint_regressor.astype(np.float64)[0] @ vertices
    return (vertices * MIRROR, model.faces[:, ::-1]) if left else (vertices, model.faces)


def _add_clip(
    document: Document,
    joints: Sequence[int],
    clock: NDArray[np.float32],
    local: NDArray[np.floating],
    places: NDArray[np.floating],
    label: str,
) -> None:
    """Turns of the wrist and the 15 joints, and places of the wrist, over `clock` (n,) seconds."""
    quaternions = gltf_quaternions(local)[:, :16]  # (n, 16, 4)
    for i in range(1, len(quaternions)):  # q and -q are one turn; the nearer one makes the shorter way
        away = (quaternions[i] * quaternions[i - 1]).sum(-1) < 0
        quaternions[i, away] *= -1
    timeline = document.add_array(clock, bounds=True)
    samplers, channels = [], []

    def add(joint: int, path: str, values: NDArray[np.floating]) -> None:
        output = document.add_array(values.astype(np.float32))
        samplers.append({"input": timeline, "interpolation": "LINEAR", "output": output})
        channels.append({"sampler": len(samplers) - 1, "target": {"node": joints[joint], "path": path}})

    add(0, "translation", places)
    for joint in range(16):
        add(joint, "rotation", quaternions[:, joint])
    document.add("animations", name=f"{label} hand", samplers=samplers, channels=channels)
