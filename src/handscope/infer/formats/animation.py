"""One tracked hand over time as an animated GLB.

The mesh is the open hand of the mean shape, bound at rest; the clip turns the wrist and the 15 joints and moves the
wrist. Pose blend shapes (the small bulges that follow a bend) are left out: as morph targets they would be 135, and
viewers read few. What that costs is in docs/formats.md.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from handscope.errors import HandscopeError
from handscope.hand.assets import HandAsset
from handscope.infer.formats.gltf import Document
from handscope.infer.formats.meshes import add_mesh, add_skeleton, gltf_quaternions, inverse
from handscope.infer.formats.rig import MIRROR, build_rig, require_model, viewer_pose
from handscope.skeleton import MODEL_TO_CANONICAL
from handscope.types import Hand
from handscope.viz import colours_by_finger


def to_glb_animation(
    frames: Sequence[Hand | None], fps: float = 30.0, *, times: Sequence[float] | None = None
) -> bytes:
    """One hand frame by frame; None where it was not seen (viewers then blend its neighbours).

    `times` in seconds, rising, one for each frame, replace `fps`. All must be of one side and one hand model.
    """
    seen = [(index, hand) for index, hand in enumerate(frames) if hand is not None]
    if not seen:
        raise HandscopeError("an animation needs a hand in one frame at least; all are None")
    hands = [hand for _, hand in seen]
    if len({hand.handedness for hand in hands}) > 1:
        raise HandscopeError("an animation is of one hand; these are left and right ones: give one track of them")
    clock = _clock(seen, len(frames), fps, times)
    model, left = require_model(hands[0]), hands[0].handedness == "left"
    beta = np.mean([hand.beta for hand in hands], axis=0)
    rig = build_rig(model, beta, left=left)
    poses = [viewer_pose(hand) for hand in hands]
    label = hands[0].handedness

    document = Document()
    vertices, faces = _at_rest(model, beta, left=left)
    colours = colours_by_finger(vertices, rig.rest[MODEL_TO_CANONICAL])
    mesh = add_mesh(document, vertices, faces, colours, rig, label)
    node = document.add_root(name=f"{label} hand", mesh=mesh)
    unturned = np.tile(np.eye(3), (21, 1, 1))
    skin, joints = add_skeleton(document, rig, *poses[0], inverse(unturned, rig.rest), label)
    document.tree["nodes"][node]["skin"] = skin
    _add_clip(document, joints, clock, poses)
    return document.pack()


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


def _at_rest(
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
    poses: Sequence[tuple[NDArray, NDArray]],
) -> None:
    """Turns of the wrist and the 15 joints, and places of the wrist, over `clock` (n,) seconds."""
    quaternions = gltf_quaternions(np.stack([local for local, _ in poses]))[:, :16]  # (n, 16, 4)
    for i in range(1, len(quaternions)):  # q and -q are one turn; the nearer one makes the shorter way
        away = (quaternions[i] * quaternions[i - 1]).sum(-1) < 0
        quaternions[i, away] *= -1
    timeline = document.add_array(clock, bounds=True)
    samplers, channels = [], []

    def add(joint: int, path: str, values: NDArray[np.floating]) -> None:
        output = document.add_array(values.astype(np.float32))
        samplers.append({"input": timeline, "interpolation": "LINEAR", "output": output})
        channels.append({"sampler": len(samplers) - 1, "target": {"node": joints[joint], "path": path}})

    add(0, "translation", np.stack([place for _, place in poses]))
    for joint in range(16):
        add(joint, "rotation", quaternions[:, joint])
    document.add("animations", name="hand", samplers=samplers, channels=channels)
