"""Masks kept as crops: what is pasted is what the crop showed, in the picture's own pixels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from handscope.geometry.crops import Crop, crop_around
from handscope.geometry.masks import CroppedMask


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 2**32 - 1), st.floats(0, 0.6))
def test_a_mask_of_the_picture_comes_back_exactly(height: int, width: int, seed: int, share: float) -> None:
    mask = np.random.default_rng(seed).random((height, width)) < share
    kept = CroppedMask.of(mask)
    np.testing.assert_array_equal(kept.pasted(), mask)
    assert kept.area() == mask.sum() and kept.shape == mask.shape


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("up", [(0.0, -1.0), (0.6, 0.8), (-1.0, 0.2)])
def test_a_pasted_pixel_is_one_whose_place_in_the_crop_is_above_one_half(up, mirrored: bool) -> None:
    """By hand: a step along one axis of the crop, which bilinear reading moves to where it is 0.5."""
    crop = crop_around((30.0, 25.0), 40.0, up, size=80, mirrored=mirrored)
    values = np.zeros((40, 40), np.float32)
    values[:, 20:] = 1  # the step is at 19.5 of the map, so at 2 (19.5 + 0.5) - 0.5 px of the crop
    pasted = CroppedMask(values, crop, 50, 60).pasted()
    y, x = np.mgrid[:50, :60]
    places = crop.apply(np.stack([x, y], -1).reshape(-1, 2)).reshape(50, 60, 2)
    inside = ((places > 1) & (places < 78)).all(-1)
    clear = inside & (np.abs(places[..., 0] - 39.5) > 0.1)
    assert clear.sum() > 1000
    np.testing.assert_array_equal(pasted[clear], places[..., 0][clear] > 39.5)
    assert not pasted[(places < -3).any(-1) | (places > 82).any(-1)].any()


def test_a_crop_outside_the_picture_gives_nothing() -> None:
    away = Crop(np.array([[1.0, 0, 500], [0, 1, 500]]), 20)
    mask = CroppedMask(np.ones((20, 20), np.float32), away, 30, 40)
    assert mask.area() == 0 and not mask.pasted().any()
