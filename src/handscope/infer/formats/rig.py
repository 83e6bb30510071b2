"""The skeleton behind a mesh: 16 joints and 5 tips, where they are at rest, how they are turned, who moves what.

At rest the hand is flat. A joint's own frame lies along its bone: y to the next joint, x the axis of flexion, so that a
turn about +x bends the finger, on either hand; or it is the model's own axes, as in MANO, where at rest every joint is
unturned. A left hand is the right-hand model mirrored (x -> -x): its rest places, turns and T are mirrored with it, so
that all matrices stay rotations. World frame of viewers: x right, y up, z back (glTF), the camera at the origin.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from handscope.errors import HandscopeError
from handscope.geometry.rotations import axis_angle_to_matrix
from handscope.hand.angles import hand_axes, joint_axes
from handscope.hand.assets import HandAsset, load_asset
from handscope.hand.kinematics import carried, chain
from handscope.hand.model import rest_joints
from handscope.skeleton import JOINT_NAMES, MODEL_TIP_OWNERS, MODEL_TO_CANONICAL
from handscope.types import Hand

MIRROR = np.array([-1.0, 1.0, 1.0])
VIEWER = np.array([1.0, -1.0, -1.0])
"""Camera frame to y up, z back: a half turn about x."""
NAMES = tuple(JOINT_NAMES[i] for i in np.argsort(MODEL_TO_CANONICAL))
"""Of the 16 model joints and the tips of thumb, index, middle, ring and little finger."""
BONES = ("fingers", "mano")
"""Whose frames joints may have at rest."""
INFLUENCES = 4
"""Joints a vertex may follow in glTF's first set of weights, which is all that every viewer reads."""


@dataclass(frozen=True)
class Rig:
    """`rest` (21, 3) metres with the wrist at the origin; `frames` (21, 3, 3) of the joints there, axes as columns;
    `parents` (21,), -1 for the wrist; `owners` (V, 4) uint8 joints that a vertex follows, by `weights` (V, 4) that add
    up to one.
    """

    rest: NDArray[np.float64]
    frames: NDArray[np.float64]
    parents: NDArray[np.integer]
    owners: NDArray[np.uint8]
    weights: NDArray[np.float32]

    @property
    def offsets(self) -> NDArray[np.float64]:
        """Every joint (21, 3) as seen from its parent's frame; the wrist's is zero."""
        apart = self.rest - np.where(self.parents[:, None] < 0, 0.0, self.rest[self.parents])
        return np.einsum("jba,jb->ja", self._above, apart)

    @property
    def _above(self) -> NDArray[np.float64]:
        """The frames (21, 3, 3) of the joints' parents; the wrist's is the world's."""
        return np.where(self.parents[:, None, None] < 0, np.eye(3), self.frames[self.parents])

    def local(self, turns: NDArray[np.floating]) -> NDArray[np.float64]:
        """Rotations (..., 21, 3, 3) of nodes that hang in their parents, for `turns` (..., 21, 3, 3) in the model's
        axes (`viewer_pose`)."""
        return np.swapaxes(self._above, -1, -2) @ turns @ self.frames

    def posed(
        self, turns: NDArray[np.floating], place: NDArray[np.floating]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Frames (21, 3, 3) and places (21, 3) in the world, of `turns` (21, 3, 3) and the wrist's `place`."""
        turned, placed = chain(self.rest[None, :16], turns[None, 1:16])
        tips = carried((self.rest - self.rest[self.parents])[None, 16:], MODEL_TIP_OWNERS, turned, placed)
        every = np.concatenate([turned[0], turned[0, list(MODEL_TIP_OWNERS)] @ turns[16:]])
        return turns[0] @ every @ self.frames, np.concatenate([placed[0], tips[0]]) @ turns[0].T + place

    def unskinned(
        self, vertices: NDArray[np.floating], turns: NDArray[np.floating], place: NDArray[np.floating]
    ) -> NDArray[np.float64]:
        """Where `vertices` (V, 3) of the pose lie in the flat hand: skinning takes them back to where they are."""
        moved, placed = self.posed(turns, place)
        turn = moved @ np.swapaxes(self.frames, -1, -2)
        shift = placed - np.einsum("jab,jb->ja", turn, self.rest)
        share = self.weights.astype(np.float64)
        blended = np.einsum("vk,vkab->vab", share, turn[self.owners])
        return np.linalg.solve(blended, (vertices - np.einsum("vk,vka->va", share, shift[self.owners]))[..., None])[
            ..., 0
        ]


def hand_model(hand: Hand) -> HandAsset | None:
    """The hand model of a hand; None if nobody knows it (a mesh that is not the shipped model's)."""
    if hand.asset is not None:
        return hand.asset
    return load_asset() if len(hand.vertices) == len(load_asset().template) else None


def require_model(hand: Hand) -> HandAsset:
    """`hand_model`, or one sentence on what is missing."""
    model = hand_model(hand)
    if model is None:
        raise HandscopeError(
            f"a hand of {len(hand.vertices)} vertices, not the shipped model's {len(load_asset().template)}: "
            "set its `asset` to the hand model it belongs to"
        )
    return model


def bone_frames(model: HandAsset) -> NDArray[np.float64]:
    """Frames (21, 3, 3) of a right hand's joints and tips at rest, axes as columns: flexion, along the bone, and what
    is perpendicular to both (towards the palm)."""
    side, _, along = hand_axes(model)
    flexion, _, twist = np.moveaxis(joint_axes(model), 1, 0)
    x = np.concatenate([side[None], flexion])
    y = np.concatenate([along[None], twist])
    frames = np.stack([x, y, np.cross(x, y)], -1)
    return np.concatenate([frames, frames[list(MODEL_TIP_OWNERS)]])


def build_rig(model: HandAsset, beta: NDArray[np.floating], *, left: bool, bones: str = "fingers") -> Rig:
    """The skeleton of a hand of shape `beta` (10,), with frames along the `bones` or MANO's."""
    beta = np.asarray(beta, np.float64)
    joints = rest_joints(model, beta[None])[0]
    tips = model.template[model.tips] + model.shapedirs[model.tips] @ beta
    rest = np.concatenate([joints, tips]) - joints[0]
    kept = np.argsort(-model.weights, axis=1, kind="stable")[:, :INFLUENCES]
    share = np.take_along_axis(model.weights, kept, 1).astype(np.float64)
    share /= share.sum(1, keepdims=True)
    return Rig(
        rest=rest * MIRROR if left else rest,
        frames=_frames(model, bones, left=left),
        parents=np.concatenate([model.parents, MODEL_TIP_OWNERS]).astype(int),
        owners=np.where(share > 0, kept, 0).astype(np.uint8),
        weights=share.astype(np.float32),
    )


def _frames(model: HandAsset, bones: str, *, left: bool) -> NDArray[np.float64]:
    if bones == "mano":
        return np.tile(np.eye(3), (21, 1, 1))
    frames = bone_frames(model)
    # a mirrored axis of turning turns the other way: x -> -M x keeps "a turn about +x bends", and det = 1
    return frames * MIRROR[:, None] * [-1.0, 1.0, 1.0] if left else frames


def viewer_pose(hand: Hand) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Turns (21, 3, 3) of the joints in the model's axes and the wrist's place (3,) in the viewer's world; tips are
    unturned."""
    local = np.tile(np.eye(3), (21, 1, 1))
    local[0] = hand.R
    local[1:16] = axis_angle_to_matrix(np.asarray(hand.theta, np.float64))
    place = np.asarray(hand.T, np.float64)
    if hand.handedness == "left":
        local = local * np.outer(MIRROR, MIRROR)  # M A M
        place = place * MIRROR
    local[0] = VIEWER[:, None] * local[0]
    return local, place * VIEWER
