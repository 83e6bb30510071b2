"""What passes between the rooms: a labelled picture (`Sample`) and an understood hand (`Hand`).

Units everywhere: metres, radians, pixels (x right, y down; the centre of the top-left pixel is (0, 0));
camera frame x right, y down, z forward; RGB uint8 images (H, W, 3); joints in the order of `skeleton`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Handedness = Literal["left", "right"]
FloatArray = NDArray[np.floating]


@dataclass(frozen=True, kw_only=True)
class HandLabel:
    """What is known of one hand in one picture; None where nothing is known.

    `joints_2d` (21, 2) px and `joints_3d` (21, 3) m in the camera frame carry `joints_2d_known` and
    `joints_3d_known` (21,) bool; `visible` (21,) bool is true where the joint is neither behind
    the hand itself nor behind an object, and inside the picture. `mask` (H, W) uint8 is coverage of the visible hand (no forearm), 0-255.
    `theta` (15, 3) axis-angle, `beta` (10,), `R` (3, 3) and `T` (3,) place the RIGHT-hand model; for a left hand they are
    those of the picture mirrored left to right. `box` is (x0, y0, x1, y1) px.
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


@dataclass(frozen=True, kw_only=True)
class Hand:
    """Everything Handscope says about one hand in a picture of height H and width W.

    `joints_2d` (21, 2) px of the input; `joint_scores` (21,) in [0, 1]; `mask` (H, W) bool; `joints_3d` (21, 3) and
    `vertices` (V, 3) metres in the camera frame; `theta` (15, 3) axis-angle, `beta` (10,), `R` (3, 3) and `T` (3,)
    place the right-hand model so that x_cam = R (x - wrist) + T (for a left hand: the mirrored picture's); `K` (3, 3)
    the intrinsics used; `box` (x0, y0, x1, y1) px; `score` in [0, 1]; `faces` (F, 3) triangles,
    counter-clockwise seen from outside.
    """

    handedness: Handedness
    score: float
    box: FloatArray
    joints_2d: FloatArray
    joint_scores: FloatArray
    mask: NDArray[np.bool_]
    joints_3d: FloatArray
    vertices: FloatArray
    faces: NDArray[np.integer]
    theta: FloatArray
    beta: FloatArray
    R: FloatArray
    T: FloatArray
    K: FloatArray
    extras: dict[str, float] = field(default_factory=dict)

    def __repr__(self) -> str:
        x0, y0, x1, y1 = (round(float(v)) for v in self.box)
        return (
            f"Hand({self.handedness}, score {self.score:.2f}, box ({x0}, {y0})-({x1}, {y1}), "
            f"wrist {self.T[2]:.2f} m away, {int(self.mask.sum())} mask px)"
        )
