"""How much is done for a hand: the quick way finds the same near by, with fewer looks."""

import numpy as np
import pytest

from handscope.errors import HandscopeError
from handscope.infer.devices import DEVICES
from handscope.infer.effort import EFFORTS, FULL, QUICK
from handscope.infer.models import is_eight_bit
from handscope.infer.pipeline import load
from handscope.infer.weights import EIGHT_BIT, NAMES, SHIPPED, Network, digests
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


@pytest.mark.skipif(not (SHIPPED / "estimator.onnx").is_file(), reason="the weights are not in this checkout")
def test_the_quick_way_takes_the_shipped_networks_in_8_bits(toy_weights):
    taken = lambda *given, **options: {  # noqa: E731
        name: network.path.stem for name, network in load(*given, **options).models.networks.items()
    }
    eight = {name: f"{name}-8bit" for name in EIGHT_BIT}
    assert taken() == {name: name for name in NAMES}
    assert taken(effort="quick") == {"detector": "detector"} | eight
    own = load(toy_weights, effort="quick").models
    assert all(network.path.parent != SHIPPED for network in own.networks.values())
    assert load(effort="quick").models.notes == ()  # of one set
    apart = {name for name, digest in digests(eight_bit=True).items() if digest != digests()[name]}
    assert apart == set(EIGHT_BIT)


def test_8_bits_are_for_the_cpu():
    assert is_eight_bit(QUICK, "cpu") and not is_eight_bit(FULL, "cpu")
    assert not any(is_eight_bit(QUICK, name) for name in DEVICES if name != "cpu")


def test_tiles_ask_for_their_own_looks(toy_weights):
    sizes = lambda **options: load(toy_weights, **options).models.detector.sizes  # noqa: E731
    assert sizes(effort="quick") == QUICK.sizes and sizes() == FULL.sizes
    assert sizes(effort="quick", tiles=2) == sizes(tiles=2) == (*FULL.sizes, 768)


def test_an_effort_that_there_is_not_is_said(toy_weights):
    with pytest.raises(HandscopeError, match="effort must be one of full, quick, got 'fast'"):
        load(toy_weights, effort="fast")
