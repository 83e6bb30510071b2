"""Hands as numbers: JSON (its schema is `hands.schema.json`), NPZ with every array, and MANO-style NPZ.

All keep the camera frame: x right, y down, z forward; metres, radians, pixels.
"""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from importlib import resources
from typing import Any, NotRequired, TypedDict, cast

import numpy as np
from numpy.typing import NDArray

from handscope.geometry.rotations import matrix_to_axis_angle
from handscope.hand.angles import named_angles
from handscope.hand.assets import load_asset
from handscope.hand.model import rest_joints
from handscope.infer.formats.rig import MIRROR, hand_model, require_model
from handscope.paths import as_text
from handscope.skeleton import JOINT_NAMES
from handscope.types import Hand, Handedness, JointConvention, JsonValue

SCHEMA_VERSION = 1
"""Of the JSON; goes up when a reader of the old one would misread the new one."""

UNITS = {
    "box, joints_2d": "pixels, x right, y down, centre of the top-left pixel at (0, 0)",
    "joints_3d, T": "metres, camera frame: x right, y down, z forward",
    "theta": "radians, axis-angle of 15 joints: index, middle, little, ring, thumb, each from base to tip",
    "joint_angles": "degrees: flexion, abduction, twist of every joint; the wrist's roll, pitch, yaw to the camera",
    "R, T": "x_camera = R (x - wrist) + T of the right-hand model; of the mirrored picture for a left hand",
}
ARRAYS = (
    "score",
    "box",
    "joints_2d",
    "joint_scores",
    "mask",
    "joints_3d",
    "vertices",
    "theta",
    "beta",
    "R",
    "T",
    "K",
    "faces",
)
"""What the NPZ holds of each hand, beside the side."""
AXES = {
    "score": (), "box": (4,), "joints_2d": (21, 2), "joint_scores": (21,), "joints_3d": (21, 3), "theta": (15, 3),
    "beta": (10,), "R": (3, 3), "T": (3,), "K": (3, 3),
}  # fmt: skip
"""Of those that are alike for all hands, the axes behind the first one."""


class HandDict(TypedDict):
    """One hand as JSON says it (hands.schema.json); arrays are nested lists."""

    track: NotRequired[int]
    handedness: Handedness
    score: float
    box: list[float]
    joints_2d: list[list[float]]
    joint_scores: list[float]
    joints_3d: list[list[float]]
    theta: list[list[float]]
    beta: list[float]
    R: list[list[float]]
    T: list[float]
    K: list[list[float]]
    distortion: NotRequired[list[float]]
    joint_convention: JointConvention
    joint_angles: NotRequired[dict[str, float]]
    mask_area_px: int
    extras: dict[str, float]


class ImageDict(TypedDict):
    """What JSON says of the picture."""

    source: str | None
    width: int
    height: int
    notes: list[str]


class HandsDict(TypedDict):
    """One picture's hands as JSON says them (hands.schema.json)."""

    format: str
    schema_version: int
    version: int
    image: ImageDict
    units: dict[str, str]
    joint_names: list[str]
    hands: list[HandDict]


def schema() -> dict[str, JsonValue]:
    """The JSON Schema (draft 2020-12) of `to_dict`."""
    return json.loads((resources.files("handscope.infer") / "hands.schema.json").read_text(encoding="utf-8"))


def to_dict(
    hands: Sequence[Hand], *, width: int, height: int, source: str | None = None, notes: Sequence[str] = ()
) -> HandsDict:
    """Everything but masks and meshes of one picture's hands, ready for JSON."""
    told = None if source is None else as_text(source)
    return {
        "format": "handscope",
        "schema_version": SCHEMA_VERSION,
        "version": SCHEMA_VERSION,
        "image": {"source": told, "width": width, "height": height, "notes": [as_text(note) for note in notes]},
        "units": UNITS,
        "joint_names": list(JOINT_NAMES),
        "hands": [hand_to_dict(hand) for hand in hands],
    }


def hand_to_dict(hand: Hand) -> HandDict:
    """One hand in plain Python numbers, rounded to what they are worth."""
    content: HandDict = {
        "handedness": hand.handedness,
        "score": _rounded(hand.score, 4),
        "box": _rounded(hand.box, 2),
        "joints_2d": _rounded(hand.joints_2d, 2),
        "joint_scores": _rounded(hand.joint_scores, 4),
        "joints_3d": _rounded(hand.joints_3d, 5),
        "theta": _rounded(hand.theta, 5),
        "beta": _rounded(hand.beta, 4),
        "R": _rounded(hand.R, 6),
        "T": _rounded(hand.T, 5),
        "K": _rounded(hand.K, 3),
        "joint_convention": hand.joint_convention,
        "mask_area_px": hand.cropped_mask.area(),
        "extras": {key: _rounded(value, 4) for key, value in hand.extras.items()},
    }
    if hand.distortion is not None:
        content["distortion"] = _rounded(hand.distortion, 6)
    if hand_model(hand) is not None:
        content["joint_angles"] = {name: round(angle, 2) for name, angle in joint_angles(hand).items()}
    return content if hand.track is None else cast(HandDict, {"track": hand.track, **content})


def joint_angles(hand: Hand) -> dict[str, float]:
    """Its angles in degrees by `hand.angles.ANGLE_NAMES`; HandscopeError if nobody knows its hand model."""
    return named_angles(told(hand.theta), told(hand.R), require_model(hand), hand.handedness)


def to_json(
    hands: Sequence[Hand], *, width: int, height: int, source: str | None = None, notes: Sequence[str] = ()
) -> str:
    """`to_dict` as text: one line per field of a hand."""
    content = dict(to_dict(hands, width=width, height=height, source=source, notes=notes))
    listed = cast(list[HandDict], content.pop("hands"))
    head = json.dumps(content, indent=1, allow_nan=False)[:-2]
    each = [
        "  {\n" + ",\n".join(f"   {json.dumps(k)}: {json.dumps(v, allow_nan=False)}" for k, v in hand.items()) + "\n  }"
        for hand in listed
    ]
    return head + ',\n "hands": [' + ("\n" + ",\n".join(each) + "\n " if each else "") + "]\n}\n"


def to_npz(hands: Sequence[Hand]) -> bytes:
    """Every array of every hand, hands along the first axis, unrounded; read it with `numpy.load`."""
    arrays = {name: _stacked(hands, name) for name in ARRAYS}
    if not hands:
        arrays = _of_no_hand(getattr(hands, "height", 0), getattr(hands, "width", 0))
    arrays["handedness"] = np.array([hand.handedness for hand in hands], "U5")
    arrays["joint_convention"] = np.array([hand.joint_convention for hand in hands], np.str_)
    return _packed(arrays)


def _stacked(hands: Sequence[Hand], name: str) -> NDArray[Any]:
    """One array of each hand, (n, ...); masks of large pictures are never there twice."""
    if name != "mask" or not hands:
        return np.array([getattr(hand, name) for hand in hands])
    masks = np.empty((len(hands), *hands[0].cropped_mask.shape), np.bool_)
    for number, hand in enumerate(hands):
        masks[number] = hand.mask
    return masks


def _of_no_hand(height: int, width: int) -> dict[str, Any]:
    """The arrays of a picture without hands: all axes are there, so that what works for some hands works for none."""
    model = load_asset()
    arrays: dict[str, Any] = {name: np.zeros((0, *axes)) for name, axes in AXES.items()}
    arrays["mask"] = np.zeros((0, height, width), np.bool_)
    arrays["vertices"] = np.zeros((0, *model.template.shape))
    arrays["faces"] = np.zeros((0, *model.faces.shape), model.faces.dtype)
    return {name: arrays[name] for name in ARRAYS}


def to_mano_npz(hand: Hand) -> bytes:
    """One hand as users of smplx and MANO expect it: the parameters of a left hand are a left hand's.

    `global_orient` (3,), `hand_pose` (45,) and both together as `pose` (48,), axis-angle relative to the FLAT hand
    (`flat_hand_mean=True`, no PCA); `betas` (10,); `trans` (3,) metres such that a vertex is
    Rot(global_orient) (v - J0) + J0 + trans, J0 being the wrist at rest, as in smplx; `is_right`; `vertices` (V, 3),
    `faces` (F, 3), `joints` (21, 3) and `K` (3, 3) in the camera; `model`: "MANO" or "open", `joint_convention`: whose
    joints. `betas` of the open model mean nothing to MANO.
    """
    model = require_model(hand)
    side = MIRROR if hand.handedness == "left" else np.ones(3)
    turned = 1.0 if hand.handedness == "right" else np.array([1.0, -1.0, -1.0])  # an axis-angle in the mirror
    orient = matrix_to_axis_angle(np.asarray(hand.R, np.float64)) * turned
    fingers = (np.asarray(hand.theta, np.float64) * turned).ravel()
    wrist = rest_joints(model, np.asarray(hand.beta, np.float64)[None])[0, 0]
    arrays = {
        "pose": np.concatenate([orient, fingers]),
        "global_orient": orient,
        "hand_pose": fingers,
        "betas": np.asarray(hand.beta, np.float64),
        "trans": (np.asarray(hand.T, np.float64) - wrist) * side,
        "is_right": np.array(hand.handedness == "right"),
        "vertices": hand.vertices,
        "faces": hand.faces,
        "joints": hand.joints_3d,
        "K": hand.K,
        "flat_hand_mean": np.array(True),
        "model": np.array(model.name),
        "joint_convention": np.array(hand.joint_convention),
    }
    return _packed(arrays)


def _packed(arrays: dict[str, Any]) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def told(value: Any) -> Any:
    """Numbers as text has them: to the precision of float32, which is what tables keep."""
    return np.asarray(np.asarray(value, np.float32), np.float64)


def _rounded(value: Any, digits: int) -> Any:
    """Plain Python numbers, short enough to read."""
    return np.round(told(value), digits).tolist()
