"""Two hands of one person that touch: where the other hand goes so that it lies against the first.

All in the first hand's model frame (x towards the wrist, y out of the back, z towards the thumb), in which the other
hand is the mirror image `MIRROR`, turned, and brought nearer until the surfaces meet.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from handscope.geometry.rotations import axis_angle_to_matrix
from handscope.synth.appearance import random_rotation

Array = NDArray[np.floating]

MIRROR = np.diag([1.0, 1, -1])
"""The other hand with its palm and fingers where the first has them, its thumb on the other side."""
NEAR_M = 0.005
"""Vertices whose paths pass each other within this distance would meet."""
EVERY = 3
"""Of so many vertices one is looked at: their paths are NEAR_M wide."""
APART_M = 0.4
"""How far off the other hand begins."""


class Contact(NamedTuple):
    """A way to touch: the other hand's turn (axis-angle) after `MIRROR`, the direction from which it comes, where its
    middle lies to the side of that (a point, metres), how far its fingers go in between, and how often it is chosen.
    """

    turn: tuple[float, float, float]
    side: tuple[float, float, float]
    offset: tuple[float, float, float]
    deeper: float
    weight: float


CONTACTS = {
    "palm to palm": Contact((np.pi, 0, 0), (0, -1, 0), (0, 0, 0), 0.0, 1.0),
    "clasped": Contact((np.pi, 0.0, 0.0), (0, -1, 0), (0.01, 0, 0), 0.012, 1.2),
    "thumbs together": Contact((0, 0, 0), (0, 0, 1), (0, 0, 0), 0.0, 0.8),
    "little fingers together": Contact((0, 0, 0), (0, 0, -1), (0, 0, 0), 0.0, 0.8),
    "palm on back": Contact((0, 0.6, 0), (0, 1, 0), (0, 0, 0), 0.0, 1.2),
    "back in palm": Contact((0, 0.6, 0), (0, -1, 0), (0, 0, 0), 0.0, 1.0),
    "fingertips together": Contact((0, np.pi, 0), (-1, 0, 0), (0, 0, 0), 0.0, 0.8),
    "hand on wrist": Contact((0, 1.57, 0), (0, 1, 0), (0.06, 0, 0), 0.0, 1.0),
    "interlaced": Contact((np.pi, 1.0, 0), (0, -1, 0), (-0.03, 0, 0), 0.018, 1.0),
}
"""By name; every turn is varied by some 15 degrees, every offset by a centimetre."""


def touching(
    rng: np.random.Generator, first: NDArray[np.floating], other: NDArray[np.floating], R: Array, T: Array
) -> tuple[Array, Array] | None:
    """R (3, 3) and T (3,) of the other hand's own (right-hand) model, shown mirrored where the first is not.

    `first` and `other` (V, 3) are vertices of the two right hands in their model frames, R and T those of the first.
    None if on its way the other hand passes the first.
    """
    names = list(CONTACTS)
    weights = np.array([CONTACTS[name].weight for name in names])
    contact = CONTACTS[names[int(rng.choice(len(names), p=weights / weights.sum()))]]
    turn = axis_angle_to_matrix(rng.normal(0, 0.26, 3)) @ axis_angle_to_matrix(np.array(contact.turn))
    if rng.random() < 0.1:
        turn = random_rotation(rng)
    side = np.array(contact.side, np.float64)
    across = rng.normal(0, 0.012, 3) + contact.offset
    shown = other @ (turn @ MIRROR).T
    middle = first.mean(0) + across - (across @ side) * side
    start = middle - shown.mean(0) + APART_M * side
    way = travel(first[::EVERY], (shown + start)[::EVERY], -side)
    if way is None:
        return None
    place = start - (way + contact.deeper) * side
    # model to camera of the first, then mirrored, as a left hand is shown
    flip = np.diag([-1.0, 1, 1])
    return flip @ R @ turn @ MIRROR, flip @ (R @ place + T)


def travel(fixed: NDArray[np.floating], moving: NDArray[np.floating], along: Array) -> float | None:
    """How far (n, 3) `moving` vertices go along the unit vector `along` before they meet the `fixed` ones; None if
    they pass.
    """
    basis = np.linalg.svd(along[None])[2][1:]  # two axes across the way
    beside = np.linalg.norm((fixed @ basis.T)[:, None] - moving @ basis.T, axis=-1)
    gaps = np.where(beside < NEAR_M, (fixed @ along)[:, None] - moving @ along, np.inf)
    nearest = float(gaps.min())
    return None if np.isinf(nearest) else nearest
