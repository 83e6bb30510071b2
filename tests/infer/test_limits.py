"""What a picture may cost: pixels, bytes, scans, directories, tags; and how the limits are raised."""

import io
import time
import tracemalloc

import numpy as np
import pytest
from PIL import Image

from costly_files import (
    jpeg_of_scans,
    png_of_one_colour,
    png_with_exif,
    tiff_of_directories,
    tiff_of_overlapping_tags,
)
from handscope.errors import HandscopeError, ImageError
from handscope.infer import decoding, levels
from handscope.infer.decoding import TooCostlyError, TooManyPixelsError, decode_picture, inspect_picture
from handscope.infer.images import read_picture
from handscope.infer.jpeg import has_more_scans
from handscope.infer.limits import DecodingLimits, default_limits


@pytest.mark.parametrize("look", [decode_picture, inspect_picture])
@pytest.mark.parametrize(
    ("data", "limits", "error", "words"),
    [
        (jpeg_of_scans(101, 16), {}, TooCostlyError, "more than 100 scans"),
        (jpeg_of_scans(12, 16), {"max_scans": 11}, TooCostlyError, "more than 11 scans"),
        (png_of_one_colour(1001, 1000), {"max_pixels": 1_000_000}, TooManyPixelsError, "1 million pixels"),
        (tiff_of_directories(1), {"max_bytes": 100}, TooCostlyError, "MiB that are read"),
        (tiff_of_overlapping_tags(3000, 2**20), {}, ImageError, "lie on one another"),
    ],
)
def test_what_costs_too_much_is_refused_at_once_in_one_sentence(look, data, limits, error, words):
    start = time.process_time()
    with pytest.raises(error, match=words) as caught:
        look(data, "a.jpg", limits=DecodingLimits(**limits))
    assert time.process_time() - start < 0.5 and str(caught.value).startswith("a.jpg: ")


def test_an_ordinary_progressive_jpeg_and_one_at_the_limit_are_read():
    for scans in (6, 100):
        assert decode_picture(jpeg_of_scans(scans, 16), "a.jpg").size == (16, 16)


def test_scans_in_thumbnails_do_not_count():
    buffer = io.BytesIO()
    exif = b"Exif\0\0" + b"\xff\xda" * 200  # as a thumbnail inside would have
    Image.new("L", (8, 8)).save(buffer, "JPEG", exif=exif)
    assert not has_more_scans(buffer.getvalue(), 2)


def test_a_tiff_of_many_directories_is_not_counted_through():
    data = tiff_of_directories(5000)
    start = time.process_time()
    picture = decode_picture(data, "a.tiff")
    assert time.process_time() - start < 1 and picture.notes == ("TIFF with many frames: the first one is used",)


def test_exif_that_would_unfold_is_not_read():
    data = png_with_exif(tiff_of_overlapping_tags(3000, 2**16))
    tracemalloc.start()
    picture = decode_picture(data, "a.png")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert picture.orientation == 1 and peak < 8 * 2**20  # it would be 190 MiB


def test_decoding_takes_no_more_than_a_few_bytes_a_pixel():
    """What numpy and Python take: the picture, and no whole copy of it (Pillow's own picture is four bytes more)."""
    width, height = 2000, 1500
    for mode in ("RGB", "RGBA", "P"):
        buffer = io.BytesIO()
        Image.new(mode, (width, height)).save(buffer, "PNG")
        tracemalloc.start()
        decode_picture(buffer.getvalue(), "a.png")
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 4.5 * width * height


def test_the_environment_raises_the_limits(monkeypatch, tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(png_of_one_colour(1001, 1000))
    monkeypatch.setenv("HANDSCOPE_MAX_MEGAPIXELS", "1")
    with pytest.raises(TooManyPixelsError, match="Limits"):
        read_picture(path)
    monkeypatch.setenv("HANDSCOPE_MAX_MEGAPIXELS", "1.1")
    assert read_picture(path).size == (1001, 1000)
    monkeypatch.setenv("HANDSCOPE_MAX_SCANS", "7")
    monkeypatch.setenv("HANDSCOPE_DECODE_SECONDS", "0.5")
    assert (default_limits().max_scans, default_limits().seconds) == (7, 0.5)
    monkeypatch.setenv("HANDSCOPE_MAX_MIB", "many")
    with pytest.raises(HandscopeError, match=r"HANDSCOPE_MAX_MIB must be a positive number, got 'many'"):
        read_picture(path)


def test_a_limit_above_pillows_own_is_heeded_and_pillows_is_as_before(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    monkeypatch.setattr(levels, "STRIP", 1000)
    data = png_of_one_colour(100, 100)
    assert decode_picture(data, "a.png", limits=DecodingLimits(max_pixels=10_000)).size == (100, 100)
    assert Image.MAX_IMAGE_PIXELS == 1000


def test_a_tiff_is_tried_a_few_times_only(monkeypatch):
    tried = []

    def fails(path, directory, content, max_pixels):
        tried.append(directory)
        raise ImageError("broken")

    monkeypatch.setattr(decoding, "_decode_directory", fails)
    monkeypatch.setattr(decoding, "LEAST_PREVIEW_PX", 0)
    with pytest.raises(ImageError, match="broken"):
        decode_picture(tiff_of_directories(50), "a.tiff")
    assert len(tried) == decoding.TRIES


def test_levels_by_strips_are_those_of_the_whole():
    for dtype, full in ((np.uint16, 65535), (np.uint32, 65535)):
        values = np.arange(65536, dtype=dtype).reshape(256, 256).repeat(2, 0)
        found, _ = levels.to_levels(values)
        np.testing.assert_array_equal(found, (values * (255.0 / full) + 0.5).astype(np.uint8))
