"""What the crop's camera says of a hand, said by the full picture's camera, and back. Everything in float64."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from handscope.data.transforms import spatial_labels
from handscope.geometry.camera import project
from handscope.geometry.crops import Crop, crop_around
from handscope.infer.full_camera import PosedHand, crop_to_full, full_to_crop, settle
from handscope.types import HandLabel, Sample

WIDTH, HEIGHT = 1280, 960
K = np.array([[1100.0, 0.0, 650.0], [0.0, 1100.0, 470.0], [0.0, 0.0, 1.0]])
SIZE = 128


def some_hand(T, seed=0) -> PosedHand:
    """21 points within 9 cm of the wrist, as a hand's joints are, and 50 vertices."""
    rng = np.random.default_rng(seed)
    points = rng.uniform(-0.09, 0.09, (71, 3))
    points[0] = 0.0
    R, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    R *= np.sign(np.linalg.det(R))
    points = points + T
    return PosedHand(R=R, T=np.asarray(T, float), joints_3d=points[:21], vertices=points[21:])


def as_seen_by_crop(hand: PosedHand, crop: Crop, focal: float) -> PosedHand:
    """The crop camera's view of a hand; exact only if the crop lies on the optical axis."""
    in_plane = np.eye(3)
    in_plane[:2, :2] = crop.matrix[:, :2] / crop.scale
    T = in_plane @ hand.T
    stretch = focal / (crop.scale * K[0, 0])
    moved = T * [1.0, 1.0, stretch]

    def move(points):
        return (points - hand.T) @ in_plane.T + moved

    return PosedHand(R=in_plane @ hand.R, T=moved, joints_3d=move(hand.joints_3d), vertices=move(hand.vertices))


def crop_pixels(points, focal):
    camera = np.array([[focal, 0, (SIZE - 1) / 2], [0, focal, (SIZE - 1) / 2], [0, 0, 1.0]])
    return project(points, camera)


@given(st.floats(-np.pi, np.pi), st.floats(150.0, 600.0), st.floats(0.3, 1.5))
def test_crop_at_the_principal_point_is_exact(angle, side, distance):
    hand = some_hand([0.02, -0.03, distance])
    crop = crop_around(K[:2, 2], side, (np.sin(angle), -np.cos(angle)), size=SIZE)
    focal = crop.scale * K[0, 0]
    full = crop_to_full(as_seen_by_crop(hand, crop, focal), focal, crop, K, WIDTH)
    for name in ("R", "T", "joints_3d", "vertices"):
        np.testing.assert_allclose(getattr(full, name), getattr(hand, name), atol=1e-9)


@pytest.mark.parametrize("mirrored", [False, True])
@given(
    centre=st.tuples(st.floats(0.0, WIDTH), st.floats(0.0, HEIGHT)),
    angle=st.floats(-np.pi, np.pi),
    focal=st.floats(80.0, 1000.0),
    seed=st.integers(0, 99),
)
def test_there_and_back_is_the_same_hand(mirrored, centre, angle, focal, seed):
    crop = crop_around(centre, 250.0, (np.sin(angle), -np.cos(angle)), size=SIZE, mirrored=mirrored)
    hand = some_hand([0.02, -0.01, 0.5], seed)
    back = full_to_crop(crop_to_full(hand, focal, crop, K, WIDTH), focal, crop, K, WIDTH)
    for name in ("R", "T", "joints_3d", "vertices"):
        np.testing.assert_allclose(getattr(back, name), getattr(hand, name), atol=1e-9)


@pytest.mark.parametrize("mirrored", [False, True])
@given(centre=st.tuples(st.floats(0.0, WIDTH), st.floats(0.0, HEIGHT)), angle=st.floats(-np.pi, np.pi))
def test_labels_of_training_turn_as_the_runtime_turns_back(mirrored, centre, angle):
    """What `data.transforms` teaches the network, moved by `crop_to_full`, is the label it came from."""
    crop = crop_around(centre, 250.0, (np.sin(angle), -np.cos(angle)), size=SIZE, mirrored=mirrored)
    true = some_hand([0.1, 0.05, 0.6])
    flip = np.array([-1.0 if mirrored else 1.0, 1.0, 1.0])
    label = HandLabel(
        handedness="left" if mirrored else "right",
        joints_3d=true.joints_3d * flip,
        joints_3d_known=np.ones(21, bool),
        R=true.R,
        theta=np.zeros((15, 3)),
        beta=np.zeros(10),
        hand_model="open",
    )
    sample = Sample(key="x", source="x", image=np.zeros((HEIGHT, WIDTH, 3), np.uint8), hands=(label,), K=K)
    taught = spatial_labels(sample, label, crop, "open", known=True)
    T = np.array([0.0, 0.0, 0.5])
    seen = PosedHand(R=taught["R"], T=T, joints_3d=taught["joints_3d"] + T, vertices=np.zeros((0, 3)))
    full = crop_to_full(seen, 300.0, crop, K, WIDTH)
    np.testing.assert_allclose(full.R, true.R, atol=1e-6)
    np.testing.assert_allclose(full.joints_3d - full.joints_3d[:1], label.joints_3d - label.joints_3d[:1], atol=1e-6)


@given(st.floats(80.0, 1000.0))
def test_another_focal_length_only_changes_the_distance(focal):
    crop = crop_around(K[:2, 2], 300.0, (0.0, -1.0), size=SIZE)
    hand = some_hand([0.0, 0.0, 0.6])
    full = crop_to_full(as_seen_by_crop(hand, crop, focal), focal, crop, K, WIDTH)
    np.testing.assert_allclose(full.T, hand.T, atol=1e-9)
    np.testing.assert_allclose(full.joints_3d, hand.joints_3d, atol=1e-9)


@pytest.mark.parametrize("mirrored", [False, True])
@given(
    centre=st.tuples(st.floats(150.0, WIDTH - 150.0), st.floats(150.0, HEIGHT - 150.0)),
    angle=st.floats(-np.pi, np.pi),
    focal=st.floats(150.0, 400.0),
    seed=st.integers(0, 99),
)
def test_off_centre_the_picture_shows_what_the_crop_showed(mirrored, centre, angle, focal, seed):
    side = 250.0
    crop = crop_around(centre, side, (np.sin(angle), -np.cos(angle)), size=SIZE, mirrored=mirrored)
    # fills the crop as a real hand does, seen by the crop's own camera
    hand = some_hand([0.0, 0.02, 0.28 * focal / SIZE], seed)
    full = crop_to_full(hand, focal, crop, K, WIDTH)
    shown = crop.invert(crop_pixels(hand.joints_3d, focal))
    found = project(full.joints_3d, K)
    np.testing.assert_allclose(found[0], shown[0], atol=1e-6)
    # the focal length differs, and the picture stretches off its centre: a few percent of the crop's side
    assert np.linalg.norm(found - shown, axis=-1).mean() < 0.09 * side


@given(st.floats(0.05, 0.45), st.floats(-np.pi, np.pi), st.integers(0, 99))
def test_off_centre_a_true_view_comes_back(tangent, angle, seed):
    """A camera that really looks at the hand: its view, full, is the hand."""
    centre = K[:2, 2] + K[0, 0] * tangent * np.array([np.cos(angle), np.sin(angle)])
    crop = crop_around(centre, 200.0, (0.3, -1.0), size=SIZE)
    focal = crop.scale * K[0, 0] * (1 + tangent**2) ** 0.75
    hand = some_hand([0.0, 0.0, 0.7], seed)  # its wrist on the ray through the crop's centre
    full = crop_to_full(hand, focal, crop, K, WIDTH)
    ray = np.linalg.solve(K, [*centre, 1.0])
    np.testing.assert_allclose(full.T, 0.7 * ray / np.linalg.norm(ray), atol=1e-9)
    assert np.isclose(np.linalg.det(full.R), 1.0)
    # shape and distances between points never change
    np.testing.assert_allclose(
        np.linalg.norm(full.joints_3d[1:] - full.joints_3d[:-1], axis=1),
        np.linalg.norm(hand.joints_3d[1:] - hand.joints_3d[:-1], axis=1),
    )
    shown = crop.invert(crop_pixels(hand.joints_3d, focal))
    assert np.linalg.norm(project(full.joints_3d, K) - shown, axis=-1).mean() < 0.09 * 200


@given(st.tuples(st.floats(100.0, 1180.0), st.floats(100.0, 860.0)), st.floats(-np.pi, np.pi), st.integers(0, 99))
def test_left_hand_is_the_right_hand_of_the_mirrored_picture(centre, angle, seed):
    hand = some_hand([0.01, 0.02, 0.7], seed)
    up = np.array([np.sin(angle), -np.cos(angle)])
    left = crop_to_full(hand, 300.0, crop_around(centre, 240.0, up, size=SIZE, mirrored=True), K, WIDTH)
    mirrored_K = K.copy()
    mirrored_K[0, 2] = WIDTH - 1 - K[0, 2]
    mirrored_crop = crop_around((WIDTH - 1 - centre[0], centre[1]), 240.0, up * [-1, 1], size=SIZE)
    right = crop_to_full(hand, 300.0, mirrored_crop, mirrored_K, WIDTH)
    np.testing.assert_allclose(left.R, right.R, atol=1e-12)
    np.testing.assert_allclose(left.T, right.T, atol=1e-12)
    np.testing.assert_allclose(left.vertices, right.vertices * [-1, 1, 1], atol=1e-12)
    np.testing.assert_allclose(left.joints_3d, right.joints_3d * [-1, 1, 1], atol=1e-12)


@pytest.mark.parametrize("mirrored", [False, True])
@given(st.tuples(*[st.floats(-0.05, 0.05)] * 3), st.integers(0, 99))
def test_settling_finds_the_place_that_the_joints_show(mirrored, shift, seed):
    true = some_hand([0.1, 0.05, 0.6], seed)
    sides = np.array([-1.0 if mirrored else 1.0, 1, 1])
    moved = PosedHand(
        R=true.R,
        T=true.T * sides + sides * shift,
        joints_3d=true.joints_3d + shift,
        vertices=true.vertices + shift,
    )
    confidence = np.random.default_rng(seed).uniform(0.1, 1, 21)
    found = settle(moved, project(true.joints_3d, K), confidence, K, mirrored=mirrored)
    np.testing.assert_allclose(found.joints_3d, true.joints_3d, atol=1e-9)
    np.testing.assert_allclose(found.vertices, true.vertices, atol=1e-9)
    np.testing.assert_allclose(found.T, true.T * sides, atol=1e-9)


def test_settling_ignores_what_is_not_trusted():
    true = some_hand([0.0, 0.0, 0.6])
    pixels, confidence = project(true.joints_3d, K), np.ones(21)
    pixels[3] += 500
    confidence[3] = 0
    found = settle(true, pixels, confidence, K, mirrored=False)
    np.testing.assert_allclose(found.T, true.T, atol=1e-9)


def test_settling_refuses_the_absurd():
    hand = some_hand([0.0, 0.0, 0.6])
    tiny = project(hand.joints_3d, K) * 0.01
    assert settle(hand, tiny, np.ones(21), K, mirrored=False) is hand
    behind = some_hand([0.0, 0.0, 0.05])
    assert settle(behind, tiny, np.ones(21), K, mirrored=False) is behind
    nothing = settle(hand, tiny, np.zeros(21), K, mirrored=False)
    np.testing.assert_allclose(nothing.T, hand.T)
