import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from handscope.geometry import camera_torch
from handscope.geometry.camera import NEAR_M, default_intrinsics, intrinsics_of_focal, project, project_centred
from handscope.geometry.crops import crop_around, upright_crop
from handscope.geometry.rotations import axis_angle_to_matrix, matrix_to_axis_angle, rotation_between

component = st.floats(-3, 3, allow_nan=False, width=64)
vectors = st.tuples(component, component, component).map(np.array)


@given(vectors)
def test_rodrigues_equals_scipy(rotvec):
    np.testing.assert_allclose(axis_angle_to_matrix(rotvec), Rotation.from_rotvec(rotvec).as_matrix(), atol=1e-8)


@given(vectors)
def test_axis_angle_survives_the_round_trip(rotvec):
    matrix = axis_angle_to_matrix(rotvec)
    np.testing.assert_allclose(axis_angle_to_matrix(matrix_to_axis_angle(matrix)), matrix, atol=1e-7)


@pytest.mark.parametrize("axis", np.eye(3))
def test_half_turns_are_kept(axis):
    matrix = Rotation.from_rotvec(np.pi * axis).as_matrix()
    np.testing.assert_allclose(axis_angle_to_matrix(matrix_to_axis_angle(matrix)), matrix, atol=1e-9)


@given(vectors, vectors)
def test_smallest_rotation_takes_a_to_b(a, b):
    if min(np.linalg.norm(a), np.linalg.norm(b)) < 1e-2 or np.linalg.norm(np.cross(a, b)) < 1e-3:
        return
    turned = rotation_between(a, b) @ (a / np.linalg.norm(a))
    np.testing.assert_allclose(turned, b / np.linalg.norm(b), atol=1e-9)


angle = st.floats(-np.pi, np.pi)


@given(angle, st.floats(5, 500), st.booleans())
def test_crop_and_back_is_the_identity(turn, side, mirrored):
    crop = crop_around([31.0, -7.0], side, [np.sin(turn), -np.cos(turn)], size=128, mirrored=mirrored)
    points = np.random.default_rng(0).normal(0, 100, (9, 2))
    np.testing.assert_allclose(crop.invert(crop.apply(points)), points, atol=1e-9)
    assert crop.mirrored == mirrored
    np.testing.assert_allclose(crop.scale, 128 / side)


@given(angle, st.booleans())
def test_the_up_direction_points_up_in_the_crop(turn, mirrored):
    up = np.array([np.sin(turn), -np.cos(turn)])
    crop = crop_around([50.0, 50.0], 40.0, up, size=64, mirrored=mirrored)
    np.testing.assert_allclose(crop.apply([50.0, 50.0]), [31.5, 31.5], atol=1e-9)
    step = crop.apply(np.array([50.0, 50.0]) + up) - 31.5
    np.testing.assert_allclose(step, [0, -64 / 40], atol=1e-9)


@given(angle, st.booleans(), st.integers(0, 1000))
def test_upright_crop_centres_the_joints_box(turn, mirrored, seed):
    joints = np.random.default_rng(seed).normal(0, 30, (21, 2))
    joints[9] = joints[0] + 50 * np.array([np.sin(turn), -np.cos(turn)])
    seen = upright_crop(joints, size=128, fill=0.65, mirrored=mirrored).apply(joints)
    np.testing.assert_allclose((seen.min(0) + seen.max(0)) / 2, 63.5, atol=1e-6)
    np.testing.assert_allclose((seen.max(0) - seen.min(0)).max(), 0.65 * 128, atol=1e-6)
    assert abs(seen[9, 0] - seen[0, 0]) < 1e-6 and seen[9, 1] < seen[0, 1]


def test_a_zero_up_direction_keeps_the_picture_upright():
    np.testing.assert_allclose(crop_around([0, 0], 10, [0, 0], size=10).rotation, np.eye(2))


def test_a_side_of_nothing_is_refused():
    with pytest.raises(ValueError, match="positive"):
        crop_around([0, 0], 0.0, [0, -1], size=10)


def smooth_picture(height: int, width: int) -> np.ndarray:
    y, x = np.mgrid[:height, :width]
    ramp = np.stack([x * 200 / width, y * 200 / height, np.full_like(x, 90)], -1)
    return ramp.astype(np.uint8)


@pytest.mark.parametrize("side", [20.0, 64.0, 300.0, 700.0])
@pytest.mark.parametrize("mirrored", [False, True])
def test_extracted_pixels_are_where_the_map_says(side, mirrored):
    picture = smooth_picture(600, 800)
    crop = crop_around([400.0, 300.0], side, [0.3, -0.9], size=64, mirrored=mirrored)
    pixel = np.array([[10, 20], [50, 40], [32, 32]])
    there = crop.invert(pixel)
    inside = ((there > 0) & (there < [799, 599])).all(1)
    expected = there[inside] * [200 / 800, 200 / 600]
    found = crop.extract(picture)[pixel[inside, 1], pixel[inside, 0], :2]
    assert np.abs(found - expected).max() < 2.0


def test_pasting_puts_a_crop_back_in_its_place():
    picture = np.zeros((120, 160), np.float32)
    picture[40:80, 60:100] = 1
    crop = crop_around([80.0, 60.0], 90.0, [0.5, -0.8], size=96)
    seen = crop.extract((picture * 255).astype(np.uint8)).astype(np.float32) / 255
    back = crop.paste(seen, 120, 160)
    assert ((back > 0.5) != (picture > 0.5)).sum() < 60
    half = crop.paste(seen[::2, ::2] * 0 + 1, 120, 160)
    assert half[60, 80] == 1 and half[0, 0] == 0


def test_projection_is_the_pinhole():
    K = default_intrinsics(640, 480)
    assert K[0, 0] == 1.2 * 640
    np.testing.assert_allclose(project([[0.1, -0.2, 2.0]], K), [[0.05 * 768 + 319.5, -0.1 * 768 + 239.5]])


def test_skew_and_both_focal_lengths_count():
    K = np.array([[500.0, 3.0, 310.0], [0, 480.0, 250.0], [0, 0, 1]])
    points = np.random.default_rng(0).normal([0, 0, 0.6], 0.1, (50, 3))
    image = points @ K.T
    np.testing.assert_allclose(project(points, K), image[:, :2] / image[:, 2:], atol=1e-9)


def test_what_is_nearer_than_the_near_plane_is_seen_as_if_on_it():
    K = intrinsics_of_focal(400.0, 160, 120)
    points = np.array([[0.01, -0.02, NEAR_M / 4], [0.01, -0.02, -1.0], [0.01, -0.02, 0.0]])
    on_it = project([0.01, -0.02, NEAR_M], K)
    np.testing.assert_allclose(project(points, K, near=NEAR_M), np.tile(on_it, (3, 1)))
    far = np.array([[0.1, 0.2, 0.7]])
    np.testing.assert_array_equal(project(far, K, near=NEAR_M), project(far, K))


@pytest.mark.parametrize("depth", [0.5, NEAR_M / 2, -0.3])
def test_the_crops_camera_looks_at_the_middle_of_its_picture(depth):
    points = np.random.default_rng(1).normal([0, 0, depth], 0.02, (21, 3))
    expected = project(points, intrinsics_of_focal(300.0, 128, 128), near=NEAR_M)
    np.testing.assert_allclose(project_centred(points, 300.0, 128), expected, atol=1e-9)


@pytest.mark.parametrize("depth", [0.5, NEAR_M / 2, -0.3])
def test_the_crops_camera_in_numpy_and_torch_are_twins(depth):
    points = np.random.default_rng(2).normal([0, 0, depth], 0.02, (3, 21, 3))
    focal = np.array([200.0, 300.0, 400.0])
    twin = camera_torch.project_centred(torch.tensor(points), torch.tensor(focal), 128)
    expected = np.stack([project_centred(p, f, 128) for p, f in zip(points, focal, strict=True)])
    np.testing.assert_allclose(twin.numpy(), expected, rtol=1e-12, atol=1e-12)
