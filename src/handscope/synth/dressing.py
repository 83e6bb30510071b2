"""What goes with a hand in a picture: whose skin it has, its arm, sleeve or bracelet, what it holds, and
what is about it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from handscope.geometry.boxes import box_centre, longer_side, tight_box
from handscope.geometry.camera import NEAR_M, project
from handscope.skeleton import BONES
from handscope.synth.appearance import TO_LINEAR, cloth_surface, random_rotation, sample_glove, sample_skin
from handscope.synth.backgrounds import Backgrounds, pattern
from handscope.synth.config import SynthConfig
from handscope.synth.meshes import ArmShape, HandBody, Mesh, arm_path, ball, box, cylinder
from handscope.synth.placement import sample_elbow
from handscope.synth.rendering import ARM_SKIN, CLOTH, HAND_SKIN, TEXTURE_SIZE, Part, Surface

Array = NDArray[np.floating]
ARM_LENGTH = 0.5


@dataclass(frozen=True, kw_only=True)
class Placed:
    """A right hand posed and placed: `vertices` (V, 3) and `rest_joints` (21, 3) without R and T; camera: x
    = R x + T.
    """

    vertices: NDArray[np.float32]
    rest_joints: Array
    beta: NDArray[np.float32]
    theta: NDArray[np.float32]
    R: Array
    T: Array

    @property
    def joints(self) -> Array:
        """Joints (21, 3) in the camera frame, of the right hand."""
        return self.rest_joints @ self.R.T + self.T


@dataclass(frozen=True)
class DressedHand:
    """A hand ready to be rendered; `left` says that the picture shows the mirror image of the right hand
    `placed`.
    """

    placed: Placed
    part: Part
    left: bool

    @property
    def joints(self) -> Array:
        """Joints (21, 3) in the picture's camera frame, of the hand as shown."""
        return mirrored(self.placed.joints, self.left)


def mirrored(points: Array, left: bool) -> Array:
    """Points (n, 3) with x turned round if `left`."""
    return points * np.array([-1, 1, 1], points.dtype) if left else points


def image_box(joints: Array, K: Array) -> Array:
    """The box (x0, y0, x1, y1) px of joints (21, 3) m."""
    return tight_box(project(joints, K))


def dress(
    rng: np.random.Generator, config: SynthConfig, body: HandBody, backgrounds: Backgrounds, placed: Placed,
    K: Array, picture: tuple[int, int], index: int, *, like: DressedHand | None = None,
    left: bool | None = None, arm: ArmShape | None = None,
) -> DressedHand | None:  # fmt: skip
    """Give a hand everything that goes with it; None if its arm would block the view, or if it can hold nothing but
    must.

    `like` is the same person's other hand and lends its skin and sleeve; `left` and `arm` are sampled if None.
    """
    arm = sample_arm(rng, placed, body, K, picture) if arm is None else arm
    if arm is None:
        return None
    skin = like.part.surfaces[0].material if like is not None else sample_skin(rng)
    if like is None and config.share_glove and rng.random() < config.share_glove:
        skin = sample_glove(rng)
    with_arm = body.with_arm(placed.vertices, arm)
    surfaces = [
        Surface(
            mesh=Mesh(with_arm, body.asset.faces, body.hand_corners), kind=HAND_SKIN, material=skin,
            coarse=body.asset.silhouette_faces, bones=body.bone_of,
        ),
        Surface(
            mesh=Mesh(with_arm[:0], body.arm_faces, body.arm_corners), kind=ARM_SKIN, material=skin,
            continues=True,
        ),
    ]  # fmt: skip
    surfaces += _worn(rng, config, body, placed, arm, like)
    surfaces += _shoulder(rng, placed, body, arm, surfaces, K, picture)
    if rng.random() < config.share_held:
        held = held_object(rng, placed.rest_joints)
        if held is None and config.share_held == 1:
            return None  # another pose can hold something
        if held is not None:
            surfaces.append(
                Surface(mesh=held, kind=CLOTH, material=cloth_surface(rng), texture=object_texture(rng, backgrounds))
            )
    is_left = bool(rng.random() < config.share_left) if left is None else left
    surfaces = [_in_camera(s, placed, is_left) for s in surfaces]
    hand = surfaces[0].mesh.vertices[: len(body.asset.template)]
    centre = hand.mean(0).astype(np.float64)
    radius = float(np.linalg.norm(hand - centre, axis=1).max()) + 0.02
    return DressedHand(placed, Part(surfaces, index, centre, radius), is_left)


def _in_camera(surface: Surface, placed: Placed, left: bool) -> Surface:
    mesh = surface.mesh
    turn = slice(None, None, -1 if left else 1)  # a mirror image is wound the other way round
    moved = Mesh(
        mirrored((mesh.vertices @ placed.R.T + placed.T).astype(np.float32), left),
        mesh.faces[:, turn],
        mesh.corners[:, turn],
    )
    coarse = None if surface.coarse is None else surface.coarse[:, turn]
    return replace(surface, mesh=moved, coarse=coarse)


def sample_arm(
    rng: np.random.Generator, placed: Placed, body: HandBody, K: Array, picture: tuple[int, int]
) -> ArmShape | None:
    """An arm that neither comes close to the camera within the picture nor covers the hand; None if none is
    found.
    """
    at = np.linspace(0, ARM_LENGTH, 26)
    start = placed.vertices[body.loop].mean(0)
    hand = image_box(placed.joints, K)
    middle, reach = box_centre(hand), 0.4 * float(longer_side(hand))
    for _ in range(8):
        arm = ArmShape(
            flexion=float(np.clip(rng.normal(0.05, 0.38), -0.9, 0.9)),
            deviation=float(np.clip(rng.normal(0, 0.2), -0.45, 0.45)),
            elbow=sample_elbow(rng),
            thickness=float(rng.uniform(0.55, 1.25)),
            roundness=float(rng.uniform(0.3, 0.9)),
        )
        points = (arm_path(arm, at)[0] + start) @ placed.R.T + placed.T
        z = np.maximum(points[:, 2], NEAR_M)
        image = project(points, K, near=NEAR_M)
        outside: NDArray[np.bool_] = np.any((image < 0) | (image >= picture), axis=1)
        gone = np.maximum.accumulate(outside & (at > 0.05))
        too_near = (z < 0.11) & ~gone
        returns = outside[:-1] & ~outside[1:]
        thick = 0.03 * K[0, 0] / z
        before = (z < placed.T[2] - 0.03) & (at > 0.06) & (np.linalg.norm(image - middle, axis=1) < reach + thick)
        if not (too_near.any() or returns.any() or (before & ~gone).any()):
            return arm
    return None


def _worn(
    rng: np.random.Generator,
    config: SynthConfig,
    body: HandBody,
    placed: Placed,
    arm: ArmShape,
    like: DressedHand | None,
) -> list[Surface]:
    """A sleeve from near the wrist, a short sleeve, or a bare arm with or without a bracelet."""
    texture, material = pattern(rng, TEXTURE_SIZE) ** np.float32(2.2), cloth_surface(rng)
    if like is not None and len(like.part.surfaces) > 2 and like.part.surfaces[2].kind == CLOTH:
        texture, material = like.part.surfaces[2].texture, like.part.surfaces[2].material
    kind = rng.random()
    bands = []
    if kind < config.share_sleeve:
        start = float(rng.uniform(0.004, 0.03) if rng.random() < 0.65 else rng.uniform(0.02, 0.2))
        bands.append((start, ARM_LENGTH, float(rng.uniform(0.06, 0.38)), 0.035))
    else:
        bands.append((float(rng.uniform(0.3, 0.42)), ARM_LENGTH, float(rng.uniform(0.15, 0.45)), 0.03))
        if rng.random() < config.share_band / max(1 - config.share_sleeve, 1e-6):
            start = float(rng.uniform(0.012, 0.04))
            bands.append((start, start + float(rng.uniform(0.004, 0.03)), 0.05, 0.004))
    return [
        Surface(
            mesh=body.band(
                placed.vertices,
                arm,
                start,
                end,
                rng,
                loose=loose,
                rumple=rumple,
                repeat=float(rng.integers(1, 7)),
            ),
            kind=CLOTH,
            material=material if i == 0 else cloth_surface(rng),
            texture=texture if i == 0 else pattern(rng, TEXTURE_SIZE) ** np.float32(2.2),
        )
        for i, (start, end, loose, rumple) in enumerate(bands)
    ]


def _shoulder(
    rng: np.random.Generator, placed: Placed, body: HandBody, arm: ArmShape, worn: list[Surface], K: Array,
    picture: tuple[int, int],
) -> list[Surface]:  # fmt: skip
    """Where the end of the arm would show, the clothed body it belongs to."""
    centres, frames = arm_path(arm, np.array([ARM_LENGTH]))
    end = centres[0] + placed.vertices[body.loop].mean(0)
    seen = placed.R @ end + placed.T
    if seen[2] < 0.25:
        return []
    image = seen[:2] / seen[2] * K[0, 0] + K[:2, 2]
    margin = 0.06 * K[0, 0] / seen[2]
    if ((image < -margin) | (image > np.array(picture) + margin)).any():
        return []
    size = np.array([rng.uniform(0.16, 0.24), rng.uniform(0.28, 0.42), rng.uniform(0.1, 0.15)])
    onward = placed.R @ frames[0][:, 0]
    centre = seen + onward * 0.12 + np.array([0, 0.5 * size[1], 0])
    if centre[2] - size[2] < placed.joints[:, 2].max() - 0.02:
        centre[2] = placed.joints[:, 2].max() + size[2] + 0.02
    torso = ball(24, 14).moved(np.diag(size), centre)
    head = ball(18, 12).moved(
        random_rotation(rng) * rng.uniform([0.07, 0.08, 0.09], [0.08, 0.1, 0.12]),
        centre - [rng.normal(0, 0.03), size[1] + rng.uniform(0.07, 0.12), 0],
    )
    clothes = replace(
        worn[2], mesh=Mesh(torso.vertices, torso.faces, torso.corners * np.array([2.0, 4.0, 1.0], np.float32))
    )
    face = replace(
        worn[1],
        mesh=Mesh(head.vertices, head.faces, head.corners * np.array([2.0, 2.0, 0.0], np.float32)),
        continues=False,
    )
    # everything of a hand moves to the camera together, so it is described in the hand's frame
    return [_towards_hand(s, placed) for s in (clothes, face)]


def _towards_hand(surface: Surface, placed: Placed) -> Surface:
    vertices = ((surface.mesh.vertices - placed.T) @ placed.R).astype(np.float32)
    return replace(surface, mesh=Mesh(vertices, surface.mesh.faces, surface.mesh.corners))


def object_texture(rng: np.random.Generator, backgrounds: Backgrounds) -> NDArray[np.float32]:
    """Colours (64, 64, 3) of a thing: a piece of a photograph or a pattern."""
    if backgrounds.sources and rng.random() < 0.5:
        return TO_LINEAR[backgrounds.sample(rng, TEXTURE_SIZE, TEXTURE_SIZE, smallest=0.1)[0]]
    return pattern(rng, TEXTURE_SIZE) ** np.float32(2.2)


def _skin_texture(rng: np.random.Generator) -> NDArray[np.float32]:
    tone = sample_skin(rng)[:3]
    return (tone * (1 + 0.06 * rng.standard_normal((TEXTURE_SIZE, TEXTURE_SIZE, 1)))).astype(np.float32)


def held_object(rng: np.random.Generator, joints: Array) -> Mesh | None:
    """Something in the hand (hand's frame), as thick as the bones of `joints` (21, 3) leave room for; None
    if there is none.

    A can or handle lies across the palm; a ball or box between palm and fingertips; a pen or card between
    thumb and fingertip.
    """
    kind = rng.random()
    if kind < 0.3:
        return _pinched(rng, joints)
    steps = np.linspace(0, 1, 5)[:, None]
    flesh = np.concatenate([joints[a] + steps * (joints[b] - joints[a]) for a, b in BONES])
    knuckles, tips = joints[[5, 9, 13, 17]].mean(0), joints[[8, 12, 16, 20]].mean(0)
    across = np.cross(joints[5] - joints[0], joints[17] - joints[0])  # out of the palm or out of the back
    out = -across / np.linalg.norm(across) * np.sign(across[1])
    centre = 0.3 * (knuckles + tips) + 0.4 * (knuckles + 0.04 * out)
    if kind < 0.7:
        axis = joints[5] - joints[17] + rng.normal(0, 0.008, 3)
        axis /= np.linalg.norm(axis)
        beside = (flesh - centre) - ((flesh - centre) @ axis)[:, None] * axis
        radius = min(float(np.linalg.norm(beside, axis=1).min()) - 0.009, 0.045)
        if radius < 0.004:
            return None
        long = float(rng.uniform(0.05, 0.12))
        shape, slim = (cylinder(20, taper=rng.uniform(0.8, 1.0)), 1.0) if rng.random() < 0.75 else (box(), 0.7)
        return shape.moved(
            _frame_about(axis) * [radius * slim, radius * slim, long],
            centre + axis * rng.uniform(-0.4, 0.4) * long,
        )
    radius = min(float(np.linalg.norm(flesh - centre, axis=1).min()) - 0.009, 0.05)
    if radius < 0.008:
        return None
    shape, slim = (ball(), 1.0) if rng.random() < 0.7 else (box(), 0.6)
    return shape.moved(random_rotation(rng) * radius * slim, centre)


def _pinched(rng: np.random.Generator, joints: Array) -> Mesh | None:
    """A pen or card between the tips of thumb and index finger."""
    across = joints[4] - joints[8]
    gap = float(np.linalg.norm(across))
    if gap > 0.045:
        return None
    across = across / (gap + 1e-9)
    half = max(gap / 2 - 0.004, 0.002)
    along = rng.standard_normal(3) + np.array([0, 1.5, 0.5])
    frame = _frame_about(along - across * (along @ across))
    long = float(rng.uniform(0.04, 0.09))
    place = (joints[4] + joints[8]) / 2 + frame[:, 2] * rng.uniform(-0.6, 0.6) * long
    if rng.random() < 0.6:
        thick = min(half + 0.002, 0.006)
        return cylinder(10, taper=rng.uniform(0.5, 1)).moved(frame * [thick, thick, long], place)
    sides = np.stack([across, np.cross(frame[:, 2], across), frame[:, 2]], 1)
    return box().moved(sides * [half, rng.uniform(0.015, 0.05), long], place)


def _frame_about(axis: Array) -> Array:
    """A rotation (3, 3) whose third column is along `axis`."""
    z = axis / np.linalg.norm(axis)
    x = np.cross(np.eye(3)[np.argmin(np.abs(z))], z)
    x /= np.linalg.norm(x)
    return np.stack([x, np.cross(z, x), z], 1)


def object_before(rng: np.random.Generator, backgrounds: Backgrounds, joints: Array) -> Part:
    """A thing between the camera and the hand of `joints` (21, 3), over a part of it."""
    joint = joints[rng.integers(21)]
    depth = max(min(joint[2] * rng.uniform(0.45, 0.85), joints[:, 2].min() - 0.04), 0.06)
    nearer = depth / joint[2]
    centre = joint * nearer + rng.normal(0, 0.012, 3) * [nearer, nearer, 0]
    scale = np.exp(rng.normal([-4.3, -4.3, -3.4], 0.45)) * nearer
    mesh = (cylinder(16), box(), ball())[rng.integers(3)].moved(random_rotation(rng) * scale, centre)
    texture = _skin_texture(rng) if rng.random() < 0.08 else object_texture(rng, backgrounds)
    surface = Surface(mesh=mesh, kind=CLOTH, material=cloth_surface(rng), texture=texture)
    return Part([surface], -1, centre, float(scale.max()) * 2)


def distractor(rng: np.random.Generator, backgrounds: Backgrounds, K: Array, width: int, height: int) -> Part:
    """A thing of skin's colour or of a hand's size that is no hand: a ball, a limb, a handle, a box."""
    depth = float(rng.uniform(0.35, 1.6))
    pixel = rng.uniform([0, 0], [width, height])
    centre = np.array([*((pixel - K[:2, 2]) / K[0, 0] * depth), depth])
    mesh, scale = (
        (ball(), rng.uniform(0.02, 0.11, 3)),
        (cylinder(20, taper=rng.uniform(0.6, 1)), rng.uniform([0.012, 0.012, 0.06], [0.05, 0.05, 0.25])),
        (box(), rng.uniform(0.01, 0.09, 3)),
    )[rng.integers(3)]
    texture = _skin_texture(rng) if rng.random() < 0.6 else object_texture(rng, backgrounds)
    surface = Surface(
        mesh=mesh.moved(random_rotation(rng) * scale, centre),
        kind=CLOTH,
        material=cloth_surface(rng),
        texture=texture,
    )
    return Part([surface], -1, centre, float(scale.max()) * 1.5)
