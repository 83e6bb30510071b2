"""The pictures of docs/conventions.md and docs/joints.md, from the shipped hand model: numbered joints, the frames'
axes, and where each convention puts its joints.

python scripts/draw_conventions.py        # writes docs/images/joints.png, frames.png and joint_conventions.png
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from handscope.geometry.boxes import tight_box
from handscope.geometry.camera import intrinsics_of_focal, project
from handscope.geometry.masks import CroppedMask
from handscope.geometry.rotations import axis_angle_to_matrix
from handscope.hand.assets import load_asset
from handscope.hand.conventions import CONVENTIONS
from handscope.hand.model import pose_hand
from handscope.infer.joint_conventions import in_convention
from handscope.skeleton import finger_of
from handscope.synth.poses import ANCHORS, to_theta
from handscope.types import Hand
from handscope.viz import FINGER_COLOURS, draw_mesh, draw_skeleton

PAPER = (250, 250, 250)
INK = (40, 40, 44)
FACING = np.array([[0.0, 0, 1], [1, 0, 0], [0, 1, 0]])  # palm to the camera, fingers up
AXES = {"x": (214, 48, 49), "y": (39, 155, 72), "z": (36, 104, 214)}


def hand_before_camera(
    size: int, turn: NDArray[np.floating], place: tuple[float, float, float], theta: NDArray[np.floating] | None = None
) -> Hand:
    asset = load_asset()
    theta = np.zeros((1, 15, 3)) if theta is None else theta[None]
    R, T = turn @ FACING, np.array(place)
    posed = pose_hand(asset, np.zeros((1, 10)), theta, R[None], T[None])
    K = intrinsics_of_focal(1.6 * size, size, size)
    joints = project(posed.joints[0], K)
    return Hand(
        handedness="right", score=1.0, box=tight_box(joints), joints_2d=joints,
        joint_scores=np.ones(21), cropped_mask=CroppedMask.of(np.zeros((size, size), bool)),
        joints_3d=posed.joints[0],
        vertices=posed.vertices[0], faces=asset.faces, theta=theta[0], beta=np.zeros(10), R=R, T=T, K=K,
    )  # fmt: skip


def text(canvas: NDArray[np.uint8], words: str, at: NDArray[np.floating], colour=INK, scale: float = 0.6) -> None:
    x, y = (round(float(v)) for v in at)
    cv2.putText(canvas, words, (x, y), cv2.FONT_HERSHEY_SIMPLEX, scale, PAPER, 5, cv2.LINE_AA)
    cv2.putText(canvas, words, (x, y), cv2.FONT_HERSHEY_SIMPLEX, scale, colour, 1, cv2.LINE_AA)


def arrows(canvas: NDArray[np.uint8], origin: NDArray, ends: NDArray) -> None:
    """x, y and z from `origin` (2,) px to `ends` (3, 2) px."""
    for (name, colour), end in zip(AXES.items(), ends, strict=True):
        start, stop = (tuple(np.round(p).astype(int).tolist()) for p in (origin, end))
        cv2.arrowedLine(canvas, start, stop, colour, 3, cv2.LINE_AA, tipLength=0.12)
        outward = (end - origin) / max(float(np.linalg.norm(end - origin)), 1.0)
        text(canvas, name, end + 16 * outward + np.array([-5, 6]), colour, 0.8)


def numbered_joints(size: int = 720) -> NDArray[np.uint8]:
    canvas = np.full((size, size, 3), PAPER, np.uint8)
    hand = hand_before_camera(size, axis_angle_to_matrix([0.0, 0.15, 0.0]), (0.0, 0.085, 0.36))
    draw_mesh(canvas, hand, opacity=0.45)
    draw_skeleton(canvas, hand, 3)
    for joint, point in enumerate(hand.joints_2d):
        text(canvas, str(joint), point + np.array([9, -7]), FINGER_COLOURS[finger_of(joint)] if joint else INK, 0.65)
    return canvas


def frames(size: int = 620) -> NDArray[np.uint8]:
    left = np.full((size, size, 3), PAPER, np.uint8)
    turn = axis_angle_to_matrix([0.35, 0.0, 0.0]) @ axis_angle_to_matrix([0.0, -0.6, 0.0])
    hand = hand_before_camera(size, turn, (0.0, 0.055, 0.5))
    draw_mesh(left, hand, opacity=0.6)
    draw_skeleton(left, hand, 2)
    tips = project(hand.T + 0.06 * hand.R.T, hand.K)  # rows of R transposed: where the model's axes point
    arrows(left, project(hand.T[None], hand.K)[0], tips)
    text(left, "hand model: -x fingers, +y back, +z thumb", np.array([20, size - 20]))
    right = np.full((size, size // 2 + 90, 3), PAPER, np.uint8)
    origin = np.array([130.0, 250.0])
    arrows(right, origin, origin + np.array([[150.0, 0], [0, 150], [95, -75]]))
    cv2.circle(right, (130, 250), 9, INK, cv2.FILLED, cv2.LINE_AA)
    text(right, "camera", origin + np.array([-110, 8]))
    text(right, "x right, y down, z forward", np.array([40, size - 20]))
    return np.concatenate([right, left], 1)


def joint_conventions(size: int = 300) -> NDArray[np.uint8]:
    """A column for each convention: the open hand from its palm, and a bent one from the thumb's side."""
    asset = load_asset()
    assert asset.axes is not None
    bent = to_theta(ANCHORS["loose_fist"], asset.axes.astype(np.float64))
    side = axis_angle_to_matrix([0.0, 1.35, 0.0])
    views = [
        (axis_angle_to_matrix([0.0, 0.15, 0.0]), (0.0, 0.085, 0.36), None),
        (side, (0.0, 0.06, 0.3), bent),
    ]
    columns = []
    for name in CONVENTIONS:
        if name in ("anatomical", "mano"):
            continue
        panels = []
        for turn, place, theta in views:
            canvas = np.full((2 * size, 2 * size, 3), PAPER, np.uint8)
            hand = hand_before_camera(2 * size, turn, place, theta)
            draw_mesh(canvas, hand, opacity=0.35)
            draw_skeleton(canvas, in_convention(hand, name), 3)
            for x, y in np.round(hand.joints_2d).astype(int).tolist():
                cv2.circle(canvas, (x, y), 8, INK, 2, cv2.LINE_AA)
            panels.append(cv2.resize(canvas, (size, size), interpolation=cv2.INTER_AREA).astype(np.uint8))
        text(panels[0], "freihand, mano" if name == "freihand" else name, np.array([12, 24]))
        columns.append(np.concatenate(panels))
    return np.concatenate(columns, 1)


def main() -> None:
    folder = Path(__file__).parents[1] / "docs/images"
    for name, image in {
        "joints": numbered_joints(),
        "frames": frames(),
        "joint_conventions": joint_conventions(),
    }.items():
        cv2.imwrite(str(folder / f"{name}.png"), image[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 9])


if __name__ == "__main__":
    main()
