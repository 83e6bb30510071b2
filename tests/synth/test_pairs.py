"""Touching hands: they meet and do not pass, whichever side is shown; what was rendered before stays as it was."""

import hashlib

import numpy as np
import pytest

from handscope.errors import HandscopeError
from handscope.hand.assets import load_asset
from handscope.synth.pairs import CONTACTS, MIRROR, NEAR_M, touching, travel
from handscope.synth.scene import SynthConfig, render_sample
from handscope.synth.scene_set import KINDS, TURNS, fingerprint, scene_set


def test_a_block_stops_where_it_meets_another() -> None:
    side = np.stack(np.meshgrid(*[np.linspace(0, 0.02, 6)] * 3), -1).reshape(-1, 3)
    way = travel(side, side + np.array([0.1, 0.003, 0]), np.array([-1.0, 0, 0]))
    assert way == pytest.approx(0.08, abs=1e-9)
    assert travel(side, side + np.array([0.1, 0.05, 0]), np.array([-1.0, 0, 0])) is None


@pytest.mark.parametrize("seed", range(6))
def test_the_other_hand_comes_as_near_as_skin_and_is_a_left_one(seed: int) -> None:
    rng = np.random.default_rng(seed)
    hand = load_asset().template.astype(np.float64)
    R, T = np.eye(3), np.array([0.0, 0.1, 0.5])
    R_other, T_other = touching(rng, hand, hand, R, T) or pytest.skip("they pass")
    assert np.linalg.det(R_other) == pytest.approx(1)
    first = hand @ R.T + T
    shown = (hand @ R_other.T + T_other) * [-1, 1, 1]  # a left hand is shown mirrored
    nearest = np.linalg.norm(first[::3, None] - shown[::3], axis=-1).min()
    assert nearest < 0.02  # vertices are some 5 mm apart
    assert np.linalg.norm(first.mean(0) - shown.mean(0)) > 0.01


def test_the_mirror_keeps_palm_and_fingers() -> None:
    """The other hand has its thumb on the other side, and the way to touch is a turn of it."""
    assert MIRROR.diagonal().tolist() == [1, 1, -1] and np.linalg.det(MIRROR) == -1
    assert NEAR_M > 0 and all(np.linalg.norm(contact.side) == 1 for contact in CONTACTS.values())


def test_every_kind_of_scene_shows_what_it_says() -> None:
    seen = list(scene_set(20))
    assert [kind for kind, _ in seen] == list(TURNS) and set(TURNS) == set(KINDS)
    shares = {kind: TURNS.count(kind) / len(TURNS) for kind in KINDS}
    assert shares["touching"] >= 0.25 and shares["held things"] >= 0.25 and shares["no hand"] >= 0.15
    assert all(not sample.hands for kind, sample in seen if kind == "no hand")
    pairs = [sample for kind, sample in seen if kind == "touching" and len(sample.hands) == 2]
    assert len(pairs) >= 3
    for sample in pairs:
        one, two = (np.asarray(hand.joints_3d) for hand in sample.hands)
        assert {hand.handedness for hand in sample.hands} == {"left", "right"}
        assert np.linalg.norm(one[:, None] - two, axis=-1).min() < 0.035
    (_, again), *_ = scene_set(1)
    assert fingerprint(iter([again])) == fingerprint(iter([seen[0][1]])) != fingerprint(iter([seen[1][1]]))


def test_new_kinds_change_nothing_where_they_are_not_asked_for() -> None:
    """A share of none makes no choice at all: pictures of earlier seeds stay byte for byte."""
    usual = SynthConfig(scenes=True, scene_size=96)
    never = SynthConfig(scenes=True, scene_size=96, share_pair=0.0, share_glove=0.0)
    rare = SynthConfig(scenes=True, scene_size=96, share_pair=1e-12, share_glove=1e-12)
    of = lambda config: hashlib.sha256(render_sample(config, 3, 1).image.tobytes()).hexdigest()  # noqa: E731
    assert of(usual) == of(never) != of(rare)


def test_a_share_of_the_picture_is_a_range() -> None:
    with pytest.raises(HandscopeError, match="hand_share must be a range"):
        SynthConfig(hand_share=(0.5, 0.2))
