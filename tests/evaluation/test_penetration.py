"""Two hands together: winding numbers, penetration, the wrists' offset."""

import numpy as np
import pytest
import trimesh

from handscope.evaluation.pairs import penetration, relative_root_error, winding_numbers
from handscope.types import Hand
from stand_ins import stand_in

BALL = trimesh.creation.icosphere(subdivisions=4, radius=0.03)
RIM = BALL.vertices[:, 2] > 0.029  # a hole, as at the wrist


def ball(place, *, hole: bool = False) -> Hand:
    faces = BALL.faces[~RIM[BALL.faces].any(1)] if hole else BALL.faces
    return stand_in(Hand, vertices=BALL.vertices + np.array(place), faces=faces)


def test_a_closed_mesh_goes_once_round_what_is_in_it():
    points = np.array([[0, 0, 0], [0.02, 0, 0.01], [0.04, 0, 0], [0, 1.0, 0]])
    np.testing.assert_allclose(winding_numbers(points, BALL.vertices, BALL.faces), [1, 1, 0, 0], atol=1e-9)


@pytest.mark.parametrize("hole", [False, True])
@pytest.mark.parametrize("deep", [0.002, 0.005, 0.01])
def test_balls_are_in_each_other_by_what_their_radii_lack(deep, hole):
    other = ball([0.06 - deep, 0, 0], hole=hole)
    assert penetration(ball([0, 0, 0], hole=hole), other) == pytest.approx(deep, abs=3e-4)
    assert penetration(other, ball([0, 0, 0], hole=hole)) == pytest.approx(deep, abs=3e-4)


def test_what_does_not_touch_is_not_in_each_other():
    assert penetration(ball([0, 0, 0]), ball([0.0605, 0, 0])) == 0
    assert penetration(ball([0, 0, 0]), ball([1, 0, 0])) == 0


def test_the_offset_of_the_wrists_alone_counts():
    one, two = np.random.default_rng(0).normal(size=(2, 21, 3))
    assert relative_root_error((one + 5, two + 5), (one, two)) == pytest.approx(0)
    moved = two + 0
    moved[0] += [0.03, 0, 0.04]
    assert relative_root_error((one, moved), (one, two)) == pytest.approx(0.05)
