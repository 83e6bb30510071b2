"""The crop's camera in torch, differentiable; `camera` says what the arguments are."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from handscope.geometry.camera import NEAR_M


def project_centred(points: Float[Tensor, "b n 3"], focal: Float[Tensor, " b"], size: int) -> Float[Tensor, "b n 2"]:
    """Eq. 5: camera-frame metres to px of a square picture of `size` px around the optical axis; `focal` in px."""
    return points[..., :2] / points[..., 2:].clamp(min=NEAR_M) * focal[:, None, None] + (size - 1) / 2
