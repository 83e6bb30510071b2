"""A hand owns its arrays, is itself alone, and travels light."""

from __future__ import annotations

import copy
import pickle
from dataclasses import asdict, replace

import numpy as np
import pytest

from handscope.geometry.masks import CroppedMask
from handscope.hand.assets import load_asset
from handscope.types import HAND_ARRAYS, Hand, frozen_array
from posed_hands import posed_hand


@pytest.fixture(scope="module")
def hand() -> Hand:
    return posed_hand(320, 240)


@pytest.mark.parametrize("name", HAND_ARRAYS)
def test_no_array_of_a_hand_can_be_written_to(hand: Hand, name: str) -> None:
    with pytest.raises(ValueError, match="read-only"):
        getattr(hand, name)[...] = 0


@pytest.mark.parametrize("name", HAND_ARRAYS)
def test_a_hand_keeps_what_it_was_made_of_whatever_becomes_of_the_callers_array(hand: Hand, name: str) -> None:
    """A view that cannot be written to counts as the caller's too: its base can."""
    own = np.array(getattr(hand, name))
    view = own[:]
    view.flags.writeable = False
    for given in (own, view):
        made = replace(hand, **{name: given})
        before = np.array(getattr(made, name))
        own += 1
        np.testing.assert_array_equal(getattr(made, name), before)


def test_what_is_frozen_already_is_not_copied() -> None:
    once = frozen_array(np.arange(3.0))
    assert frozen_array(once) is once


def test_extras_are_the_hands_own(hand: Hand) -> None:
    extras = {"right": 0.9}
    made = replace(hand, extras=extras)
    extras["right"] = 0.1
    assert made.extras == {"right": 0.9}


def test_hands_are_equal_only_to_themselves_and_can_be_keys(hand: Hand) -> None:
    twin = replace(hand)
    assert hand == hand and hand != twin and len({hand, twin, hand}) == 2
    assert twin in [hand, twin] and twin not in [hand]


def test_a_mask_is_pasted_when_asked_for(hand: Hand) -> None:
    assert hand.mask.shape == hand.cropped_mask.shape == (240, 320)
    assert hand.mask.sum() == hand.cropped_mask.area() > 0
    first = hand.mask
    first[:] = False
    assert hand.mask.any()


@pytest.mark.parametrize("side", ["left", "right"])
def test_a_pickle_names_the_hand_model_and_comes_back_whole(hand: Hand, side: str) -> None:
    asset = load_asset()
    given = replace(hand, handedness=side, asset=asset, faces=asset.faces_of(side))
    data = pickle.dumps(given)
    assert len(data) < 150_000 < len(pickle.dumps(asset.posedirs))
    back = pickle.loads(data)
    assert back.asset is asset and back.handedness == side and back.score == given.score
    for name in HAND_ARRAYS:
        np.testing.assert_array_equal(getattr(back, name), getattr(given, name))
        assert not getattr(back, name).flags.writeable
    np.testing.assert_array_equal(back.mask, given.mask)


def test_other_triangles_travel_with_the_hand(hand: Hand) -> None:
    odd = replace(hand, asset=load_asset(), faces=hand.faces[:5])
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(odd)).faces, hand.faces[:5])


def test_copies_are_hands_of_their_own(hand: Hand) -> None:
    twin = copy.deepcopy(hand)
    assert twin != hand and asdict(twin)["score"] == hand.score
    np.testing.assert_array_equal(twin.joints_3d, hand.joints_3d)


def test_the_asset_cannot_be_written_to_and_is_loaded_once() -> None:
    asset = load_asset()
    assert load_asset() is asset and pickle.loads(pickle.dumps(asset)) is asset
    with pytest.raises(ValueError, match="read-only"):
        asset.template[:] = 0


def test_a_mask_without_a_hand_is_empty() -> None:
    empty = CroppedMask.of(np.zeros((4, 7), bool))
    assert empty.area() == 0 and empty.pasted().shape == (4, 7) and not empty.pasted().any()
