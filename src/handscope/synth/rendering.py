"""From surfaces in the camera frame to linear colour: gathers the light, renders, shades and blends with the
background.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from handscope.geometry.boxes import pixel_window
from handscope.geometry.camera import NEAR_M, project
from handscope.render.raster import empty_surface, fill, to_samples, vertex_normals
from handscope.render.shading import ARM_SKIN, CLOTH, HAND_SKIN, gather, resolve, shadow_map
from handscope.synth.appearance import Lighting, arm_map, skin_maps
from handscope.synth.meshes import Mesh

FACTOR = 2
"""Samples per pixel and axis."""
TEXTURE_SIZE = 64
GATHER_SIZE, SHADOW_SIZE = 44, 128
"""Sides of the depth maps of distant light and of the key lamp."""

Float32 = NDArray[np.float32]
Int32 = NDArray[np.int32]


@dataclass(frozen=True, kw_only=True)
class Surface:
    """A mesh (camera frame) and what it is made of.

    `kind` and `material` as in `render.shading`; `texture` (64, 64, 3) linear for cloth. With `continues` the
    faces index the vertices of the surface before, as an arm does its hand's. `coarse` faces serve for soft
    light, `bones` (f,) say which model bone moves a face.
    """

    mesh: Mesh
    kind: int
    material: Float32
    texture: Float32 | None = None
    continues: bool = False
    coarse: Int32 | None = None
    bones: Int32 | None = None


@dataclass
class Part:
    """Surfaces that shade each other: a hand, its arm and what it wears and holds, or a lone object.

    `hand` is the index of its hand or -1; (`centre`, `radius`) a ball round the hand or the object, metres.
    """

    surfaces: list[Surface] = field(default_factory=list)
    hand: int = -1
    centre: NDArray[np.float64] = field(default_factory=lambda: np.zeros(3))
    radius: float = 0.15


@dataclass(frozen=True)
class Rendered:
    """What the labels need to know of a rendering.

    `origin`: the rendered window's corner, px; `depth`, `face` per sample; `group_of` and `bone_of` per face;
    per group the hand whose skin (`skin_of`) or skin and arm (`body_of`) it is, or -1; `coverage` (hands,
    h, w) of each hand's skin.
    """

    origin: tuple[int, int]
    depth: Float32
    face: Int32
    group_of: Int32
    bone_of: Int32
    skin_of: Int32
    body_of: Int32
    coverage: Float32


@dataclass(frozen=True)
class _Assembled:
    """All parts as one mesh with light at its vertices."""

    vertices: Float32
    normals: Float32
    light: Float32
    faces: Int32
    corners: Float32
    group_of: Int32
    bone_of: Int32
    surfaces: list[Surface]
    hands: list[int]


def render(
    behind: Float32, parts: list[Part], lighting: Lighting, K: NDArray[np.floating], hands: int, cast: float
) -> tuple[Float32, Rendered | None]:
    """Render `parts` over the linear background `behind` (h, w, 3); `cast` in [0, 1] is the shadow they throw
    on it.
    """
    height, width = behind.shape[:2]
    picture = behind.copy()
    if not parts:
        return picture, None
    whole = _assemble(parts, lighting)
    x0, y0, x1, y1 = _window(whole.vertices, K, width, height)
    if x1 <= x0 or y1 <= y0:
        return picture, None
    seen = empty_surface((y1 - y0) * FACTOR, (x1 - x0) * FACTOR)
    fill(to_samples(whole.vertices, K, x0, y0, FACTOR), whole.faces, seen.depth, seen.face, seen.weights)
    skin_of = np.array(
        [h if s.kind == HAND_SKIN else -1 for s, h in zip(whole.surfaces, whole.hands, strict=True)], np.int32
    )
    body_of = np.array(
        [h if s.kind != CLOTH else -1 for s, h in zip(whole.surfaces, whole.hands, strict=True)], np.int32
    )
    px_per_hand = float(K[0, 0]) * 0.19 / max(float(parts[0].centre[2]), 0.1)
    colour, cover, coverage = resolve(
        seen.depth, seen.face, seen.weights, FACTOR, skin_of, max(hands, 1),
        _scene_tuple(whole, px_per_hand), _light_tuple(whole, parts, lighting),
    )  # fmt: skip
    if cast > 0:
        _cast_shadow(picture, cover, (x0, y0), lighting, cast)
    window = picture[y0:y1, x0:x1]
    window *= (1 - cover)[..., None]
    window += colour
    return picture, Rendered((x0, y0), seen.depth, seen.face, whole.group_of, whole.bone_of, skin_of, body_of, coverage)


def _assemble(parts: list[Part], lighting: Lighting) -> _Assembled:
    lists: dict[str, list[NDArray]] = {k: [] for k in ("vertices", "normals", "light", "faces")}
    surfaces = [s for part in parts for s in part.surfaces]
    first = 0
    for part in parts:
        vertices, faces, coarse = _part_mesh(part)
        normals = vertex_normals(vertices, faces)
        bounce = np.asarray(part.surfaces[0].material[:3] * 0.6, np.float32)
        light = gather(
            vertices, normals, coarse, lighting.directions, lighting.radiance, bounce,
            part.centre.astype(np.float32), np.float32(part.radius), GATHER_SIZE,
        )  # fmt: skip
        for name, values in zip(lists, (vertices, normals, light, faces + first), strict=True):
            lists[name].append(values)
        first += len(vertices)
    counts = [len(s.mesh.faces) for s in surfaces]
    bones = [s.bones if s.bones is not None else np.zeros(n, np.int32) for s, n in zip(surfaces, counts, strict=True)]
    return _Assembled(
        **{name: np.concatenate(values) for name, values in lists.items()},
        corners=np.concatenate([s.mesh.corners for s in surfaces]),
        group_of=np.repeat(np.arange(len(surfaces), dtype=np.int32), counts),
        bone_of=np.concatenate(bones),
        surfaces=surfaces,
        hands=[part.hand for part in parts for _ in part.surfaces],
    )


def _part_mesh(part: Part) -> tuple[Float32, Int32, Int32]:
    """Vertices, faces and the coarser faces of a part."""
    vertices, faces, coarse = [], [], []
    base = count = 0
    for surface in part.surfaces:
        if not surface.continues:
            base = count
            vertices.append(surface.mesh.vertices)
            count += len(surface.mesh.vertices)
        faces.append(surface.mesh.faces + base)
        coarse.append(faces[-1] if surface.coarse is None else surface.coarse + base)
    join = lambda arrays, dtype: np.ascontiguousarray(np.concatenate(arrays), dtype)  # noqa: E731
    return join(vertices, np.float32), join(faces, np.int32), join(coarse, np.int32)


def _scene_tuple(whole: _Assembled, px_per_hand: float) -> tuple:
    """What `shade_sample` calls scene; the skin map's size follows the hand's size in the picture."""
    size = 256 if px_per_hand < 130 else 512 if px_per_hand < 320 else 1024
    textures = [s.texture for s in whole.surfaces if s.texture is not None]
    texture_of = np.cumsum([s.texture is not None for s in whole.surfaces]) - 1
    stack = np.stack(textures) if textures else np.zeros((1, TEXTURE_SIZE, TEXTURE_SIZE, 3))
    return (
        whole.vertices, whole.normals, whole.light, whole.faces, whole.corners, whole.group_of,
        np.array([s.kind for s in whole.surfaces], np.int32),
        np.stack([s.material for s in whole.surfaces]).astype(np.float32),
        np.maximum(texture_of, 0).astype(np.int32), skin_maps()[size], arm_map(), stack.astype(np.float32),
    )  # fmt: skip


def _light_tuple(whole: _Assembled, parts: list[Part], lighting: Lighting) -> tuple:
    """What `shade_sample` calls lights: the lamps, the first one's shadow map, the mean surroundings, room
    to work in.
    """
    chosen = [p for p in parts if p.hand >= 0] or parts
    centre = np.mean([p.centre for p in chosen], 0)
    radius = max(float(np.linalg.norm(p.centre - centre)) + p.radius for p in chosen)
    lamp = lighting.lamps[0]
    shadow, to_map = shadow_map(
        whole.vertices, whole.faces, lamp, centre.astype(np.float32), np.float32(radius), SHADOW_SIZE
    )
    spread = np.float32(lighting.softness / (2 * radius / SHADOW_SIZE))
    room = np.zeros(8, np.float32), np.zeros(3, np.float32)
    return lighting.lamps, lighting.powers, shadow, to_map, spread, lighting.radiance.mean(0), *room


def _cast_shadow(
    picture: Float32, cover: Float32, origin: tuple[int, int], lighting: Lighting, strength: float
) -> None:
    """Darken the background where the hand keeps the key lamp from it, as on a wall or table close behind."""
    height, width = picture.shape[:2]
    lamp = lighting.lamps[0]
    shift = -lamp[:2] / max(float(-lamp[2]), 0.35) * (0.05 + 0.25 * strength) * 0.35 * cover.shape[0]
    move = np.array([[1, 0, origin[0] + shift[0]], [0, 1, origin[1] + shift[1]]], np.float64)
    shade = cv2.warpAffine(cover, move, (width, height))
    shade = cv2.GaussianBlur(shade, (0, 0), 1.0 + 0.03 * width * strength)
    picture *= 1 - np.float32(0.2 + 0.5 * strength) * shade[..., None]


def _window(vertices: Float32, K: NDArray[np.floating], width: int, height: int) -> tuple[int, int, int, int]:
    """The picture rectangle (x0, y0, x1, y1) that holds everything in front of the camera."""
    ahead = vertices[vertices[:, 2] > NEAR_M]
    if len(ahead) == 0:
        return 0, 0, 0, 0
    return pixel_window(project(ahead, K.astype(np.float32)), height, width, margin=1)


__all__ = ["ARM_SKIN", "CLOTH", "HAND_SKIN", "Part", "Rendered", "Surface", "render"]
