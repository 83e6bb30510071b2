"""One synthetic picture with everything known about its hands.

A sample is a function of (config, seed, index). Hand-centred pictures put one hand in the middle (`hands[0]`; a second hand and
objects may touch or hide it); scenes hold none to three hands of any size, for the detector. Left hands are right hands mirrored; K's
principal point is the picture's centre, so mirroring a picture mirrors x of everything in the camera frame.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from handscope.errors import HandscopeError
from handscope.hand.assets import load_asset
from handscope.hand.model import pose_hand
from handscope.render.raster import empty_surface, fill, to_samples, vertex_normals
from handscope.render.shading import ARM_SKIN, CLOTH, HAND_SKIN, gather, resolve, shadow_map
from handscope.synth.appearance import (
    TO_LINEAR,
    Lighting,
    arm_map,
    cloth_surface,
    expose,
    random_rotation,
    sample_lighting,
    sample_sensor,
    sample_skin,
    skin_maps,
)
from handscope.synth.backgrounds import Backgrounds, find_sources, pattern
from handscope.synth.meshes import ArmShape, HandBody, Mesh, arm_path, ball, box, cylinder
from handscope.synth.placement import frame_hand, place_in_scene, sample_elbow, sample_view
from handscope.synth.poses import Skeleton, sample_pose, to_theta
from handscope.types import HandLabel, Sample

FACTOR = 2
"""Samples per pixel and axis."""
FLESH_M = np.array([45, 40, 26, 20, 10, *([42, 20, 18, 10] * 4)]) * 1e-3
"""How deep under the skin a visible joint may lie, per canonical joint: up to the palm's thickness seen at a slant."""
CLOTH_SIZE = 64
GATHER_SIZE, SHADOW_SIZE = 44, 128
"""Sides of the depth maps of distant light and of the key lamp."""
BLOCK = 250
"""So many consecutive samples share a small choice of background photographs: decoding is the dearest step otherwise."""


@dataclass(frozen=True, kw_only=True)
class SynthConfig:
    """What to synthesise. `share_*` are probabilities; `fill` is the range of the joints' box over the picture's side."""

    size: int = 160
    scenes: bool = False
    scene_size: int = 320
    fill: tuple[float, float] = (0.42, 0.72)
    jitter: float = 0.07
    share_left: float = 0.5
    share_sleeve: float = 0.55
    share_band: float = 0.15
    share_held: float = 0.18
    share_before: float = 0.16
    share_second: float = 0.14
    share_empty: float = 0.12
    backgrounds: tuple[str, ...] = ()
    photo_index: str | None = None

    def __post_init__(self) -> None:
        if not 32 <= self.size <= 2048 or not 64 <= self.scene_size <= 2048:
            raise HandscopeError(f"picture size must be 32 to 2048 px, got {self.size} and {self.scene_size}")
        if not 0 < self.fill[0] <= self.fill[1] <= 1:
            raise HandscopeError(f"fill must be a range within (0, 1], got {self.fill}")


@dataclass
class Part:
    """Surfaces that throw shadows on each other: a hand with its arm and what it wears and holds, or a lone object."""

    meshes: list[Mesh] = field(default_factory=list)
    kinds: list[int] = field(default_factory=list)
    surfaces: list[NDArray[np.float32]] = field(default_factory=list)
    textures: list[NDArray[np.float32] | None] = field(default_factory=list)
    hand: int = -1
    centre: NDArray[np.float64] = field(default_factory=lambda: np.zeros(3))
    radius: float = 0.15

    def add(
        self, mesh: Mesh, kind: int, surface: NDArray[np.float32], texture: NDArray[np.float32] | None = None
    ) -> None:
        """One more surface."""
        self.meshes.append(mesh)
        self.kinds.append(kind)
        self.surfaces.append(surface)
        self.textures.append(texture)


@dataclass(frozen=True)
class PosedHand:
    """A right hand somewhere, before it becomes pixels; `left` says that the picture shows its mirror image."""

    part: Part
    left: bool
    beta: NDArray[np.float32]
    theta: NDArray[np.float32]
    R: NDArray[np.float64]
    T: NDArray[np.float64]
    joints: NDArray[np.float64]


def _bones_at(joints: int = 21) -> NDArray[np.bool_]:
    """Whether skin of model bone b (16,) may lie over canonical joint j without hiding it (21, 16)."""
    table = np.zeros((joints, 16), bool)
    table[0, 0] = True
    for finger, base in enumerate((13, 1, 4, 10, 7)):  # canonical finger order to the model's first bone
        for i in range(4):
            table[1 + 4 * finger + i, [0 if i == 0 else base + i - 1, min(base + i, base + 2)]] = True
    return table


BONES_AT = _bones_at()


class World:
    """Everything that samples share: hand model, rest skeleton, backgrounds."""

    def __init__(self, config: SynthConfig) -> None:
        asset = load_asset()
        self.asset, self.body = asset, HandBody(asset)
        order = [1, 2, 4, 3, 0]  # model's finger order in the asset's tips
        self.skeleton = Skeleton(
            np.asarray(asset.axes, np.float64),
            asset.joints.astype(np.float64),
            asset.template[asset.tips[order]].astype(np.float64),
        )
        self.bone_of = asset.weights[asset.faces].sum(1).argmax(1).astype(np.int32)
        self.backgrounds = Backgrounds(find_sources(config.backgrounds, config.photo_index))


@lru_cache(maxsize=4)
def world_of(config: SynthConfig) -> World:
    """The shared world of a config, made once per process."""
    return World(config)


def render_sample(config: SynthConfig, seed: int, index: int) -> Sample:
    """Sample `index` of the set (`config`, `seed`): the same picture and labels wherever and whenever it is made."""
    rng = np.random.default_rng([seed, index, int(config.scenes)])
    world = world_of(config)
    world.backgrounds.choose(np.random.default_rng([seed, index // BLOCK, 7919]))
    key = f"{'scene' if config.scenes else 'hand'}-{seed:06d}-{index:08d}"
    return _render_scene(config, world, rng, key) if config.scenes else _render_hand(config, world, rng, key)


def _render_hand(config: SynthConfig, world: World, rng: np.random.Generator, key: str) -> Sample:
    for _ in range(4):
        sample = _try_hand(config, world, rng, key)
        if sample.hands[0].visible.sum() >= 6:  # type: ignore[union-attr]
            return sample
    return sample


def _try_hand(config: SynthConfig, world: World, rng: np.random.Generator, key: str) -> Sample:
    size = config.size
    background, _ = world.backgrounds.draw(rng, size, size)
    for _attempt in range(40):
        angles = sample_pose(rng, world.skeleton)
        beta, theta, R = (
            _shape(rng),
            to_theta(angles, world.skeleton.axes).astype(np.float32),
            sample_view(rng),
        )
        posed = pose_hand(world.asset, beta[None], theta[None])
        joints = posed.joints[0].astype(np.float64) @ R.T
        T, K = frame_hand(rng, joints, size, rng.uniform(*config.fill), config.jitter)
        hand = _dress(
            config, world, rng, posed.vertices[0], beta, theta, R, T, joints + T, K, (size, size), 0
        )
        if hand is not None:
            break
    else:
        raise AssertionError("forty views in a row were blocked by the arm")
    hands, parts = [hand], [hand.part]
    if rng.random() < config.share_second:
        second = _second_hand(config, world, rng, hand, K, (size, size))
        if second is not None:
            hands.append(second)
            parts.append(second.part)
    if rng.random() < config.share_before:
        parts.append(_object_before(rng, world, hand, size, K))
    return _finish(rng, key, world, background, hands, parts, K)


def _render_scene(config: SynthConfig, world: World, rng: np.random.Generator, key: str) -> Sample:
    aspect = float(np.exp(rng.uniform(-0.6, 0.6)))
    longest = config.scene_size
    width, height = (
        (longest, max(int(longest / aspect), 64)) if aspect > 1 else (max(int(longest * aspect), 64), longest)
    )
    background, _ = world.backgrounds.draw(rng, width, height, smallest=0.55)
    focal = longest * float(np.exp(rng.uniform(np.log(0.65), np.log(1.7))))
    K = np.array([[focal, 0, (width - 1) / 2], [0, focal, (height - 1) / 2], [0, 0, 1.0]])
    count = 0 if rng.random() < config.share_empty else int(rng.choice([1, 2, 3], p=[0.5, 0.36, 0.14]))
    hands: list[PosedHand] = []
    parts: list[Part] = []
    for i in range(count):
        share = (
            float(np.exp(rng.uniform(np.log(0.08), np.log(0.9))))
            if i == 0
            else float(np.exp(rng.uniform(np.log(0.08), np.log(0.6))))
        )
        for _attempt in range(6):
            angles = sample_pose(rng, world.skeleton)
            beta, theta, R = (
                _shape(rng),
                to_theta(angles, world.skeleton.axes).astype(np.float32),
                sample_view(rng),
            )
            posed = pose_hand(world.asset, beta[None], theta[None])
            joints = posed.joints[0].astype(np.float64) @ R.T
            T = place_in_scene(rng, joints, K, width, height, share)
            hand = _dress(
                config,
                world,
                rng,
                posed.vertices[0],
                beta,
                theta,
                R,
                T,
                joints + T,
                K,
                (width, height),
                len(hands),
            )
            if hand is not None and not _covers_another(hand, hands, K):
                hands.append(hand)
                parts.append(hand.part)
                break
    for _ in range(int(rng.choice([0, 1, 2], p=[0.45, 0.35, 0.2])) + (count == 0)):
        parts.append(_distractor(rng, world, K, width, height))
    return _finish(rng, key, world, background, hands, parts, K)


def _shape(rng: np.random.Generator) -> NDArray[np.float32]:
    return np.clip(rng.standard_normal(10), -2.5, 2.5).astype(np.float32)


def _mirror(points: NDArray, left: bool) -> NDArray:
    return points * np.array([-1, 1, 1], points.dtype) if left else points


def _dress(
    config: SynthConfig, world: World, rng: np.random.Generator, vertices: NDArray[np.float32], beta: NDArray[np.float32],
    theta: NDArray[np.float32], R: NDArray, T: NDArray, joints: NDArray, K: NDArray, picture: tuple[int, int], index: int,
    *, like: PosedHand | None = None, left: bool | None = None,
) -> PosedHand | None:  # fmt: skip
    """Give a posed hand its skin, arm, sleeve and what it holds; None if the arm would block the view.

    `like` lends the skin and sleeve of the same person's other hand.
    """
    body = world.body
    arm = _sample_arm(rng, vertices[body.loop], R, T, K, picture)
    if arm is None:
        return None
    part = Part(hand=index)
    skin = like.part.surfaces[0] if like is not None else sample_skin(rng)
    with_arm = body.with_arm(vertices, arm)
    count = len(world.asset.template)
    part.add(Mesh(with_arm, world.asset.faces, body.hand_corners), HAND_SKIN, skin)
    part.add(Mesh(with_arm[count:], body.arm_faces, body.arm_corners), ARM_SKIN, skin)
    if rng.random() < config.share_sleeve:
        start = float(rng.choice([rng.uniform(0.004, 0.03), rng.uniform(0.02, 0.2)], p=[0.65, 0.35]))
        sleeve = body.band(
            vertices,
            arm,
            start,
            0.5,
            rng,
            loose=rng.uniform(0.06, 0.38),
            rumple=0.035,
            repeat=float(rng.integers(1, 7)),
        )
        part.add(sleeve, CLOTH, cloth_surface(rng), pattern(rng, CLOTH_SIZE) ** 2.2)
    elif rng.random() < config.share_band:
        start = rng.uniform(0.012, 0.04)
        watch = body.band(
            vertices, arm, start, start + rng.uniform(0.004, 0.03), rng, loose=0.05, rumple=0.004, repeat=2
        )
        part.add(watch, CLOTH, cloth_surface(rng), pattern(rng, CLOTH_SIZE) ** 2.2)
    rest_joints = (joints - T) @ R
    if rng.random() < config.share_held:
        held = _held_object(rng, rest_joints)
        if held is not None:
            part.add(held, CLOTH, cloth_surface(rng), _object_texture(rng, world))
    is_left = bool(rng.random() < config.share_left) if left is None else left
    place = lambda m: Mesh(  # noqa: E731
        _mirror((m.vertices @ R.T + T).astype(np.float32), is_left),
        m.faces[:, ::-1] if is_left else m.faces,
        m.corners[:, ::-1] if is_left else m.corners,
    )
    part.meshes = [place(m) for m in part.meshes]
    part.centre = part.meshes[0].vertices[:count].mean(0).astype(np.float64)
    part.radius = float(np.linalg.norm(part.meshes[0].vertices[:count] - part.centre, axis=1).max()) + 0.02
    return PosedHand(part, is_left, beta, theta, R, T, _mirror(joints, is_left))


def _sample_arm(
    rng: np.random.Generator, loop: NDArray, R: NDArray, T: NDArray, K: NDArray, picture: tuple[int, int]
) -> ArmShape | None:
    """An arm whose path neither comes close to the camera within the picture nor covers the hand."""
    at = np.linspace(0, 0.5, 26)
    width, height = picture
    for _ in range(8):
        arm = ArmShape(
            flexion=float(np.clip(rng.normal(0.05, 0.38), -0.9, 0.9)),
            deviation=float(np.clip(rng.normal(0, 0.2), -0.45, 0.45)),
            elbow=sample_elbow(rng),
            thickness=float(rng.uniform(0.55, 1.25)),
            roundness=float(rng.uniform(0.3, 0.9)),
        )
        centres, _ = arm_path(arm, at)
        points = (centres + loop.mean(0)) @ R.T + T
        z = np.maximum(points[:, 2], 0.02)
        x, y = points[:, 0] / z * K[0, 0] + K[0, 2], points[:, 1] / z * K[1, 1] + K[1, 2]
        outside = (x < 0) | (x >= width) | (y < 0) | (y >= height)
        gone = np.maximum.accumulate(
            outside & (at > 0.05)
        )  # once it has left, it may do what it likes, unless it returns
        if ((points[:, 2] < 0.11) & ~gone).any() or (
            outside[:-1] & ~outside[1:] & (points[1:, 2] > 0.02)
        ).any():
            continue
        reach = 0.075 / np.maximum(points[:, 2], 0.05)
        ahead = (points[:, 2] < T[2] - 0.06) & (at > 0.08)
        if (
            ahead & (np.hypot(x - K[0, 2], y - K[1, 2]) < reach * K[0, 0] + 0.1 * width) & ~gone
        ).any() and width == height:
            continue
        return arm
    return None


def _second_hand(
    config: SynthConfig,
    world: World,
    rng: np.random.Generator,
    first: PosedHand,
    K: NDArray,
    picture: tuple[int, int],
) -> PosedHand | None:
    """Another hand near the first, mostly the same person's other one; None if it would hide the first."""
    for _ in range(4):
        angles = sample_pose(rng, world.skeleton)
        beta = first.beta if rng.random() < 0.8 else _shape(rng)
        theta, R = to_theta(angles, world.skeleton.axes).astype(np.float32), sample_view(rng)
        posed = pose_hand(world.asset, beta[None], theta[None])
        joints = posed.joints[0].astype(np.float64) @ R.T
        direction = random_rotation(rng)[0] * np.array([1, 1, 0.8])
        centre = first.joints.mean(0) + direction * rng.uniform(0.08, 0.2)
        left = not first.left if rng.random() < 0.8 else first.left
        T = centre * np.array([-1 if left else 1, 1, 1]) - joints.mean(0)
        if (joints + T)[:, 2].min() < 0.12:
            continue
        same = first if beta is first.beta else None
        hand = _dress(
            config,
            world,
            rng,
            posed.vertices[0],
            beta,
            theta,
            R,
            T,
            joints + T,
            K,
            picture,
            1,
            like=same,
            left=left,
        )
        if (
            hand is not None
            and not _covers_another(hand, [first], K)
            and _separate(hand.joints, first.joints)
        ):
            return hand
    return None


def _separate(a: NDArray, b: NDArray) -> bool:
    """Whether the joints of two hands keep the thickness of a finger apart."""
    return bool(np.linalg.norm(a[:, None] - b[None], axis=-1).min() > 0.017)


def _covers_another(hand: PosedHand, others: list[PosedHand], K: NDArray) -> bool:
    """Whether `hand` lies before the larger part of another one, or the other way round, or inside it."""
    boxes = [_box(h.joints, K) for h in (hand, *others)]
    for other, b in zip(others, boxes[1:], strict=True):
        a = boxes[0]
        shared = np.clip(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0, None).prod()
        if shared > 0.55 * min((a[2:] - a[:2]).prod(), (b[2:] - b[:2]).prod()) or not _separate(
            hand.joints, other.joints
        ):
            return True
    return False


def _box(joints: NDArray, K: NDArray) -> NDArray:
    image = joints[:, :2] / joints[:, 2:] * K[0, 0] + K[:2, 2]
    return np.concatenate([image.min(0), image.max(0)])


def _object_texture(rng: np.random.Generator, world: World) -> NDArray[np.float32]:
    if world.backgrounds.sources and rng.random() < 0.5:
        return TO_LINEAR[world.backgrounds.draw(rng, CLOTH_SIZE, CLOTH_SIZE, smallest=0.1)[0]]
    return pattern(rng, CLOTH_SIZE) ** np.float32(2.2)


def _held_object(rng: np.random.Generator, joints: NDArray[np.floating]) -> Mesh | None:
    """Something in the hand, in the hand's own frame: as thick as the room that the bones leave; None if there is none.

    A can or handle lies across the palm; a ball or box between palm and fingertips; a pen or card between thumb and fingertip.
    """
    bones = np.concatenate([np.linspace(joints[a], joints[b], 5) for a, b in ((0, 1), (1, 2), (2, 3), (3, 4), (0, 5), (5, 6), (6, 7), (7, 8), (0, 9),
        (9, 10), (10, 11), (11, 12), (0, 13), (13, 14), (14, 15), (15, 16), (0, 17), (17, 18), (18, 19), (19, 20))])  # fmt: skip
    knuckles, tips = joints[[5, 9, 13, 17]], joints[[8, 12, 16, 20]]
    kind = rng.random()
    if kind < 0.30:  # pen or card at thumb and fingertip
        meet = (joints[4] + joints[8]) / 2
        if np.linalg.norm(joints[4] - joints[8]) > 0.045:
            return None
        half = max(np.linalg.norm(joints[4] - joints[8]) / 2 - 0.004, 0.002)
        along = rng.standard_normal(3) + np.array([0, 1.5, 0.5])
        across = joints[4] - joints[8]
        frame = _frame_about(along - across * (along @ across) / (across @ across + 1e-9))
        long = rng.uniform(0.04, 0.09)
        if rng.random() < 0.6:
            scale, shape = (
                (min(half + 0.002, 0.006), min(half + 0.002, 0.006), long),
                cylinder(10, taper=rng.uniform(0.5, 1)),
            )
        else:
            scale, shape = (half, rng.uniform(0.015, 0.05), long), box()
            frame = np.stack(
                [
                    across / np.linalg.norm(across),
                    np.cross(frame[:, 2], across / np.linalg.norm(across)),
                    frame[:, 2],
                ],
                1,
            )
        return shape.moved(frame * np.array(scale), meet + frame[:, 2] * rng.uniform(-0.6, 0.6) * long)
    palm_side = np.cross(joints[5] - joints[0], joints[17] - joints[0])
    palm_side /= -np.linalg.norm(palm_side) * np.sign(palm_side[1] + 1e-12)
    centre = 0.5 * (knuckles.mean(0) + tips.mean(0)) * 0.6 + 0.4 * (knuckles.mean(0) + 0.04 * palm_side)
    if kind < 0.70:
        axis = joints[5] - joints[17] + rng.normal(0, 0.008, 3)
        axis /= np.linalg.norm(axis)
        away = (bones - centre) - ((bones - centre) @ axis)[:, None] * axis
        radius = np.linalg.norm(away, axis=1).min() - 0.009
        if radius < 0.004:
            return None
        radius, long = min(radius, 0.045), rng.uniform(0.05, 0.12)
        shape = cylinder(20, taper=rng.uniform(0.8, 1.0)) if rng.random() < 0.75 else box()
        slim = 1.0 if shape.faces.shape[0] > 12 else 0.7
        return shape.moved(
            _frame_about(axis) * np.array([radius * slim, radius * slim, long]),
            centre + axis * rng.uniform(-0.4, 0.4) * long,
        )
    radius = min(np.linalg.norm(bones - centre, axis=1).min() - 0.009, 0.05)
    if radius < 0.008:
        return None
    shape = ball() if rng.random() < 0.7 else box()
    return shape.moved(random_rotation(rng) * radius * (1.0 if len(shape.faces) > 12 else 0.6), centre)


def _frame_about(axis: NDArray[np.floating]) -> NDArray[np.float64]:
    """A rotation (3, 3) whose third column is along `axis`."""
    z = axis / np.linalg.norm(axis)
    x = np.cross(np.eye(3)[np.argmin(np.abs(z))], z)
    x /= np.linalg.norm(x)
    return np.stack([x, np.cross(z, x), z], 1)


def _object_before(rng: np.random.Generator, world: World, hand: PosedHand, size: int, K: NDArray) -> Part:
    """An object between camera and hand, over a share of it."""
    joint = hand.joints[rng.integers(21)]
    share = rng.uniform(0.45, 0.85)
    nearest = hand.joints[:, 2].min()
    depth = max(min(joint[2] * share, nearest - 0.04), 0.06)
    centre = joint * depth / joint[2] + rng.normal(0, 0.012, 3) * np.array([1, 1, 0]) * depth / joint[2]
    scale = np.exp(rng.normal([-4.3, -4.3, -3.4], 0.45)) * depth / joint[2]
    shape = (cylinder(16), box(), ball())[rng.integers(3)]
    part = Part(centre=centre, radius=float(scale.max()) * 2)
    is_skin = rng.random() < 0.08  # somebody's arm
    mesh = shape.moved(random_rotation(rng) * scale, centre)
    part.add(mesh, CLOTH, cloth_surface(rng), _skin_texture(rng) if is_skin else _object_texture(rng, world))
    return part


def _skin_texture(rng: np.random.Generator) -> NDArray[np.float32]:
    tone = sample_skin(rng)[:3]
    return (tone * (1 + 0.06 * rng.standard_normal((CLOTH_SIZE, CLOTH_SIZE, 1)))).astype(np.float32)


def _distractor(rng: np.random.Generator, world: World, K: NDArray, width: int, height: int) -> Part:
    """Something of skin's colour or of hand's size that is no hand: a ball, a limb, a handle, a head without features."""
    depth = rng.uniform(0.35, 1.6)
    pixel = rng.uniform([0, 0], [width, height])
    centre = np.array([*((pixel - K[:2, 2]) / K[0, 0] * depth), depth])
    shape, scale = [(ball(), rng.uniform(0.02, 0.11, 3)), (cylinder(20, taper=rng.uniform(0.6, 1)), rng.uniform([0.012, 0.012, 0.06], [0.05, 0.05, 0.25])),
                    (box(), rng.uniform(0.01, 0.09, 3))][rng.integers(3)]  # fmt: skip
    part = Part(centre=centre, radius=float(scale.max()) * 1.5)
    texture = _skin_texture(rng) if rng.random() < 0.6 else _object_texture(rng, world)
    part.add(shape.moved(random_rotation(rng) * scale, centre), CLOTH, cloth_surface(rng), texture)
    return part


def _finish(
    rng: np.random.Generator, key: str, world: World, background: NDArray[np.uint8], hands: list[PosedHand], parts: list[Part],
    K: NDArray,
) -> Sample:  # fmt: skip
    """Light, draw, blend with the background, expose, and write the labels down."""
    behind = TO_LINEAR[background]
    lighting = sample_lighting(rng, behind[::8, ::8].mean((0, 1)))
    behind = _soften(rng, behind)
    cast = float(rng.uniform(0.1, 1)) if rng.random() < 0.2 else 0.0
    picture, surfaces = _draw(behind, parts, lighting, K, len(hands), world, cast)
    image = expose(picture, sample_sensor(rng), rng)
    labels = tuple(_label(h, i, surfaces, K, image.shape[:2]) for i, h in enumerate(hands))
    return Sample(key=key, source="synth", image=image, hands=labels, K=K, complete=True)


def _soften(rng: np.random.Generator, behind: NDArray[np.float32]) -> NDArray[np.float32]:
    """Background out of focus, darker or brighter than the hand's place."""
    if rng.random() < 0.35:
        behind = cv2.GaussianBlur(behind, (0, 0), float(rng.uniform(0.3, 3.0)) * behind.shape[1] / 160)
    return behind * np.float32(np.exp(rng.normal(-0.05, 0.3)))


@dataclass(frozen=True)
class Drawn:
    """What the labels need of the drawing: the window's origin, what lies at every sample, per face its group and model bone, per
    group the hand whose skin (`instance_of`) or skin and arm (`owner_of`) it is, coverage of every hand."""

    origin: tuple[int, int]
    depth: NDArray[np.float32]
    face: NDArray[np.int32]
    group_of: NDArray[np.int32]
    instance_of: NDArray[np.int32]
    owner_of: NDArray[np.int32]
    bone_of: NDArray[np.int32]
    coverage: NDArray[np.float32]


def _draw(
    behind: NDArray[np.float32],
    parts: list[Part],
    lighting: Lighting,
    K: NDArray,
    hands: int,
    world: World,
    cast: float,
) -> tuple[NDArray[np.float32], Drawn | None]:
    height, width = behind.shape[:2]
    if not parts:
        return behind, None
    vertices, normals, light, faces, corners, group_of = [], [], [], [], [], []
    kinds, surfaces, texture_of, textures, instance_of, owner_of, bone_of = [], [], [], [], [], [], []
    first = 0
    for part in parts:
        own_faces, own_vertices, coarse, base = [], [], [], 0
        for mesh, kind, surface, texture in zip(
            part.meshes, part.kinds, part.surfaces, part.textures, strict=True
        ):
            shared = kind == ARM_SKIN  # the arm's faces index the hand's vertices, which already hold its own
            if not shared:
                own_vertices.append(mesh.vertices)
            own_faces.append(mesh.faces if shared else mesh.faces + base)
            coarse.append(world.asset.silhouette_faces + base if kind == HAND_SKIN else own_faces[-1])
            if not shared:
                base += len(mesh.vertices)
            corners.append(mesh.corners)
            group_of.append(np.full(len(mesh.faces), len(kinds), np.int32))
            bone_of.append(world.bone_of if kind == HAND_SKIN else np.zeros(len(mesh.faces), np.int32))
            kinds.append(kind)
            surfaces.append(surface)
            texture_of.append(len(textures) if texture is not None else 0)
            if texture is not None:
                textures.append(texture)
            instance_of.append(part.hand if kind == HAND_SKIN else -1)
            owner_of.append(part.hand if kind != CLOTH else -1)
        part_vertices = np.ascontiguousarray(np.concatenate(own_vertices), np.float32)
        part_faces = np.ascontiguousarray(np.concatenate(own_faces), np.int32)
        part_normals = vertex_normals(part_vertices, part_faces)
        bounce = np.asarray(part.surfaces[0][:3] * 0.6, np.float32)
        centre = part.centre.astype(np.float32)
        light.append(
            gather(
                part_vertices,
                part_normals,
                np.ascontiguousarray(np.concatenate(coarse), np.int32),
                lighting.directions,
                lighting.radiance,
                bounce,
                centre,
                np.float32(part.radius),
                GATHER_SIZE,
            )
        )
        vertices.append(part_vertices)
        normals.append(part_normals)
        faces.append(part_faces + first)
        first += len(part_vertices)
    vertices, normals, light = np.concatenate(vertices), np.concatenate(normals), np.concatenate(light)
    faces, corners, group_of = np.concatenate(faces), np.concatenate(corners), np.concatenate(group_of)
    x0, y0, x1, y1 = _window(vertices, K, width, height)
    if x1 <= x0 or y1 <= y0:
        return behind, None
    surface = empty_surface((y1 - y0) * FACTOR, (x1 - x0) * FACTOR)
    fill(to_samples(vertices, K, x0, y0, FACTOR), faces, surface.depth, surface.face, surface.weights)
    centre, radius = _ball(parts)
    shadow, to_map = shadow_map(vertices, faces, lighting.lamps[0], centre, np.float32(radius), SHADOW_SIZE)
    spread = np.float32(lighting.softness / (2 * radius / SHADOW_SIZE))
    scale = max(float(K[0, 0]) * 0.19 / max(float(parts[0].centre[2]), 0.1), 1.0)
    maps = skin_maps()
    hand_map = maps[256] if scale < 130 else maps[512] if scale < 320 else maps[1024]
    textures = textures or [np.zeros((CLOTH_SIZE, CLOTH_SIZE, 3), np.float32)]
    scene = (vertices, normals, light, faces, corners, group_of, np.array(kinds, np.int32), np.stack(surfaces).astype(np.float32),
             np.array(texture_of, np.int32), hand_map, arm_map(), np.stack(textures).astype(np.float32))  # fmt: skip
    lights = (
        lighting.lamps,
        lighting.powers,
        shadow,
        to_map,
        spread,
        lighting.radiance.mean(0),
        np.zeros(8, np.float32),
        np.zeros(3, np.float32),
    )
    instances = np.array(instance_of, np.int32)
    colour, cover, coverage = resolve(
        surface.depth, surface.face, surface.weights, FACTOR, instances, max(hands, 1), scene, lights
    )
    picture = behind.copy()
    window = picture[y0:y1, x0:x1]
    if cast > 0:
        _cast_shadow(picture, cover, (x0, y0), lighting, cast)
    window *= (1 - cover)[..., None]
    window += colour
    return picture, Drawn(
        (x0, y0),
        surface.depth,
        surface.face,
        group_of,
        instances,
        np.array(owner_of, np.int32),
        np.concatenate(bone_of),
        coverage,
    )


def _cast_shadow(
    picture: NDArray[np.float32],
    cover: NDArray[np.float32],
    origin: tuple[int, int],
    lighting: Lighting,
    strength: float,
) -> None:
    """Darken the background where the hand keeps the key lamp from it, as on a wall or table close behind."""
    height, width = picture.shape[:2]
    gap = 0.05 + 0.25 * strength
    away = -lighting.lamps[0][:2] / max(float(-lighting.lamps[0][2]), 0.35) * gap * 0.35 * cover.shape[0]
    move = np.array([[1, 0, origin[0] + away[0]], [0, 1, origin[1] + away[1]]], np.float64)
    shade = cv2.warpAffine(cover, move, (width, height))
    shade = cv2.GaussianBlur(shade, (0, 0), 1.0 + 0.03 * width * strength)
    picture *= 1 - np.float32(0.2 + 0.5 * strength) * shade[..., None]


def _window(vertices: NDArray, K: NDArray, width: int, height: int) -> tuple[int, int, int, int]:
    """The picture rectangle (x0, y0, x1, y1) that holds everything in front of the camera."""
    ahead = vertices[vertices[:, 2] > 0.02]
    if len(ahead) == 0:
        return 0, 0, 0, 0
    image = ahead[:, :2] / ahead[:, 2:] * np.float32(K[0, 0]) + K[:2, 2].astype(np.float32)
    low, high = np.floor(image.min(0)) - 1, np.ceil(image.max(0)) + 2
    limit = [width, height]
    x0, y0 = np.clip(low, 0, limit).astype(int)
    x1, y1 = np.clip(high, 0, limit).astype(int)
    return int(x0), int(y0), int(x1), int(y1)


def _ball(parts: list[Part]) -> tuple[NDArray[np.float32], float]:
    """A ball that holds the hands, or the objects if there are none."""
    chosen = [p for p in parts if p.hand >= 0] or parts
    centre = np.mean([p.centre for p in chosen], 0)
    radius = max(float(np.linalg.norm(p.centre - centre)) + p.radius for p in chosen)
    return centre.astype(np.float32), radius


def _label(hand: PosedHand, index: int, drawn: Drawn | None, K: NDArray, shape: tuple[int, int]) -> HandLabel:
    height, width = shape
    joints_2d = hand.joints[:, :2] / hand.joints[:, 2:] * K[0, 0] + K[:2, 2]
    mask = np.zeros((height, width), np.uint8)
    if drawn is not None:
        x0, y0 = drawn.origin
        h, w = drawn.coverage.shape[1:]
        mask[y0 : y0 + h, x0 : x0 + w] = (drawn.coverage[index] * 255 + 0.5).astype(np.uint8)
    known = np.ones(21, bool)
    return HandLabel(
        handedness="left" if hand.left else "right",
        box=np.concatenate([joints_2d.min(0), joints_2d.max(0)]),
        joints_2d=joints_2d,
        joints_2d_known=known,
        visible=_visible(hand, index, joints_2d, drawn, shape),
        joints_3d=hand.joints,
        joints_3d_known=known,
        mask=mask,
        theta=hand.theta,
        beta=hand.beta,
        R=hand.R,
        T=hand.T,
    )


def _visible(
    hand: PosedHand, index: int, joints_2d: NDArray, drawn: Drawn | None, shape: tuple[int, int]
) -> NDArray[np.bool_]:
    """Per joint: inside the picture, with nothing before it but the flesh of its own bones."""
    height, width = shape
    inside = (joints_2d >= -0.5).all(1) & (joints_2d[:, 0] < width - 0.5) & (joints_2d[:, 1] < height - 0.5)
    if drawn is None:
        return inside
    column = (
        np.round((joints_2d[:, 0] - drawn.origin[0] + 0.5) * FACTOR - 0.5)
        .astype(int)
        .clip(0, drawn.depth.shape[1] - 1)
    )
    row = (
        np.round((joints_2d[:, 1] - drawn.origin[1] + 0.5) * FACTOR - 0.5)
        .astype(int)
        .clip(0, drawn.depth.shape[0] - 1)
    )
    face = drawn.face[row, column]
    gap = hand.joints[:, 2] - drawn.depth[row, column]
    own = (face >= 0) & (drawn.owner_of[drawn.group_of[face]] == index)
    nearby = BONES_AT[np.arange(21), drawn.bone_of[face]]
    clear = np.where(own, nearby & (gap <= FLESH_M), gap <= 0.002)
    return inside & ((face < 0) | clear)
