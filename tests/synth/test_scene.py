"""The labels of synthetic pictures agree with each other and with the picture."""

from dataclasses import replace

import numpy as np
import pytest

from handscope.errors import HandscopeError
from handscope.geometry.camera import project
from handscope.hand.assets import load_asset
from handscope.hand.model import pose_hand
from handscope.synth.scene import SynthConfig, render_sample
from handscope.types import HandLabel, Sample

PLAIN = SynthConfig()
SCENES = SynthConfig(scenes=True, share_empty=0.0)
MIRROR = np.array([-1.0, 1, 1])


@pytest.fixture(scope="module")
def pictures() -> list[Sample]:
    return [render_sample(PLAIN, 0, i) for i in range(12)] + [render_sample(SCENES, 0, i) for i in range(8)]


def hands(pictures: list[Sample]) -> list[tuple[Sample, HandLabel]]:
    return [(p, h) for p in pictures for h in p.hands]


def test_joints_project_to_their_pixels_and_boxes(pictures: list[Sample]) -> None:
    for picture, hand in hands(pictures):
        np.testing.assert_allclose(project(hand.joints_3d, picture.K), hand.joints_2d, atol=1e-6)
        np.testing.assert_allclose(hand.box, [*hand.joints_2d.min(0), *hand.joints_2d.max(0)])


def test_parameters_place_the_right_hand_model_on_the_joints(pictures: list[Sample]) -> None:
    asset = load_asset()
    for _, hand in hands(pictures):
        posed = pose_hand(asset, hand.beta[None], hand.theta[None], hand.R[None], hand.T[None]).joints[0]
        np.testing.assert_allclose(posed * (MIRROR if hand.handedness == "left" else 1), hand.joints_3d, atol=2e-5)


def test_both_sides_occur_and_a_mirrored_picture_is_the_other_side(pictures: list[Sample]) -> None:
    assert {hand.handedness for _, hand in hands(pictures)} == {"left", "right"}
    for picture, _ in hands(pictures):
        assert picture.K[0, 2] == pytest.approx((picture.image.shape[1] - 1) / 2)


def test_masks_hold_the_visible_joints_and_stay_near_the_hand(pictures: list[Sample]) -> None:
    covered = []
    for picture, hand in hands(pictures):
        height, width = picture.image.shape[:2]
        assert hand.mask.shape == (height, width)
        # fingertips are on the skin's outline; a wrist lies at the very edge of the mask
        inner = hand.visible & ~np.isin(np.arange(21), [0, 4, 8, 12, 16, 20])
        column, row = np.round(hand.joints_2d[inner]).astype(int).T
        covered += list(hand.mask[row.clip(0, height - 1), column.clip(0, width - 1)] > 0)
        side = (hand.box[2:] - hand.box[:2]).max()
        y, x = np.nonzero(hand.mask > 127)
        assert (x > hand.box[0] - 0.45 * side).all() and (x < hand.box[2] + 0.45 * side).all()
        assert (y > hand.box[1] - 0.45 * side).all() and (y < hand.box[3] + 0.45 * side).all()
    assert np.mean(covered) > 0.97


def test_the_centred_hand_has_the_promised_size_and_place(pictures: list[Sample]) -> None:
    for picture in pictures[:12]:
        assert picture.image.shape == (160, 160, 3)
        box = picture.hands[0].box
        assert PLAIN.fill[0] * 0.9 < (box[2:] - box[:2]).max() / 160 < PLAIN.fill[1] * 1.1
        np.testing.assert_allclose((box[:2] + box[2:]) / 2, 79.5, atol=160 * PLAIN.jitter + 4)


def test_hands_do_not_share_pixels(pictures: list[Sample]) -> None:
    for picture in pictures:
        if len(picture.hands) > 1:
            assert np.sum([h.mask.astype(int) for h in picture.hands], 0).max() <= 256


def test_an_open_hand_before_the_camera_is_all_visible(monkeypatch: pytest.MonkeyPatch) -> None:
    from handscope.synth import scene
    from handscope.synth.placement import BACK_VIEW, PALM_VIEW
    from handscope.synth.poses import ANCHORS

    bare = replace(PLAIN, share_second=0.0, share_held=0.0, share_before=0.0, share_sleeve=0.0, share_band=0.0)
    monkeypatch.setattr(scene, "sample_pose", lambda rng, skeleton: ANCHORS["five"])
    for view in (PALM_VIEW, BACK_VIEW):
        monkeypatch.setattr(scene, "sample_view", lambda rng, view=view: view)
        assert render_sample(bare, 0, 0).hands[0].visible.all()
    monkeypatch.setattr(scene, "sample_pose", lambda rng, skeleton: ANCHORS["fist"])
    monkeypatch.setattr(scene, "sample_view", lambda rng: BACK_VIEW)
    visible = render_sample(bare, 0, 0).hands[0].visible
    assert visible[[5, 9, 13, 17]].all() and not visible[[8, 12, 16, 20]].any()


def test_something_before_the_hand_takes_away_from_its_mask() -> None:
    free, hidden = (replace(PLAIN, share_second=0.0, share_held=0.0, share_before=p) for p in (0.0, 1.0))
    areas = [[(render_sample(c, 5, i).hands[0].mask > 127).sum() for i in range(10)] for c in (free, hidden)]
    assert (np.array(areas[1]) <= np.array(areas[0])).all() and np.sum(areas[1]) < 0.97 * np.sum(areas[0])


@pytest.mark.parametrize("config", [PLAIN, SCENES])
def test_same_seed_same_picture_in_any_order(config: SynthConfig) -> None:
    first = [render_sample(config, 7, i).image for i in (3, 300, 4)]
    again = [render_sample(config, 7, i).image for i in (4, 300, 3)][::-1]
    other = render_sample(config, 8, 3).image
    for a, b in zip(first, again, strict=True):
        np.testing.assert_array_equal(a, b)
    assert other.shape != first[0].shape or (other != first[0]).any()


def test_settings_that_cannot_be_are_refused() -> None:
    for wrong in ({"size": 8}, {"fill": (0.7, 0.4)}, {"share_left": 1.5}):
        with pytest.raises(HandscopeError):
            SynthConfig(**wrong)
    with pytest.raises(HandscopeError, match="no pictures"):
        render_sample(SynthConfig(backgrounds=("/nonexistent",)), 0, 0)
