"""The z-buffer: triangles to the nearest surface at every sample, on the CPU with numba.

Sample grids are `factor` times finer than the picture; sample (row, column) sits at picture pixel (column +
0.5) / factor - 0.5, so that a picture pixel, whose centre is at an integer, is the mean of its factor x
factor samples. Triangles are wound so that (b - a) x (c - a) points outwards; those turned away from the
camera are skipped.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, floor, sqrt
from typing import no_type_check

import numba as nb
import numpy as np
from numpy.typing import NDArray

from handscope.geometry.camera import NEAR_M


def _can_cache() -> bool:
    """Whether numba finds a folder, beside the package or the user's own, for what it compiles."""
    try:
        nb.njit(cache=True)(_nothing)
    except RuntimeError:
        return False
    return True


def _nothing() -> None:
    pass


JIT = {"cache": _can_cache(), "nogil": True, "fastmath": {"nsz", "arcp", "contract", "afn"}, "error_model": "numpy"}

Float32 = NDArray[np.float32]


@dataclass(frozen=True)
class Surface:
    """What lies nearest at every sample: `depth` (h, w) m, infinite where empty; `face` (h, w), -1 where
    empty; `weights` (h, w, 2) perspective-correct weights of the face's second and third corner.
    """

    depth: Float32
    face: NDArray[np.int32]
    weights: Float32


def empty_surface(height: int, width: int) -> Surface:
    """Nothing rendered yet, on a grid of `height` x `width` samples."""
    return Surface(
        np.full((height, width), np.inf, np.float32),
        np.full((height, width), -1, np.int32),
        np.zeros((height, width, 2), np.float32),
    )


def rasterize(
    vertices: Float32,
    faces: NDArray[np.int32],
    K: NDArray[np.floating],
    *,
    origin: tuple[int, int] = (0, 0),
    size: tuple[int, int],
    factor: int = 1,
) -> Surface:
    """Render `vertices` (v, 3) camera metres under `K`, within the picture rectangle `size` (width, height)
    at `origin`.
    """
    width, height = size
    surface = empty_surface(height * factor, width * factor)
    points = to_samples(vertices, np.asarray(K, np.float64), origin[0], origin[1], factor)
    fill(points, faces, surface.depth, surface.face, surface.weights)
    return surface


@nb.njit(**JIT)
@no_type_check
def to_samples(vertices, K, x0, y0, factor):
    """Camera metres (v, 3) to (v, 3): sample column, sample row, depth."""
    points = np.empty((vertices.shape[0], 3), np.float32)
    for i in range(vertices.shape[0]):
        z = vertices[i, 2]
        inverse = 1.0 / z if z > 1e-6 else 0.0
        x = (K[0, 0] * vertices[i, 0] + K[0, 1] * vertices[i, 1]) * inverse + K[0, 2]
        y = K[1, 1] * vertices[i, 1] * inverse + K[1, 2]
        points[i, 0] = (x - x0 + 0.5) * factor - 0.5
        points[i, 1] = (y - y0 + 0.5) * factor - 0.5
        points[i, 2] = z
    return points


@nb.njit(**JIT)
@no_type_check
def fill(points, faces, depth, face, weights):
    """Render triangles into the buffers of a `Surface`; `points` (v, 3) are sample column, row and depth. Those with a
    corner nearer than `NEAR_M` are left out.
    """
    height, width = depth.shape
    for t in range(faces.shape[0]):
        a, b, c = faces[t, 0], faces[t, 1], faces[t, 2]
        za, zb, zc = points[a, 2], points[b, 2], points[c, 2]
        if za < NEAR_M or zb < NEAR_M or zc < NEAR_M:
            continue
        xa, ya = points[a, 0], points[a, 1]
        xb, yb = points[b, 0], points[b, 1]
        xc, yc = points[c, 0], points[c, 1]
        area = (xb - xa) * (yc - ya) - (xc - xa) * (yb - ya)
        if area >= -1e-12:  # outward normals towards the camera give a negative area: y points down, z away
            continue
        first = max(ceil(min(xa, xb, xc)), 0)
        last = min(floor(max(xa, xb, xc)), width - 1)
        top = max(ceil(min(ya, yb, yc)), 0)
        bottom = min(floor(max(ya, yb, yc)), height - 1)
        scale = 1.0 / area
        ia, ib, ic = 1.0 / za, 1.0 / zb, 1.0 / zc
        step_b, step_c = (yc - ya) * scale, -(yb - ya) * scale
        for y in range(top, bottom + 1):
            wb = ((first - xa) * (yc - ya) - (xc - xa) * (y - ya)) * scale
            wc = ((xb - xa) * (y - ya) - (first - xa) * (yb - ya)) * scale
            for x in range(first, last + 1):
                wa = 1.0 - wb - wc
                if wa >= -1e-6 and wb >= -1e-6 and wc >= -1e-6:
                    z = 1.0 / (wa * ia + wb * ib + wc * ic)
                    if z < depth[y, x]:
                        depth[y, x] = z
                        face[y, x] = t
                        weights[y, x, 0] = wb * ib * z
                        weights[y, x, 1] = wc * ic * z
                wb += step_b
                wc += step_c


@nb.njit(**JIT)
@no_type_check
def fill_depth(points, faces, depth):
    """Orthographic depth only, both sides of every triangle; `points` (v, 3) are column, row and depth."""
    height, width = depth.shape
    for t in range(faces.shape[0]):
        a, b, c = faces[t, 0], faces[t, 1], faces[t, 2]
        xa, ya, za = points[a, 0], points[a, 1], points[a, 2]
        xb, yb, zb = points[b, 0], points[b, 1], points[b, 2]
        xc, yc, zc = points[c, 0], points[c, 1], points[c, 2]
        first = max(ceil(min(xa, xb, xc)), 0)
        last = min(floor(max(xa, xb, xc)), width - 1)
        if first > last:
            continue
        top = max(ceil(min(ya, yb, yc)), 0)
        bottom = min(floor(max(ya, yb, yc)), height - 1)
        area = (xb - xa) * (yc - ya) - (xc - xa) * (yb - ya)
        if top > bottom or abs(area) < 1e-12:
            continue
        scale = 1.0 / area
        for y in range(top, bottom + 1):
            for x in range(first, last + 1):
                wb = ((x - xa) * (yc - ya) - (xc - xa) * (y - ya)) * scale
                wc = ((xb - xa) * (y - ya) - (x - xa) * (yb - ya)) * scale
                wa = 1.0 - wb - wc
                if wa >= -1e-6 and wb >= -1e-6 and wc >= -1e-6:
                    z = wa * za + wb * zb + wc * zc
                    if z < depth[y, x]:
                        depth[y, x] = z


@nb.njit(**JIT)
@no_type_check
def vertex_normals(vertices, faces):
    """Area-weighted outward unit normals (v, 3); zero for vertices of no triangle."""
    normals = np.zeros((vertices.shape[0], 3), np.float32)
    for t in range(faces.shape[0]):
        a, b, c = faces[t, 0], faces[t, 1], faces[t, 2]
        ux, uy, uz = (
            vertices[b, 0] - vertices[a, 0],
            vertices[b, 1] - vertices[a, 1],
            vertices[b, 2] - vertices[a, 2],
        )
        vx, vy, vz = (
            vertices[c, 0] - vertices[a, 0],
            vertices[c, 1] - vertices[a, 1],
            vertices[c, 2] - vertices[a, 2],
        )
        nx, ny, nz = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
        for i in (a, b, c):
            normals[i, 0] += nx
            normals[i, 1] += ny
            normals[i, 2] += nz
    for i in range(vertices.shape[0]):
        length = sqrt(normals[i, 0] ** 2 + normals[i, 1] ** 2 + normals[i, 2] ** 2)
        if length > 0:
            for k in range(3):
                normals[i, k] /= length
    return normals
