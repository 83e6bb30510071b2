"""Rendered clips: the same again for the same seed, smooth, and labelled."""

from itertools import pairwise

import numpy as np
import pytest

from handscope.geometry.camera import project
from handscope.hand.assets import load_asset
from handscope.hand.model import pose_hand
from handscope.synth.clips import render_clip, sample_motion


@pytest.fixture(scope="module")
def clip():
    return list(render_clip(4, frames=6, size=96, left=True))


def test_a_clip_is_a_function_of_its_seed(clip):
    for one, two in zip(clip, render_clip(4, frames=6, size=96, left=True), strict=True):
        np.testing.assert_array_equal(one.image, two.image)


def test_labels_agree_with_camera_and_hand_model(clip):
    for sample in clip:
        (hand,) = sample.hands
        assert hand.handedness == "left" and sample.image.shape == (96, 96, 3)
        np.testing.assert_allclose(project(hand.joints_3d, sample.K), hand.joints_2d, atol=1e-3)
        posed = pose_hand(load_asset(), hand.beta[None], hand.theta[None], hand.R[None], hand.T[None])
        np.testing.assert_allclose(posed.joints[0] * [-1, 1, 1], hand.joints_3d, atol=1e-4)


def test_nothing_but_the_hand_and_the_camera_moves(clip):
    """From frame to frame the picture changes little: same light, same skin, same sleeve."""
    for one, two in pairwise(clip):
        assert np.abs(one.image.astype(float) - two.image).mean() < 12


def test_motion_begins_and_ends_moves_at_rest():
    motion = sample_motion(np.random.default_rng(1), 3.0)
    for time in motion.times:
        near = [np.concatenate([np.ravel(part) for part in motion.at(time + d)]) for d in (-1e-4, 0, 1e-4)]
        assert np.abs(near[0] - 2 * near[1] + near[2]).max() / 1e-8 < 50  # no jump in velocity
