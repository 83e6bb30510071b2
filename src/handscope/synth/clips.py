"""A moving hand with everything known about it, frame by frame: for measuring jitter and lag of tracking.

The hand goes from one named shape and place to the next as hands do, by minimum-jerk moves (Flash and Hogan 1985)
with rests between them; the camera sways about all the while. Whose hand it is, its sleeve, the light and the
background stay; the sensor's noise is new in every frame. There is no motion blur.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from handscope.geometry.camera import intrinsics_of_focal
from handscope.geometry.rotations import axis_angle_to_matrix
from handscope.hand.model import pose_hand
from handscope.synth.appearance import TO_LINEAR, expose, sample_lighting, sample_sensor
from handscope.synth.config import SynthConfig
from handscope.synth.dressing import Placed, dress, sample_arm
from handscope.synth.labels import label_hand
from handscope.synth.placement import BACK_VIEW, PALM_VIEW
from handscope.synth.poses import ANCHORS, COMMON, LIMITS, to_theta
from handscope.synth.rendering import render
from handscope.synth.scene import World, sample_shape, world_of
from handscope.types import Sample

Array = NDArray[np.float64]
MOVE_S, REST_S = (0.35, 0.9), (0.0, 0.5)
"""Seconds that a move and the rest after it take, lowest and highest."""
FOCAL = 1.2
"""Focal length in picture sides."""


@dataclass(frozen=True)
class Motion:
    """Where the hand is when: `times` (k,) s, and at these `angles` (k, 15, 3) degrees, `turns` (k, 3) axis-angle
    before the first orientation and `places` (k, 3) of the wrist, metres.
    """

    times: Array
    angles: Array
    turns: Array
    places: Array

    def at(self, time: float) -> tuple[Array, Array, Array]:
        """Angles (15, 3), turn (3,) and place (3,), by minimum-jerk moves between the keys."""
        i = int(np.clip(np.searchsorted(self.times, time, "right") - 1, 0, len(self.times) - 2))
        s = np.clip((time - self.times[i]) / max(self.times[i + 1] - self.times[i], 1e-9), 0, 1)
        share = s**3 * (10 - 15 * s + 6 * s * s)
        return tuple(key[i] + share * (key[i + 1] - key[i]) for key in (self.angles, self.turns, self.places))  # type: ignore[return-value]


def sample_motion(rng: np.random.Generator, seconds: float) -> Motion:
    """Moves between shapes that people often make, a hand's width to and fro, with rests."""
    times, angles, turns, places = [0.0], [sample_shape_of_hand(rng)], [rng.normal(0, 0.25, 3)], [_place(rng)]
    while times[-1] < seconds:
        times.append(times[-1] + rng.uniform(*REST_S))
        for keys in (angles, turns, places):
            keys.append(keys[-1])
        times.append(times[-1] + rng.uniform(*MOVE_S))
        angles.append(sample_shape_of_hand(rng) if rng.random() < 0.8 else angles[-1])
        turns.append(rng.normal(0, 0.3, 3))
        places.append(_place(rng))
    return Motion(np.array(times), np.array(angles), np.array(turns), np.array(places))


def sample_shape_of_hand(rng: np.random.Generator) -> Array:
    """Angles (15, 3) degrees of a shape that people often make."""
    chosen = ANCHORS[rng.choice(list(COMMON))]
    return np.clip(chosen + rng.normal(0, 2, (15, 3)) * (np.ptp(LIMITS, axis=-1) > 0), LIMITS[..., 0], LIMITS[..., 1])


def _place(rng: np.random.Generator) -> Array:
    return np.array([rng.uniform(-0.07, 0.07), 0.06 + rng.uniform(-0.05, 0.05), 0.55 * np.exp(rng.uniform(-0.2, 0.2))])


def render_clip(
    seed: int, *, frames: int = 120, fps: float = 30.0, size: int = 320, left: bool = False
) -> Iterator[Sample]:
    """`frames` square pictures of `size` px, `fps` a second, each with one labelled hand; a function of the
    arguments alone.
    """
    config = SynthConfig(size=size, share_held=0.0, share_left=float(left))
    world, rng = world_of(config), np.random.default_rng([seed, 31])
    motion = sample_motion(rng, frames / fps)
    beta, view = sample_shape(rng), PALM_VIEW if rng.random() < 0.5 else BACK_VIEW
    K = intrinsics_of_focal(FOCAL * size, size, size)
    sway, dressing = rng.uniform(0, 2 * np.pi, (3, 2)), int(rng.integers(1 << 30))
    margin = size // 4
    world.backgrounds.choose(rng)
    scenery = TO_LINEAR[world.backgrounds.sample(rng, size + 2 * margin, size + 2 * margin)[0]]
    lighting = sample_lighting(rng, scenery[::8, ::8].mean((0, 1)))
    sensor = replace(sample_sensor(rng), motion_px=0.0, shrink=1.0)
    arm = None
    for frame in range(frames):
        time = frame / fps
        camera = _sway(sway, time)
        placed = place_hand(world, motion, time, beta, view, camera)
        arm = arm or sample_arm(rng, placed, world.body, K, (size, size))
        hand = dress(
            np.random.default_rng(dressing), config, world.body, world.backgrounds, placed, K, (size, size), 0,
            left=left, arm=arm,
        )  # fmt: skip
        assert hand is not None, "an arm was given"
        behind = _pan(scenery, camera, K, size)
        picture, rendered = render(behind, [hand.part], lighting, K, 1, 0.0)
        image = expose(picture, sensor, np.random.default_rng([seed, frame, 77]))
        label = label_hand(hand, 0, rendered, K, size, size)
        yield Sample(key=f"clip-{seed:04d}-{frame:05d}", source="synth", image=image, hands=(label,), K=K)


def _sway(phases: Array, time: float) -> Array:
    """The camera's turn (3,) axis-angle: a hand-held camera's drift and tremor, some three degrees."""
    slow, quick = np.sin(2 * np.pi * 0.23 * time + phases[:, 0]), np.sin(2 * np.pi * 1.1 * time + phases[:, 1])
    return (0.05 * slow + 0.006 * quick) * [1, 1, 0.6]


def place_hand(
    world: World, motion: Motion, time: float, beta: NDArray[np.float32], view: Array, camera: Array
) -> Placed:
    """The hand where its motion has it at `time` seconds, before a camera that has turned by `camera` (3,)."""
    angles, turn, place = motion.at(time)
    theta = to_theta(angles, world.skeleton.axes).astype(np.float32)
    posed = pose_hand(world.body.asset, beta[None], theta[None])
    swing = axis_angle_to_matrix(camera)
    return Placed(
        vertices=posed.vertices[0], rest_joints=posed.joints[0].astype(np.float64),
        beta=beta, theta=theta,
        R=swing @ axis_angle_to_matrix(turn) @ view, T=swing @ place,
    )  # fmt: skip


def _pan(scenery: NDArray[np.float32], camera: Array, K: Array, size: int) -> NDArray[np.float32]:
    """What a far background shows when the camera has turned by `camera` (3,)."""
    far = intrinsics_of_focal(K[0, 0], *scenery.shape[:2])
    near = intrinsics_of_focal(K[0, 0], size, size)
    warp = near @ axis_angle_to_matrix(camera) @ np.linalg.inv(far)
    return np.asarray(cv2.warpPerspective(scenery, warp, (size, size), borderMode=cv2.BORDER_REFLECT), np.float32)
