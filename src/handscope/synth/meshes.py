"""Shapes that go with a hand: forearm, sleeve, bracelet, and simple objects. Metres; in the posed hand's
frame unless said otherwise.

The hand's mesh ends in a loop at the wrist; the arm is that loop swept along a path that bends at the
wrist, widens towards the elbow and turns there into the upper arm, far enough that no end shows. Sleeves
and bracelets are wider tubes about parts of the same path.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import no_type_check

import numba as nb
import numpy as np
from numpy.typing import NDArray

from handscope.hand.assets import HandAsset
from handscope.render.raster import JIT
from handscope.synth.poses import axis_rotation

Float32 = NDArray[np.float32]
Int32 = NDArray[np.int32]

RING_AT = np.array([4, 10, 18, 28, 40, 56, 80, 110, 145, 180, 210, 232, 250, 268, 290, 330, 400, 500]) * 1e-3
"""Where along the arm (m past the cut) its rings lie."""
ELBOW_M = 0.25


@dataclass(frozen=True)
class Mesh:
    """`vertices` (v, 3), `faces` (f, 3) wound outwards, and `corners` (f, 3, 3): u, v and a value that
    depends on the surface's kind (palm share on an arm, brightness on cloth).
    """

    vertices: Float32
    faces: Int32
    corners: Float32

    def moved(self, rotation: NDArray[np.floating], shift: NDArray[np.floating]) -> Mesh:
        """Rotated, then shifted."""
        return Mesh((self.vertices @ np.asarray(rotation).T + shift).astype(np.float32), self.faces, self.corners)


@dataclass(frozen=True, kw_only=True)
class ArmShape:
    """Path and thickness of one arm: wrist flexion and deviation, elbow bend (axis-angle, 3), relative
    thickness, roundness.
    """

    flexion: float = 0.0
    deviation: float = 0.0
    elbow: tuple[float, float, float] = (0.0, 0.0, 0.0)
    thickness: float = 1.0
    roundness: float = 0.5


@nb.njit(**JIT)
@no_type_check
def _ease(x):
    x = min(max(x, 0.0), 1.0)
    return x * x * (3 - 2 * x)


@nb.njit(**JIT)
@no_type_check
def _trace_arm(bend, turn, at, centres, frames):
    """Fill `arm_path`'s results by walking along the arm in 5 mm steps."""
    place = np.zeros(3)
    first, second = np.empty((3, 3)), np.empty((3, 3))
    bend_angle, turn_angle = np.sqrt((bend * bend).sum()), np.sqrt((turn * turn).sum())
    bend_axis, turn_axis = bend / (bend_angle + 1e-12), turn / (turn_angle + 1e-12)
    done, travelled = 0, 0.0
    while done < at.shape[0]:
        axis_rotation(bend_axis, bend_angle * _ease(travelled / 0.045), first)
        axis_rotation(turn_axis, turn_angle * _ease((travelled - ELBOW_M + 0.02) / 0.06), second)
        frame = first @ second
        while done < at.shape[0] and at[done] < travelled + 0.005:
            centres[done] = place + frame[:, 0] * (at[done] - travelled)
            frames[done] = frame
            done += 1
        place = place + frame[:, 0] * 0.005
        travelled += 0.005


def arm_path(shape: ArmShape, at: NDArray[np.floating]) -> tuple[NDArray, NDArray]:
    """Centres (n, 3) relative to the cut's centre and frames (n, 3, 3) at increasing distances `at` (n,)
    along the arm.
    """
    centres, frames = np.empty((len(at), 3)), np.empty((len(at), 3, 3))
    bend, turn = np.array([0.0, shape.deviation, shape.flexion]), np.array(shape.elbow)
    _trace_arm(bend, turn, np.asarray(at, np.float64), centres, frames)
    return centres, frames


def arm_rings(
    loop: NDArray[np.floating],
    shape: ArmShape,
    at: NDArray[np.floating],
    widen: NDArray[np.floating] | float = 1.0,
) -> Float32:
    """Cross-sections (n, loop, 3) at distances `at`, grown from the wrist `loop` (loop, 3); `widen` scales
    them.
    """
    centre = loop.mean(0)
    offset = loop - centre
    radius = float(np.linalg.norm(offset[:, 1:], axis=1).mean())
    unit = offset[:, 1:] / np.linalg.norm(offset[:, 1:], axis=1, keepdims=True)
    swell = np.interp(at, [0, 0.03, 0.09, 0.17, 0.25, 0.5], [1.0, 1.02, 1.22, 1.46, 1.42, 1.62])
    swell = 1 + (swell - 1) * shape.thickness
    round_share = (np.clip(at / 0.16, 0, 1) * shape.roundness)[:, None, None]
    section = (offset[:, 1:] * (1 - round_share) + 1.02 * radius * unit * round_share) * swell[:, None, None]
    section = section * np.broadcast_to(np.asarray(widen), at.shape)[:, None, None]
    slant = offset[:, 0] * np.clip(1 - at / 0.03, 0, 1)[:, None]
    local = np.concatenate([slant[..., None], section], -1)
    centres, frames = arm_path(shape, at)
    return (centre + centres[:, None] + local @ frames.transpose(0, 2, 1)).astype(np.float32)


def tube_faces(rings: int, around: int, *, inwards: bool = False) -> Int32:
    """Triangles between consecutive rings of `around` vertices each, wound like the edge they continue."""
    i, j = np.meshgrid(np.arange(rings - 1), np.arange(around), indexing="ij")
    a, b = i * around + j, i * around + (j + 1) % around
    c, d = a + around, b + around
    faces = np.stack([a, c, b, b, c, d], -1).reshape(-1, 3)
    return np.ascontiguousarray(faces[:, ::-1] if inwards else faces).astype(np.int32)


def tube_corners(
    distance: NDArray[np.floating], around: int, repeat: float, per_metre: float, value: NDArray
) -> Float32:
    """Texture coordinates of `tube_faces`: `repeat` turns of u around, v by `distance` (n,); `value` (n,
    around) third.
    """
    i, j = np.meshgrid(np.arange(len(distance) - 1), np.arange(around), indexing="ij")
    one = lambda di, dj: np.stack(  # noqa: E731
        [(j + dj) * repeat / around, distance[i + di] * per_metre, value[i + di, (j + dj) % around]], -1
    )
    a, b, c, d = one(0, 0), one(0, 1), one(1, 0), one(1, 1)
    return np.stack([a, c, b, b, c, d], 2).reshape(-1, 3, 3).astype(np.float32)


class HandBody:
    """The hand's mesh and the arm that continues it: everything about them that no pose changes."""

    def __init__(self, asset: HandAsset) -> None:
        if asset.uv is None or asset.uv_faces is None or asset.boundary is None or asset.axes is None:
            raise ValueError(f"the hand model {asset.name!r} has no texture coordinates; synthesis needs the open hand")
        self.asset = asset
        self.loop = np.asarray(self._ordered_loop(asset))
        self.bone_of = asset.weights[asset.faces].sum(1).argmax(1).astype(np.int32)
        """The model bone (f,) that moves each face most."""
        uv = np.asarray(asset.uv, np.float32)[asset.uv_faces]
        self.hand_corners = np.concatenate([uv, np.zeros((*uv.shape[:2], 1), np.float32)], -1)

    @staticmethod
    def _ordered_loop(asset: HandAsset) -> list[int]:
        """The wrist loop in the order in which a continued tube is wound outwards."""
        edges = {(int(f[i]), int(f[(i + 1) % 3])) for f in asset.faces for i in range(3)}
        following = {a: b for a, b in edges if (b, a) not in edges}
        loop = [next(iter(sorted(following)))]
        while following[loop[-1]] != loop[0]:
            loop.append(following[loop[-1]])
        return loop

    @cached_property
    def arm_faces(self) -> Int32:
        """Triangles of the arm over [hand vertices, then rings]."""
        around, count = len(self.loop), len(self.asset.template)
        faces = tube_faces(len(RING_AT) + 1, around)
        index = np.concatenate([self.loop, count + np.arange(len(RING_AT) * around)])
        return index[faces].astype(np.int32)

    @cached_property
    def arm_corners(self) -> Float32:
        """Texture coordinates of the arm and how pale (palm-like) its inner side is."""
        rest = self.asset.template[self.loop]
        up = (rest - rest.mean(0))[:, 1] / np.abs((rest - rest.mean(0))[:, 1]).max()
        palm = 1 / (1 + np.exp(6 * up + 0.8))
        fade = 0.75 - 0.35 * np.clip(np.r_[0, RING_AT] / 0.06, 0, 1)
        return tube_corners(np.r_[0, RING_AT], len(self.loop), 2.0, 11.0, fade[:, None] * palm)

    def with_arm(self, vertices: Float32, shape: ArmShape) -> Float32:
        """Hand vertices (V, 3), posed without R and T, followed by the arm's rings."""
        rings = arm_rings(vertices[self.loop], shape, RING_AT)
        return np.concatenate([vertices, rings.reshape(-1, 3)])

    def band(self, vertices: Float32, shape: ArmShape, start: float, end: float, rng: np.random.Generator, *,
             loose: float, rumple: float, repeat: float) -> Mesh:  # fmt: skip
        """A sleeve or bracelet between two distances along the arm, seen from outside and, at its mouth,
        from inside.
        """
        length = end - start
        at = start + length * np.array([0.0, 0.01, 0.04, 0.1, 0.2, 0.32, 0.45, 0.6, 0.8, 1.0])
        wave = np.interp(at, np.linspace(start, end, 9), rng.normal(0, rumple, 9))
        widen = 1 + loose + wave
        widen[0] -= 0.4 * loose if rng.random() < 0.5 else 0.0
        widen = np.maximum(widen, 1.04)
        loop = vertices[self.loop]
        outer = arm_rings(loop, shape, at, widen)
        around = len(self.loop)
        folds = rng.normal(0, 0.3 * loose, (1, around, 1)) * np.linspace(1, 0.2, len(at))[:, None, None]
        folds = np.maximum(folds, (1.04 / widen - 1)[:, None, None])  # cloth does not cut into the arm
        outer = outer + (folds * (outer - outer.mean(1, keepdims=True))).astype(np.float32)
        inner = outer.mean(1, keepdims=True) + (outer - outer.mean(1, keepdims=True)) * np.float32(0.985)
        bright = np.ones((len(at), around))
        corners = tube_corners(at, around, repeat, repeat / 0.19, bright)
        faces, back = tube_faces(len(at), around), tube_faces(len(at), around, inwards=True)[: 2 * around * 5]
        dark = corners[: 2 * around * 5, ::-1] * np.array([1, 1, 0.45], np.float32)
        return Mesh(
            np.concatenate([outer, inner]).reshape(-1, 3).astype(np.float32),
            np.concatenate([faces, back + outer.shape[0] * around]).astype(np.int32),
            np.concatenate([corners, dark]),
        )


def cylinder(around: int = 20, *, taper: float = 1.0) -> Mesh:
    """Unit radius, from z = -1 to 1, with end caps; `taper` scales the far end."""
    angle = np.arange(around) * 2 * np.pi / around
    circle = np.stack([np.cos(angle), np.sin(angle)], -1)
    rings = [np.c_[circle, np.full(around, -1.0)], np.c_[circle * taper, np.full(around, 1.0)]]
    caps = [np.r_[r, [[0, 0, z]]] for r, z in zip(rings, (-1, 1), strict=True)]
    j = np.arange(around)
    k = (j + 1) % around
    wall = np.concatenate([np.stack([j, k, j + around], -1), np.stack([k, k + around, j + around], -1)])
    low = np.stack([k, j, np.full(around, around)], -1) + 2 * around
    high = np.stack([j, k, np.full(around, around)], -1) + 3 * around + 1
    vertices = np.concatenate([*rings, *caps])
    u = np.stack([j, j + 1, j], -1) * 2 / around
    v = np.broadcast_to([0.0, 0.0, 1.0], u.shape)
    u2 = np.stack([j + 1, j + 1, j], -1) * 2 / around
    v2 = np.broadcast_to([0.0, 1.0, 1.0], u.shape)
    flat = np.concatenate([low, high])
    corners = np.concatenate([np.stack([u, v], -1), np.stack([u2, v2], -1), vertices[flat][..., :2] * 0.5])
    corners = np.concatenate([corners, np.ones((*corners.shape[:2], 1))], -1)
    return Mesh(vertices.astype(np.float32), np.concatenate([wall, flat]).astype(np.int32), corners.astype(np.float32))


def box() -> Mesh:
    """The cube from -1 to 1 with flat sides."""
    sides = []
    for axis in range(3):
        for sign in (-1.0, 1.0):
            u, v = np.eye(3)[(axis + 1) % 3], np.eye(3)[(axis + 2) % 3]
            n = np.eye(3)[axis] * sign
            quad = [n - u - v, n + u - v, n + u + v, n - u + v]
            sides.append(quad if sign > 0 else quad[::-1])
    vertices = np.array(sides, np.float32).reshape(-1, 3)
    base = 4 * np.arange(6)[:, None]
    faces = np.concatenate([base + np.array([0, 1, 2]), base + np.array([0, 2, 3])]).astype(np.int32)
    uv = np.array([[0, 0], [1, 0], [1, 1], [0, 1]])[faces % 4]
    return Mesh(vertices, faces, np.concatenate([uv, np.ones((*uv.shape[:2], 1))], -1).astype(np.float32))


def ball(around: int = 18, rings: int = 10) -> Mesh:
    """The unit sphere."""
    polar = np.linspace(0.02, np.pi - 0.02, rings)
    angle = np.arange(around) * 2 * np.pi / around
    vertices = np.stack(
        [
            np.sin(polar)[:, None] * np.cos(angle),
            np.sin(polar)[:, None] * np.sin(angle),
            np.broadcast_to(np.cos(polar)[:, None], (rings, around)),
        ],
        -1,
    )
    corners = tube_corners(polar / np.pi, around, 2.0, 1.0, np.ones((rings, around)))
    faces = tube_faces(rings, around)
    return Mesh(vertices.reshape(-1, 3).astype(np.float32), faces, corners)
