"""Answers against labelled hands, with boxes small enough to be worked out by hand."""

import math
from dataclasses import replace

import numpy as np
import pytest

from handscope.data.scenes import Scene
from handscope.evaluation.matching import (
    Matched,
    count,
    false_runs,
    interval,
    least_score_for,
    match,
    sides_right,
)
from handscope.types import Hand
from stand_ins import stand_in

EDGES = (0.0, 32.0, math.inf)


def scene(*boxes, sides=None, ignore=(), crowd=False) -> Scene:
    return Scene(
        name="a",
        width=640,
        height=480,
        boxes=np.array(boxes, float).reshape(-1, 4),
        sides=tuple(sides or ["left"] * len(boxes)),
        ignore=np.array(ignore, float).reshape(-1, 4),
        crowd=crowd,
    )


def answer(box, score, handedness="left", track=None):
    return stand_in(Hand, box=np.array(box, float), score=score, handedness=handedness, track=track)


def test_the_better_answer_has_the_hand_and_the_second_box_is_false() -> None:
    """Both overlap the one hand by 1/2 and more."""
    found = match(scene([0, 0, 10, 10]), [answer([0, 0, 10, 5], 0.6), answer([0, 0, 10, 10], 0.9)])
    assert found.hand.tolist() == [-1, 0] and found.false.tolist() == [True, False]
    assert found.found_at.tolist() == [0.9]


def test_an_answer_takes_the_free_hand_that_it_overlaps_most() -> None:
    """IoU with the hands 0.5 and 1/3; the second answer overlaps the taken hand by 1, the free one by 0."""
    hands = scene([0, 0, 10, 10], [0, 0, 10, 30])
    found = match(hands, [answer([0, 0, 10, 20], 0.9), answer([0, 0, 10, 10], 0.8)])
    assert found.hand.tolist() == [1, 0]  # 10 x 20 of 10 x 30 is 2/3, 10 x 10 of 10 x 20 is 1/2
    assert not found.false.any()


def test_an_overlap_of_three_tenths_is_enough() -> None:
    assert match(scene([0, 0, 10, 10]), [answer([0, 0, 3, 10], 1)]).hand.tolist() == [0]
    assert match(scene([0, 0, 10, 10]), [answer([0, 0, 2.9, 10], 1)]).hand.tolist() == [-1]


def test_ignored_boxes_count_neither_way_and_hands_come_before_them() -> None:
    found = match(
        scene([0, 0, 10, 10], ignore=[[0, 0, 10, 12], [50, 50, 60, 60]]),
        [answer([0, 0, 10, 10], 0.9), answer([50, 50, 60, 60], 0.8), answer([0, 0, 10, 11], 0.7)],
    )
    assert found.hand.tolist() == [0, -1, -1] and not found.false.any()
    counts = count([found], EDGES)
    assert counts.right.tolist() == [1] and counts.wrong.tolist() == [0] and counts.precision == 1.0


def test_crowds_count_for_recall_only() -> None:
    crowd = match(scene([0, 0, 40, 40], crowd=True), [answer([0, 0, 40, 40], 0.9), answer([90, 90, 99, 99], 0.9)])
    plain = match(scene([0, 0, 40, 40]), [answer([90, 90, 99, 99], 0.9)])
    counts = count([crowd, plain], EDGES)
    assert counts.recall() == 0.5 and counts.precision == 0.0 and counts.right.tolist() == [0, 0]


def test_sizes_are_of_pictures_640_px_long() -> None:
    """A box of 20 x 5 px, in a picture of 320 px, is 20 px large; one of 20 x 20 is 40."""
    small = replace(scene([0, 0, 20, 5], [0, 0, 20, 20]), width=320, height=200)
    assert small.sizes.tolist() == [20.0, 40.0]
    counts = count([match(small, [answer([0, 0, 20, 20], 0.5)])], EDGES)
    assert counts.hands.tolist() == [[1, 1]] and counts.found.tolist() == [[0, 1]]
    assert counts.recall(slice(1, None)) == 1.0 and counts.recall() == 0.5


def sweep() -> list[Matched]:
    """Right at 0.9, wrong at 0.8, right at 0.7, right at 0.6, wrong at 0.5."""
    hands = scene([0, 0, 10, 10], [20, 0, 30, 10], [40, 0, 50, 10])
    boxes = [[0, 0, 10, 10], [90, 0, 99, 9], [20, 0, 30, 10], [40, 0, 50, 10], [90, 90, 99, 99]]
    return [match(hands, [answer(box, 0.9 - 0.1 * k) for k, box in enumerate(boxes)])]


@pytest.mark.parametrize(("precision", "least", "recall"), [(0.6, 0.5, 1.0), (0.75, 0.6, 1.0), (0.8, 0.9, 1 / 3)])
def test_the_least_score_for_a_precision_finds_most(precision: float, least: float, recall: float) -> None:
    found = least_score_for(sweep(), precision)
    assert found == pytest.approx(least)
    assert count(sweep(), EDGES, found).recall() == pytest.approx(recall)


def test_no_score_gives_more_than_can_be_had() -> None:
    assert least_score_for([match(scene(), [answer([0, 0, 9, 9], 0.9)])], 0.5) is None
    assert math.isnan(count([], EDGES).precision)


def test_false_hands_are_counted_where_there_is_nothing_at_all() -> None:
    stray = [answer([90, 90, 99, 99], 0.9)]
    pictures = [scene(), scene([0, 0, 10, 10]), scene(ignore=[[0, 0, 9, 9]]), scene(crowd=True)]
    counts = count([match(one, stray) for one in pictures], EDGES)
    assert counts.empty.tolist() == [True, False, False, False] and counts.false_on_empty == 1


def test_sides_are_told_of_found_hands_whose_label_has_one() -> None:
    hands = scene([0, 0, 10, 10], [20, 0, 30, 10], [40, 0, 50, 10], sides=["left", None, "right"])
    found = match(hands, [answer([0, 0, 10, 10], 0.9), answer([20, 0, 30, 10], 0.9), answer([40, 0, 50, 10], 0.9)])
    assert sides_right([found]) == 0.5


def test_a_false_hand_lasts_as_long_as_its_track_or_its_box_stays() -> None:
    """One that jumps but keeps its track; one without track that stays; one that is new in the last frame."""
    frames = [
        [answer([0, 0, 9, 9], 0.9, track=1), answer([50, 50, 60, 60], 0.9)],
        [answer([90, 0, 99, 9], 0.9, track=1), answer([51, 50, 61, 60], 0.9)],
        [answer([51, 51, 61, 61], 0.9), answer([200, 0, 209, 9], 0.9, track=2)],
    ]
    assert sorted(false_runs([match(scene(), answers) for answers in frames])) == [1, 2, 3]


def test_intervals_are_of_pictures_and_hold_the_figure() -> None:
    """Half of 40 pictures are wholly found, half not at all: 95 % of draws lie within 0.5 +- 0.16."""
    pictures = [match(scene([0, 0, 9, 9]), [answer([0, 0, 9, 9], 0.9)] if i % 2 else []) for i in range(40)]
    drawn = interval(count(pictures, EDGES), lambda counts: counts.recall())
    assert drawn is not None
    low, high = drawn
    assert 0.3 < low < 0.45 and 0.55 < high < 0.7


def test_what_nothing_says_anything_of_has_no_interval() -> None:
    nothing = count([match(scene([0, 0, 9, 9]), []) for _ in range(3)], EDGES)
    assert interval(nothing, lambda counts: float("nan")) is None
