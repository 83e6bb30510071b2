import dataclasses

import numpy as np
import pytest

from handscope.data.mixture import CropMixture, ExampleSampler, Source, collate
from handscope.data.transforms import CropConfig, PhotometricConfig, crop_example, usable
from handscope.errors import HandscopeError, ImageError
from handscope.geometry.camera import project
from handscope.geometry.crops import upright_crop, upright_frame
from handscope.hand.assets import load_asset
from handscope.hand.model import pose_hand
from handscope.skeleton import TIPS
from handscope.types import HandFrame, HandLabel, Sample

STILL = CropConfig(rotation_deg=0, any_rotation_prob=0, translation=0, scale=0, mirror_prob=0)


def hand_sample(seed: int = 0, handedness: str = "right", size: int = 160) -> Sample:
    """A posed hand before a plain wall; the truth comes from the hand model."""
    rng = np.random.default_rng(seed)
    beta, theta = rng.normal(size=(1, 10)), rng.normal(0, 0.2, (1, 15, 3))
    R = np.array([[0.0, 0, -1], [1, 0, 0], [0, -1, 0]])  # fingers up, back to the camera
    T = np.array([0.01, 0.08, 0.6])
    K = np.array([[420.0, 0, (size - 1) / 2], [0, 420.0, (size - 1) / 2], [0, 0, 1]])
    joints = pose_hand(load_asset(), beta, theta, R[None], T[None]).joints[0].astype(np.float64)
    if handedness == "left":
        joints = joints * [-1, 1, 1]
    image = rng.integers(0, 255, (size, size, 3), dtype=np.uint8)
    hand = HandLabel(
        handedness=handedness,
        joints_2d=project(joints, K),
        joints_2d_known=np.ones(21, bool),
        joints_3d=joints,
        joints_3d_known=np.ones(21, bool),
        mask=np.full((size, size), 255, np.uint8),
        theta=theta[0],
        beta=beta[0],
        R=R,
        T=T,
        hand_model="open",
    )
    return Sample(key=f"{handedness}-{seed}", source="test", image=image, hands=(hand,), K=K)


class Samples:
    """A list of samples; the indices in `broken` cannot be read."""

    def __init__(self, samples, broken=()):
        self.samples, self.broken = samples, broken

    def __len__(self):
        return len(self.samples)

    def __getitem__(self, i):
        if i in self.broken:
            raise ImageError(f"{i}.jpg: damaged")
        return self.samples[i]


def mixture(samples, seed: int = 0, **crop) -> CropMixture:
    source = Source(name="test", samples=samples, weight=1.0)
    return CropMixture([source], dataclasses.replace(CropConfig(), **crop), PhotometricConfig(), seed)


@pytest.mark.parametrize("handedness", ["right", "left"])
@pytest.mark.parametrize("seed", range(5))
def test_labels_of_a_crop_describe_a_right_hand_in_its_own_camera(handedness, seed):
    """The model posed by the crop's theta, beta and R has the crop's joints, for right and mirrored left hands."""
    sample = hand_sample(seed, handedness)
    example = crop_example(sample, sample.hands[0], np.random.default_rng(seed), CropConfig(mirror_prob=0), None)
    assert np.linalg.det(example["R"].astype(np.float64)) == pytest.approx(1, abs=1e-5)
    theta = sample.hands[0].theta
    posed = pose_hand(load_asset(), example["beta"][None], theta[None], example["R"][None]).joints[0]
    np.testing.assert_allclose(posed, example["joints_3d"], atol=1e-5)


@pytest.mark.parametrize("handedness", ["right", "left"])
def test_the_crop_is_seen_by_the_camera_that_its_labels_name(handedness):
    """Joints in the crop's camera, projected with the crop's focal length, fall on the crop's 2D joints."""
    sample = hand_sample(3, handedness)
    example = crop_example(sample, sample.hands[0], np.random.default_rng(0), STILL, None)
    flat, solid, focal = example["joints_2d"], example["joints_3d"].astype(np.float64), example["focal"] * 128
    depth = np.linalg.norm(sample.hands[0].joints_3d[0])
    wrist = np.array([*(flat[0] - 63.5) / focal, 1.0]) * depth
    seen = (solid + wrist)[:, :2] / (solid + wrist)[:, 2:] * focal + 63.5
    assert np.abs(seen - flat).max() < 1.5  # px of 128; a similarity is not quite the turned camera's homography


def test_right_and_mirrored_left_give_the_same_crop():
    right = hand_sample(1)
    flipped = dataclasses.replace(
        right.hands[0],
        handedness="left",
        joints_2d=np.column_stack([159 - right.hands[0].joints_2d[:, 0], right.hands[0].joints_2d[:, 1]]),
        joints_3d=right.hands[0].joints_3d * [-1, 1, 1],
    )
    left = dataclasses.replace(right, image=right.image[:, ::-1].copy(), hands=(flipped,))
    a, b = (crop_example(s, s.hands[0], np.random.default_rng(0), STILL, None) for s in (right, left))
    assert np.abs(a["image"].astype(int) - b["image"]).max() <= 1
    for name in ("joints_2d", "joints_3d", "R", "mask", "focal"):
        np.testing.assert_allclose(a[name], b[name], atol=1e-4)


def test_a_wrong_mirroring_keeps_2d_and_loses_3d():
    sample = hand_sample()
    example = crop_example(sample, sample.hands[0], np.random.default_rng(0), CropConfig(mirror_prob=1.0), None)
    assert example["right"] == 0 and example["right_known"] and example["joints_2d_known"].all()
    assert not example["joints_3d_known"].any() and not example["model_known"] and example["mask_known"]
    assert not example["as_right"]


def test_a_hand_of_unknown_side_is_shown_as_it_is_and_claims_none():
    sample = hand_sample()
    unknown = dataclasses.replace(sample.hands[0], handedness=None)
    shown = [crop_example(sample, unknown, np.random.default_rng(i), STILL, None) for i in range(8)]
    as_right = crop_example(sample, sample.hands[0], np.random.default_rng(0), STILL, None)
    for example in shown:
        assert not example["right_known"] and not example["as_right"] and not example["joints_3d_known"].any()
        np.testing.assert_array_equal(example["image"], as_right["image"])


def test_bones_need_no_camera():
    """Without K, 3D joints and parameters are known in the crop's axes, but for the tilt of the ray to the hand."""
    sample = hand_sample(2)
    blind = dataclasses.replace(sample, K=None)
    rng = lambda: np.random.default_rng(1)  # noqa: E731
    seen, unseen = (crop_example(s, s.hands[0], rng(), CropConfig(mirror_prob=0), None) for s in (sample, blind))
    assert unseen["joints_3d_known"].all() and unseen["model_known"] and not unseen["focal_known"]
    np.testing.assert_allclose(unseen["theta"], seen["theta"])
    ray = sample.hands[0].joints_3d.mean(0)
    tilt = np.arctan2(np.hypot(*ray[:2]), ray[2])
    assert np.abs(unseen["joints_3d"] - seen["joints_3d"]).max() < 0.2 * (tilt + 0.05)


def test_one_unknown_joint_costs_no_other():
    sample = hand_sample(2)
    known = np.ones(21, bool)
    known[7] = False
    holed = dataclasses.replace(
        sample.hands[0], joints_3d=np.where(known[:, None], sample.hands[0].joints_3d, np.nan), joints_3d_known=known
    )
    whole, part = (crop_example(sample, h, np.random.default_rng(1), STILL, None) for h in (sample.hands[0], holed))
    np.testing.assert_array_equal(part["joints_3d_known"], known)
    np.testing.assert_allclose(part["joints_3d"][known], whole["joints_3d"][known])
    assert not part["joints_3d"][7].any()


def test_parameters_of_another_hand_model_are_refused():
    sample = hand_sample()
    theirs = dataclasses.replace(sample.hands[0], hand_model="MANO")
    with pytest.raises(HandscopeError, match="those of the hand model MANO, this run's is open"):
        crop_example(sample, theirs, np.random.default_rng(0), STILL, None)
    assert not crop_example(sample, theirs, np.random.default_rng(0), STILL, None, None)["model_known"]
    with pytest.raises(ValueError, match="hand_model"):
        dataclasses.replace(theirs, hand_model=None)


def framed(hand: HandLabel, **known) -> HandLabel:
    """The hand with nothing known but what is given."""
    return HandLabel(handedness=hand.handedness, **known)


def test_a_hand_without_joints_is_cropped_by_frame_box_or_mask():
    sample = hand_sample()
    (hand,) = sample.hands
    low, high = hand.joints_2d.min(0), hand.joints_2d.max(0)
    mask = np.zeros(sample.image.shape[:2], np.uint8)
    mask[int(low[1]) : int(high[1]) + 1, int(low[0]) : int(high[0]) + 1] = 255
    centre, extent, up = upright_frame(hand.joints_2d)
    tips = np.zeros(21, bool)
    tips[list(TIPS)] = True
    ways = {
        "frame": framed(hand, frame=HandFrame(centre=centre, extent=extent, up=up)),
        "box": framed(hand, box=np.array([*low, *high])),
        "mask": framed(hand, mask=mask),
        "tips": framed(hand, joints_2d=hand.joints_2d, joints_2d_known=tips),
    }
    for name, label in ways.items():
        assert usable(label), name
        example = crop_example(sample, label, np.random.default_rng(0), STILL, None)
        seen = upright_crop(hand.joints_2d, size=128) if name == "frame" else None
        if seen is not None:
            assert np.abs(example["image"].astype(int) - seen.extract(sample.image)).max() <= 1
        assert example["joints_2d_known"].sum() == (5 if name == "tips" else 0)
        assert example["mask_known"] == (name == "mask") and example["as_right"]
    assert not usable(HandLabel(handedness="right"))


def test_a_guessed_side_turns_the_crop_and_is_no_label():
    sample = hand_sample(0, "left")
    centre, extent, up = upright_frame(sample.hands[0].joints_2d)
    guess = HandLabel(frame=HandFrame(centre=centre, extent=extent, up=up, handedness="left"))
    example = crop_example(sample, guess, np.random.default_rng(0), STILL, None)
    assert example["as_right"] and not example["right_known"]
    mirrored = upright_crop(sample.hands[0].joints_2d, size=128, mirrored=True).extract(sample.image)
    assert np.abs(example["image"].astype(int) - mirrored).max() <= 1


def test_examples_depend_on_seed_and_number_alone():
    samples = Samples([hand_sample(i) for i in range(4)])
    first, again, other = mixture(samples), mixture(samples), mixture(samples, seed=1)
    for n in (7, 3, 7):
        np.testing.assert_array_equal(first[n]["image"], again[n]["image"])
    assert (first[3]["image"] != other[3]["image"]).any()
    assert (first[3]["image"] != first[4]["image"]).any()


def test_two_processes_see_together_what_one_would():
    numbers = lambda rank, ranks, batch: list(  # noqa: E731
        ExampleSampler(batch=batch, rank=rank, ranks=ranks, first_step=2, last_step=5)
    )
    assert sorted(numbers(0, 2, 4) + numbers(1, 2, 4)) == numbers(0, 1, 8)


def test_an_unreadable_picture_is_skipped_counted_and_reported():
    data = mixture(Samples([hand_sample(0), hand_sample(1)], broken={0}))
    with pytest.warns(UserWarning, match="damaged"):
        for n in range(12):
            data[n]
    assert data.skipped > 0


def test_nothing_usable_ends_with_one_sentence():
    with pytest.raises(HandscopeError, match="no pictures"):
        mixture(Samples([]))
    empty = dataclasses.replace(hand_sample(), hands=())
    with pytest.raises(HandscopeError, match="without a usable hand"):
        mixture(Samples([empty]))[0]


def test_a_batch_stacks_every_field():
    data = mixture(Samples([hand_sample(0)]))
    batch = collate([data[i] for i in range(3)])
    assert batch.image.shape == (3, 128, 128, 3) and batch.theta.shape == (3, 15, 3, 3)
    assert batch.right.shape == (3,) and batch.mask.shape == (3, 64, 64)
