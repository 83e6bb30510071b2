"""F-score, surface distance and mask scores by brute force and by hand."""

import numpy as np
import pytest

from handscope.evaluation.masks import Confusion, confusion, iou_pck, iou_pck_area, mesh_mask, total
from handscope.evaluation.surface import f_scores, nearest_vertex_distance
from handscope.geometry.masks import CroppedMask
from handscope.types import Hand


def brute_f(predicted: np.ndarray, true: np.ndarray, limit: float) -> float:
    table = np.linalg.norm(predicted[:, None] - true[None], axis=-1)
    recall, precision = (table.min(1) < limit).mean(), (table.min(0) < limit).mean()
    return 0.0 if precision + recall == 0 else 2 * precision * recall / (precision + recall)


def test_f_score_is_brute_force() -> None:
    rng = np.random.default_rng(0)
    predicted, true = rng.uniform(0, 0.05, (90, 3)), rng.uniform(0, 0.05, (70, 3))
    found = f_scores(predicted, true)
    np.testing.assert_allclose(found, [brute_f(predicted, true, t) for t in (0.005, 0.015)])
    assert 0 < found[0] < found[1] <= 1


def test_identical_clouds_have_f_1_and_far_ones_0() -> None:
    cloud = np.random.default_rng(1).uniform(0, 0.1, (50, 3))
    assert f_scores(cloud, cloud).tolist() == [1, 1] and f_scores(cloud, cloud + 9).tolist() == [0, 0]
    assert nearest_vertex_distance(cloud, cloud) == 0


def test_f_score_is_strict() -> None:
    point = np.zeros((1, 3))
    assert f_scores(point, point + 0.25 * np.eye(3)[:1], [0.25, 0.2500001]).tolist() == [0, 1]


def test_nearest_vertex_distance_by_hand() -> None:
    predicted, true = np.array([[0.0, 0, 0], [1, 0, 0]]), np.array([[0.0, 0, 1]])
    assert nearest_vertex_distance(predicted, true) == pytest.approx(((1 + 2**0.5) / 2 + 1) / 2)


def test_area_of_iou_pck_is_the_mean_iou() -> None:
    ious = np.random.default_rng(2).random(37)
    at = np.linspace(0, 1, 20001)
    assert iou_pck_area(ious) == pytest.approx(ious.mean())
    assert np.trapezoid(iou_pck(ious, at), at) == pytest.approx(ious.mean(), abs=1e-4)
    assert iou_pck([0.5, 0.7], [0.5, 0.6, 0.7, 0.8]).tolist() == [1, 0.5, 0.5, 0]


def test_confusions_add_up_over_the_set() -> None:
    a, b = np.zeros((2, 4, 4), bool)
    a[:2], b[1:3] = True, True  # 8 px each, 4 in common
    one = confusion(a, b)
    assert one == Confusion(4, 4, 4, 4) and one.hand_iou == pytest.approx(1 / 3) == one.mean_iou
    everything = np.ones((10, 10), bool)
    both = total([one, confusion(everything, everything)])
    assert both.hand_iou == pytest.approx(104 / 112) and both.mean_iou == pytest.approx((104 / 112 + 4 / 12) / 2)


def hand_of(vertices: np.ndarray, faces: np.ndarray, f: float, centre: float) -> Hand:
    zero = np.zeros(0)
    K = np.array([[f, 0, centre], [0, f, centre], [0, 0, 1.0]])
    return Hand(
        handedness="right", score=1.0, box=zero, joints_2d=zero, joint_scores=zero,
        cropped_mask=CroppedMask.of(np.zeros((40, 60), bool)),
        joints_3d=zero, vertices=vertices, faces=faces, theta=zero, beta=zero, R=np.eye(3), T=zero, K=K,
    )  # fmt: skip


def test_a_mesh_covers_the_pixels_inside_its_outline() -> None:
    """Against point-in-triangle at every pixel's samples, for triangles that overlap and leave the picture."""
    rng = np.random.default_rng(3)
    vertices = np.column_stack([rng.uniform(-0.4, 0.6, (24, 2)), rng.uniform(0.9, 1.1, 24)])
    faces = np.arange(24).reshape(8, 3)
    hand = hand_of(vertices, faces, 50.0, 20.0)
    corners = (vertices[:, :2] / vertices[:, 2:] * 50 + 20)[faces]
    x, y = np.meshgrid((np.arange(60 * 8) + 0.5) / 8 - 0.5, (np.arange(40 * 8) + 0.5) / 8 - 0.5)
    inside = np.zeros(x.shape, bool)
    for a, b, c in corners:
        turns = [(q[0] - p[0]) * (y - p[1]) - (q[1] - p[1]) * (x - p[0]) for p, q in ((a, b), (b, c), (c, a))]
        inside |= (np.min(turns, 0) >= 0) | (np.max(turns, 0) <= 0)
    share = inside.reshape(40, 8, 60, 8).mean((1, 3))
    drawn = mesh_mask(hand, 40, 60)
    assert drawn[share > 0.6].all() and not drawn[share < 0.2].any()
    assert 0 <= int(drawn.sum()) - share.sum() < 0.05 * share.sum()  # OpenCV fills the outline too: 1/8 px


def test_no_mesh_and_a_mesh_elsewhere_cover_nothing() -> None:
    nothing = hand_of(np.zeros((0, 3)), np.zeros((0, 3), int), 50.0, 20.0)
    assert not mesh_mask(nothing, 40, 60).any()
    away = hand_of(np.array([[5.0, 0, 1], [6, 0, 1], [5, 1, 1]]), np.array([[0, 1, 2]]), 50.0, 20.0)
    assert not mesh_mask(away, 40, 60).any()
