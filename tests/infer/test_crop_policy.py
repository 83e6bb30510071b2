"""The grid of crops: what is nearly the same crop is the very same, and none moves by what networks see."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from handscope.geometry.crops import Crop, crop_around
from handscope.infer.crop_policy import PLACES, on_grid

CROPS = st.builds(
    lambda x, y, extent, angle, mirrored: crop_around(
        (x, y), extent, (np.cos(angle), np.sin(angle)), size=224, mirrored=mirrored
    ),
    st.floats(-500, 4000),
    st.floats(-500, 4000),
    st.floats(4, 5000),
    st.floats(-np.pi, np.pi),
    st.booleans(),
)


@given(CROPS, st.integers(0, 2**32))
def test_sums_that_end_otherwise_lead_to_the_same_crop(crop: Crop, seed: int) -> None:
    kept = on_grid(crop)
    ends = np.random.default_rng(seed).uniform(-1e-9, 1e-9, size=(2, 3))
    again = on_grid(Crop(kept.matrix * (1 + ends), kept.size))
    np.testing.assert_allclose(again.matrix, kept.matrix, rtol=1e-12, atol=1e-9)


@given(CROPS)
def test_the_grid_moves_no_corner_by_what_networks_see(crop: Crop) -> None:
    last = crop.size - 1.0
    corners = np.array([[0.0, 0], [last, 0], [0, last], [last, last]])
    moved = crop.apply(on_grid(crop).invert(corners)) - corners
    assert np.abs(moved).max() < 0.5
    middle = np.full((1, 2), last / 2)
    assert np.abs(crop.apply(on_grid(crop).invert(middle)) - middle).max() < 1 / PLACES
    assert on_grid(crop).mirrored == crop.mirrored
