"""The hand that a crop's camera sees, and that hand before the camera that took the full picture; and back.

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
`full_to_crop` undoes all of it. `settle` shifts a hand in the full camera to where the 2D joints say it is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from handscope.geometry.camera import project
from handscope.geometry.crop_camera import full_to_crop_axes, metric_map, viewing_ray
from handscope.geometry.crops import Crop


@dataclass(frozen=True, kw_only=True)
class PosedHand:
    """A hand before a camera: `R` (3, 3), wrist `T` (3,), `joints_3d` (21, 3), `vertices` (V, 3); metres."""

    R: NDArray[np.floating]
    T: NDArray[np.floating]
    joints_3d: NDArray[np.floating]
    vertices: NDArray[np.floating]


def crop_to_full(hand: PosedHand, focal_crop_px: float, crop: Crop, K: NDArray[np.floating], width: int) -> PosedHand:
    """`hand` in the crop's camera, moved into the camera `K` (3, 3) of a picture `width` pixels wide.

    If the crop is mirrored the hand is a left one: `R` and `T` describe the mirrored picture, the points
    are real.
    """
    view = _View.of(crop, focal_crop_px, K, width)
    wrist_crop = np.asarray(hand.T, np.float64)
    wrist = view.wrist_in_full(wrist_crop)

    def move(points: NDArray[np.floating]) -> NDArray[np.float64]:
        return ((points - wrist_crop) @ view.turn.T + wrist) * view.flip

    return PosedHand(R=view.turn @ hand.R, T=wrist, joints_3d=move(hand.joints_3d), vertices=move(hand.vertices))


def full_to_crop(hand: PosedHand, focal_crop_px: float, crop: Crop, K: NDArray[np.floating], width: int) -> PosedHand:
    """The inverse of `crop_to_full`: `hand` in the full camera as the crop's camera of that focal length sees it."""
    view = _View.of(crop, focal_crop_px, K, width)
    wrist = np.asarray(hand.T, np.float64)
    wrist_crop = view.wrist_in_crop(wrist)

    def move(points: NDArray[np.floating]) -> NDArray[np.float64]:
        return (points * view.flip - wrist) @ view.turn + wrist_crop

    return PosedHand(R=view.turn.T @ hand.R, T=wrist_crop, joints_3d=move(hand.joints_3d), vertices=move(hand.vertices))


@dataclass(frozen=True)
class _View:
    """What lies between the two cameras, in the picture in which the hand is a right one.

    `turn` (3, 3) takes the crop camera's axes to the full camera's; `flip` (3,) takes that picture to the real one;
    `centre` (2,) px and `linear` (2, 2) are the crop's there, `K` the intrinsics; `stretch` is how many times as far
    the hand is from the full camera.
    """

    turn: NDArray[np.float64]
    flip: NDArray[np.float64]
    centre: NDArray[np.float64]
    linear: NDArray[np.float64]
    K: NDArray[np.float64]
    focal_crop_px: float
    stretch: float

    @classmethod
    def of(cls, crop: Crop, focal_crop_px: float, K: NDArray[np.floating], width: int) -> _View:
        K, linear, centre = np.asarray(K, np.float64), crop.matrix[:, :2], crop.centre
        if crop.mirrored:
            K = K * [[1, -1, 1], [-1, 1, 1], [1, 1, 1]]  # x the other way round before and after
            K[0, 2] = width - 1 - K[0, 2]
            linear, centre = linear * [-1.0, 1.0], np.array([width - 1 - centre[0], centre[1]])
        shift = (crop.size - 1) / 2 - linear @ centre
        plain = Crop(np.column_stack([linear, shift]), crop.size)
        turn = full_to_crop_axes(plain, K).T
        focal_px = np.sqrt(np.linalg.det(metric_map(plain, K))) / viewing_ray(centre, K)[2] ** 1.5
        flip = np.array([-1.0 if crop.mirrored else 1.0, 1.0, 1.0])
        return cls(turn, flip, centre, linear, K, focal_crop_px, float(focal_px / focal_crop_px))

    def wrist_in_full(self, wrist: NDArray[np.float64]) -> NDArray[np.floating]:
        """Steps 2 to 4 for the wrist (3,)."""
        depth = (self.turn @ (wrist * [1.0, 1.0, self.stretch]))[2]
        shown = self.centre + np.linalg.solve(self.linear, self.focal_crop_px * wrist[:2] / wrist[2])
        ray = viewing_ray(shown, self.K)
        return ray * (depth / ray[2])

    def wrist_in_crop(self, wrist: NDArray[np.float64]) -> NDArray[np.float64]:
        """The inverse of `wrist_in_full`."""
        across = self.linear @ (project(wrist, self.K) - self.centre) / self.focal_crop_px  # per metre of depth
        return np.array([*across, 1.0]) * (wrist[2] / (self.turn @ [*across, self.stretch])[2])


def settle(
    hand: PosedHand,
    joints_2d: NDArray[np.floating],
    confidence: NDArray[np.floating],
    K: NDArray[np.floating],
    *,
    mirrored: bool,
) -> PosedHand:
    """Shift a hand in the full camera so that its joints project as near as can be to `joints_2d` (21, 2) px.

    The 2D joints come from heat-maps and are surer than the regressed position. Each counts by its `confidence`
    (21,); the weighted least squares are linear: for a shift d and a ray (a, b, 1) through the joint's
    pixel, X + d_x = a (Z + d_z) and Y + d_y = b (Z + d_z). A shift that would halve or double the distance
    is not made.
    """
    joints = np.asarray(hand.joints_3d, np.float64)
    rays = np.linalg.solve(K, np.column_stack([joints_2d, np.ones(len(joints))]).T).T
    depth = joints[:, 2]
    if depth.min() <= 0:
        return hand
    weight = np.asarray(confidence, np.float64) / depth  # errors count as they look, not in metres
    ones, zeros = np.ones(len(joints)), np.zeros(len(joints))
    rows = np.concatenate([np.column_stack([ones, zeros, -rays[:, 0]]), np.column_stack([zeros, ones, -rays[:, 1]])])
    wanted = np.concatenate([rays[:, 0] * depth - joints[:, 0], rays[:, 1] * depth - joints[:, 1]])
    weights = np.tile(weight, 2)
    shift = np.linalg.lstsq(rows * weights[:, None], wanted * weights)[0]
    if not 0.5 < (hand.T[2] + shift[2]) / hand.T[2] < 2.0:
        return hand
    own = shift * [-1.0 if mirrored else 1.0, 1.0, 1.0]
    return PosedHand(R=hand.R, T=hand.T + own, joints_3d=joints + shift, vertices=hand.vertices + shift)
