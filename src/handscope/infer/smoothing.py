"""One-Euro filters (Casiez, Roussel and Vogel, CHI 2012) for all that is said of a hand, on the manifold it lives on.

A still hand is smoothed strongly, a moving one hardly: the cutoff frequency grows with the speed, which has a
low-pass filter of its own. Speed is that of a joint as a whole, not of its coordinates, and 2D speed is counted in
hand sizes, so that neither the picture's turn nor the hand's distance matters. Rotations are filtered along the
geodesic between the last and the new one.

Filtered are the 2D joints, the wrist's distance (as a logarithm), orientation and joint rotations; the shape is
averaged over the track. Mesh and 3D joints are posed anew from these by the hand model, so they agree.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from handscope.geometry.camera import Camera
from handscope.geometry.rotations import axis_angle_to_matrix, matrix_to_axis_angle
from handscope.hand.assets import HandAsset
from handscope.hand.model import pose_hand
from handscope.types import Hand

Array = NDArray[np.floating]
AnyHand = TypeVar("AnyHand", bound=Hand)


@dataclass(frozen=True, kw_only=True)
class OneEuroConfig:
    """Cutoff in Hz of a value at rest, by how much it grows per unit of speed, and the speed's own cutoff in Hz."""

    cutoff: float
    slope: float
    speed_cutoff: float = 1.0

    def __post_init__(self) -> None:
        if self.cutoff <= 0 or self.speed_cutoff <= 0 or self.slope < 0:
            raise ValueError(f"cutoffs must be positive and the slope not negative, got {self}")


def share_of_new(cutoff: float | Array, seconds: float) -> float | Array:
    """By how much a first-order low-pass of `cutoff` Hz moves towards the new value after `seconds`."""
    return 1 / (1 + 1 / (2 * np.pi * np.maximum(cutoff * seconds, 1e-12)))


def turned_by(new: Array, old: Array) -> Array:
    """Axis-angle (..., 3) that takes the rotations `old` (..., 3, 3) to `new`, in the frame of `old`."""
    return matrix_to_axis_angle(np.swapaxes(old, -1, -2) @ new)


def turn_on(old: Array, step: Array) -> Array:
    """Rotations `old` (..., 3, 3) turned on by the axis-angle `step` (..., 3), in their own frame."""
    return old @ axis_angle_to_matrix(step)


class OneEuro:
    """The filter: call it with a value and its time, get the smoothed value.

    Values lie in a vector space unless `difference(new, old)` and `move(old, step)` say otherwise; the last axis
    of a difference is one vector, whose length over the seconds is the speed.
    """

    def __init__(
        self,
        config: OneEuroConfig,
        *,
        difference: Callable[[Array, Array], Array] = np.subtract,
        move: Callable[[Array, Array], Array] = np.add,
    ) -> None:
        self.config, self.difference, self.move = config, difference, move
        self.value: Array | None = None
        self._raw: Array | None = None
        self._velocity: Array | None = None
        self._time = 0.0

    def __call__(self, value: Array, time: float, *, unit: float = 1.0) -> Array:
        """`value` at `time` seconds, smoothed; speeds are counted in `unit`s a second.

        A time that is not later than the last one replaces nothing: the last smoothed value stays.
        """
        value = np.asarray(value, np.float64)
        seconds = time - self._time
        if self.value is None or self._raw is None:
            self.value, self._raw, self._time = value, value, time
            return value
        if seconds <= 0:
            return self.value
        velocity = self.difference(value, self._raw) / (seconds * unit)
        if self._velocity is not None:
            share = share_of_new(self.config.speed_cutoff, seconds)
            velocity = self._velocity + share * (velocity - self._velocity)
        speed = np.linalg.norm(velocity, axis=-1, keepdims=True)
        step = self.difference(value, self.value)
        self.value = self.move(self.value, share_of_new(self.config.cutoff + self.config.slope * speed, seconds) * step)
        self._raw, self._velocity, self._time = value, velocity, time
        return self.value


@dataclass(frozen=True, kw_only=True)
class SmoothingConfig:
    """One filter each: `joints` (speed in hand sizes a second), `depth` (of the logarithm of the wrist's distance),
    `orientation` and `pose` (radians a second); `shape_s`, the seconds after which a shape is settled.

    The defaults were tuned on a rendered clip that no reported number comes from (docs/video.md).
    """

    joints: OneEuroConfig = OneEuroConfig(cutoff=2.0, slope=2.0, speed_cutoff=2.0)
    depth: OneEuroConfig = OneEuroConfig(cutoff=0.8, slope=8.0)
    orientation: OneEuroConfig = OneEuroConfig(cutoff=1.5, slope=2.0)
    pose: OneEuroConfig = OneEuroConfig(cutoff=1.5, slope=2.0)
    shape_s: float = 3.0


class HandSmoother:
    """The filters of one hand of a video; call it with the hand of every frame, in order."""

    def __init__(self, asset: HandAsset, config: SmoothingConfig) -> None:
        self.asset, self.config = asset, config
        self._joints = OneEuro(config.joints)
        self._side: str | None = None
        self._start_model()

    def _start_model(self) -> None:
        """Forget what is said in the frame of one side: its mirror image would be another hand."""
        self._depth = OneEuro(self.config.depth)
        self._orientation = OneEuro(self.config.orientation, difference=turned_by, move=turn_on)
        self._pose = OneEuro(self.config.pose, difference=turned_by, move=turn_on)
        self._shape: Array | None = None
        self._seen_s, self._time = 0.0, None

    def __call__(self, hand: AnyHand, time: float) -> AnyHand:
        """`hand` at `time` seconds, smoothed; its mask and joint scores stay those of the frame."""
        if hand.handedness != self._side:
            self._start_model()
            self._side = hand.handedness
        size = float(np.ptp(hand.joints_2d, axis=0).max())
        joints_2d = self._joints(hand.joints_2d, time, unit=max(size, 1.0))
        depth = float(np.exp(self._depth(np.log(np.asarray(hand.T)[2:]), time)[0]))
        R = self._orientation(hand.R, time)
        theta = matrix_to_axis_angle(self._pose(axis_angle_to_matrix(np.asarray(hand.theta, np.float64)), time))
        beta = self._average_shape(hand.beta, time)
        posed = pose_hand(self.asset, beta[None], theta[None], R[None])
        side = np.array([-1.0 if hand.handedness == "left" else 1.0, 1.0, 1.0])
        joints, vertices = posed.joints[0] * side, posed.vertices[0] * side
        straight = Camera(hand.K, distortion=hand.distortion).undistorted(joints_2d)
        wrist = place_at_depth(joints, depth, straight, hand.joint_scores, hand.K)
        shift = np.tile((joints_2d - hand.joints_2d).mean(0), 2)
        limits = np.tile(hand.cropped_mask.shape[::-1], 2) - 1.0
        return replace(
            hand,
            joints_2d=joints_2d,
            box=(hand.box + shift).clip(0, limits),
            joints_3d=joints + wrist,
            vertices=vertices + wrist,
            theta=theta,
            beta=beta,
            R=R,
            T=wrist * side,
        )

    def _average_shape(self, beta: Array, time: float) -> Array:
        """The mean over the track at first, then a slow low-pass."""
        new = np.asarray(beta, np.float64)
        if self._shape is None or self._time is None:
            self._shape = new
        else:
            seconds = max(time - self._time, 0.0)
            self._seen_s += seconds
            share = seconds / max(min(self._seen_s + seconds, self.config.shape_s), seconds, 1e-9)
            self._shape = self._shape + share * (new - self._shape)
        self._time = time
        return self._shape


def place_at_depth(joints: Array, depth: float, joints_2d: Array, confidence: Array, K: Array) -> Array:
    """Wrist position (3,) m at `depth` for `joints` (21, 3) relative to it to project nearest to `joints_2d` px.

    Each joint counts by its `confidence` (21,) and as its error looks in the picture.
    """
    rays = np.linalg.solve(K, np.column_stack([joints_2d, np.ones(len(joints))]).T).T[:, :2]
    z = joints[:, 2:] + depth
    weight = (np.clip(np.asarray(confidence, np.float64), 1e-3, None) / np.maximum(z[:, 0], 1e-3) ** 2)[:, None]
    across = (weight * (rays * z - joints[:, :2])).sum(0) / weight.sum()
    return np.array([*across, depth])
