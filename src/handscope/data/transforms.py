"""From a labelled picture to one training crop: geometry first (exact labels), then light, lens and sensor.

Crops are upright as at run time: wrist to middle knuckle points up, with noise; left hands are mirrored to
right ones. Now and then the mirroring is wrong on purpose, so that the handedness head can tell; such a crop
keeps its 2D labels and loses its 3D ones. So does a hand whose side nobody knows.

A hand needs no joints to be cropped: where its labels do not tell the upright frame, the frame that came with it does
(`HandLabel.frame`), or its box, or its mask, as the picture has it. A place that is no hand has such a frame alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from handscope.errors import HandscopeError
from handscope.geometry.boxes import box_centre, longer_side, tight_box
from handscope.geometry.crop_camera import full_to_crop_axes, in_plane_axes
from handscope.geometry.crops import FILL, Crop, crop_around, upright_frame
from handscope.geometry.rotations import axis_angle_to_matrix
from handscope.hand.conventions import regressor
from handscope.skeleton import JOINT_NAMES, MIDDLE_MCP, WRIST
from handscope.tasks.table import HEADS
from handscope.tasks.task import Labels
from handscope.types import FloatArray, HandLabel, HandModel, Sample

LEAST_JOINTS = len(JOINT_NAMES) // 2 + 1
"""How many joints must be known for the box of the known ones to be about the hand's: more than half."""

FEW_JOINTS_WIDEN = 2.0
"""How much more than the box of fewer joints a crop takes: a hand is twice as long as its fingertips are apart."""

Example = Labels


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
    """True if a crop can be taken of this hand: something says where it is."""
    return frame_of(hand) is not None


Frame = tuple[FloatArray, float, FloatArray]
"""Centre (2,) and extent in picture px, and the direction upwards (2,), of a hand's crop."""


def frame_of(hand: HandLabel, fill: float = FILL) -> Frame | None:
    """Where to crop a hand, by the best that is known: its joints, if wrist, middle knuckle and half of them are; the
    frame that came with it; its box; its mask. None if nothing tells.

    Box and mask do not tell the direction: their crops are upright as the picture is.
    """
    known, seen = hand.joints_2d_known, None
    if hand.joints_2d is not None and known is not None and known.any():
        if known[WRIST] and known[MIDDLE_MCP] and known.sum() >= LEAST_JOINTS:
            return upright_frame(np.where(known[:, None], hand.joints_2d, hand.joints_2d[WRIST]), fill=fill)
        seen = tight_box(hand.joints_2d[known])
    if hand.frame is not None:
        return hand.frame.centre, hand.frame.extent, hand.frame.up
    box, widen = hand.box, 1.0
    if box is None or (seen is not None and np.allclose(box, seen)):  # no box of the hand itself
        box, widen = (_mask_box(hand.mask), 1.0) if hand.mask is not None else (seen, FEW_JOINTS_WIDEN)
    if box is None or not longer_side(box) > 1:
        return None
    return box_centre(box), widen * float(longer_side(box)) / fill, np.array([0.0, -1.0])


def _mask_box(mask: NDArray[np.uint8]) -> FloatArray | None:
    rows, columns = np.nonzero(mask > 127)
    return tight_box(np.column_stack([columns, rows]).astype(np.float64)) if len(rows) else None


def crop_example(
    sample: Sample,
    hand: HandLabel,
    rng: np.random.Generator,
    config: CropConfig,
    photometric: PhotometricConfig | None,
    hand_model: HandModel | None = "open",
) -> Example:
    """One example, keyed by the fields of `types.Batch`, without the batch axis.

    `hand_model` is the network's; with None the parameters of hand models are left out. Raises HandscopeError if the
    label's are another's, or if nothing tells where the hand is.
    """
    frame = frame_of(hand, config.fill)
    if frame is None:
        raise HandscopeError(
            f"{sample.key}: nothing tells where the hand is; it needs joints, a box, a mask or a frame"
        )
    wrong = bool(rng.random() < config.mirror_prob)
    guess = None if hand.frame is None else hand.frame.handedness
    side = hand.handedness or guess
    crop = jittered_crop(frame, rng, config, mirrored=(side == "left") != wrong)
    image = crop.extract(sample.image)
    if photometric is not None:
        image = change_light(image, rng, photometric)
    example: Example = {
        "image": image,
        "right": np.float32(not wrong),  # type: ignore[dict-item]
        "right_known": np.array(hand.handedness is not None),
        "as_right": np.array(side is not None and not wrong and hand.present is not False),
        "present": np.float32(hand.present is not False),  # type: ignore[dict-item]
        "present_known": np.array(hand.present is not None),
    }
    example |= flat_labels(hand, crop)
    for head in HEADS.values():
        example |= head.labels(hand)
    example |= mask_labels(hand, crop, config.mask_size)
    example["regressor"] = regressor(hand.joint_convention, hand_model or "open").astype(np.float32)
    return example | spatial_labels(sample, hand, crop, hand_model, known=hand.handedness is not None and not wrong)


def jittered_crop(frame: Frame, rng: np.random.Generator, config: CropConfig, mirrored: bool) -> Crop:
    """The upright crop, turned, moved and scaled a little."""
    centre, extent, up = frame
    any_rotation = rng.random() < config.any_rotation_prob
    angle = rng.uniform(-np.pi, np.pi) if any_rotation else np.deg2rad(rng.normal(0, config.rotation_deg))
    cosine, sine = np.cos(angle), np.sin(angle)
    up = np.array([[cosine, -sine], [sine, cosine]]) @ up
    extent = extent * np.exp(config.scale * np.clip(rng.normal(), -2.3, 2.7))
    centre = centre + rng.normal(0, config.translation, 2) * extent
    return crop_around(centre, extent, up, size=config.size, mirrored=mirrored)


def flat_labels(hand: HandLabel, crop: Crop) -> Example:
    """2D joints in crop px; zeros where unknown."""
    if hand.joints_2d is None or hand.joints_2d_known is None:
        return {"joints_2d": np.zeros((21, 2), np.float32), "joints_2d_known": np.zeros(21, bool)}
    known = np.asarray(hand.joints_2d_known, bool)
    joints = np.where(known[:, None], crop.apply(np.where(known[:, None], hand.joints_2d, 0.0)), 0.0)
    return {"joints_2d": joints.astype(np.float32), "joints_2d_known": known}


def mask_labels(hand: HandLabel, crop: Crop, size: int) -> Example:
    """The mask over the crop at `size`, in [0, 1]."""
    if hand.mask is None:
        return {"mask": np.zeros((size, size), np.float32), "mask_known": np.array(False)}
    seen = crop.extract(hand.mask, border=cv2.BORDER_CONSTANT)
    shrunk = cv2.resize(seen, (size, size), interpolation=cv2.INTER_AREA)
    return {"mask": shrunk.astype(np.float32) / 255, "mask_known": np.array(True)}


def spatial_labels(
    sample: Sample, hand: HandLabel, crop: Crop, hand_model: HandModel | None, *, known: bool
) -> Example:
    """3D joints, model parameters and focal length in the frame of the crop's camera.

    Without the picture's camera the crop's looks along the same axis: true of a hand in the picture's middle.
    """
    example: Example = {
        "joints_3d": np.zeros((21, 3), np.float32),
        "joints_3d_known": np.zeros(21, bool),
        "theta": np.zeros((15, 3, 3), np.float32),
        "beta": np.zeros(10, np.float32),
        "R": np.zeros((3, 3), np.float32),
        "model_known": np.array(False),
        "focal": np.float32(0),  # type: ignore[dict-item]
        "focal_known": np.array(False),
    }
    if hand_model is not None and hand.hand_model not in (None, hand_model):
        raise HandscopeError(
            f"{sample.key} ({sample.source}): its theta, beta and R are those of the hand model {hand.hand_model}, "
            f"this run's is {hand_model}; open the data without them, or name that model's file as hand_model"
        )
    if not known:
        return example
    view = full_to_crop_axes(crop, sample.K) if sample.K is not None else in_plane_axes(crop)
    if sample.K is not None:
        example["focal"] = np.float32(crop.scale * sample.K[0, 0] / crop.size)  # type: ignore[assignment]
        example["focal_known"] = np.array(True)
    if hand.joints_3d is not None:
        sure = np.ones(21, bool) if hand.joints_3d_known is None else np.asarray(hand.joints_3d_known, bool)
        joints = np.where(sure[:, None], hand.joints_3d, 0.0) @ view.T
        origin = joints[WRIST] if sure[WRIST] else joints.sum(0) / max(int(sure.sum()), 1)
        example["joints_3d"] = np.where(sure[:, None], joints - origin, 0.0).astype(np.float32)
        example["joints_3d_known"] = sure
    if hand_model is not None and hand.theta is not None and hand.beta is not None and hand.R is not None:
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
