"""Differentiable silhouettes: S = 1 - prod over faces of (1 - sigmoid(+-d^2 / sigma)) (SoftRas, Liu et al.
2019).

d is the distance in pixels from a pixel's centre to the triangle's nearest edge, positive inside.
`soft_silhouette` runs Warp kernels with hand-written gradients (`warp_silhouette`);
`soft_silhouette_reference` is its readable twin in plain torch and the oracle of the tests. Faces count from
both sides; depth plays no part.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from handscope.render.warp_silhouette import WarpSilhouette

CUT = 9.21
"""Contributions below exp(-CUT) = 1e-4 are left out."""
SIGMA_PER_PX = 1 / 3200
"""The usual sigma in squared px for each px of the picture's size. Soft edges add up where faces meet, so a wide sigma
makes every hand too large: with 0.5 px^2 a true hand's area was a third too large at 32 px, and L_mask least for a
hand shrunk to 0.92. With this the area is within 3 % (32 px) and 2 % (64, 128 px) and a hand 3 px aside still moves
back (tests/render/test_silhouette.py)."""


def usual_sigma(size: int) -> float:
    """Sigma in squared px for a picture of `size` px."""
    return SIGMA_PER_PX * size


def soft_silhouette(
    points: Float[Tensor, "b v 2"], faces: Int[Tensor, "f 3"], size: int, sigma: float | None = None
) -> Float[Tensor, "b s s"]:
    """Coverage in [0, 1]; `points` in pixels of the (size, size) picture, `sigma` in squared pixels (without one,
    `usual_sigma`); float32.
    """
    return WarpSilhouette.apply(points, faces, size, usual_sigma(size) if sigma is None else sigma, CUT)


def soft_silhouette_reference(
    points: Float[Tensor, "b v 2"], faces: Int[Tensor, "f 3"], size: int, sigma: float | None = None
) -> Float[Tensor, "b s s"]:
    """The same in plain torch, any float type, gradients by autograd."""
    sigma = usual_sigma(size) if sigma is None else sigma
    batch, count = points.shape[0], faces.shape[0]
    triangles = points[:, faces]  # (b, f, 3, 2)
    index, px, py = _windows(triangles.detach(), size, (sigma * CUT) ** 0.5)
    corner = triangles.reshape(-1, 3, 2)[index]
    edge = corner.roll(-1, 1) - corner
    offset = torch.stack([px, py], 1).to(points.dtype)[:, None] - corner
    t = ((offset * edge).sum(-1) / (edge * edge).sum(-1).clamp(min=1e-12)).clamp(0, 1)
    gap = offset - t[..., None] * edge
    square = (gap * gap).sum(-1).amin(1)
    turn = edge[..., 0] * offset[..., 1] - edge[..., 1] * offset[..., 0]
    within = (turn > 0).all(1) | (turn < 0).all(1)
    score = torch.where(within, square, -square) / sigma
    score = torch.where(score > -CUT, score, torch.full_like(score, -1e4))
    pixel = (torch.div(index, count, rounding_mode="floor") * size + py) * size + px
    log_clear = points.new_zeros(batch * size * size).index_add(0, pixel, F.logsigmoid(-score))
    return (1 - log_clear.exp()).view(batch, size, size)


def _windows(triangles: Tensor, size: int, margin: float) -> tuple[Tensor, Tensor, Tensor]:
    """All (face, pixel) pairs whose pixel is within `margin` of the face's box."""
    low = (triangles.amin(2) - margin).ceil().clamp(min=0).long()
    high = (triangles.amax(2) + margin).floor().clamp(max=size - 1).long()
    extent = (high - low + 1).clamp(min=0).flatten(0, 1)
    number = extent[:, 0] * extent[:, 1]
    index = torch.repeat_interleave(number)
    place = torch.arange(len(index), device=index.device) - (number.cumsum(0) - number)[index]
    width = extent[index, 0]
    row = torch.div(place, width, rounding_mode="floor")
    corner = low.flatten(0, 1)[index]
    return index, corner[:, 0] + place - row * width, corner[:, 1] + row
