"""A camera is turned, mirrored, cropped and scaled with its picture; its lens is OpenCV's."""

import pickle

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from handscope.errors import HandscopeError
from handscope.geometry.camera import Camera, distorted, undistorted
from handscope.infer.exif import TURNS

K = np.array([[820.0, 3.0, 330.0], [0.0, 790.0, 250.0], [0.0, 0.0, 1.0]])
LENS = (-0.21, 0.06, 0.002, -0.003, 0.01, 0.02, -0.01, 0.003)
POINTS = np.random.default_rng(0).uniform([-0.25, -0.2, 0.7], [0.25, 0.2, 1.4], (50, 3))


@pytest.mark.parametrize("count", [4, 5, 8])
def test_the_lens_is_that_of_opencv(count):
    plain = K * [[1, 0, 1], [1, 1, 1], [1, 1, 1]]  # OpenCV knows no skew
    camera = Camera(plain, (640, 480), LENS[:count])
    theirs, _ = cv2.projectPoints(POINTS, np.zeros(3), np.zeros(3), plain, np.array(LENS[:count]))
    np.testing.assert_allclose(camera.project(POINTS), theirs[:, 0], atol=1e-6)


@given(st.lists(st.floats(-0.12, 0.12), min_size=8, max_size=8), st.floats(-0.5, 0.5), st.floats(-0.4, 0.4))
def test_what_is_undistorted_is_where_it_was_before_the_lens(numbers, x, y):
    lens = np.array(numbers) * [2, 1, 0.05, 0.05, 1, 1, 1, 1]
    np.testing.assert_allclose(undistorted(distorted(np.array([x, y]), lens), lens), [x, y], atol=1e-9)
    camera = Camera(K, (640, 480), lens)
    pixels = camera.project([x, y, 1.0])
    np.testing.assert_allclose(camera.undistorted(pixels), Camera(K).project([x, y, 1.0]), atol=1e-5)


@pytest.mark.parametrize("lens", [None, LENS])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_an_upright_picture_shows_the_same_points_where_the_pixels_went(orientation, lens):
    """Every pixel holds its own place; the turned picture is asked where a point of space is now."""
    camera = Camera(K, (640, 480), lens)
    rows, columns = np.indices((480, 640))
    place = TURNS[orientation](np.stack([columns, rows], -1))
    upright = camera.oriented(orientation)
    assert upright.size == (place.shape[1], place.shape[0])
    where = np.round(camera.project(POINTS)).astype(int)
    right, down = place[0, 1] - place[0, 0], place[1, 0] - place[0, 0]  # what those of the upright one were before
    moved = np.column_stack([POINTS[:, :2] @ np.column_stack([right, down]), POINTS[:, 2]])
    for point, old in zip(upright.project(moved), where, strict=True):
        x, y = np.round(point).astype(int)
        assert np.abs(place[y, x] - old).max() <= 1


def test_parts_and_copies_show_points_where_they_are_in_them():
    camera = Camera(K, (640, 480), LENS)
    before = camera.project(POINTS)
    np.testing.assert_allclose(camera.cropped(100, 50, 200, 150).project(POINTS), before - [100, 50], atol=1e-9)
    small = camera.resized(320, 120)
    np.testing.assert_allclose(small.project(POINTS), (before + 0.5) * [0.5, 0.25] - 0.5, atol=1e-9)
    assert small.size == (320, 120) and small.pixel_aspect == pytest.approx(790 / 820 / 2)


def test_a_camera_owns_its_numbers():
    own = K.copy()
    camera = Camera(own, (640, 480), list(LENS))
    own[0, 0] = 1.0
    assert camera.K[0, 0] == 820.0
    with pytest.raises(ValueError, match="read-only"):
        camera.K[0, 0] = 1.0
    again = pickle.loads(pickle.dumps(camera))
    np.testing.assert_array_equal(again.distortion, camera.distortion)
    assert again.size == (640, 480) and not again.K.flags.writeable
    assert "640 x 480" in repr(camera) and "distortion" in repr(camera)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Camera(np.eye(2)), "K must be"),
        (lambda: Camera("exif"), "K must be"),
        (lambda: Camera([[1, 2], [3]]), "K must be"),
        (lambda: Camera(K.T), "K must be"),
        (lambda: Camera(K, (0, 480)), "size must be"),
        (lambda: Camera(K, None, [1, 2, 3]), "distortion must be"),
        (lambda: Camera(K, None, [np.nan] * 5), "distortion must be"),
        (lambda: Camera(K).turned(), "give its size"),
    ],
)
def test_what_is_no_camera_is_one_sentence(make, words):
    with pytest.raises(HandscopeError, match=words) as caught:
        make()
    assert "\n" not in str(caught.value)
