"""What passes between the rooms: a labelled picture (`Sample`) and an understood hand (`Hand`).

Units everywhere: metres, radians, pixels (x right, y down; the centre of the top-left pixel is (0, 0));
camera frame x right, y down, z forward; RGB uint8 images (H, W, 3); joints in the order of `skeleton`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar, runtime_checkable

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from handscope.geometry.masks import CroppedMask
    from handscope.hand.assets import HandAsset

Handedness = Literal["left", "right"]
HandModel = Literal["open", "MANO"]
"""Whose parameters theta, beta and R are, by `HandAsset.name`."""
JointConvention = Literal["anatomical", "freihand", "rhd", "stb", "interhand", "mediapipe", "mano"]
"""Whose joints 21 joints are: the same names, at other places (docs/joints.md)."""
FloatArray = NDArray[np.floating]
Number = TypeVar("Number", bound=np.generic)
JsonValue = None | bool | int | float | str | Sequence[object] | Mapping[str, object]
"""What JSON can say."""
Reach = Literal["heads", "tam", "everything"]
"""How far into the network the gradient of the consistency goes."""


@dataclass(frozen=True, kw_only=True)
class HandFrame:
    """Where a hand is, as somebody else says (an aligner, an earlier answer): for the crop alone, never a target.

    `centre` (2,) and `extent` in picture px are those of the upright crop, `up` (2,) its direction upwards;
    `handedness` is a guess.
    """

    centre: FloatArray
    extent: float
    up: FloatArray
    handedness: Handedness | None = None


@dataclass(frozen=True, kw_only=True)
class HandLabel:
    """What is known of one hand in one picture; None where nothing is known.

    `joints_2d` (21, 2) px and `joints_3d` (21, 3) m in the camera frame carry `joints_2d_known` and `joints_3d_known`
    (21,) bool; `visible` (21,) bool is true where the joint is neither behind the hand itself nor behind an object, and
    inside the picture; they are the joints of `joint_convention`. `mask` (H, W) uint8 is coverage of the visible hand
    (no forearm), 0-255. `theta` (15, 3) axis-angle, `beta` (10,), `R` (3, 3) and `T` (3,) place the RIGHT hand of
    `hand_model`; for a left hand they are those of the picture mirrored left to right. `box` is (x0, y0, x1, y1) px.
    `tone` is the skin's, 0 (lightest) to 10 (darkest), known of rendered hands. `frame` is for pictures whose labels do
    not say where the hand is. `present` is false for a place that was taken for a hand and is none. Parameters that do
    not say whose they are raise ValueError.
    """

    handedness: Handedness | None = None
    box: FloatArray | None = None
    joints_2d: FloatArray | None = None
    joints_2d_known: NDArray[np.bool_] | None = None
    visible: NDArray[np.bool_] | None = None
    joints_3d: FloatArray | None = None
    joints_3d_known: NDArray[np.bool_] | None = None
    mask: NDArray[np.uint8] | None = None
    theta: FloatArray | None = None
    beta: FloatArray | None = None
    R: FloatArray | None = None
    T: FloatArray | None = None
    hand_model: HandModel | None = None
    joint_convention: JointConvention = "anatomical"
    tone: float | None = None
    frame: HandFrame | None = None
    present: bool | None = True

    def __post_init__(self) -> None:
        if self.hand_model is None and any(value is not None for value in (self.theta, self.beta, self.R)):
            raise ValueError("theta, beta and R need `hand_model`, the name of the hand that they place")


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One picture and the hands labelled in it."""

    key: str
    source: str
    image: NDArray[np.uint8]
    hands: tuple[HandLabel, ...]
    K: FloatArray | None = None
    """Intrinsics (3, 3) in px of `image`."""
    complete: bool = True
    """True if every hand in the picture is labelled, so the rest may serve as negatives."""
    ignored: FloatArray | None = None
    """Boxes (n, 4) px where something may be a hand that cannot be told: neither hand nor negative."""


@runtime_checkable
class SampleSource(Protocol):
    """Anything map-style that yields samples."""

    def __len__(self) -> int: ...

    def __getitem__(self, i: int, /) -> Sample: ...


@dataclass(frozen=True, kw_only=True, eq=False)
class Hand:
    """Everything Handscope says about one hand in a picture of height H and width W.

    `joints_2d` (21, 2) px of the input; `joint_scores` (21,) in [0, 1]; `mask` (H, W) bool, pasted from `cropped_mask`
    when asked for; `joints_3d` (21, 3) and `vertices` (V, 3) metres in the camera frame; `theta` (15, 3) axis-angle,
    `beta` (10,), `R` (3, 3) and `T` (3,) place the right-hand model so that x_cam = R (x - wrist) + T (for a left hand:
    the mirrored picture's); `K` (3, 3) the intrinsics used; `box` (x0, y0, x1, y1) px around joints and visible hand;
    `score` in [0, 1]; `faces` (F, 3) triangles, counter-clockwise seen from outside.

    A hand owns its arrays, which nobody can write to; hands are equal only to themselves. A pickle names the hand model
    and leaves its triangles out.
    """

    handedness: Handedness
    score: float
    box: FloatArray
    joints_2d: FloatArray
    joint_scores: FloatArray
    cropped_mask: CroppedMask
    joints_3d: FloatArray
    vertices: FloatArray
    faces: NDArray[np.integer]
    theta: FloatArray
    beta: FloatArray
    R: FloatArray
    T: FloatArray
    K: FloatArray
    extras: Mapping[str, float] = field(default_factory=dict)
    joint_visibility: FloatArray | None = None
    """Probability (21,) that a joint is seen: in the picture, neither behind the hand itself nor behind an object. None
    from weights that do not say."""
    track: int | None = None
    """Which hand of a video this is; None in a single picture."""
    asset: HandAsset | None = None
    """The hand model that `vertices`, `theta` and `beta` belong to; None is the shipped one."""
    distortion: FloatArray | None = None
    """The lens before `K`: OpenCV's k1, k2, p1, p2, k3, k4, k5, k6; None is a lens that does not distort."""
    joint_convention: JointConvention = "anatomical"
    """Whose joints `joints_2d` and `joints_3d` are (docs/joints.md)."""

    def __post_init__(self) -> None:
        for name in HAND_ARRAYS:
            object.__setattr__(self, name, frozen_array(getattr(self, name)))
        if self.joint_visibility is not None:
            object.__setattr__(self, "joint_visibility", frozen_array(self.joint_visibility))
        if self.distortion is not None:
            object.__setattr__(self, "distortion", frozen_array(self.distortion))
        object.__setattr__(self, "extras", dict(self.extras))

    @property
    def mask(self) -> NDArray[np.bool_]:
        """Where the hand is seen: bool (H, W), made anew at every call."""
        return self.cropped_mask.pasted()

    def __getstate__(self) -> dict[str, object]:
        state = dict(self.__dict__)
        if self.asset is not None and np.array_equal(self.faces, self.asset.faces_of(self.handedness)):
            state["faces"] = None
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        if state["faces"] is None:
            state = {**state, "faces": state["asset"].faces_of(state["handedness"])}
        self.__dict__.update(state)
        Hand.__post_init__(self)

    def __repr__(self) -> str:
        x0, y0, x1, y1 = (round(float(v)) for v in self.box)
        return (
            f"Hand({self.handedness}, score {self.score:.2f}, box ({x0}, {y0})-({x1}, {y1}), "
            f"wrist {self.T[2]:.2f} m away, {self.cropped_mask.area()} mask px)"
        )


HAND_ARRAYS = (
    "box",
    "joints_2d",
    "joint_scores",
    "joints_3d",
    "vertices",
    "faces",
    "theta",
    "beta",
    "R",
    "T",
    "K",
)
"""The fields of a `Hand` that are arrays."""


def frozen_array(values: NDArray[Number]) -> NDArray[Number]:
    """`values` as an array that nobody can write to: itself if it is one already, else a copy."""
    array = np.asarray(values)
    if array.flags.writeable or array.base is not None:
        array = array.copy()
        array.flags.writeable = False
    return array


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Crops and what is known of them, as tensors; unknown values are zeros and their `_known` is false.

    `image` (b, S, S, 3) uint8; `joints_2d` (b, 21, 2) crop px with `joints_2d_known` (b, 21); `joints_3d` (b, 21, 3)
    metres in the axes of the crop's camera, relative to the wrist (where it is not known, to the mean of what is), with
    `joints_3d_known` (b, 21); `mask` (b, m, m) coverage in [0, 1] of the visible hand with `mask_known` (b,); `theta`
    (b, 15, 3, 3), `beta` (b, 10) and `R` (b, 3, 3) of the network's own hand model with `model_known` (b,); `focal`
    (b,) in crop widths with `focal_known` (b,); `right` (b,) 1 where the crop shows a right hand, with `right_known`
    (b,). `as_right` (b,) is true where it does by its label or by the guess that it was cropped by: only there may the
    hand model, a right one, learn. Where the crop shows a left hand (a wrong mirroring, on purpose), or perhaps does,
    nothing in 3D is known. `present` (b,) is 1 where the crop shows a hand, 0 where something was taken for one, with
    `present_known` (b,). `regressor` (b, 21, 21) makes the joints of the label's convention of those of the network's
    hand model; None where all are the model's own. `labels` has what else a crop's example holds, by its names: labels
    of heads that few networks have.
    """

    image: Tensor
    joints_2d: Tensor
    joints_2d_known: Tensor
    joints_3d: Tensor
    joints_3d_known: Tensor
    mask: Tensor
    mask_known: Tensor
    theta: Tensor
    beta: Tensor
    R: Tensor
    model_known: Tensor
    focal: Tensor
    focal_known: Tensor
    right: Tensor
    right_known: Tensor
    as_right: Tensor
    present: Tensor
    present_known: Tensor
    regressor: Tensor | None = None
    labels: Mapping[str, Tensor] = field(default_factory=dict)

    def to(self, device: torch.device) -> Batch:
        """The same batch on another device."""
        given = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "labels"}
        moved = {name: value.to(device) for name, value in given.items() if value is not None}
        return Batch(**moved, labels={name: value.to(device) for name, value in self.labels.items()})


@dataclass(frozen=True, kw_only=True)
class MeshPrediction:
    """What the regressor heads say of one hand, in the frame of the crop's camera (pinhole, centred on the
    crop).

    `theta` (b, 15, 3, 3) and `R` (b, 3, 3) rotation matrices; `beta` (b, 10); `T` (b, 3) m; `focal` (b,) in
    crop widths; `vertices` (b, V, 3) and `joints_3d` (b, 21, 3) m; `joints_2d` (b, 21, 2) crop px, projected.
    """

    theta: Tensor
    beta: Tensor
    R: Tensor
    T: Tensor
    focal: Tensor
    vertices: Tensor
    joints_3d: Tensor
    joints_2d: Tensor


@dataclass(frozen=True, kw_only=True)
class BlockPrediction:
    """What one MTL block says, None where the network has no such task: `heatmaps` (b, 21, h, h), `joints_2d`
    (b, 21, 2) crop px read from them by Eq. 1, `mask` (b, m, m) as logits, `pof` (b, 20, 3, p, p), `mesh`, and what the
    other heads give (b, n) by their names (`tasks.table.HEADS`).

    `taught_mesh` is the same mesh, through which the consistency's gradient goes no further than the recipe says; None
    if it goes everywhere.
    """

    heatmaps: Tensor | None = None
    mask: Tensor | None = None
    pof: Tensor | None = None
    joints_2d: Tensor | None = None
    mesh: MeshPrediction | None = None
    heads: Mapping[str, Tensor] = field(default_factory=dict)
    taught_mesh: MeshPrediction | None = None

    @property
    def maps(self) -> dict[str, Tensor]:
        """What the decoders gave, by the names of `tasks.table.MAPS`."""
        given = {"heatmap": self.heatmaps, "mask": self.mask, "pof": self.pof}
        return {name: maps for name, maps in given.items() if maps is not None}

    @property
    def right(self) -> Tensor | None:
        """The logit (b,) of a right hand; None without that head."""
        return self.heads["right"][:, 0] if "right" in self.heads else None


@dataclass(frozen=True, kw_only=True)
class AuxiliaryPrediction:
    """What the heads on a backbone's pooled features say: `joints_2d` (b, 21, 2) crop px; `right` and, of an aligner,
    `present` (b,) as logits.
    """

    joints_2d: Tensor
    right: Tensor
    present: Tensor | None = None


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """The cascade's answer, block by block; the last block is the answer. `auxiliary` if there is such a head."""

    blocks: tuple[BlockPrediction, ...]
    auxiliary: AuxiliaryPrediction | None = None

    @property
    def last(self) -> BlockPrediction:
        """The last and best block."""
        return self.blocks[-1]
