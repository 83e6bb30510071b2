"""Overlays: the paint is where the hand is, and nowhere else."""

import dataclasses

import numpy as np
import pytest
from PIL import Image

from handscope import viz
from handscope.errors import ImageError
from handscope.geometry.camera import project
from handscope.geometry.masks import CroppedMask
from posed_hands import posed_hand

PARTS = ("mesh", "outline", "skeleton", "box")


def only(part):
    return {name: name == part for name in PARTS}


@pytest.fixture(params=["left", "right"])
def hand(request):
    return posed_hand(320, 240, request.param)


@pytest.fixture
def grey():
    return np.full((240, 320, 3), 100, np.uint8)


def test_the_picture_itself_is_not_touched(grey, hand):
    before = grey.copy()
    viz.draw(grey, [hand])
    np.testing.assert_array_equal(grey, before)


def test_no_hands_no_paint(grey):
    np.testing.assert_array_equal(viz.draw(grey, []), grey)


def test_the_mesh_covers_the_hand_and_nothing_else(grey, hand):
    painted = (viz.draw(grey, [hand], **only("mesh")) != grey).any(-1)
    overlap = (painted & hand.mask).sum() / (painted | hand.mask).sum()
    assert overlap > 0.9


def test_joints_have_the_colours_of_their_fingers(grey, hand):
    painted = viz.draw(grey, [hand], **only("skeleton"))
    for joint in (0, 4, 8, 12, 16, 20):
        x, y = np.round(hand.joints_2d[joint]).astype(int)
        expected = np.array(viz.FINGER_COLOURS[viz.finger_of(joint)])
        assert np.abs(painted[y, x].astype(int) - expected).max() < 60


@pytest.mark.parametrize("part", PARTS)
def test_every_part_paints_something(grey, hand, part):
    assert (viz.draw(grey, [hand], **only(part)) != grey).any()


def test_near_hands_are_painted_over_far_ones(grey):
    near, far = posed_hand(320, 240, centre=(0, 0.05, 0.4)), posed_hand(320, 240, centre=(0, 0.05, 0.8))
    both = viz.draw(grey, [near, far], **only("skeleton"))
    np.testing.assert_array_equal(both, viz.draw(viz.draw(grey, [far], **only("skeleton")), [near], **only("skeleton")))


def test_small_pictures_are_enlarged(grey, hand):
    assert viz.draw(grey, [hand], min_side=640).shape == (480, 640, 3)
    assert viz.draw(grey, [hand], min_side=100).shape == (240, 320, 3)


def test_a_hand_enlarged_is_where_the_enlarged_picture_shows_it(hand):
    large = viz.enlarged(hand, 3)
    assert large.mask.sum() == 9 * hand.mask.sum()
    projected = project(hand.joints_3d, large.K)
    np.testing.assert_allclose(projected, large.joints_2d, atol=1e-3)


@pytest.mark.parametrize("shift", [(5, 0, 0), (-5, 0, 0), (0, 5, 0), (0, 0, -0.5), (0, 0, 100)])
def test_a_hand_that_leaves_the_picture_does_no_harm(grey, hand, shift):
    moved = dataclasses.replace(
        hand,
        vertices=hand.vertices + shift,
        joints_2d=hand.joints_2d + np.array(shift[:2]) * 1000,
        box=np.array([0.0, 0, 0, 0]),
        cropped_mask=CroppedMask.of(np.zeros_like(hand.mask)),
    )
    assert viz.draw(grey, [moved]).shape == grey.shape


@pytest.mark.parametrize("size", [(1, 1), (3, 400), (16, 16)])
def test_tiny_pictures(size):
    hand = posed_hand(size[1], size[0])
    clipped = dataclasses.replace(hand, box=hand.box.clip(0, max(size) - 1))
    assert viz.draw(np.zeros((*size, 3), np.uint8), [clipped]).shape == (*size, 3)


def test_a_picture_of_another_size_or_turn_is_refused(grey, hand):
    for other, words in ((grey[:-1], "analysed"), (np.rot90(grey), "turned")):
        with pytest.raises(ImageError, match=words) as caught:
            viz.draw(np.ascontiguousarray(other), [hand])
        assert "\n" not in str(caught.value)
    with pytest.raises(ImageError, match="uint8"):
        viz.draw(grey / 255.0, [hand])


def test_grey_transparent_and_pil_pictures_are_painted_as_rgb_ones(grey, hand):
    wanted = viz.draw(grey, [hand])
    flat = grey[..., 0]
    opaque = np.dstack([grey, np.full(flat.shape, 255, np.uint8)])
    turned = Image.fromarray(np.ascontiguousarray(np.rot90(grey)))
    turned.getexif()[0x0112] = 6
    for same in (
        flat,
        flat[..., None],
        opaque,
        Image.fromarray(grey),
        Image.fromarray(flat),
        Image.fromarray(opaque),
        turned,
    ):
        np.testing.assert_array_equal(viz.draw(same, [hand]), wanted)
    clear = np.dstack([grey, np.zeros(flat.shape, np.uint8)])
    assert (viz.draw(clear, []) == 255).all()
