"""Capsules round bones: distances between segments, and what a hand's size is."""

import numpy as np
import pytest

from handscope.hand.assets import load_asset
from handscope.hand.capsules import BONE_RADII, hand_size, overlaps, segment_distances
from handscope.hand.model import pose_joints
from handscope.skeleton import BONES

MEAN = pose_joints(load_asset(), np.zeros((1, 10)), np.zeros((1, 15, 3)))[0]


def by_sampling(p, q, r, s, count: int = 401) -> float:
    along = np.linspace(0, 1, count)[:, None]
    return float(np.linalg.norm((p + along * (q - p))[:, None] - (r + along * (s - r)), axis=-1).min())


def test_segments_are_as_far_apart_as_their_nearest_points():
    rng = np.random.default_rng(0)
    for _ in range(40):
        p, q, r, s = rng.normal(size=(4, 3))
        (found,) = segment_distances(p[None], q[None], r[None], s[None])
        assert found == pytest.approx(by_sampling(p, q, r, s), abs=3e-3)


@pytest.mark.parametrize(
    ("ends", "distance"),
    [
        (([0, 0, 0], [1, 0, 0], [0, 2, 0], [1, 2, 0]), 2.0),  # parallel
        (([0, 0, 0], [1, 0, 0], [3, 0, 0], [5, 0, 0]), 2.0),  # on one line
        (([0, 0, 0], [0, 0, 0], [0, 3, 0], [0, 9, 0]), 3.0),  # a point
        (([0, 0, 0], [0, 0, 0], [0, 4, 3], [0, 4, 3]), 5.0),  # two points
        (([-1, 0, 0], [1, 0, 0], [0, -1, 0], [0, 1, 0]), 0.0),  # crossing
    ],
)
def test_degenerate_segments(ends, distance):
    p, q, r, s = np.array(ends, np.float64)[:, None]
    assert segment_distances(p, q, r, s) == pytest.approx(distance, abs=1e-5)
    assert segment_distances(r, s, p, q) == pytest.approx(distance, abs=1e-5)


def test_the_mean_hand_is_of_size_one_and_sizes_scale():
    assert hand_size(MEAN) == pytest.approx(1, abs=1e-3)
    assert hand_size(1.2 * MEAN + 3) == pytest.approx(1.2, abs=2e-3)


def test_how_deep_a_hand_is_in_another():
    """In itself by the sum of two radii; beside itself by what is left of the width; symmetric; many at once."""
    own = overlaps(MEAN, MEAN)
    np.testing.assert_allclose(np.diag(own), 2 * BONE_RADII, atol=1e-5)
    away = MEAN + np.array([0, 0.5, 0])
    assert overlaps(MEAN, away).max() == pytest.approx(-0.5 + 0.06, abs=0.05)
    shifted = MEAN + np.linspace(0, 0.1, 5)[:, None, None] * [0.0, 1, 0]
    many = overlaps(MEAN, shifted)
    assert many.shape == (5, len(BONES), len(BONES)) and (np.diff(many.max((-1, -2))) < 0).all()
    np.testing.assert_allclose(overlaps(shifted, MEAN), many.transpose(0, 2, 1), atol=1e-9)
    assert overlaps(MEAN, away, (2.0, 1.0)).max() > overlaps(MEAN, away).max()


def test_capsules_lie_in_the_flesh():
    """The mean hand's skin lies some two millimetres outside the capsules; nowhere deep in them."""
    asset = load_asset()
    vertices = asset.template - asset.joints[0]
    parent, child = np.array(BONES).T
    far = segment_distances(
        vertices[:, None].astype(np.float64), vertices[:, None].astype(np.float64), MEAN[parent], MEAN[child]
    )
    nearest = far.argmin(1)
    inside = BONE_RADII[nearest] - far[np.arange(len(far)), nearest]
    assert -0.003 < np.median(inside) < 0 and inside.max() < 0.008
