"""What a frame of a camera is to other programs: one JSON message (live.schema.json), or OSC messages."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib import resources

import numpy as np

from handscope.infer.formats import hand_to_dict, joint_angles
from handscope.infer.video import VideoFrame
from handscope.skeleton import JOINT_NAMES
from handscope.types import JsonValue

OscMessage = tuple[str, list[float | int | str]]
"""An address and its arguments."""


def live_schema() -> dict[str, JsonValue]:
    """The JSON Schema (draft 2020-12) of `to_message`; it names hands.schema.json."""
    return json.loads((resources.files("handscope.infer") / "live.schema.json").read_text(encoding="utf-8"))


def to_message(frame: VideoFrame, latency_ms: float) -> str:
    """A frame as text: one JSON object."""
    content = {
        "format": "handscope-live",
        "version": 1,
        "frame": frame.index,
        "time": round(frame.time, 6),
        "latency_ms": round(latency_ms, 1),
        "width": frame.hands.width,
        "height": frame.hands.height,
        "joint_names": JOINT_NAMES,
        "hands": [hand_to_dict(hand) for hand in frame.hands],
    }
    return json.dumps(content, allow_nan=False)


def to_osc(frame: VideoFrame, latency_ms: float) -> Iterator[OscMessage]:
    """A frame as OSC messages: `/handscope/frame` (number, seconds, latency in ms, hands, width, height), then of each
    hand `/handscope/hand/TRACK/` with `about` (side, score), `joints_2d` (42, px), `joints_3d` (63, metres in the
    camera frame) and `angles` (48, degrees, in the order of `hand.angles.ANGLE_NAMES`).
    """
    hands = frame.hands
    yield "/handscope/frame", [frame.index, frame.time, latency_ms, len(hands), hands.width, hands.height]
    for hand in hands:
        place = f"/handscope/hand/{int(hand.track or 0)}"
        yield f"{place}/about", [hand.handedness, float(hand.score)]
        yield f"{place}/joints_2d", np.ravel(hand.joints_2d).astype(float).tolist()
        yield f"{place}/joints_3d", np.ravel(hand.joints_3d).astype(float).tolist()
        yield f"{place}/angles", list(joint_angles(hand).values())
