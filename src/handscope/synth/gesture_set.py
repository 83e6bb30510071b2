"""Rendered hands that show one of the ten gestures, or none of them: what gestures are scored on."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from handscope.skeleton import JOINT_NAMES
from handscope.synth.config import SynthConfig
from handscope.synth.poses import ANCHORS, LIMITS
from handscope.synth.scene import render_posed
from handscope.types import Sample

SHOWN = {
    "fist": ("fist", "fist_thumb_side"),
    "open": ("five", "spread", "flat_thumb_out"),
    "point": ("point",),
    "victory": ("victory",),
    "thumb": ("thumbs_up",),
    "ok": ("ok", "asl_f"),
    "pinch": ("pinch", "tripod"),
    "call": ("shaka", "asl_y"),
    "rock": ("rock",),
}
"""Poses (`synth.poses.ANCHORS`) of each gesture; thumb_up and thumb_down are one pose, told apart by the view."""
NO_GESTURES = (
    "one_thumb", "asl_l", "three_fingers", "three_thumb", "two_closed", "four", "six", "seven", "eight", "love",
    "little", "claw", "cup", "hook", "middle_pinch", "grasp_ball", "grasp_cylinder", "asl_c", "typing", "cascade",
)  # fmt: skip
"""Poses that are none of the ten."""
JITTER_DEG = 4.0
STEEP = 0.75
"""Cosine with the picture's up or down of a thumb that is up or down for sure."""
RENDERED = SynthConfig(size=320, share_held=0.0, share_before=0.0, share_second=0.0)


def render_gestures(each: int, seed: int) -> Iterator[tuple[str | None, Sample]]:
    """`each` hands of every gesture and half as many of every pose that shows none (None), seen from anywhere, their
    angles off by some degrees. Thumbs that are neither up nor down are left out.
    """
    jobs = [(gesture, pose) for gesture, poses in SHOWN.items() for pose in np.resize(poses, each).tolist()]
    jobs += [(None, pose) for pose in np.resize(NO_GESTURES, each * len(NO_GESTURES) // 2).tolist()]
    for index, (gesture, pose) in enumerate(jobs):
        rng = np.random.default_rng([seed, index, 3])
        angles = ANCHORS[pose] + rng.normal(0, JITTER_DEG, (15, 3)) * (ANCHORS[pose] != 0)
        sample = render_posed(RENDERED, seed, index, np.clip(angles, LIMITS[..., 0], LIMITS[..., 1]))
        truth = thumb_of(sample) if gesture == "thumb" else gesture
        if truth is not None or gesture is None:
            yield truth, sample


def thumb_of(sample: Sample) -> str | None:
    """Whether the true thumb is up or down in the picture, None if neither."""
    joints = sample.hands[0].joints_3d
    assert joints is not None
    thumb = joints[JOINT_NAMES.index("thumb_tip")] - joints[JOINT_NAMES.index("thumb_mcp")]
    upwards = -thumb[1] / np.linalg.norm(thumb)
    return None if abs(upwards) < STEEP else "thumb_up" if upwards > 0 else "thumb_down"
