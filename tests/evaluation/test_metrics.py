"""Scores against closed forms and scipy."""

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.spatial.transform import Rotation

from handscope.evaluation import metrics


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)


def test_errors_are_distances() -> None:
    assert metrics.joint_errors([[0, 0], [3, 4]], [[0, 0], [0, 0]]).tolist() == [0, 5]


def test_pck_counts_the_threshold_itself_and_scales_with_the_box() -> None:
    errors, side = np.array([[0.0, 10.0, 10.1, 30.0], [0.0, 20.0, 21.0, 60.0]]), np.array([100.0, 200.0])
    assert metrics.pck(errors, side, 0.1) == 0.5
    assert metrics.pck(errors, side, 0.3) == 1.0


def test_area_under_pck_of_a_known_curve() -> None:
    errors = np.linspace(0, 20, 2001)[None]  # uniform up to 0.2 box sides: a straight line
    assert metrics.area_under_pck(errors, np.array([100.0])) == pytest.approx(0.5, abs=2e-3)
    assert metrics.area_under_pck(np.zeros((1, 21)), np.array([1.0])) == 1.0


def test_pa_ignores_turn_scale_and_place(rng: np.random.Generator) -> None:
    true = rng.normal(size=(21, 3))
    seen = 2.5 * true @ Rotation.random(random_state=3).as_matrix().T + [1, 2, 3]
    assert metrics.pa_mpjpe(seen, true) == pytest.approx(0, abs=1e-12)


def test_pa_does_not_forgive_a_mirrored_hand(rng: np.random.Generator) -> None:
    true = rng.normal(size=(21, 3))
    assert metrics.pa_mpjpe(true * [-1, 1, 1], true) > 0.1


def test_alignment_is_the_least_squares_optimum(rng: np.random.Generator) -> None:
    source, target = rng.normal(size=(2, 21, 3))

    def cost(x: np.ndarray) -> float:
        moved = np.exp(x[6]) * source @ Rotation.from_rotvec(x[:3]).as_matrix().T + x[3:6]
        return float(((moved - target) ** 2).sum())

    starts = [np.concatenate([Rotation.random(random_state=i).as_rotvec(), np.zeros(4)]) for i in range(6)]
    best = min(minimize(cost, start).fun for start in starts)
    found = ((metrics.align_similarity(source, target) - target) ** 2).sum()
    assert found == pytest.approx(best, rel=1e-5)


def test_one_point_repeated_is_no_error() -> None:
    assert metrics.pa_mpjpe(np.ones((21, 3)), np.zeros((21, 3))) == pytest.approx(0)


def test_iou_of_masks() -> None:
    a, b = np.zeros((2, 4, 4), bool)
    assert metrics.mask_iou(a, b) == 1
    a[:2], b[1:3] = True, True
    assert metrics.mask_iou(a, b) == pytest.approx(1 / 3)
