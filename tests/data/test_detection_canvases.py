"""Canvases: labels follow the pixels, whatever is done to them."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from handscope.data.detection import (
    CanvasConfig,
    DetectionMixture,
    Part,
    Placed,
    coverage,
    doubtful,
    hand_table,
    hidden,
    place,
    placement,
    too_little,
)
from handscope.data.transforms import PhotometricConfig
from handscope.errors import HandscopeError
from handscope.geometry.crops import Crop, upright_frame
from handscope.types import HandLabel, Sample

DARK = PhotometricConfig(colour=0, grey=0, blur=0, low_resolution=0, noise=0, jpeg=0, erase=0)


def joints() -> np.ndarray:
    """A fan of fingers (21, 2) px; the wrist below."""
    fan = [np.array([60.0, 95.0])]
    for finger in range(5):
        direction = np.array([0.35 * (finger - 2), -1.0])
        fan += [fan[0] + direction * reach for reach in (22, 36, 46, 54)]
    return np.array(fan)


def picture(handedness: str | None = "right") -> Sample:
    """Dark, with a bright dot at the wrist and one at the middle fingertip."""
    image = np.full((120, 160, 3), 20, np.uint8)
    points = joints()
    for joint, colour in ((0, (255, 0, 0)), (12, (0, 255, 0))):
        cv2.circle(image, tuple(round(float(v)) for v in points[joint]), 4, colour, -1)
    known = np.ones(21, bool)
    label = HandLabel(handedness=handedness, joints_2d=points, joints_2d_known=known)  # type: ignore[arg-type]
    return Sample(key="x", source="x", image=image, hands=(label,))


def empty() -> list[Sample]:
    return [Sample(key="e", source="e", image=np.zeros((50, 60, 3), np.uint8), hands=())]


def dot(image: np.ndarray, channel: int) -> np.ndarray:
    """Centre (x, y) of what is bright in one channel only."""
    weight = np.clip(image[..., channel].astype(float) - 80, 0, None)
    y, x = np.mgrid[: image.shape[0], : image.shape[1]]
    return np.array([(x * weight).sum(), (y * weight).sum()]) / weight.sum()


@pytest.mark.parametrize("plain", [True, False])
@pytest.mark.parametrize("seed", range(4))
def test_joints_move_with_the_pixels(seed: int, plain: bool) -> None:
    rng, sample = np.random.default_rng(seed), picture()
    config = CanvasConfig(size=128, hand_size=(0.4, 0.6))
    matrix, turn, mirrored = placement(sample, np.array([0, 0, 128, 128]), rng, config, plain=plain)
    image = Crop(matrix, 128).extract(sample.image, cv2.BORDER_REPLICATE)
    hand = place(sample.hands[0], matrix, turn, mirrored)
    assert hand is not None and hand.right is (not mirrored)
    assert mirrored == (np.linalg.det(matrix[:, :2]) < 0)
    np.testing.assert_allclose(dot(image, 0), hand.points[0], atol=1.0)
    np.testing.assert_allclose(dot(image, 1), hand.points[12], atol=1.0)


def test_the_table_holds_the_upright_frame_and_the_tight_box() -> None:
    table = hand_table([Placed(joints(), True, True)], rows=3)
    centre, side, up = upright_frame(joints())
    np.testing.assert_allclose(table["crops"][0], [*centre, side], rtol=1e-5)
    np.testing.assert_allclose(table["up"][0], up / np.hypot(*up), rtol=1e-5)
    np.testing.assert_allclose(table["boxes"][0], [*joints().min(0), *joints().max(0)], rtol=1e-5)
    assert table["present"].tolist() == [True, False, False] and table["frame_known"][0]


def test_a_box_alone_says_where_but_not_how_turned() -> None:
    label = HandLabel(box=np.array([10.0, 10, 66, 50]))
    hand = place(label, np.eye(2, 3), 0.0, False)
    assert hand is not None and hand.right is None
    table = hand_table([hand], rows=1)
    assert table["box_known"][0] and not table["frame_known"][0] and not table["right_known"][0]
    assert 10 < table["boxes"][0, 0] < 14 and 62 < table["boxes"][0, 2] < 66
    turned = place(label, np.eye(2, 3), 0.5, False)
    assert turned is not None and not hand_table([turned], rows=1)["box_known"][0]


def test_hands_outside_tiny_or_hidden_are_neither_asked_for_nor_denied() -> None:
    cover = np.ones((64, 64), np.float32)
    assert not too_little(np.array([10.0, 10, 40, 40]), cover, 9)
    assert too_little(np.array([50.0, 10, 90, 40]), cover, 9)
    assert too_little(np.array([10.0, 10, 15, 14]), cover, 9)
    assert hidden(HandLabel(visible=np.arange(21) < 3)) and not hidden(HandLabel())
    table = hand_table([Placed(joints(), None, True, ignored=True)], rows=1)
    assert table["ignored"][0] and not table["present"][0]


def test_nothing_is_asked_where_hands_may_be_unlabelled() -> None:
    """An ignored box moves with its picture; of a picture with unlabelled hands all that it covers is not asked."""
    box = np.array([[10.0, 20, 30, 40]])
    sample = replace(picture(), ignored=box)
    matrix = np.array([[2.0, 0, 5], [0, 2, 7]])
    (ignored,) = doubtful(sample, matrix, np.array([0, 0, 128, 128]))
    np.testing.assert_allclose(ignored.box, [25, 47, 65, 87])
    assert ignored.ignored
    _, whole = doubtful(replace(sample, complete=False), matrix, np.array([0, 64, 128, 128]))
    np.testing.assert_allclose(whole.box, [0, 64, 128, 128])


def test_coverage_fades_inwards_only() -> None:
    matrix = np.array([[1.0, 0, 16], [0, 1, 16]])
    hard = coverage((32, 32, 3), matrix, 64, soft=False)
    soft = coverage((32, 32, 3), matrix, 64, soft=True)
    assert hard[20, 20] == 1 and hard[10, 10] == 0 and hard.sum() == pytest.approx(32 * 32, rel=0.1)
    assert soft.sum() < hard.sum() and (soft <= hard + 0.5).all() and soft[32, 32] == 1


def test_a_draw_depends_on_seed_and_number_alone() -> None:
    config = CanvasConfig(size=64)
    sources = [Part([picture(), picture("left")], 1.0), Part([picture()], 1.0, pasted=True)]

    def examples(seed: int) -> list[dict[str, np.ndarray]]:
        mixture = DetectionMixture(sources, empty(), config, seed)
        return [mixture[n] for n in range(12)]

    one, two, other = examples(1), examples(1), examples(2)
    assert all((a[k] == b[k]).all() for a, b in zip(one, two, strict=True) for k in a)
    assert any((a["image"] != b["image"]).any() for a, b in zip(one, other, strict=True))
    assert any((e["present"] | e["ignored"]).sum() > 1 for e in one)
    assert all(e["image"].shape == (64, 64, 3) and e["image"].dtype == np.uint8 for e in one)


def test_no_pictures_is_one_sentence() -> None:
    with pytest.raises(HandscopeError, match="at least one picture"):
        DetectionMixture([Part([], 1.0)], empty())
