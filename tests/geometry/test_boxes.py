import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from handscope.geometry.boxes import (
    best_of_each,
    box_area,
    box_centre,
    box_iou,
    longer_side,
    pixel_window,
    shared_area,
    tight_box,
)

coordinate = st.floats(-50, 50, allow_nan=False, width=32)
boxes = st.tuples(coordinate, coordinate, st.floats(0, 40, width=32), st.floats(0, 40, width=32)).map(
    lambda b: np.array([b[0], b[1], b[0] + b[2], b[1] + b[3]])
)
clouds = st.lists(st.tuples(coordinate, coordinate), min_size=1, max_size=9).map(np.array)


@given(clouds)
def test_a_tight_box_holds_its_points_and_touches_one_on_every_edge(points):
    x0, y0, x1, y1 = tight_box(points)
    assert (points >= [x0, y0]).all() and (points <= [x1, y1]).all()
    assert x0 in points[:, 0] and x1 in points[:, 0] and y0 in points[:, 1] and y1 in points[:, 1]


@given(clouds, st.floats(0, 0.5))
def test_a_margin_moves_all_edges_by_a_share_of_the_longer_side(points, margin):
    tight, wide = tight_box(points), tight_box(points, margin)
    np.testing.assert_allclose(wide - tight, margin * longer_side(tight) * np.array([-1, -1, 1, 1]), atol=1e-9)
    np.testing.assert_allclose(box_centre(wide), box_centre(tight), atol=1e-9)


def test_many_boxes_at_once_are_those_of_each():
    points = np.random.default_rng(0).normal(size=(3, 5, 21, 2))
    together = tight_box(points, 0.1)
    assert together.shape == (3, 5, 4)
    np.testing.assert_array_equal(together[2, 4], tight_box(points[2, 4], 0.1))


def test_boxes_keep_their_precision():
    assert tight_box(np.zeros((4, 2), np.float32), 0.1).dtype == np.float32


def test_known_overlaps():
    one = np.array([0.0, 0, 2, 2])
    assert box_iou(one, one) == 1
    assert box_iou(one, one + 1) == pytest.approx(1 / 7)
    assert box_iou(one, one + 5) == 0
    assert shared_area(one, [2, 0, 4, 2]) == 0  # they touch
    assert shared_area(one, [-1, 1, 7, 9]) == 2


def test_boxes_without_area_share_nothing():
    assert box_iou([1, 1, 1, 1], [1, 1, 1, 1]) == 0
    assert box_iou([0, 0, 4, 0], [0, 0, 4, 0]) == 0


@given(boxes, boxes)
def test_overlap_is_symmetric_and_at_most_one(one, two):
    assert box_iou(one, two) == box_iou(two, one)
    assert 0 <= box_iou(one, two) <= 1 + 1e-9
    assert shared_area(one, two) <= min(box_area(one), box_area(two)) + 1e-9


def test_each_thing_is_kept_once_by_the_best_that_shows_it():
    places = np.array([[0.0, 0, 10, 10], [1, 0, 11, 10], [30, 30, 40, 40]])
    assert best_of_each([0.5, 0.9, 0.7], box_iou(places[:, None], places) > 0.4) == [1, 2]


def test_what_yields_drops_nothing_in_its_turn():
    chain = np.abs(np.subtract.outer(range(3), range(3))) <= 1  # 0 and 2 show other things, 1 shows both
    assert best_of_each([0.9, 0.8, 0.7], chain) == [0, 2]


def test_of_equal_scores_the_first_stays_and_of_none_nothing():
    assert best_of_each([0.5, 0.5], np.ones((2, 2), bool)) == [0]
    assert best_of_each([], np.zeros((0, 0), bool)) == []


def test_a_pixel_window_holds_its_points_inside_the_picture():
    points = np.array([[2.0, 3.4], [5.5, 8.0]])
    assert pixel_window(points, 20, 30) == (2, 3, 7, 9)
    assert pixel_window(points, 20, 30, margin=1) == (1, 2, 8, 10)
    assert pixel_window(points, 6, 4) == (2, 3, 4, 6)
    x0, _, x1, _ = pixel_window(points - 100, 20, 30)
    assert x1 <= x0
