"""The detector's quick score with answers known beforehand."""

import numpy as np
import pytest

from handscope.data.scenes import Scene
from handscope.evaluation.detector_dev import Found, average_precision, false, found, found_in
from handscope.evaluation.matching import Matched, match

BOX = np.array([10.0, 20, 60, 80])


def scene(*boxes: np.ndarray, crowd: bool = False) -> Scene:
    return Scene(
        name="x",
        width=640,
        height=480,
        boxes=np.array(boxes, np.float64).reshape(-1, 4),
        sides=("right",) * len(boxes),
        ignore=np.zeros((0, 4)),
        crowd=crowd,
    )


def answer(box: np.ndarray, score: float) -> Found:
    return Found(box=box, score=score, handedness="right")


def matched(*answers: Found, crowd: bool = False) -> Matched:
    return match(scene(BOX, BOX + 200, crowd=crowd), answers)


def test_right_answers_first_is_perfect() -> None:
    both = matched(answer(BOX, 0.9), answer(BOX + 200, 0.8), answer(BOX + 400, 0.1))
    assert average_precision([both]) == 1 and found([both], 0.3) == 1 and false([both], 0.05) == 1
    assert false([both], 0.3) == 0


def test_a_false_answer_before_the_second_hand_costs_a_third_of_it() -> None:
    """Precision is 1 at the first hand and 2/3 at the second."""
    one = matched(answer(BOX, 0.9), answer(BOX + 400, 0.8), answer(BOX + 200, 0.7))
    assert average_precision([one]) == pytest.approx((1 + 2 / 3) / 2)


def test_small_hands_count_neither_way() -> None:
    small = match(scene(BOX, np.array([300.0, 300, 310, 310])), [answer(BOX, 0.9)])
    assert average_precision([small]) == 0.5 and average_precision([small], 32) == 1


def test_a_crowd_tells_no_false_ones() -> None:
    crowd = matched(answer(BOX + 400, 0.9), crowd=True)
    plain = matched(answer(BOX + 400, 0.8))
    assert false([crowd, plain], 0.3) == 1


def test_a_hand_seen_by_many_cells_is_one() -> None:
    """In picture px: what the network saw was half as large."""
    boxes = np.stack([BOX, BOX + 1, BOX + 100])
    crops = np.concatenate([(boxes[:, :2] + boxes[:, 2:]) / 2, np.full((3, 1), 90.0)], 1)
    told = (np.array([0.5, 0.9, 0.04]), boxes, np.zeros((3, 2)), crops, np.array([0.1, 0.1, 0.9]))
    (only,) = found_in(told, np.array([0.5, 0.5]))
    np.testing.assert_allclose(only.box, 2 * (BOX + 1) + 0.5)
    assert only.score == 0.9 and only.handedness == "left"
