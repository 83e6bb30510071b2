"""Pictures of every kind come out as upright RGB uint8; what is no picture gives one sentence."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from handscope.errors import ImageError
from handscope.infer.images import find_pictures, read_picture, to_rgb_array


@pytest.fixture
def ramp():
    """A smooth RGB picture (24, 32, 3), so that JPEG changes little."""
    y, x = np.mgrid[:24, :32]
    return np.stack([x * 8, y * 10, 255 - x * 4], -1).astype(np.uint8)


def save(tmp_path, name, image, **options):
    path = tmp_path / name
    image.save(path, **options)
    return path


@pytest.mark.parametrize("suffix", ["png", "bmp", "tif", "ppm", "tga", "qoi"])
def test_lossless_formats_keep_every_level(tmp_path, ramp, suffix):
    picture = read_picture(save(tmp_path, f"a.{suffix}", Image.fromarray(ramp)))
    np.testing.assert_array_equal(picture.image, ramp)
    assert picture.notes == ()


@pytest.mark.parametrize("suffix", ["jpg", "webp", "avif", "jp2"])
def test_lossy_formats_stay_near(tmp_path, ramp, suffix):
    image = read_picture(save(tmp_path, f"a.{suffix}", Image.fromarray(ramp), quality=95)).image
    assert image.dtype == np.uint8 and image.shape == ramp.shape
    assert np.abs(image.astype(int) - ramp).mean() < 6


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_undone(tmp_path, ramp, orientation):
    turn = {
        1: lambda a: a,
        2: lambda a: a[:, ::-1],
        3: lambda a: a[::-1, ::-1],
        4: lambda a: a[::-1],
        5: lambda a: a.transpose(1, 0, 2),
        6: lambda a: np.rot90(a, 1),
        7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
        8: lambda a: np.rot90(a, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = save(tmp_path, "a.png", Image.fromarray(np.ascontiguousarray(turn(ramp))), exif=exif)
    np.testing.assert_array_equal(read_picture(path).image, ramp)


def test_sixteen_bits_keep_their_brightness(tmp_path, ramp):
    grey = ramp[..., 0]
    path = save(tmp_path, "a.png", Image.fromarray(grey.astype(np.uint16) * 257))
    np.testing.assert_array_equal(read_picture(path).image, np.repeat(grey[..., None], 3, 2))


def test_twelve_bits_in_sixteen_are_brightened_and_said(tmp_path):
    path = save(tmp_path, "a.png", Image.fromarray(np.full((8, 8), 4000, np.uint16)))
    picture = read_picture(path)
    assert picture.image.min() == 255 and "4000" in picture.notes[0]


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "YCbCr", "CMYK", "I;16", "F"])
def test_every_mode_becomes_rgb(tmp_path, mode):
    colour = {"F": 0.5, "I;16": 30000, "P": 3}.get(mode, 0 if mode == "1" else "grey")
    name = "a.jpg" if mode == "YCbCr" else "a.tif"  # Pillow 12 cannot read the YCbCr TIFF that it writes
    path = save(tmp_path, name, Image.new(mode, (7, 5), colour))
    image = read_picture(path).image
    assert image.shape == (5, 7, 3) and image.dtype == np.uint8


def test_transparent_parts_are_white(tmp_path):
    path = save(tmp_path, "a.png", Image.new("RGBA", (4, 4), (10, 20, 30, 0)))
    assert (read_picture(path).image == 255).all()
    palette = Image.new("P", (4, 4), 0)
    assert (read_picture(save(tmp_path, "b.gif", palette, transparency=0)).image == 255).all()


def test_cmyk_jpeg_keeps_its_colours(tmp_path):
    path = save(tmp_path, "a.jpg", Image.new("RGB", (16, 16), (200, 60, 40)).convert("CMYK"), quality=98)
    assert np.abs(read_picture(path).image.astype(int) - (200, 60, 40)).max() < 12


def test_animated_gif_gives_its_first_frame_and_says_so(tmp_path):
    frames = [Image.new("RGB", (6, 6), colour) for colour in ("red", "green", "blue")]
    path = save(tmp_path, "a.gif", frames[0], save_all=True, append_images=frames[1:])
    picture = read_picture(path)
    assert (picture.image == (255, 0, 0)).all()
    assert picture.notes == ("GIF with 3 frames: the first one is used",)


def test_one_pixel(tmp_path):
    assert read_picture(save(tmp_path, "a.png", Image.new("RGB", (1, 1), "red"))).image.shape == (1, 1, 3)


def bomb() -> bytes:
    """A PNG of a few bytes that claims 60,000 x 60,000 pixels."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 60000, 60000, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"0")) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def encoded(kind: str) -> bytes:
    buffer = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(buffer, kind)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b"hello, world", "not a picture"),
        (b"%PDF-1.7 ...", "a PDF"),
        (b"\0\0\0\x18ftypheic\0\0\0\0", "HEIC"),
        (b"\0\0\0\x18ftypisom\0\0\0\0", "video"),
        (encoded("PNG")[:3000], "damaged or cut short"),
        (encoded("PNG")[:20], "damaged or cut short|not a picture"),
        (encoded("JPEG")[:1500], "damaged or cut short"),
        (encoded("GIF")[:900], "damaged or cut short"),
        (encoded("WEBP")[:900], "damaged or cut short|not a picture"),
        (encoded("TIFF")[:5000], "damaged or cut short"),
        (encoded("PNG")[:200] + bytes(500) + encoded("PNG")[700:], "damaged or cut short"),
        (bomb(), "million pixels"),
    ],
)
def test_what_is_no_picture_gives_one_sentence(tmp_path, content, words):
    path = tmp_path / "a.png"
    path.write_bytes(content)
    with pytest.raises(ImageError, match=words) as caught:
        read_picture(path)
    assert str(caught.value).startswith(f"{path}: ") and "\n" not in str(caught.value)


def test_missing_file_and_folder_as_file(tmp_path):
    with pytest.raises(ImageError, match="no such file"):
        read_picture(tmp_path / "none.jpg")
    with pytest.raises(ImageError, match="cannot read"):
        read_picture(tmp_path)


def test_folder_lists_its_pictures_sorted(tmp_path):
    for name in ("b.JPG", "a.png", ".hidden.png", "notes.txt"):
        (tmp_path / name).touch()
    (tmp_path / "deeper.png").mkdir()
    assert [p.name for p in find_pictures(tmp_path)] == ["a.png", "b.JPG"]


def test_folder_without_pictures(tmp_path):
    (tmp_path / "sub").mkdir()
    with pytest.raises(ImageError, match=r"no pictures in this folder.*sub-folders are not searched"):
        find_pictures(tmp_path)
    with pytest.raises(ImageError, match="no such file or folder"):
        find_pictures(tmp_path / "none")


def test_arrays_in_python(ramp):
    np.testing.assert_array_equal(to_rgb_array(ramp), ramp)
    np.testing.assert_array_equal(to_rgb_array(ramp / 255.0), ramp)
    np.testing.assert_array_equal(to_rgb_array(ramp.astype(np.uint16) * 257), ramp)
    np.testing.assert_array_equal(to_rgb_array(Image.fromarray(ramp)), ramp)
    opaque = np.full(ramp.shape[:2], 255, np.uint8)
    np.testing.assert_array_equal(to_rgb_array(np.dstack([ramp, opaque])), ramp)
    assert to_rgb_array(ramp[..., 0]).shape == ramp.shape
    assert to_rgb_array(ramp[..., :1]).shape == ramp.shape


@pytest.mark.parametrize(
    "wrong",
    [np.zeros((0, 5, 3)), np.zeros((5, 5, 2)), np.zeros(5), np.full((5, 5), 200.0), np.zeros((5, 5), int)],
)
def test_arrays_that_are_no_pictures(wrong):
    with pytest.raises(ImageError, match="must"):
        to_rgb_array(wrong)
