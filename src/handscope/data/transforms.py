"""From a labelled picture to one training crop: geometry first (exact labels), then light, lens and sensor.

Crops are upright as at run time: wrist to middle knuckle points up, with noise; left hands are mirrored to
right ones. Now and then the mirroring is wrong on purpose, so that the handedness head can tell; such a crop
keeps its 2D labels and loses its 3D ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from handscope.geometry.crop_camera import full_to_crop_axes
from handscope.geometry.crops import FILL, Crop, crop_around, upright_frame
from handscope.geometry.rotations import axis_angle_to_matrix
from handscope.skeleton import JOINT_NAMES, MIDDLE_MCP, WRIST
from handscope.types import HandLabel, Sample

LEAST_JOINTS = len(JOINT_NAMES) // 2 + 1
"""How many joints must be known for the box of the known ones to be about the hand's: more than half."""

Example = dict[str, NDArray[Any]]


@dataclass(frozen=True, kw_only=True)
class CropConfig:
    """Geometry of training crops. `rotation_deg`, `translation` and `scale` are standard deviations of the noise on the
    upright crop (degrees, crop extents, log of the extent); with `any_rotation_prob` the rotation is any; with
    `mirror_prob` the crop is mirrored the wrong way.
    """

    size: int = 128
    mask_size: int = 64
    fill: float = FILL
    rotation_deg: float = 14.0
    any_rotation_prob: float = 0.04
    translation: float = 0.035
    scale: float = 0.11
    mirror_prob: float = 0.2

    def __post_init__(self) -> None:
        if not 0 < self.fill < 1:
            raise ValueError(f"fill must be between 0 and 1, got {self.fill}")


@dataclass(frozen=True, kw_only=True)
class PhotometricConfig:
    """How often each kind of change to light, lens and sensor happens."""

    colour: float = 0.8
    grey: float = 0.03
    blur: float = 0.3
    low_resolution: float = 0.2
    coarsest: float = 0.3
    """The least share of its width that a picture of low resolution keeps."""
    noise: float = 0.4
    jpeg: float = 0.3
    erase: float = 0.15


def usable(hand: HandLabel) -> bool:
    """True if a crop can be taken of this hand: wrist, middle knuckle and half of the joints have places."""
    known = hand.joints_2d_known
    if hand.joints_2d is None or known is None:
        return False
    return bool(known[WRIST] and known[MIDDLE_MCP] and known.sum() >= LEAST_JOINTS)


def crop_example(
    sample: Sample, hand: HandLabel, rng: np.random.Generator, config: CropConfig, photometric: PhotometricConfig | None
) -> Example:
    """One example, keyed by the fields of `types.Batch`, without the batch axis."""
    assert hand.joints_2d is not None and hand.joints_2d_known is not None
    wrong = bool(rng.random() < config.mirror_prob)
    is_left = hand.handedness == "left" if hand.handedness else bool(rng.random() < 0.5)
    mirrored = is_left != wrong
    places = np.where(hand.joints_2d_known[:, None], hand.joints_2d, hand.joints_2d[WRIST])  # `usable` knows it
    crop = jittered_crop(places, rng, config, mirrored)
    image = crop.extract(sample.image)
    if photometric is not None:
        image = change_light(image, rng, photometric)
    in_3d = hand.handedness is not None and not wrong
    example: Example = {
        "image": image,
        "joints_2d": crop.apply(hand.joints_2d).astype(np.float32),
        "joints_2d_known": hand.joints_2d_known.astype(bool),
        "right": np.float32(not wrong),  # type: ignore[dict-item]
        "right_known": np.array(hand.handedness is not None),
    }
    example |= mask_labels(hand, crop, config.mask_size)
    return example | spatial_labels(sample, hand, crop, known=in_3d)


def jittered_crop(joints: NDArray[np.floating], rng: np.random.Generator, config: CropConfig, mirrored: bool) -> Crop:
    """The upright crop, turned, moved and scaled a little."""
    centre, extent, up = upright_frame(joints, fill=config.fill)
    any_rotation = rng.random() < config.any_rotation_prob
    angle = rng.uniform(-np.pi, np.pi) if any_rotation else np.deg2rad(rng.normal(0, config.rotation_deg))
    cosine, sine = np.cos(angle), np.sin(angle)
    up = np.array([[cosine, -sine], [sine, cosine]]) @ up
    extent = extent * np.exp(config.scale * np.clip(rng.normal(), -2.3, 2.7))
    centre = centre + rng.normal(0, config.translation, 2) * extent
    return crop_around(centre, extent, up, size=config.size, mirrored=mirrored)


def mask_labels(hand: HandLabel, crop: Crop, size: int) -> Example:
    """The mask over the crop at `size`, in [0, 1]."""
    if hand.mask is None:
        return {"mask": np.zeros((size, size), np.float32), "mask_known": np.array(False)}
    seen = crop.extract(hand.mask, border=cv2.BORDER_CONSTANT)
    shrunk = cv2.resize(seen, (size, size), interpolation=cv2.INTER_AREA)
    return {"mask": shrunk.astype(np.float32) / 255, "mask_known": np.array(True)}


def spatial_labels(sample: Sample, hand: HandLabel, crop: Crop, *, known: bool) -> Example:
    """3D joints, model parameters and focal length in the frame of the crop's camera."""
    example: Example = {
        "joints_3d": np.zeros((21, 3), np.float32),
        "joints_3d_known": np.array(False),
        "theta": np.zeros((15, 3, 3), np.float32),
        "beta": np.zeros(10, np.float32),
        "R": np.zeros((3, 3), np.float32),
        "model_known": np.array(False),
        "focal": np.float32(0),  # type: ignore[dict-item]
        "focal_known": np.array(False),
    }
    if sample.K is None or not known:
        return example
    view = full_to_crop_axes(crop, sample.K)
    example["focal"] = np.float32(crop.scale * sample.K[0, 0] / crop.size)  # type: ignore[assignment]
    example["focal_known"] = np.array(True)
    if hand.joints_3d is not None and (hand.joints_3d_known is None or hand.joints_3d_known.all()):
        joints = hand.joints_3d @ view.T
        example["joints_3d"] = (joints - joints[:1]).astype(np.float32)
        example["joints_3d_known"] = np.array(True)
    if hand.theta is not None and hand.beta is not None and hand.R is not None:
        mirror = np.diag([-1.0, 1.0, 1.0]) if crop.mirrored else np.eye(3)
        example["theta"] = axis_angle_to_matrix(hand.theta.astype(np.float32))
        example["beta"] = hand.beta.astype(np.float32)
        example["R"] = (view @ mirror @ hand.R).astype(np.float32)
        example["model_known"] = np.array(True)
    return example


def change_light(image: NDArray[np.uint8], rng: np.random.Generator, config: PhotometricConfig) -> NDArray[np.uint8]:
    """Colour, lens and sensor changes that leave every label as it is."""
    happens = lambda share: rng.random() < share  # noqa: E731
    size = image.shape[0]
    if happens(config.blur):
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), rng.uniform(0.3, 1.6)), np.uint8)
    if happens(config.low_resolution):
        small = int(size * rng.uniform(config.coarsest, 0.8))
        coarse = cv2.resize(image, (small, small), interpolation=cv2.INTER_AREA)
        image = np.asarray(cv2.resize(coarse, (size, size), interpolation=cv2.INTER_LINEAR), np.uint8)
    value = image.astype(np.float32)
    if happens(config.colour):
        grey = value.mean(-1, keepdims=True)
        value = grey + (value - grey) * np.float32(rng.uniform(0.4, 1.5))
        gain = rng.uniform(0.65, 1.35) * rng.uniform(0.88, 1.12, 3)
        value = value * gain.astype(np.float32) + np.float32(rng.uniform(-25, 25))
        if happens(0.4):
            value = 255 * np.clip(value / 255, 0, 1) ** np.float32(rng.uniform(0.65, 1.5))
    if happens(config.grey):
        value = np.repeat(value.mean(-1, keepdims=True), 3, -1)
    if happens(config.noise):
        value = value + rng.standard_normal(value.shape, dtype=np.float32) * np.float32(rng.uniform(1, 11))
    if happens(config.erase):
        low, extent = rng.integers(0, size - size // 5, 2), rng.integers(size // 12, size // 4, 2)
        value[low[0] : low[0] + extent[0], low[1] : low[1] + extent[1]] = rng.uniform(0, 255, 3)
    image = np.clip(value, 0, 255).astype(np.uint8)
    if happens(config.jpeg):
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(25, 92))]
        decoded = cv2.imdecode(cv2.imencode(".jpg", image, quality)[1], cv2.IMREAD_COLOR)
        image = np.asarray(decoded, np.uint8)
    return image
