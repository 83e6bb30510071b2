"""The synthesised hands behind every fixture: whole inside their pictures, seen by whatever camera a dataset has."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from handscope.geometry.camera import project
from handscope.synth.config import SynthConfig
from handscope.synth.scene import render_sample
from handscope.types import HandLabel, Sample

COUNT = 5
CAMERA = np.array([[480.0, 0, 160], [0, 480.0, 120], [0, 0, 1]])
"""A camera of 320 x 240 px, for datasets without one of their own."""


@lru_cache(maxsize=8)
def hands(side: str = "right", count: int = COUNT) -> tuple[Sample, ...]:
    """`count` pictures of one whole hand of `side`, or, for "both", of a left and a right one."""
    share_left = {"right": 0.0, "left": 1.0, "both": 0.5}[side]
    config = SynthConfig(
        share_left=share_left, share_second=float(side == "both"), share_before=0.0, share_held=0.0, fill=(0.4, 0.5)
    )
    found: list[Sample] = []
    for index in range(400):
        sample = render_sample(config, 77, index)
        sides = {hand.handedness for hand in sample.hands}
        wanted = {"left", "right"} if side == "both" else {side}
        if sides == wanted and len(sample.hands) == len(wanted) and whole(sample, (160, 160), 0.2):
            found.append(sample)
        if len(found) == count:
            return tuple(found)
    raise AssertionError(f"too few whole {side} hands")


def whole(sample: Sample, size: tuple[int, int], most_outside: float = 0.0) -> bool:
    """Whether (nearly) all joints lie in a picture of `size` (width, height)."""
    joints = np.concatenate([hand.joints_2d for hand in sample.hands])
    return bool((((joints >= 0) & (joints <= np.array(size) - 1)).all(1)).mean() >= 1 - most_outside)


def seen_by(sample: Sample, K: NDArray, width: int, height: int) -> Sample:
    """The same scene through intrinsics `K`, in a picture of another size: K' K^-1 maps pixels, 3D stays."""
    matrix = (K @ np.linalg.inv(sample.K))[:2]
    warp = lambda picture, border: cv2.warpAffine(picture, matrix, (width, height), borderMode=border)  # noqa: E731
    return replace(
        sample,
        image=warp(sample.image, cv2.BORDER_REPLICATE),
        K=K,
        hands=tuple(_seen_by(hand, K, warp) for hand in sample.hands),
    )


def _seen_by(hand: HandLabel, K: NDArray, warp) -> HandLabel:
    joints = project(hand.joints_3d, K)
    box = np.concatenate([joints.min(0), joints.max(0)])
    return replace(hand, joints_2d=joints, box=box, mask=warp(hand.mask, cv2.BORDER_CONSTANT))


def mirrored(sample: Sample) -> Sample:
    """The picture mirrored left to right, and everything in it: left hands become right ones."""
    width = sample.image.shape[1]
    K = sample.K * [[1, 1, -1], [1, 1, 1], [1, 1, 1]] + [[0, 0, width - 1], [0, 0, 0], [0, 0, 0]]
    hands = []
    for hand in sample.hands:
        joints = hand.joints_3d * [-1, 1, 1]
        side = "left" if hand.handedness == "right" else "right"
        flat, mask = project(joints, K), np.ascontiguousarray(hand.mask[:, ::-1])
        box = np.concatenate([flat.min(0), flat.max(0)])
        hands.append(replace(hand, joints_3d=joints, joints_2d=flat, mask=mask, handedness=side, box=box))
    return replace(sample, image=np.ascontiguousarray(sample.image[:, ::-1]), K=K, hands=tuple(hands))


def save(path, image: NDArray, quality: int = 97) -> None:
    """An RGB picture or a map to a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = image[..., ::-1] if image.ndim == 3 else image
    options = [cv2.IMWRITE_JPEG_QUALITY, quality] if path.suffix == ".jpg" else [cv2.IMWRITE_PNG_COMPRESSION, 1]
    assert cv2.imwrite(str(path), np.ascontiguousarray(pixels), options)


def canonical_to(permutation: NDArray) -> NDArray:
    """The inverse: from the canonical order to that of a dataset."""
    return np.argsort(permutation)
