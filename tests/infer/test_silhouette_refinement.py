"""The mesh's thickness follows the mask; the laws of the shape that only thickens."""

import cv2
import numpy as np
import pytest

from handscope.hand.assets import load_asset
from handscope.infer.fitting import posed
from handscope.infer.silhouette_refinement import THICKER_M, THINNER_M, refine_silhouette

FOCAL, SIZE = 450.0, 224
UPRIGHT = np.array([[0.0, 0, -1], [1, 0, 0], [0, -1, 0]])  # fingers up, back to the camera


@pytest.fixture(scope="module")
def asset():
    return load_asset()


def hand(asset, thicker_m: float = 0.0):
    """A relaxed hand, its skin moved outwards."""
    theta = asset.axes[:, 0] * 0.25
    return posed(asset, thicker_m * asset.thickening, theta, UPRIGHT, np.array([0.0, 0.06, 0.55]))


def seen(points):
    return points[:, :2] / points[:, 2:] * FOCAL + (SIZE - 1) / 2


def mask_of(asset, fitted, cells: int = 56):
    """The true coverage (cells, cells): all triangles, drawn sixteen times finer than the cells."""
    side = cells * 16
    fine = np.zeros((side, side), np.uint8)
    places = (seen(fitted.hand.vertices) + 0.5) * side / SIZE - 0.5
    for triangle in np.round(places * 16).astype(np.int32)[asset.faces]:
        cv2.fillConvexPoly(fine, triangle, 255, cv2.LINE_8, 4)
    return cv2.resize(fine, (cells, cells), interpolation=cv2.INTER_AREA) / np.float32(255)


def thickness(asset, fitted):
    """How far out the skin is, metres, beside the mean hand."""
    return float((fitted.beta @ asset.thickening) / (asset.thickening @ asset.thickening))


def test_thickening_moves_the_skin_and_hardly_the_joints(asset):
    thin, thick = hand(asset), hand(asset, 0.001)
    corners = asset.template[asset.faces]
    normals = np.zeros_like(asset.template)
    for corner in asset.faces.T:
        np.add.at(normals, corner, np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    moved = asset.shapedirs @ (0.001 * asset.thickening)
    assert (moved * normals).sum(1).mean() == pytest.approx(0.001, rel=1e-3)
    shift = (thick.hand.joints_3d - thick.hand.joints_3d[0]) - (thin.hand.joints_3d - thin.hand.joints_3d[0])
    assert np.linalg.norm(shift[[1, 2, 3, 5, 6, 7, 9, 10, 11, 13, 14, 15, 17, 18, 19]], axis=1).mean() < 0.0005


@pytest.mark.parametrize("true_m", [0.0, 0.0008, 0.0015])
def test_the_mesh_gets_the_thickness_of_the_mask(asset, true_m):
    true, start = hand(asset, true_m), hand(asset)
    found = refine_silhouette(asset, start, seen(start.hand.joints_3d), mask_of(asset, true), FOCAL, SIZE)
    assert thickness(asset, found) == pytest.approx(true_m, abs=0.0004)
    np.testing.assert_array_equal(found.theta, start.theta)


def test_thickness_has_limits_and_needs_a_mask(asset):
    start = hand(asset)
    joints = seen(start.hand.joints_3d)
    whole, none = np.ones((56, 56), np.float32), np.zeros((56, 56), np.float32)
    assert thickness(asset, refine_silhouette(asset, start, joints, whole, FOCAL, SIZE)) == pytest.approx(THICKER_M)
    assert refine_silhouette(asset, start, joints, none, FOCAL, SIZE) is start
    half = mask_of(asset, start)
    half[:, :28] = 0  # something before the hand
    assert thickness(asset, refine_silhouette(asset, start, joints, half, FOCAL, SIZE)) == pytest.approx(THINNER_M)
