"""How much is done for a hand: the quick way finds the same near by, with fewer looks."""

import numpy as np
import pytest

from handscope.errors import HandscopeError
from handscope.infer.effort import EFFORTS, FULL, QUICK
from handscope.infer.pipeline import load
from handscope.infer.weights import Network
from toy_networks import blobs, paint, toy_joints

POINTS = blobs((210, 150), 90, 0.4, "left")
PICTURE = paint(400, 300, [POINTS])


@pytest.mark.parametrize("effort", EFFORTS)
def test_a_plain_hand_is_found_either_way(toy_weights, effort):
    (hand,) = load(toy_weights, effort=effort)(PICTURE)
    assert hand.handedness == "left"
    np.testing.assert_allclose(hand.joints_2d, toy_joints(*POINTS), atol=2.0)


def test_the_quick_way_looks_less(toy_weights, monkeypatch):
    shown: dict[str, list[tuple[int, ...]]] = {}
    run = Network.run

    def counted(network, batch):
        shown.setdefault(network.path.stem, []).extend([batch.shape[1:3]] * len(batch))
        return run(network, batch)

    monkeypatch.setattr(Network, "run", counted)
    seen = {}
    for effort in EFFORTS:
        shown.clear()
        load(toy_weights, effort=effort)(PICTURE)
        seen[effort] = dict(shown)
    assert [max(size) for size in seen["quick"]["detector"]] == [192]
    assert [max(size) for size in seen["full"]["detector"]] == [192, 384]
    assert "presence" in seen["full"] and "presence" not in seen["quick"]
    assert len(seen["quick"]["estimator"]) <= len(seen["full"]["estimator"])


def test_tiles_ask_for_their_own_looks(toy_weights):
    sizes = lambda **options: load(toy_weights, **options).models.detector.sizes  # noqa: E731
    assert sizes(effort="quick") == QUICK.sizes and sizes() == FULL.sizes
    assert sizes(effort="quick", tiles=2) == sizes(tiles=2) == (*FULL.sizes, 768)


def test_an_effort_that_there_is_not_is_said(toy_weights):
    with pytest.raises(HandscopeError, match="effort must be one of full, quick, got 'fast'"):
        load(toy_weights, effort="fast")
