"""Pictures of every kind come out as upright RGB uint8; what is no picture gives one sentence."""

import io
import struct
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image

from handscope.errors import ImageError
from handscope.infer.images import find_pictures, read_picture, take_picture, to_rgb_array
from tiff_files import tiff


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


@pytest.mark.parametrize("bits", range(9, 16))
def test_sensors_bits_in_sixteen_are_read_as_such_and_said_in_files_as_in_arrays(tmp_path, ramp, bits):
    deep = (ramp.astype(np.uint32) * (2**bits - 1) // 255).astype(np.uint16)
    _, data = cv2.imencode(".png", deep[..., ::-1])
    (tmp_path / "a.png").write_bytes(data.tobytes())
    (tmp_path / "a.tif").write_bytes(tiff(deep))
    grey = save(tmp_path, "grey.png", Image.fromarray(deep[..., 0]))
    for given in (tmp_path / "a.png", tmp_path / "a.tif", deep, deep.astype(">u2"), deep.astype(np.int64)):
        picture = take_picture(given)
        np.testing.assert_allclose(picture.image, ramp, atol=1)
        assert f"{bits}-bit" in picture.notes[0]
    np.testing.assert_allclose(take_picture(grey).image[..., 1], ramp[..., 0], atol=1)


def test_sixteen_bit_colours_keep_their_brightness_without_a_word(tmp_path, ramp):
    deep = ramp.astype(np.uint16) * 257
    (tmp_path / "a.png").write_bytes(cv2.imencode(".png", deep[..., ::-1])[1].tobytes())
    for orientation, turn in ((1, 0), (6, 1), (3, 2), (8, -1)):
        stored = np.ascontiguousarray(np.rot90(deep, turn))
        (tmp_path / "a.tif").write_bytes(tiff(stored, orientation=orientation, big_endian=turn == 1))
        for name in ("a.png", "a.tif"):
            picture = read_picture(tmp_path / name)
            np.testing.assert_array_equal(picture.image, ramp)
            assert picture.notes == ()


FLOATS = {
    "unit": (lambda a: a / 255.0, None),
    "ringing": (lambda a: (a / 255.0 - 0.5) * 1.1 + 0.5, ""),
    "signed": (lambda a: a / 127.5 - 1, "from -1 to 1"),
    "levels": (lambda a: a.astype(np.float32), "8-bit"),
    "ten bits": (lambda a: a * (1023 / 255), "10-bit"),
}


@pytest.mark.parametrize("kind", FLOATS)
def test_ranges_of_floats_are_read_alike_in_files_and_arrays(tmp_path, ramp, kind):
    make, words = FLOATS[kind]
    values = make(ramp[..., 0].astype(np.float32)).astype(np.float32)
    path = save(tmp_path, "a.tif", Image.fromarray(values))
    for given in (values, values.astype(np.float64), path, Image.fromarray(values)):
        picture = take_picture(given)
        tolerance = 14 if kind == "ringing" else 1
        np.testing.assert_allclose(picture.image[..., 2], ramp[..., 0], atol=tolerance)
        assert picture.notes == () if not words else words in picture.notes[0]


@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize("name", FLOATS)
def test_colours_as_floats_in_a_tiff_are_read_as_those_of_an_array(tmp_path, ramp, kind, name):
    values = FLOATS[name][0](ramp.astype(np.float64)).astype(kind)
    exact = [cv2.IMWRITE_TIFF_COMPRESSION, 1]  # OpenCV 4 would write float32 as LogLuv, which loses
    (tmp_path / "a.tif").write_bytes(cv2.imencode(".tif", values[..., ::-1], exact)[1].tobytes())
    from_file, from_array = take_picture(tmp_path / "a.tif"), take_picture(values)
    np.testing.assert_array_equal(from_file.image, from_array.image)
    assert from_file.notes == from_array.notes


@pytest.mark.parametrize("bits", [9, 10, 12, 14, 16])
def test_deep_colours_in_jpeg_2000_keep_their_brightness(tmp_path, ramp, bits):
    ramp = ramp.repeat(8, 0).repeat(8, 1)  # smaller ones cannot be encoded
    deep = (ramp.astype(np.uint32) * (2**bits - 1) // 255).astype(np.uint16)
    lossless = [cv2.IMWRITE_JPEG2000_COMPRESSION_X1000, 1000]
    (tmp_path / "a.jp2").write_bytes(cv2.imencode(".jp2", deep[..., ::-1], lossless)[1].tobytes())
    picture = read_picture(tmp_path / "a.jp2")
    assert abs(float(picture.image.mean()) - float(ramp.mean())) < 2
    assert picture.notes == () if bits == 16 else "bit levels" in picture.notes[0]


def test_floats_that_are_no_number_are_black_and_said(ramp):
    values = ramp / 255.0
    values[:2], values[2] = np.nan, np.inf
    picture = take_picture(values)
    assert (picture.image[:2] == 0).all() and "not finite" in picture.notes[0]
    np.testing.assert_allclose(picture.image[3:], ramp[3:], atol=1)


@pytest.mark.parametrize("values", [np.full((4, 4), -3.0), np.array([[-2.1, 2.6]]), np.full((4, 4), -1)])
def test_what_is_no_range_of_a_picture_is_refused(values):
    with pytest.raises(ImageError, match="must"):
        take_picture(values)


@pytest.mark.parametrize("big_endian", [False, True])
@pytest.mark.parametrize("inside", [False, True])
def test_of_a_tiff_the_largest_picture_is_read_turned_as_the_first_says(tmp_path, ramp, inside, big_endian):
    preview, middle = ramp[::8, ::8].copy(), ramp[::2, ::2].copy()
    stored = np.ascontiguousarray(np.rot90(ramp, 1))
    content = tiff(preview, middle, stored, inside_first=inside, orientation=6, big_endian=big_endian)
    (tmp_path / "a.dng").write_bytes(content)
    picture = read_picture(tmp_path / "a.dng")
    np.testing.assert_array_equal(picture.image, ramp)
    assert picture.notes == ("TIFF with 3 frames: the largest one is used",) and picture.orientation == 6


def test_a_raw_that_cannot_be_decoded_gives_its_preview_if_that_is_large_enough_and_says_so(tmp_path):
    for width, works in ((800, True), (160, False)):
        preview = np.full((width // 2, width, 3), 90, np.uint8)
        raw = bytearray(tiff(preview, np.zeros((700, 1200, 3), np.uint8), inside_first=True))
        compression = raw.find(struct.pack("<HHIHH", 259, 3, 1, 1, 0))  # the sub-directory is written first
        raw[compression + 8 : compression + 10] = struct.pack("<H", 34892)
        (tmp_path / "raw.dng").write_bytes(bytes(raw))
        if works:
            picture = read_picture(tmp_path / "raw.dng")
            assert picture.image.shape == preview.shape and "1200 x 700" in picture.notes[0]
        else:
            with pytest.raises(ImageError, match=r"1200 x 700.*raw"):
                read_picture(tmp_path / "raw.dng")


def test_everything_that_is_read_is_found_in_a_folder_whatever_its_suffix(tmp_path, ramp):
    image = Image.fromarray(ramp)
    kinds = {"a.jfif": "JPEG", "b.jpe": "JPEG", "c.JPG": "JPEG", "d.qoi": "QOI", "e.ppm": "PPM", "f.apng": "PNG"}
    kinds |= {"g.dib": "BMP", "h.j2k": "JPEG2000", "i": "JPEG", "j.jpg ": "JPEG", "k.icb": "TGA", "l.avifs": "AVIF"}
    for name, kind in kinds.items():
        image.save(tmp_path / name, format=kind)
    image.convert("L").save(tmp_path / "m.pgm")
    (tmp_path / "notes.txt").write_text("P5 is a format")
    found = find_pictures(tmp_path)
    assert [path.name for path in found] == sorted([*kinds, "m.pgm"])
    for path in found:
        assert read_picture(path).image.shape == ramp.shape


def test_frames_are_found_as_people_count(tmp_path):
    names = ["frame1.png", "frame2.png", "frame10.png", "frame11.png", "x9y2.png", "x9y10.png", "x10y1.png"]
    for name in reversed(names):
        (tmp_path / name).touch()
    assert [path.name for path in find_pictures(tmp_path)] == names


EXIF = {
    "film": ({41989: 26}, 26 / 43.267 * np.hypot(32, 24)),
    "sensor": ({37386: 8.0, 41486: 2 * 25.4, 41488: 2, 40962: 64, 40963: 48}, 8.0 * 2 / 2),
    "none": ({37386: 8.0}, None),
    "zero": ({41989: 0}, None),
}


@pytest.mark.parametrize("kind", EXIF)
@pytest.mark.parametrize("orientation", [1, 6])
def test_the_focal_length_by_exif_is_in_pixels_of_this_picture(tmp_path, ramp, kind, orientation):
    tags, focal = EXIF[kind]
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif.get_ifd(0x8769).update(tags)
    picture = read_picture(save(tmp_path, "a.jpg", Image.fromarray(ramp), exif=exif))
    assert picture.focal == (None if focal is None else pytest.approx(focal, rel=1e-3))
    assert picture.orientation == orientation


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "YCbCr", "CMYK", "I;16", "F"])
def test_every_mode_becomes_rgb(tmp_path, mode):
    colour = {"F": 0.5, "I;16": 30000, "P": 3}.get(mode, 0 if mode == "1" else "grey")
    name = "a.jpg" if mode == "YCbCr" else "a.tif"  # Pillow 12 writes odd YCbCr TIFFs that nobody reads
    path = save(tmp_path, name, Image.new(mode, (7, 5), colour))
    image = read_picture(path).image
    assert image.shape == (5, 7, 3) and image.dtype == np.uint8


def test_a_tiff_in_ycbcr_keeps_its_colours(tmp_path, ramp):
    ramp = ramp.repeat(16, 0).repeat(16, 1)
    picture = read_picture(save(tmp_path, "a.tif", Image.fromarray(ramp).convert("YCbCr")))
    assert np.abs(picture.image.astype(int) - ramp).mean() < 4


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
    assert picture.notes == ("GIF with several frames: the first one is used",)


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
    [np.zeros((0, 5, 3)), np.zeros((5, 5, 2)), np.zeros(5), np.zeros((3, 50, 40)), np.zeros((5, 5), complex)],
)
def test_arrays_that_are_no_pictures(wrong):
    with pytest.raises(ImageError, match="must"):
        to_rgb_array(wrong)
