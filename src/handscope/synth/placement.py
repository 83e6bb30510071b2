"""Where a hand is and how it is turned: the views photographs show, and the camera that frames them.

Everything is about a right hand in the picture's camera frame (x right, y down, z forward); a left hand is
the mirror image.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from handscope.geometry.boxes import box_centre, longer_side, tight_box
from handscope.geometry.camera import intrinsics_of_focal, project
from handscope.geometry.rotations import axis_angle_to_matrix
from handscope.synth.appearance import random_rotation

Matrix = NDArray[np.floating]

# columns: where the model's x (towards the wrist), y (back of the hand) and z (thumb) axes point; fingers up
BACK_VIEW = np.array([[0.0, 0, -1], [1, 0, 0], [0, -1, 0]])
PALM_VIEW = np.array([[0.0, 0, 1], [1, 0, 0], [0, 1, 0]])


def _about(axis: int, angle: float) -> Matrix:
    vector = np.zeros(3)
    vector[axis] = angle
    return axis_angle_to_matrix(vector)


def sample_view(rng: np.random.Generator) -> Matrix:
    """The hand's rotation R (3, 3): gestures shown to the camera, side views, the wearer's own view, and
    any other.
    """
    kind = rng.random()
    if kind < 0.36:  # shown to a camera: upright, palm or back in front
        base = PALM_VIEW if rng.random() < 0.58 else BACK_VIEW
        R = _about(0, rng.normal(0, 0.32)) @ _about(1, rng.normal(0, 0.5)) @ base
        roll = rng.normal(0, 0.35)
    elif kind < 0.52:  # edge on, fingers up or forward
        yaw = rng.choice([-1.0, 1.0]) * rng.uniform(0.9, 2.2)
        R = _about(0, rng.normal(-0.2, 0.45)) @ _about(1, yaw) @ PALM_VIEW
        roll = rng.normal(0, 0.45)
    elif kind < 0.72:  # the wearer's own hand: wrist below and nearer, fingers up and away
        base = BACK_VIEW if rng.random() < 0.7 else PALM_VIEW
        R = _about(0, -rng.uniform(0.1, 1.25)) @ _about(1, rng.normal(0, 0.8)) @ base
        roll = rng.normal(0, 0.5)
    else:
        return random_rotation(rng)
    if rng.random() < 0.25:
        roll = rng.uniform(-np.pi, np.pi)
    return _about(2, roll) @ R


def frame_hand(
    rng: np.random.Generator, joints: NDArray[np.floating], size: int, share: float, jitter: float
) -> tuple[NDArray[np.float64], Matrix]:
    """Place `joints` (21, 3), wrist at the origin and already turned, in a square picture: wrist position T
    (3,) and K (3, 3).

    The joints' box takes `share` of the side; its centre lies `jitter` (share of the side) off the middle.
    """
    distance = float(np.clip(np.exp(rng.normal(np.log(0.5), 0.42)), 0.25, 1.2))
    distance = max(distance, 0.12 - float(joints[:, 2].min()))
    offset = rng.uniform(-jitter, jitter, 2) * size
    T = np.array([0.0, 0.0, distance])
    focal = float(size)
    for _ in range(4):
        placed = joints + T
        box = tight_box(project(placed, np.eye(3)))
        focal = share * size / float(longer_side(box))
        T[:2] += (offset / focal - box_centre(box)) * float(np.median(placed[:, 2]))
    return T, intrinsics_of_focal(focal, size, size)


def place_in_scene(
    rng: np.random.Generator, joints: NDArray[np.floating], K: Matrix, width: int, height: int, share: float
) -> NDArray[np.float64]:
    """Wrist position T (3,) so that the hand's box takes `share` of the picture's short side, somewhere in
    the picture.
    """
    extent = float(longer_side(tight_box(joints[:, :2])))
    wanted = share * min(width, height)
    distance = max(K[0, 0] * extent / wanted, 0.14 - float(joints[:, 2].min()))
    inset = 0.5 * share * min(width, height) * (1.0 if rng.random() < 0.85 else 0.35)
    low = np.minimum([inset, inset], [width * 0.45, height * 0.45])
    centre = rng.uniform(low, [width, height] - low)
    T = np.array([0.0, 0.0, distance])
    for _ in range(3):
        box = tight_box(project(joints + T, K))
        T[:2] += (centre - box_centre(box)) / K[0, 0] * distance
    return T


def sample_elbow(rng: np.random.Generator) -> tuple[float, float, float]:
    """How the elbow bends (axis-angle in the arm's frame)."""
    angle, axis = rng.uniform(0.2, 1.7), rng.uniform(0, 2 * np.pi)
    return 0.0, angle * float(np.cos(axis)), angle * float(np.sin(axis))
