"""Which camera took a picture, and that the metres are the same however the picture lies, with the network's answer
held fixed.
"""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from handscope.errors import HandscopeError
from handscope.geometry.camera import Camera, default_intrinsics, project_centred
from handscope.geometry.crops import Crop, crop_around
from handscope.hand.assets import load_asset
from handscope.hand.model import pose_hand
from handscope.infer.assembly import Assembler
from handscope.infer.cameras import camera_of, one_camera_each, parse_camera
from handscope.infer.decoding import Picture
from handscope.infer.estimator import Estimate
from handscope.infer.full_camera import PosedHand
from handscope.infer.inputs import prepare
from handscope.infer.pipeline import load
from toy_networks import blobs, paint

SIZE, FOCAL = 128, 300.0
WIDTH, HEIGHT = 640, 480


def answer(crop: Crop) -> Estimate:
    """What a network says of a hand that lies a little askew in its crop; the same of every crop."""
    asset = load_asset()
    theta = np.zeros((15, 3))
    theta[:12] = 0.4 * asset.axes[:12, 0]
    R = np.array([[0, 0, -1.0], [1, 0, 0], [0, -1, 0]]) @ cv2.Rodrigues(np.array([0.1, 0.3, 0.2]))[0]
    T = np.array([0.01, 0.05, 0.5])
    posed = pose_hand(asset, np.zeros((1, 10)), theta[None], R[None], T[None])
    joints, vertices = posed.joints[0].astype(np.float64), posed.vertices[0].astype(np.float64)
    seen = project_centred(joints, FOCAL, SIZE)
    mask = np.zeros((56, 56), np.float32)
    cv2.fillConvexPoly(mask, cv2.convexHull(np.round(seen * 56 / SIZE).astype(np.int32)), 1.0)
    return Estimate(
        crop=crop, joints=seen + np.random.default_rng(1).normal(0, 1.0, seen.shape), right=0.95,
        joint_scores=np.linspace(0.3, 0.95, 21), bone_depths=None, mask=mask, theta=theta, beta=np.zeros(10),
        hand=PosedHand(R=R, T=T, joints_3d=joints, vertices=vertices), focal=FOCAL,
    )  # fmt: skip


def moved_by(kind: str, numbers: tuple[float, float, float, float], size: tuple[int, int], camera: Camera):
    """A change of the picture: px of the new one by those of the old (3, 3), the camera's axes, the camera."""
    (width, height), (a, b, c, d) = size, numbers
    pixels, axes = np.eye(3), np.eye(3)
    if kind == "turn":
        pixels[:2] = [
            [0, 1, 0],
            [-1, 0, width - 1],
        ]  # a quarter counter-clockwise: the last column becomes the first row
        axes[:2, :2] = [[0, 1], [-1, 0]]
        return pixels, axes, camera.turned(1)
    if kind == "mirror":
        pixels[0] = [-1, 0, width - 1]
        axes[0, 0] = -1
        return pixels, axes, camera.mirrored()
    if kind == "crop":
        x0, y0 = int(a * width / 3), int(b * height / 3)
        pixels[:2, 2] = -x0, -y0
        return pixels, axes, camera.cropped(x0, y0, max(8, int(c * width)), max(8, int(d * height)))
    new = max(8, round(width * (0.2 + 2 * a))), max(8, round(height * (0.2 + 2 * a)))
    x, y = new[0] / width, new[1] / height
    pixels[:2] = [[x, 0, (x - 1) / 2], [0, y, (y - 1) / 2]]
    return pixels, axes, camera.resized(*new)


share = st.floats(0, 1)
changes = st.lists(
    st.tuples(st.sampled_from(["turn", "mirror", "crop", "resize"]), st.tuples(share, share, share, share)), max_size=5
)


@settings(max_examples=60, deadline=None)
@given(
    changes, st.sampled_from([None, (-0.2, 0.05, 0.001, -0.002, 0.0)]), st.floats(-4, 4), st.floats(0.97, 1.03),
    st.tuples(share, share), st.booleans(),
)  # fmt: skip
def test_any_turn_mirror_crop_or_resize_of_a_picture_with_its_camera_gives_the_same_metres(
    done, lens, skew, aspect, place, mirrored
):
    camera = Camera([[700.0, skew, 330.0], [0, 700.0 * aspect, 220.0], [0, 0, 1]], (WIDTH, HEIGHT), lens)
    centre = np.array([WIDTH, HEIGHT]) * (0.2 + 0.6 * np.array(place))
    crop = crop_around(centre, 170.0, (0.3, -1.0), size=SIZE, mirrored=mirrored)
    assembler = Assembler(asset=load_asset())
    hand = assembler(answer(crop), 0.9, camera)
    axes, matrix = np.eye(3), np.vstack([crop.matrix, [0, 0, 1]])
    for kind, numbers in done:
        pixels, turn, camera = moved_by(kind, numbers, camera.size, camera)
        axes, matrix = turn @ axes, matrix @ np.linalg.inv(pixels)
    again = assembler(answer(Crop(matrix[:2], SIZE)), 0.9, camera)
    np.testing.assert_allclose(again.joints_3d, hand.joints_3d @ axes.T, atol=1e-4)
    np.testing.assert_allclose(again.vertices, hand.vertices @ axes.T, atol=1e-4)
    assert (again.handedness == hand.handedness) == (np.linalg.det(axes) > 0)
    # and where the camera says that the joints are, there they were seen
    error = np.linalg.norm(camera.project(again.joints_3d) - again.joints_2d, axis=1).mean()
    assert error < 0.03 * np.ptp(again.joints_2d, axis=0).max()


def picture(width: int, height: int, orientation: int = 1, focal: float | None = None) -> Picture:
    return Picture(None, np.zeros((height, width, 3), np.uint8), orientation=orientation, focal=focal)


CAMERA = Camera([[900.0, 0, 500.0], [0, 900, 390.0], [0, 0, 1]], (1024, 768))


def test_a_camera_with_a_size_is_turned_and_scaled_as_the_picture_is():
    np.testing.assert_array_equal(camera_of(CAMERA, picture(1024, 768))[0].K, CAMERA.K)
    turned, notes = camera_of(CAMERA, picture(768, 1024, orientation=6))
    np.testing.assert_allclose(turned.K[:2, 2], [767 - 390, 500])
    assert turned.size == (768, 1024) and notes == ()
    small, _ = camera_of(CAMERA, picture(171, 128))
    np.testing.assert_allclose(np.diag(small.K)[:2], 900 / 6, rtol=0.01)
    small, _ = camera_of(CAMERA, picture(192, 256, orientation=8))
    np.testing.assert_allclose(small.K[:2, 2], [(390 + 0.5) / 4 - 0.5, (1024 - 500 - 0.5) / 4 - 0.5])
    upright = CAMERA.turned()
    same, _ = camera_of(upright, picture(768, 1024, orientation=6))  # a camera of the upright picture
    np.testing.assert_allclose(same.K, upright.K)


@pytest.mark.parametrize(
    ("given", "shown", "words"),
    [
        (CAMERA, picture(768, 1024), "turn the Camera"),
        (CAMERA, picture(800, 768), "crop the Camera"),
        (CAMERA.K, picture(256, 192), "lies outside"),
        (CAMERA.K.tolist(), picture(1024, 300), "lies outside"),
        ("fisheye", picture(256, 192), "exif"),
        (0.0, picture(256, 192), "focal length"),
        (float("nan"), picture(256, 192), "focal length"),
    ],
)
def test_a_camera_that_cannot_be_this_pictures_is_one_sentence(given, shown, words):
    with pytest.raises(HandscopeError, match=words) as caught:
        camera_of(given, shown)
    assert "\n" not in str(caught.value)


def test_what_is_guessed_of_a_camera_is_said():
    plain, notes = camera_of(CAMERA.K, picture(768, 1024))
    assert "middle" in notes[0] and plain.size == (768, 1024)
    assert camera_of(CAMERA.K, picture(1024, 768))[1] == ()
    assert camera_of(None, picture(64, 48))[1] == ()
    by_exif, notes = camera_of("exif", picture(640, 480, focal=500.0))
    assert by_exif.K[0, 0] == 500 and notes == ()
    unknown, notes = camera_of("exif", picture(640, 480))
    np.testing.assert_array_equal(unknown.K, default_intrinsics(640, 480))
    assert "EXIF" in notes[0]


def test_a_part_made_with_its_camera_may_have_its_principal_point_outside():
    part = CAMERA.cropped(600, 400, 300, 200)
    camera, notes = camera_of(part, picture(300, 200))
    assert camera.K[0, 2] == -100 and notes == ()


def test_cameras_of_several_pictures():
    assert one_camera_each(None, 3) == [None] * 3
    assert one_camera_each("exif", 2) == ["exif"] * 2 and one_camera_each(500, 2) == [500, 500]
    assert one_camera_each(CAMERA, 2) == [CAMERA, CAMERA]
    for one in (CAMERA.K, CAMERA.K.tolist()):
        np.testing.assert_array_equal([camera.K for camera in one_camera_each(one, 2)], [CAMERA.K] * 2)
    assert one_camera_each([CAMERA, None, 500.0], 3) == [CAMERA, None, 500.0]
    assert len(one_camera_each(np.stack([CAMERA.K] * 3), 3)) == 3
    with pytest.raises(HandscopeError, match="2 given for 3"):
        one_camera_each([None, None], 3)


def test_a_camera_in_words():
    camera = parse_camera("900,901,500.5,380@1024x768", "-0.1,0.01,0,0")
    assert camera.size == (1024, 768) and camera.K[1, 1] == 901 and camera.distortion[0] == -0.1
    assert parse_camera("900, 0, 500, 0, 900, 380, 0, 0, 1").size is None
    assert parse_camera(" EXIF ") == "exif"
    for text in ("", "9,9", "1,2,3,4@5", "a,b,c,d", "1,2,3,4@5x6x7"):
        with pytest.raises(HandscopeError, match="a camera is"):
            parse_camera(text)


@pytest.fixture(scope="module")
def model(toy_weights):
    return load(toy_weights, threads=1)


POINTS = blobs((210, 150), 90, 0.3, "right")
PICTURE = paint(400, 300, [POINTS])
PHONE = Camera([[520.0, 0, 190.0], [0, 520, 160.0], [0, 0, 1]], (400, 300))


def test_hands_of_a_turned_a_smaller_and_a_cut_picture_are_as_far_away(model, tmp_path):
    (whole,) = model(PICTURE, K=PHONE)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(PICTURE).save(tmp_path / "turned.png", exif=exif)  # held upright, stored as the sensor lay
    Image.fromarray(PICTURE).resize((200, 150)).save(tmp_path / "small.png")
    answers = model([tmp_path / "turned.png", tmp_path / "small.png"], K=PHONE)
    assert [len(hands) for hands in answers] == [1, 1] and answers[0].width == 300
    for (hand,), turn in zip(answers, (np.array([[0, -1, 0], [1, 0, 0], [0, 0, 1]]), np.eye(3)), strict=True):
        np.testing.assert_allclose(hand.joints_3d, whole.joints_3d @ turn.T, atol=8e-3)
    (part,) = model(PICTURE[20:, 40:], K=PHONE.cropped(40, 20, 360, 280))
    np.testing.assert_allclose(part.joints_3d, whole.joints_3d, atol=0.02)  # the crop is chosen anew


@pytest.mark.parametrize("size", [(300, 300), (400, 200)])
def test_pixels_that_are_not_square_are_read_as_square_and_told_as_they_are(model, size):
    (whole,) = model(PICTURE, K=PHONE)
    squeezed = cv2.resize(PICTURE, size, interpolation=cv2.INTER_AREA)
    hands = model(squeezed, K=PHONE.resized(*size))
    (hand,) = hands
    assert (hands.width, hands.height) == size and "stretched" in hands.notes[0] and hand.mask.shape == size[::-1]
    share = np.array(size) / (400, 300)
    np.testing.assert_allclose(hand.joints_2d, (whole.joints_2d + 0.5) * share - 0.5, atol=1.5)
    np.testing.assert_allclose(hand.joints_3d, whole.joints_3d, atol=6e-3)
    np.testing.assert_allclose(hand.K, PHONE.resized(*size).K)
    both = cv2.resize(whole.mask.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) & hand.mask
    assert both.sum() > 0.9 * hand.mask.sum()
    assert hands.draw(squeezed).shape == squeezed.shape


def test_a_lens_moves_hands_in_space_but_not_in_the_picture(model):
    bent = Camera(PHONE.K, PHONE.size, [-0.4, 0.1, 0, 0, 0])
    image = paint(400, 300, [blobs((330, 230), 60, 0.3, "right")])
    (plain,), (hand,) = model(image, K=PHONE), model(image, K=bent)
    np.testing.assert_array_equal(plain.joints_2d, hand.joints_2d)
    straight = bent.undistorted(hand.joints_2d)
    assert np.abs(straight - hand.joints_2d).max() > 4
    off = lambda camera: np.linalg.norm((camera.project(hand.joints_3d) - hand.joints_2d).mean(0))  # noqa: E731
    assert off(hand.camera) < 0.6 * off(PHONE) and "distortion" in hand.to_dict()  # a toy hand's mesh is elsewhere


def test_results_keep_the_camera_they_were_given(model):
    K = PHONE.K.copy()
    first = model(PICTURE, K=K)[0]
    K[0, 2] += 30
    second = model(PICTURE, K=K)[0]
    assert first.K[0, 2] == 190 and second.K[0, 2] == 220
    with pytest.raises(ValueError, match="read-only"):
        first.K[0, 0] = 1


def test_a_list_keeps_the_place_of_what_cannot_be_read(model, tmp_path):
    Image.fromarray(PICTURE).save(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes(b"no picture")
    answers = model([PICTURE, tmp_path / "b.png", tmp_path / "none.png", tmp_path / "a.png", np.zeros((3, 3, 9))])
    assert [len(hands) for hands in answers] == [1, 0, 0, 1, 0]
    assert [hands.problem is None for hands in answers] == [True, False, False, True, False]
    assert "b.png" in answers[1].problem and answers[2].source.endswith("none.png") and "not read" in repr(answers[2])
    assert answers[1].to_dict()["image"]["notes"] == [answers[1].problem]
    np.testing.assert_array_equal(answers[0][0].joints_2d, answers[3][0].joints_2d)
    cameras = model([PICTURE, PICTURE[:40, :40]], K=PHONE.K)
    assert cameras[0].problem is None and "outside" in cameras[1].problem


def test_a_picture_is_prepared_once():
    given = prepare(PICTURE, PHONE)
    assert given.camera is given.given and given.size == (400, 300) and given.notes == ()
