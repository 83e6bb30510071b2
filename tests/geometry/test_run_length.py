"""Run lengths: those of COCO, as pycocotools writes them; the mask comes back."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from handscope.geometry.crops import Crop
from handscope.geometry.masks import CroppedMask
from handscope.geometry.run_length import decode_runs, encode_runs, mask_of_runs

Y, X = np.mgrid[:37, :61]


@pytest.mark.parametrize(
    ("mask", "text"),
    [
        ((X - 30) ** 2 + (Y - 18) ** 2 < 150, "Ze05m06K4M2N2N2O0O2O000O2O00000001N10001N101N2N2N3L5J]d0"),
        (X < 0, "aV2"),
        (X >= 0, "0aV2"),
        (X > 50, "oj1b;"),
    ],
)
def test_the_text_is_the_one_that_pycocotools_writes(mask, text):
    assert encode_runs(CroppedMask.of(mask).runs()) == text
    assert (mask_of_runs(decode_runs(text), 37, 61) == mask).all()


@given(st.integers(1, 9), st.integers(1, 9), st.data())
def test_a_mask_comes_back_from_its_runs(height, width, data):
    bits = data.draw(st.lists(st.booleans(), min_size=height * width, max_size=height * width))
    mask = np.array(bits).reshape(height, width)
    runs = CroppedMask.of(mask).runs()
    assert (runs[1:] > 0).all() and runs.sum() == height * width
    assert (decode_runs(encode_runs(runs)) == runs).all()
    assert (mask_of_runs(runs, height, width) == mask).all()


def test_runs_are_those_of_the_mask_in_its_picture_also_where_the_crop_reaches_out_of_it():
    values = np.zeros((16, 16), np.float32)
    values[3:14, 2:15] = 1
    for shift in ((5.5, -3.0), (-30.0, 2.0), (200.0, 0.0)):
        turned = Crop(np.array([[0.6, 0.3, shift[0]], [-0.3, 0.6, shift[1]]]), 16)
        mask = CroppedMask(values, turned, 40, 30)
        assert (mask_of_runs(mask.runs(), 40, 30) == mask.pasted()).all()


def test_runs_of_another_picture_and_half_a_text_are_refused():
    with pytest.raises(ValueError, match="no mask"):
        mask_of_runs([3, 4], 2, 3)
    with pytest.raises(ValueError, match="middle"):
        decode_runs("P")
