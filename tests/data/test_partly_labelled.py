"""A share of the pictures keeps its labels: which ones, and what the others still say."""

import numpy as np
import pytest

from handscope.data.partly_labelled import PartlyLabelled
from handscope.data.transforms import CropConfig, crop_example, usable
from handscope.errors import HandscopeError
from handscope.synth.scene import SynthConfig, render_sample


class Rendered:
    def __len__(self):
        return 12

    def __getitem__(self, i):
        return render_sample(SynthConfig(size=64, share_second=0.0), 3, i)


def labelled(share):
    source = PartlyLabelled(Rendered(), share)
    return {i for i in range(len(source)) if source[i].hands[0].joints_2d is not None}


def test_a_smaller_share_is_part_of_a_larger_one():
    none, some, more, everything = (labelled(share) for share in (0.0, 0.4, 0.7, 1.0))
    assert none == set() and some < more < everything == set(range(12))


def test_the_others_say_where_the_hand_is_and_no_more():
    full, bare = Rendered()[0], PartlyLabelled(Rendered(), 0.0)[0]
    (hand,) = bare.hands
    assert usable(hand) and hand.handedness == full.hands[0].handedness
    assert all(getattr(hand, name) is None for name in ("joints_2d", "joints_3d", "mask", "theta", "box"))
    crops = [
        crop_example(sample, sample.hands[0], np.random.default_rng(0), CropConfig(size=64, mask_size=32), None)
        for sample in (full, bare)
    ]
    np.testing.assert_array_equal(crops[0]["image"], crops[1]["image"])
    assert crops[1]["as_right"] == crops[0]["as_right"] and not crops[1]["joints_2d_known"].any()


def test_a_share_outside_is_refused():
    with pytest.raises(HandscopeError, match="labelled is a share"):
        PartlyLabelled(Rendered(), 1.5)
