"""The z-buffer against a slow oracle, and the laws of rendering."""

import numpy as np
import pytest

from handscope.render.raster import rasterize, vertex_normals

K = np.array([[40.0, 0, 15.5], [0, 40.0, 11.5], [0, 0, 1]])


def triangles(seed: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Random triangles before the camera, wound either way."""
    rng = np.random.default_rng(seed)
    vertices = rng.uniform([-0.4, -0.3, 0.6], [0.4, 0.3, 1.6], (3 * count, 3)).astype(np.float32)
    return vertices, np.arange(3 * count, dtype=np.int32).reshape(-1, 3)


def slow_depth(vertices: np.ndarray, faces: np.ndarray, height: int, width: int, factor: int) -> np.ndarray:
    """Triangle by triangle, every ray: the nearest plane hit inside a triangle that faces the camera."""
    row, column = np.mgrid[0 : height * factor, 0 : width * factor]
    x, y = (column + 0.5) / factor - 0.5, (row + 0.5) / factor - 0.5
    rays = np.stack([(x - K[0, 2]) / K[0, 0], (y - K[1, 2]) / K[1, 1], np.ones_like(x)], -1)
    depth = np.full(x.shape, np.inf)
    for a, b, c in vertices[faces].astype(np.float64):
        normal = np.cross(b - a, c - a)
        slant = rays @ normal
        hit = rays * (normal @ a / slant)[..., None]
        inside = slant < 0
        for p, q in ((a, b), (b, c), (c, a)):
            inside &= np.cross(q - p, hit - p) @ normal >= 0
        depth = np.where(inside, np.minimum(depth, hit[..., 2]), depth)
    return depth


@pytest.mark.parametrize(("seed", "factor"), [(0, 1), (1, 2)])
def test_depth_is_that_of_the_nearest_ray_hit(seed: int, factor: int) -> None:
    vertices, faces = triangles(seed, 12)
    rendered = rasterize(vertices, faces, K, size=(32, 24), factor=factor)
    expected = slow_depth(vertices, faces, 24, 32, factor)
    same_cover = np.isfinite(rendered.depth) == np.isfinite(expected)
    assert same_cover.mean() > 0.998  # edges through a sample's very centre may go either way
    both = np.isfinite(rendered.depth) & np.isfinite(expected)
    close = np.isclose(rendered.depth[both], expected[both], rtol=1e-4)
    assert close.mean() > 0.998


def test_weights_rebuild_the_point_that_the_sample_sees() -> None:
    vertices, faces = triangles(2, 20)
    rendered = rasterize(vertices, faces, K, size=(32, 24))
    row, column = np.nonzero(rendered.face >= 0)
    b, c = rendered.weights[row, column].T
    corners = vertices[faces[rendered.face[row, column]]]
    point = (1 - b - c)[:, None] * corners[:, 0] + b[:, None] * corners[:, 1] + c[:, None] * corners[:, 2]
    image = point[:, :2] / point[:, 2:] * K[0, 0] + K[:2, 2]
    np.testing.assert_allclose(image, np.stack([column, row], -1), atol=2e-3)
    np.testing.assert_allclose(point[:, 2], rendered.depth[row, column], rtol=1e-5)


def test_order_of_triangles_does_not_matter() -> None:
    vertices, faces = triangles(3, 30)
    forwards = rasterize(vertices, faces, K, size=(32, 24)).depth
    backwards = rasterize(vertices, np.ascontiguousarray(faces[::-1]), K, size=(32, 24)).depth
    np.testing.assert_array_equal(forwards, backwards)


def test_a_window_is_a_part_of_the_whole() -> None:
    vertices, faces = triangles(4, 30)
    whole = rasterize(vertices, faces, K, size=(32, 24), factor=2).depth
    part = rasterize(vertices, faces, K, origin=(7, 5), size=(10, 9), factor=2).depth
    expected = whole[10:28, 14:34]
    assert (np.isfinite(part) == np.isfinite(expected)).mean() > 0.99
    both = np.isfinite(part) & np.isfinite(expected)
    np.testing.assert_allclose(part[both], expected[both], rtol=1e-4)


def test_what_is_behind_the_camera_or_turned_away_is_not_rendered() -> None:
    square = np.array([[-1, -1, 1], [1, -1, 1], [0, 1, 1]], np.float32)
    towards, away = np.array([[0, 2, 1]], np.int32), np.array([[0, 1, 2]], np.int32)
    assert (rasterize(square, towards, K, size=(32, 24)).face >= 0).any()
    assert (rasterize(square, away, K, size=(32, 24)).face < 0).all()
    behind = square * np.float32([1, 1, -1])
    assert (rasterize(behind, towards, K, size=(32, 24)).face < 0).all()


def test_normals_of_a_ball_point_outwards() -> None:
    from handscope.synth.meshes import ball

    mesh = ball(24, 16)
    normals = vertex_normals(mesh.vertices, mesh.faces)
    assert ((normals * mesh.vertices).sum(-1)[24:-24] > 0.97).all()
