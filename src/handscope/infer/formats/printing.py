"""A hand as a solid for 3D printers: binary STL in millimetres, the wrist closed, so that the mesh is watertight."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from handscope.infer.formats.rig import VIEWER
from handscope.types import Hand

MM = 1000.0


def to_stl(hands: Hand | Sequence[Hand]) -> bytes:
    """Closed meshes as one binary STL: millimetres, x right, y up, z back, the camera at the origin."""
    listed = [hands] if isinstance(hands, Hand) else hands
    solids = [closed(hand.vertices * VIEWER * MM, hand.faces) for hand in listed]
    corners = np.concatenate([vertices[faces] for vertices, faces in solids] or [np.zeros((0, 3, 3))])
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-12)
    rows = np.zeros(len(corners), [("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("unused", "<u2")])
    rows["normal"], rows["corners"] = normal, corners
    return b"handscope: millimetres, closed wrist".ljust(80) + np.uint32(len(rows)).tobytes() + rows.tobytes()


def closed(
    vertices: NDArray[np.floating], faces: NDArray[np.integer]
) -> tuple[NDArray[np.float64], NDArray[np.integer]]:
    """A mesh (V, 3), (F, 3) with every hole closed by a fan about the middle of its rim."""
    vertices, faces = np.asarray(vertices, np.float64), np.asarray(faces, int)
    for rim in holes(faces):
        fan = np.stack([np.roll(rim, -1), rim, np.full(len(rim), len(vertices))], 1)
        vertices, faces = np.vstack([vertices, vertices[rim].mean(0)]), np.vstack([faces, fan])
    return vertices, faces


def holes(faces: NDArray[np.integer]) -> list[NDArray[np.integer]]:
    """The rims of a mesh's holes: vertices (n,) in the order in which its triangles pass them."""
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]).tolist()
    both = {tuple(edge) for edge in edges}
    following = {a: b for a, b in both if (b, a) not in both}
    rims = []
    while following:
        start, vertex = following.popitem()
        rim = [start]
        while vertex != start and vertex in following:
            rim.append(vertex)
            vertex = following.pop(vertex)
        rims.append(np.array(rim))
    return rims
