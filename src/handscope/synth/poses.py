"""Hand poses: joint angles within anatomy's limits, named anchors, and a sampler that keeps fingers out of
each other.

A pose is `angles` (15, 3) degrees: flexion, abduction, twist of each model joint (index, middle, little,
ring, thumb; base to tip) about the asset's `axes`; each joint's rotation is abduction @ flexion @ twist.
Positive flexion bends towards the palm, positive abduction moves a finger towards the thumb.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, sin, sqrt
from typing import no_type_check

import numba as nb
import numpy as np
from numpy.typing import NDArray

from handscope.hand.capsules import FINGER_RADII, PALM_RADIUS
from handscope.hand.kinematics import carried, chain
from handscope.render.raster import JIT
from handscope.skeleton import MODEL_FINGERS, MODEL_LAST_JOINTS

Angles = NDArray[np.float64]
Array = NDArray[np.floating]


def _limits() -> NDArray[np.float64]:
    """(15, 3, 2) degrees, lowest and highest."""
    limits = np.zeros((15, 3, 2))
    spread = {"index": (-15, 17), "middle": (-12, 12), "ring": (-15, 10), "little": (-25, 12)}
    for base, finger in zip((0, 3, 6, 9), MODEL_FINGERS, strict=False):
        limits[base] = [(-25, 92), spread[finger], (-5, 5)]
        limits[base + 1, 0] = (-4, 110)
        limits[base + 2, 0] = (-8, 80)
    limits[12] = [(-22, 55), (-32, 50), (-18, 58)]
    limits[13] = [(-12, 58), (-6, 6), (0, 0)]
    limits[14, 0] = (-25, 82)
    return limits


LIMITS = _limits()


def pose(
    index=(0, 0, 0, 0), middle=(0, 0, 0, 0), ring=(0, 0, 0, 0), little=(0, 0, 0, 0), thumb=(0, 0, 0, 0, 0)
) -> Angles:
    """Angles from (MCP, PIP, DIP flexion, abduction) per finger and (CMC flexion, abduction, twist, MCP, IP
    flexion).
    """
    angles = np.zeros((15, 3))
    for base, finger in zip((0, 3, 6, 9), (index, middle, little, ring), strict=True):
        angles[base] = finger[0], finger[3], 0
        angles[base + 1, 0], angles[base + 2, 0] = finger[1], finger[2]
    angles[12], angles[13, 0], angles[14, 0] = thumb[:3], thumb[3], thumb[4]
    return angles


_CURLED, _STRAIGHT, _HALF = (84, 100, 60, 0), (0, 3, 2, 0), (45, 60, 35, 0)
_OVER = (24, 1, 14, 21, 54)  # thumb across the curled fingers
_HOLDS = (28, 8, 8, 38, 37)  # thumb on the curled ring finger
_TUCKED = (31, 4, -1, 46, 29)  # thumb in the palm
_OUT = (-12, -15, 0, -5, -10)
_BESIDE = (2, -6, 5, 8, 10)  # thumb along the index finger
_MEETS = (24, -17, 27, 17, 41)  # thumb opposed, meeting a fingertip

ANCHORS: dict[str, Angles] = {
    "flat": pose(thumb=_BESIDE),
    "flat_thumb_out": pose(thumb=_OUT),
    "relaxed": pose((15, 25, 12, 2), (20, 30, 15, 0), (24, 34, 17, 0), (26, 34, 17, -3), (5, 5, 5, 10, 12)),
    "resting": pose((8, 18, 8, 2), (10, 20, 10, 0), (12, 22, 10, -2), (12, 20, 10, -6), (0, 4, 5, 8, 10)),
    "loose_fist": pose((55, 70, 40, 0), (60, 75, 45, 0), (62, 75, 45, 0), (62, 72, 45, 0), (14, -1, -10, 12, 5)),
    "spread": pose((-5, 0, 0, 14), (-5, 0, 0, 2), (-5, 0, 0, -10), (-5, 0, 0, -18), (-15, -15, 0, -5, -10)),
    "five": pose((-2, 3, 2, 10), (-3, 3, 2, 1), (-2, 3, 2, -7), (-2, 4, 2, -14), (-10, -12, 0, -3, -6)),
    "fist": pose(_CURLED, _CURLED, _CURLED, _CURLED, (13, 4, 16, 24, 57)),
    "fist_thumb_side": pose(_CURLED, _CURLED, _CURLED, _CURLED, (5, -1, 5, 25, 15)),
    "point": pose(_STRAIGHT, _CURLED, _CURLED, _CURLED, _OVER),
    "point_relaxed": pose((5, 15, 8, 0), (60, 70, 40, 0), (65, 75, 40, 0), (65, 75, 40, 0), (10, 14, 13, 18, 28)),
    "press": pose((25, 30, 12, 2), _HALF, _HALF, _HALF, (8, 8, 10, 10, 10)),
    "thumbs_up": pose(_CURLED, _CURLED, _CURLED, _CURLED, (-15, -20, 0, -5, -15)),
    "one_thumb": pose(_STRAIGHT, _CURLED, _CURLED, _CURLED, (-14, -18, 0, -6, -12)),
    "victory": pose((0, 0, 0, 12), (0, 0, 0, -10), _CURLED, _CURLED, _HOLDS),
    "two_closed": pose((0, 0, 0, -2), (0, 0, 0, 3), _CURLED, _CURLED, _HOLDS),
    "three_thumb": pose((0, 0, 0, 10), (0, 0, 0, -6), _CURLED, _CURLED, _OUT),
    "three_fingers": pose((0, 0, 0, 10), _STRAIGHT, (0, 0, 0, -9), (80, 95, 55, 0), (46, 8, 4, 25, 33)),
    "three_ring": pose((64, 62, 30, 0), (0, 3, 2, 4), (0, 3, 2, -6), (0, 4, 2, -14), (6, 9, 26, 14, 53)),
    "four": pose((0, 0, 0, 8), _STRAIGHT, (0, 0, 0, -6), (0, 0, 0, -14), _TUCKED),
    "four_closed": pose((0, 0, 0, -3), _STRAIGHT, (0, 0, 0, 4), (0, 0, 0, 7), _TUCKED),
    "seven": pose((0, 0, 0, 8), (0, 0, 0, 0), (67, 53, 21, 0), (0, 4, 2, -14), (28, 28, 15, 14, 30)),
    "eight": pose((0, 0, 0, 8), (64, 66, 69, 0), (0, 3, 2, -6), (0, 4, 2, -14), (29, -17, 12, 29, 56)),
    "six": pose((0, 0, 0, 8), (0, 0, 0, 0), (0, 3, 2, -6), (65, 48, 38, 0), (36, 30, 10, 20, 34)),
    "ok": pose((49, 47, 49, 0), (10, 12, 6, 0), (5, 8, 4, -5), (0, 5, 3, -12), _MEETS),
    "pinch": pose((63, 52, 12, 0), (66, 75, 40, 0), (72, 85, 50, 0), (75, 85, 50, 0), (6, 18, 9, 14, 29)),
    "pinch_open": pose((36, 42, 20, 0), (52, 62, 34, 0), (60, 72, 40, 0), (62, 72, 40, 0), (5, 20, 16, 15, 30)),
    "pinch_wide": pose((18, 48, 26, 2), (66, 84, 48, 0), (74, 92, 54, 0), (76, 92, 54, 0), (-3, 12, 9, 14, 11)),
    "pinch_straight": pose((6, 10, 5, 2), (72, 88, 50, 0), (78, 94, 55, 0), (78, 94, 55, 0), (-2, 8, 6, 2, -4)),
    "pinch_fan": pose((53, 51, 40, 2), (34, 38, 20, 0), (24, 30, 16, -4), (16, 24, 12, -10), (27, -14, 30, 13, 53)),
    "middle_pinch": pose((5, 10, 5, 6), (49, 68, 28, 0), (20, 20, 10, -4), (10, 15, 8, -12), (21, 7, 14, 19, 17)),
    "tripod": pose((53, 39, 31, 2), (61, 65, 40, 0), (66, 74, 42, 0), (68, 76, 42, 0), (10, 9, 10, 33, 21)),
    "gather": pose((56, 39, 37, -2), (52, 48, 37, 0), (54, 54, 28, 2), (58, 54, 17, 4), (18, -6, 16, 22, 36)),
    "rock": pose((0, 0, 0, 6), _CURLED, _CURLED, (0, 0, 0, -8), _OVER),
    "shaka": pose(_CURLED, _CURLED, _CURLED, (0, 0, 0, -16), _OUT),
    "love": pose((0, 0, 0, 6), _CURLED, _CURLED, (0, 0, 0, -8), _OUT),
    "gun": pose(_STRAIGHT, _STRAIGHT, _CURLED, _CURLED, _OUT),
    "little": pose(_CURLED, _CURLED, _CURLED, (0, 4, 2, -6), (10, 17, 0, 32, 49)),
    "middle": pose(_CURLED, _STRAIGHT, _CURLED, _CURLED, (1, -2, 17, 35, 46)),
    "claw": pose((10, 70, 45, 8), (10, 72, 45, 0), (10, 72, 45, -5), (10, 70, 45, -12), (0, 11, 10, 23, 51)),
    "cup": pose((35, 35, 20, -2), (38, 38, 22, 0), (40, 38, 22, 2), (42, 38, 22, 4), (13, 34, 23, 16, 29)),
    "grasp_cylinder": pose((45, 50, 30, 2), (48, 54, 30, 0), (50, 54, 32, 0), (50, 52, 32, -4), (16, 33, 27, 25, 36)),
    "grasp_wide": pose((25, 40, 22, 6), (28, 42, 24, 0), (30, 42, 24, -4), (30, 40, 22, -10), (-1, 27, 26, 15, 27)),
    "grasp_ball": pose((22, 34, 20, 10), (24, 36, 20, 0), (26, 36, 20, -7), (26, 34, 20, -15), (-2, 32, 28, 16, 37)),
    "hold_card": pose((53, 27, 15, 0), (60, 35, 18, 0), (64, 38, 20, 0), (66, 40, 20, 0), (12, 6, 7, 26, 12)),
    "hook": pose((5, 95, 60, 0), (5, 98, 62, 0), (5, 98, 62, 0), (5, 95, 60, 0), (0, 0, 0, 5, 5)),
    "tabletop": pose((85, 5, 3, 0), (85, 5, 3, 0), (85, 5, 3, 0), (85, 5, 3, 0), (10, 10, 10, 10, 5)),
    "bent_back": pose((-18, 2, 0, 6), (-18, 2, 0, 0), (-17, 2, 0, -4), (-16, 2, 0, -10), (-8, -10, 0, -5, -10)),
    "cascade": pose((5, 10, 5, 4), (20, 28, 14, 0), (38, 46, 26, -2), (52, 60, 36, -6), (0, 4, 6, 8, 10)),
    "cascade_back": pose((60, 68, 40, 2), (42, 48, 28, 0), (22, 28, 14, -4), (6, 10, 5, -12), (10, 16, 15, 17, 32)),
    "typing": pose((28, 42, 22, 4), (30, 45, 24, 0), (30, 45, 24, -3), (26, 40, 20, -9), (4, 10, 10, 10, 8)),
    "mouse": pose((12, 22, 12, 3), (14, 26, 14, 0), (26, 34, 18, -4), (28, 34, 18, -10), (-3, 18, 15, 14, 25)),
    "asl_a": pose(_CURLED, _CURLED, _CURLED, _CURLED, (1, -8, 3, 16, 7)),
    "asl_b": pose((0, 0, 0, -5), (0, 0, 0, 0), (0, 0, 0, 5), (0, 0, 0, 9), _TUCKED),
    "asl_c": pose((30, 45, 25, 0), (32, 46, 26, 0), (34, 46, 26, 0), (36, 44, 26, 0), (1, 35, 25, 15, 40)),
    "asl_d": pose(_STRAIGHT, (72, 51, 50, 0), (73, 65, 48, 0), (73, 68, 46, 0), (18, 28, 16, 13, 47)),
    "asl_e": pose((42, 104, 62, 0), (42, 104, 62, 0), (42, 104, 62, 0), (42, 102, 60, 0), (10, -11, 0, 11, 17)),
    "asl_f": pose((49, 47, 49, 0), (0, 0, 0, 2), (0, 0, 0, -6), (0, 0, 0, -14), _MEETS),
    "asl_g": pose((10, 8, 4, 0), _CURLED, _CURLED, _CURLED, (8, 3, 7, 13, 7)),
    "asl_h": pose((8, 4, 2, 0), (8, 4, 2, 2), _CURLED, _CURLED, (23, 8, 8, 47, 29)),
    "asl_k": pose((0, 4, 2, 10), (38, 6, 3, -6), _CURLED, _CURLED, (10, 10, 15, 10, 8)),
    "asl_l": pose(_STRAIGHT, _CURLED, _CURLED, _CURLED, (-15, -22, 0, -8, -15)),
    "asl_m": pose((70, 62, 40, 0), (70, 62, 40, 0), (70, 62, 40, 0), _CURLED, (42, -2, 11, 52, 18)),
    "asl_o": pose((52, 40, 37, 0), (57, 53, 37, 0), (60, 55, 36, 0), (63, 55, 34, 0), (14, -5, 23, 17, 51)),
    "asl_r": pose((-4, 2, 1, -6), (16, 4, 2, 5), _CURLED, _CURLED, _HOLDS),
    "asl_t": pose((62, 80, 50, 4), _CURLED, _CURLED, _CURLED, (9, -3, 5, 20, 9)),
    "asl_u": pose((0, 2, 1, -3), (0, 2, 1, 4), _CURLED, _CURLED, _HOLDS),
    "asl_x": pose((10, 85, 45, 0), _CURLED, _CURLED, _CURLED, _OVER),
    "asl_y": pose(_CURLED, _CURLED, _CURLED, (0, 0, 0, -18), (-15, -22, 0, -8, -15)),
}  # fmt: skip
"""Hand shapes that people make: counting both ways, letters of the American manual alphabet, grasps,
gestures, rest.
"""

COMMON = {
    "five": 3, "spread": 2, "flat": 2, "flat_thumb_out": 2, "four": 2, "three_fingers": 1, "three_thumb": 1,
    "victory": 2, "point": 2, "one_thumb": 1, "thumbs_up": 1.5, "fist": 2, "fist_thumb_side": 2, "loose_fist": 1,
    "relaxed": 2, "resting": 2, "ok": 1.5, "pinch": 1.5, "pinch_open": 2, "pinch_wide": 1.5, "pinch_straight": 1,
    "pinch_fan": 1, "asl_o": 1.5, "asl_c": 1.5,
    "asl_g": 1, "gather": 0.5, "cup": 0.5, "typing": 0.5, "grasp_cylinder": 1,
}  # fmt: skip
"""The shapes photographs show most, and how often (weights)."""


@nb.njit(**JIT)
@no_type_check
def axis_rotation(axis, angle, out):
    """The rotation by `angle` about the unit `axis` (3,), into `out` (3, 3)."""
    c, s = cos(angle), sin(angle)
    x, y, z = axis[0], axis[1], axis[2]
    k = 1 - c
    out[0, 0], out[0, 1], out[0, 2] = c + x * x * k, x * y * k - z * s, x * z * k + y * s
    out[1, 0], out[1, 1], out[1, 2] = y * x * k + z * s, c + y * y * k, y * z * k - x * s
    out[2, 0], out[2, 1], out[2, 2] = z * x * k - y * s, z * y * k + x * s, c + z * z * k


@nb.njit(**JIT)
@no_type_check
def joint_rotations(angles, axes):
    """Rotation matrices (15, 3, 3) of `angles` (15, 3) degrees about `axes` (15, 3, 3)."""
    rotations = np.empty((15, 3, 3))
    flex, bend, turn = np.empty((3, 3)), np.empty((3, 3)), np.empty((3, 3))
    for j in range(15):
        axis_rotation(axes[j, 0], angles[j, 0] * np.pi / 180, flex)
        axis_rotation(axes[j, 1], angles[j, 1] * np.pi / 180, bend)
        axis_rotation(axes[j, 2], angles[j, 2] * np.pi / 180, turn)
        rotations[j] = bend @ flex @ turn
    return rotations


def to_theta(angles: Angles, axes: NDArray[np.floating]) -> NDArray[np.float64]:
    """Axis-angle (15, 3) in radians of a pose."""
    rotations = joint_rotations(angles, np.asarray(axes, np.float64))
    sine_axis = 0.5 * np.stack(
        [
            rotations[:, 2, 1] - rotations[:, 1, 2],
            rotations[:, 0, 2] - rotations[:, 2, 0],
            rotations[:, 1, 0] - rotations[:, 0, 1],
        ],
        -1,
    )
    cosine = np.clip((np.trace(rotations, axis1=1, axis2=2) - 1) / 2, -1, 1)
    angle = np.arctan2(np.linalg.norm(sine_axis, axis=-1), cosine)  # below pi: joints turn less
    return sine_axis / np.sinc(angle / np.pi)[:, None]


def bone_points(rotations: Array, joints: Array, tips: Array) -> Array:
    """Joint centres and tip (5, 4, 3) of every finger in model order after joint `rotations` (15, 3, 3), for rest
    `joints` (16, 3) and `tips` (5, 3).
    """
    turned, placed = chain(joints[None], rotations[None])
    ends = carried((tips - joints[list(MODEL_LAST_JOINTS)])[None], MODEL_LAST_JOINTS, turned, placed)
    return np.concatenate([placed[0, 1:].reshape(5, 3, 3), ends[0, :, None]], 1)


@nb.njit(**JIT)
@no_type_check
def segment_distance(p, q, r, s):
    """Distance between the segments p-q and r-s (Ericson, Real-Time Collision Detection, 5.1.9)."""
    d1, d2, w = q - p, s - r, p - r
    a, e, f = (d1 * d1).sum() + 1e-12, (d2 * d2).sum() + 1e-12, (d2 * w).sum()
    b, c = (d1 * d2).sum(), (d1 * w).sum()
    denominator = a * e - b * b
    u = min(max((b * f - c * e) / denominator, 0.0), 1.0) if denominator > 1e-12 else 0.0
    v = (b * u + f) / e
    if v < 0:
        v, u = 0.0, min(max(-c / a, 0.0), 1.0)
    elif v > 1:
        v, u = 1.0, min(max((b - c) / a, 0.0), 1.0)
    gap = p + u * d1 - r - v * d2
    return sqrt((gap * gap).sum())


RADII = np.array([FINGER_RADII[finger] for finger in MODEL_FINGERS])
CONTACT_M = 0.0015
"""Capsules may overlap by this much where fingers press on each other."""


@nb.njit(**JIT)
@no_type_check
def overlap(points, knuckles, wrist, radii, palm_radius):
    """The deepest penetration (m, positive if there is one) among the capsules of different fingers and of
    the palm.
    """
    worst = -1.0
    for f in range(5):
        for g in range(f + 1, 5):
            for i in range(3):
                for j in range(3):
                    if g < 4 and i == 0 and j == 0:
                        continue  # neighbours touch at the web
                    depth = (
                        radii[f, i]
                        + radii[g, j]
                        - segment_distance(points[f, i], points[f, i + 1], points[g, j], points[g, j + 1])
                    )
                    worst = max(worst, depth)
    for f in range(5):
        for k in range(4):
            for i in range(1 if f == 4 else 2, 3):
                depth = radii[f, i] + palm_radius - segment_distance(points[f, i], points[f, i + 1], wrist, knuckles[k])
                worst = max(worst, depth)
    return worst


@dataclass(frozen=True)
class Skeleton:
    """The mean hand at rest: what the sampler needs to know of it."""

    axes: NDArray[np.float64]
    joints: NDArray[np.float64]
    tips: NDArray[np.float64]

    def bone_points(self, angles: Angles) -> Array:
        """Joint centres and tip (5, 4, 3) of every finger of a pose, in model order."""
        return bone_points(joint_rotations(angles, self.axes), self.joints, self.tips)

    def penetration(self, angles: Angles) -> float:
        """The deepest overlap of fingers (m); not positive for a possible pose."""
        points = self.bone_points(angles)
        knuckles = self.joints[[1, 4, 7, 10]]
        palm = np.array([0.0, 0.002, 0.0])  # the metacarpals lie nearer the back
        return float(overlap(points, knuckles + palm, self.joints[0] + palm, RADII, PALM_RADIUS))


def within_limits(angles: Angles) -> Angles:
    """The nearest pose that every joint can take."""
    return np.clip(angles, LIMITS[..., 0], LIMITS[..., 1])


def _sample_shape(rng: np.random.Generator) -> Angles:
    """A hand shape before small variations: common, named, between named ones, or every finger for itself."""
    names = list(ANCHORS)
    kind = rng.random()
    if kind < 0.42:
        weights = np.array(list(COMMON.values()))
        angles = ANCHORS[rng.choice(list(COMMON), p=weights / weights.sum())].copy()
    elif kind < 0.62:
        angles = ANCHORS[names[rng.integers(len(names))]].copy()
    elif kind < 0.85:
        angles = np.zeros((15, 3))
        for share, i in zip(rng.dirichlet([0.6] * 3), rng.integers(len(names), size=3), strict=True):
            angles += share * ANCHORS[names[i]]
    else:
        angles = ANCHORS[names[rng.integers(len(names))]].copy()
        for base in (0, 3, 6, 9):
            curl, knuckle = rng.random() ** 1.3, rng.normal(0, 22)
            angles[base : base + 3, 0] = 75 * curl + knuckle, 105 * curl - 0.5 * knuckle, 62 * curl
    if rng.random() < 0.22:  # one finger differs
        base, curl = 3 * int(rng.integers(4)), rng.random()
        angles[base : base + 3, 0] = 85 * curl * rng.random(), 105 * curl, 62 * curl
    return angles


def _vary(rng: np.random.Generator, shape: Angles, amount: float) -> Angles:
    """The shape as another person makes it at another time; `amount` scales all differences."""
    angles = shape + amount * rng.normal(0, 1, (15, 3)) * np.array([5.0, 2.5, 1.5]) * (np.ptp(LIMITS, axis=-1) > 0)
    angles[:12, 0] += amount * rng.normal(0, 4)
    if rng.random() < 0.3:  # fingers closer together or further apart
        angles[[0, 3, 6, 9], 1] *= 1 + amount * rng.uniform(-1.3, 0.6)
    # a tendon couples the last two joints of a finger
    coupled = 0.62 * angles[[1, 4, 7, 10], 0] + rng.normal(0, 6, 4)
    angles[[2, 5, 8, 11], 0] += 0.5 * amount * (coupled - angles[[2, 5, 8, 11], 0])
    return within_limits(angles)


def sample_pose(rng: np.random.Generator, skeleton: Skeleton, *, tries: int = 10) -> Angles:
    """A pose within limits whose fingers do not cut into each other by more than `CONTACT_M`.

    Shapes in which fingers touch, such as a fist, bear little variation: they get less, rather than a new shape.
    """
    for _ in range(tries):
        shape = _sample_shape(rng)
        for amount in (1.0, 0.8, 0.5, 0.5, 0.25, 0.25, 0.1):
            angles = _vary(rng, shape, amount)
            if skeleton.penetration(angles) <= CONTACT_M:
                return angles
    return _vary(rng, ANCHORS["relaxed"], 0.5)
