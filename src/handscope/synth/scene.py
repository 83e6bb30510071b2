"""One synthetic picture with everything known about its hands.

A sample is a function of (config, seed, index). Hand-centred pictures put one hand in the middle
(`hands[0]`; a second hand and objects may touch or hide it); scenes hold none to three hands of any size,
for the detector. Left hands are right hands mirrored; the principal point is the picture's centre, so
mirroring a picture mirrors x of everything in the camera frame.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from handscope.geometry.boxes import box_area, shared_area
from handscope.geometry.camera import intrinsics_of_focal
from handscope.hand.assets import load_asset
from handscope.hand.model import pose_hand
from handscope.synth.appearance import TO_LINEAR, expose, random_rotation, sample_lighting, sample_sensor
from handscope.synth.backgrounds import Backgrounds, find_sources
from handscope.synth.config import SynthConfig as SynthConfig
from handscope.synth.dressing import DressedHand, Placed, distractor, dress, image_box, object_before
from handscope.synth.labels import label_hand
from handscope.synth.meshes import HandBody
from handscope.synth.pairs import touching
from handscope.synth.placement import frame_hand, place_in_scene, sample_view
from handscope.synth.poses import Angles, Skeleton, sample_pose, to_theta
from handscope.synth.rendering import Part, render
from handscope.types import HandLabel, Sample

BLOCK = 250
"""So many consecutive samples share a small choice of photographs: decoding them is the dearest step
otherwise.
"""
LEAST_SHOWN, LEAST_FOUND = (6, 0.2), (2, 0.04)
"""So many joints and such a share of its box a hand shows: the centred one, and one labelled in a scene."""
Array = NDArray[np.floating]


class World:
    """What samples share: the hand model, its mean skeleton, the backgrounds."""

    def __init__(self, config: SynthConfig) -> None:
        self.config = config
        self.body = HandBody(load_asset())
        asset = self.body.asset
        tips = asset.template[asset.tips[[1, 2, 4, 3, 0]]]  # in the model's finger order
        as_float = lambda a: np.asarray(a, np.float64)  # noqa: E731
        self.skeleton = Skeleton(as_float(asset.axes), as_float(asset.joints), as_float(tips))
        self.backgrounds = Backgrounds(find_sources(config.backgrounds, config.photo_index))

    def pose(
        self, rng: np.random.Generator, beta: NDArray[np.float32], R: Array, angles: Angles | None = None
    ) -> Placed:
        """A hand of shape `beta` (10,) in some pose, or in that of `angles` (15, 3) degrees, turned by `R` (3, 3), its
        wrist at the camera.
        """
        chosen = sample_pose(rng, self.skeleton) if angles is None else angles
        theta = to_theta(chosen, self.skeleton.axes).astype(np.float32)
        posed = pose_hand(self.body.asset, beta[None], theta[None])
        joints = posed.joints[0].astype(np.float64)
        return Placed(vertices=posed.vertices[0], rest_joints=joints, beta=beta, theta=theta, R=R, T=np.zeros(3))

    def dress(
        self, rng: np.random.Generator, hand: Placed, T: Array, K: Array, picture: tuple[int, int],
        index: int, *, like: DressedHand | None = None, left: bool | None = None,
    ) -> DressedHand | None:  # fmt: skip
        """`hand` at wrist position `T` (3,), dressed; None if its arm blocks the view."""
        return dress(
            rng,
            self.config,
            self.body,
            self.backgrounds,
            replace(hand, T=T),
            K,
            picture,
            index,
            like=like,
            left=left,
        )


@lru_cache(maxsize=4)
def world_of(config: SynthConfig) -> World:
    """The shared world of a config, made once per process."""
    return World(config)


def render_sample(config: SynthConfig, seed: int, index: int) -> Sample:
    """Sample `index` of the set (`config`, `seed`): the same picture and labels wherever and whenever it is
    made.
    """
    rng = np.random.default_rng([seed, index, int(config.scenes)])
    world = world_of(config)
    world.backgrounds.choose(np.random.default_rng([seed, index // BLOCK, 7919]))
    if config.scenes:
        return _whole_picture(world, rng, f"scene-{seed:06d}-{index:08d}")
    for _ in range(4):
        sample = _hand_picture(world, rng, f"hand-{seed:06d}-{index:08d}")
        if _shows(sample.hands[0], *LEAST_SHOWN):
            break
    return sample


def render_posed(config: SynthConfig, seed: int, index: int, angles: Angles) -> Sample:
    """Sample `index` of hands in the pose `angles` (15, 3) degrees (`poses`), seen from anywhere."""
    rng = np.random.default_rng([seed, index, 2])
    world = world_of(config)
    world.backgrounds.choose(np.random.default_rng([seed, index // BLOCK, 7919]))
    for _ in range(4):
        sample = _hand_picture(world, rng, f"posed-{seed:06d}-{index:08d}", angles)
        if _shows(sample.hands[0], *LEAST_SHOWN):
            break
    return sample


def _hand_picture(world: World, rng: np.random.Generator, key: str, angles: Angles | None = None) -> Sample:
    config, size = world.config, world.config.size
    background, _ = world.backgrounds.sample(rng, size, size)
    hand, K = None, np.eye(3)
    while hand is None:
        placed = world.pose(rng, sample_shape(rng), sample_view(rng), angles)
        T, K = frame_hand(rng, placed.joints, size, rng.uniform(*config.fill), config.jitter)
        hand = world.dress(rng, placed, T, K, (size, size), 0)
    hands, parts = [hand], [hand.part]
    if rng.random() < config.share_second:
        second = _second_hand(world, rng, hand, K, (size, size))
        if second is not None:
            hands.append(second)
            parts.append(second.part)
    if rng.random() < config.share_before:
        parts.append(object_before(rng, world.backgrounds, hand.joints))
    return _finish(rng, key, background, hands, parts, K, centred=True)


def _whole_picture(world: World, rng: np.random.Generator, key: str) -> Sample:
    config, longest = world.config, world.config.scene_size
    aspect = float(np.exp(rng.uniform(-0.6, 0.6)))
    shorter = max(int(longest * min(aspect, 1 / aspect)), 64)
    width, height = (longest, shorter) if aspect > 1 else (shorter, longest)
    background, _ = world.backgrounds.sample(rng, width, height, smallest=0.55)
    focal = longest * float(np.exp(rng.uniform(np.log(0.65), np.log(1.7))))
    K = intrinsics_of_focal(focal, width, height)
    count = 0 if rng.random() < config.share_empty else int(rng.choice([1, 2, 3], p=[0.5, 0.36, 0.14]))
    hands: list[DressedHand] = []
    low, high = config.hand_share
    for i in range(count):
        share = float(np.exp(rng.uniform(np.log(low), np.log(high if i == 0 else high * 2 / 3))))
        for _ in range(6 if config.share_held < 1 else 30):
            placed = world.pose(rng, sample_shape(rng), sample_view(rng))
            T = place_in_scene(rng, placed.joints, K, width, height, share)
            hand = world.dress(rng, placed, T, K, (width, height), len(hands))
            if hand is not None and not _in_the_way(hand, hands, K):
                hands.append(hand)
                break
    if hands and config.share_pair and rng.random() < config.share_pair:
        hands = _pair(world, rng, hands[0], K, (width, height))
    others = int(rng.choice([0, 1, 2], p=[0.45, 0.35, 0.2])) + (count == 0)
    parts = [h.part for h in hands] + [distractor(rng, world.backgrounds, K, width, height) for _ in range(others)]
    return _finish(rng, key, background, hands, parts, K, centred=False)


def sample_shape(rng: np.random.Generator) -> NDArray[np.float32]:
    """Shape components beta (10,): standard normal, the far tails cut."""
    return np.clip(rng.standard_normal(10), -2.5, 2.5).astype(np.float32)


def _second_hand(
    world: World, rng: np.random.Generator, first: DressedHand, K: Array, picture: tuple[int, int]
) -> DressedHand | None:
    """Another hand near the first, mostly the same person's other one; None if none fits."""
    for _ in range(4):
        same = rng.random() < 0.8
        placed = world.pose(rng, first.placed.beta if same else sample_shape(rng), sample_view(rng))
        direction = random_rotation(rng)[0] * [1, 1, 0.8]
        left = not first.left if rng.random() < 0.8 else first.left
        centre = first.joints.mean(0) + direction * rng.uniform(0.08, 0.2)
        T = centre * [-1 if left else 1, 1, 1] - placed.joints.mean(0)
        if (placed.joints + T)[:, 2].min() < 0.12:
            continue
        hand = world.dress(rng, placed, T, K, picture, 1, like=first if same else None, left=left)
        if hand is not None and not _in_the_way(hand, [first], K):
            return hand
    return None


def _pair(
    world: World, rng: np.random.Generator, first: DressedHand, K: Array, picture: tuple[int, int]
) -> list[DressedHand]:
    """The hand and its person's other one, which touches it; alone if none fits."""
    for _ in range(6):
        placed = world.pose(rng, first.placed.beta, np.eye(3))
        at = touching(rng, first.placed.vertices, placed.vertices, first.placed.R, first.placed.T)
        if at is None:
            continue
        R, T = at
        if (placed.rest_joints @ R.T + T)[:, 2].min() < 0.12:
            continue
        other = world.dress(rng, replace(placed, R=R), T, K, picture, 1, like=first, left=not first.left)
        if other is not None:
            return [first, other]
    return [first]


def _in_the_way(hand: DressedHand, others: list[DressedHand], K: Array) -> bool:
    """Whether a hand and one of the others hide most of each other or share the same space."""
    a = image_box(hand.joints, K)
    for other in others:
        b = image_box(other.joints, K)
        smaller = min(box_area(a), box_area(b))
        apart = np.linalg.norm(hand.joints[:, None] - other.joints, axis=-1).min()
        if shared_area(a, b) > 0.55 * smaller or apart < 0.017:
            return True
    return False


def _shows(label: HandLabel, joints: int, share: float) -> bool:
    """Whether at least so many joints and such a share of the box are visible."""
    assert label.visible is not None and label.mask is not None and label.box is not None
    area = float(box_area(label.box))
    return bool(label.visible.sum() >= joints and (label.mask > 127).sum() >= share * area)


def _finish(
    rng: np.random.Generator,
    key: str,
    background: NDArray[np.uint8],
    hands: list[DressedHand],
    parts: list[Part],
    K: Array,
    *,
    centred: bool,
) -> Sample:
    """Light, render, expose, and write the labels down."""
    height, width = background.shape[:2]
    behind = TO_LINEAR[background]
    lighting = sample_lighting(rng, behind[::8, ::8].mean((0, 1)))
    if rng.random() < 0.35:  # out of focus
        behind = cv2.GaussianBlur(behind, (0, 0), float(rng.uniform(0.3, 3.0)) * width / 160)
    behind = behind * np.float32(np.exp(rng.normal(-0.05, 0.3)))  # another light falls there
    cast = float(rng.uniform(0.1, 1)) if rng.random() < 0.2 else 0.0
    picture, rendered = render(behind, parts, lighting, K, len(hands), cast)
    image = expose(picture, sample_sensor(rng), rng)
    labels = [label_hand(hand, i, rendered, K, height, width) for i, hand in enumerate(hands)]
    kept = tuple(label for i, label in enumerate(labels) if (centred and i == 0) or _shows(label, *LEAST_FOUND))
    return Sample(key=key, source="synth", image=image, hands=kept, K=K, complete=True)
