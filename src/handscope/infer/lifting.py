"""From the crop's camera to the picture's: where the hand stands before the camera that took the picture.

The network sees an upright crop and answers for a virtual pinhole camera that looks straight at the crop's
centre with a focal length f of its own. The picture's camera looks elsewhere, has the focal length of its
intrinsics K and may be rotated in the plane (and, for a left hand, mirrored) against the crop. Four steps,
for a right hand, or for a left hand in the mirrored picture where it is a right one:

1. undo the rotation in the picture plane;
2. put the hand at the distance at which it has the same size in the picture under K: a virtual camera on a
   ray that makes the angle phi with the optical axis has the focal length s K_f / cos(phi)^1.5 in crop
   pixels, where s is the crop's scale (the picture stretches by 1 / cos along the circle around the
   principal point and by 1 / cos^2 away from it: the geometric mean is taken);
3. turn the virtual camera from the optical axis onto that ray, by the smallest rotation that does it;
4. move the wrist parallel to the picture plane so that it projects exactly to where the crop showed it.

A left hand is mirrored back at the end: its points are real, its R and T stay those of the mirrored picture.
`settle` then shifts the hand to where the 2D joints say it is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from handscope.geometry.crops import Crop
from handscope.geometry.rotations import rotation_between


@dataclass(frozen=True, kw_only=True)
class PosedHand:
    """A hand before a camera: `R` (3, 3), wrist `T` (3,), `joints_3d` (21, 3), `vertices` (V, 3); metres."""

    R: NDArray[np.floating]
    T: NDArray[np.floating]
    joints_3d: NDArray[np.floating]
    vertices: NDArray[np.floating]


def seen_in_crop(points: NDArray[np.floating], focal: float, size: int) -> NDArray[np.floating]:
    """Points (n, 3) of the crop's camera in px (n, 2) of the crop, whose side is `size`; `focal` in the same px.

    Points nearer than 2 cm count as 2 cm away.
    """
    return points[:, :2] / np.maximum(points[:, 2:], 0.02) * focal + (size - 1) / 2


def lift(hand: PosedHand, focal_crop_px: float, crop: Crop, K: NDArray[np.floating], width: int) -> PosedHand:
    """`hand` in the crop's camera, moved into the camera `K` (3, 3) of a picture `width` pixels wide.

    If the crop is mirrored the hand is a left one: `R` and `T` describe the mirrored picture, the points
    are real.
    """
    K, linear, centre = _as_right_hand(crop, np.asarray(K, np.float64), width)
    ray = _ray(centre, K)
    in_plane = np.eye(3)
    in_plane[:2, :2] = linear.T / crop.scale  # crop axes -> picture axes
    turn = rotation_between([0.0, 0.0, 1.0], ray) @ in_plane

    wrist_crop = np.asarray(hand.T, np.float64)
    focal_px = np.sqrt(K[0, 0] * K[1, 1]) * crop.scale / ray[2] ** 1.5
    moved = turn @ (wrist_crop * [1.0, 1.0, focal_px / focal_crop_px])
    offset_px = linear.T @ (focal_crop_px * wrist_crop[:2] / wrist_crop[2]) / crop.scale**2
    wrist_ray = _ray(centre + offset_px, K)
    wrist = wrist_ray * (moved[2] / wrist_ray[2])

    flip = np.array([-1.0 if crop.mirrored else 1.0, 1.0, 1.0])

    def move(points: NDArray[np.floating]) -> NDArray[np.float64]:
        return ((points - wrist_crop) @ turn.T + wrist) * flip

    return PosedHand(R=turn @ hand.R, T=wrist, joints_3d=move(hand.joints_3d), vertices=move(hand.vertices))


def _as_right_hand(crop: Crop, K: NDArray, width: int) -> tuple[NDArray, NDArray, NDArray]:
    """Intrinsics, linear map to the crop and crop centre of the picture in which the hand is a right one."""
    linear = crop.matrix[:, :2]
    centre = crop.centre
    if not crop.mirrored:
        return K, linear, centre
    K = K.copy()
    K[0, 2] = width - 1 - K[0, 2]
    return K, linear * [-1.0, 1.0], np.array([width - 1 - centre[0], centre[1]])


def _ray(pixel: NDArray, K: NDArray) -> NDArray[np.float64]:
    """Unit direction (3,) that projects to `pixel` (2,)."""
    direction = np.linalg.solve(K, [*pixel, 1.0])
    return direction / np.linalg.norm(direction)


def settle(
    hand: PosedHand,
    joints_2d: NDArray[np.floating],
    trust: NDArray[np.floating],
    K: NDArray[np.floating],
    *,
    mirrored: bool,
) -> PosedHand:
    """Shift a lifted hand so that its joints project as near as can be to `joints_2d` (21, 2) px.

    The 2D joints come from heat-maps and are surer than the regressed position. Each counts by its `trust`
    (21,); the weighted least squares are linear: for a shift d and a ray (a, b, 1) through the joint's
    pixel, X + d_x = a (Z + d_z) and Y + d_y = b (Z + d_z). A shift that would halve or double the distance
    is not made.
    """
    joints = np.asarray(hand.joints_3d, np.float64)
    rays = np.linalg.solve(K, np.column_stack([joints_2d, np.ones(len(joints))]).T).T
    depth = joints[:, 2]
    if depth.min() <= 0:
        return hand
    weight = np.asarray(trust, np.float64) / depth  # errors count as they look, not in metres
    ones, zeros = np.ones(len(joints)), np.zeros(len(joints))
    rows = np.concatenate([np.column_stack([ones, zeros, -rays[:, 0]]), np.column_stack([zeros, ones, -rays[:, 1]])])
    right = np.concatenate([rays[:, 0] * depth - joints[:, 0], rays[:, 1] * depth - joints[:, 1]])
    weights = np.tile(weight, 2)
    shift = np.linalg.lstsq(rows * weights[:, None], right * weights)[0]
    if not 0.5 < (hand.T[2] + shift[2]) / hand.T[2] < 2.0:
        return hand
    own = shift * [-1.0 if mirrored else 1.0, 1.0, 1.0]
    return PosedHand(R=hand.R, T=hand.T + own, joints_3d=joints + shift, vertices=hand.vertices + shift)
