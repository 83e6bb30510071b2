"""Differentiable silhouettes: S = 1 - prod over faces of (1 - sigmoid(+-d^2 / sigma)) (SoftRas, Liu et al.
2019).

d is the distance in pixels from a pixel's centre to the triangle's nearest edge, positive inside.
`soft_silhouette` is a Warp kernel with hand-written gradients (the same code on CPU and CUDA);
`soft_silhouette_reference` is its readable twin in plain torch and the oracle of the tests. Faces count from
both sides; depth plays no part.
"""

from __future__ import annotations

from typing import Any

import torch
import warp as wp
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

CUT = 9.21
"""Contributions below exp(-CUT) = 1e-4 are left out."""


def soft_silhouette(
    points: Float[Tensor, "b v 2"], faces: Int[Tensor, "f 3"], size: int, sigma: float = 0.5
) -> Float[Tensor, "b s s"]:
    """Coverage in [0, 1]; `points` in pixels of the (size, size) picture, `sigma` in squared pixels; float32."""
    return _WarpSilhouette.apply(points, faces, size, sigma)


def soft_silhouette_reference(
    points: Float[Tensor, "b v 2"], faces: Int[Tensor, "f 3"], size: int, sigma: float = 0.5
) -> Float[Tensor, "b s s"]:
    """The same in plain torch, any float type, gradients by autograd."""
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


wp.config.log_level = wp.LOG_ERROR


@wp.func
def _edge(px: float, py: float, ax: float, ay: float, bx: float, by: float):
    """Offset to the nearest point of segment ab, and where on it that is."""
    ex = bx - ax
    ey = by - ay
    t = wp.clamp(((px - ax) * ex + (py - ay) * ey) / wp.max(ex * ex + ey * ey, 1e-12), 0.0, 1.0)
    return wp.vec3(px - ax - t * ex, py - ay - t * ey, t)


@wp.func
def _inside(px: float, py: float, ax: float, ay: float, bx: float, by: float, cx: float, cy: float):
    u = (bx - ax) * (py - ay) - (by - ay) * (px - ax)
    v = (cx - bx) * (py - by) - (cy - by) * (px - bx)
    w = (ax - cx) * (py - cy) - (ay - cy) * (px - cx)
    return (u > 0.0 and v > 0.0 and w > 0.0) or (u < 0.0 and v < 0.0 and w < 0.0)


@wp.kernel
def _forward(
    points: wp.array3d(dtype=float),
    faces: wp.array2d(dtype=int),
    size: int,
    sigma: float,
    cut: float,
    log_clear: wp.array3d(dtype=float),
):
    b, f = wp.tid()
    i, j, k = faces[f, 0], faces[f, 1], faces[f, 2]
    ax, ay = points[b, i, 0], points[b, i, 1]
    bx, by = points[b, j, 0], points[b, j, 1]
    cx, cy = points[b, k, 0], points[b, k, 1]
    margin = wp.sqrt(sigma * cut)
    x0 = wp.max(int(wp.ceil(wp.min(wp.min(ax, bx), cx) - margin)), 0)
    x1 = wp.min(int(wp.floor(wp.max(wp.max(ax, bx), cx) + margin)), size - 1)
    y0 = wp.max(int(wp.ceil(wp.min(wp.min(ay, by), cy) - margin)), 0)
    y1 = wp.min(int(wp.floor(wp.max(wp.max(ay, by), cy) + margin)), size - 1)
    for y in range(y0, y1 + 1):
        for x in range(x0, x1 + 1):
            px = float(x)
            py = float(y)
            p = _edge(px, py, ax, ay, bx, by)
            q = _edge(px, py, bx, by, cx, cy)
            r = _edge(px, py, cx, cy, ax, ay)
            square = wp.min(p[0] * p[0] + p[1] * p[1], wp.min(q[0] * q[0] + q[1] * q[1], r[0] * r[0] + r[1] * r[1]))
            score = -square / sigma
            if _inside(px, py, ax, ay, bx, by, cx, cy):
                score = square / sigma
            if score > -cut:
                wp.atomic_add(log_clear, b, y, x, -(wp.max(score, 0.0) + wp.log(1.0 + wp.exp(-wp.abs(score)))))


@wp.kernel
def _backward(
    points: wp.array3d(dtype=float),
    faces: wp.array2d(dtype=int),
    size: int,
    sigma: float,
    cut: float,
    upstream: wp.array3d(dtype=float),
    gradient: wp.array3d(dtype=float),
):
    b, f = wp.tid()
    i, j, k = faces[f, 0], faces[f, 1], faces[f, 2]
    ax, ay = points[b, i, 0], points[b, i, 1]
    bx, by = points[b, j, 0], points[b, j, 1]
    cx, cy = points[b, k, 0], points[b, k, 1]
    margin = wp.sqrt(sigma * cut)
    x0 = wp.max(int(wp.ceil(wp.min(wp.min(ax, bx), cx) - margin)), 0)
    x1 = wp.min(int(wp.floor(wp.max(wp.max(ax, bx), cx) + margin)), size - 1)
    y0 = wp.max(int(wp.ceil(wp.min(wp.min(ay, by), cy) - margin)), 0)
    y1 = wp.min(int(wp.floor(wp.max(wp.max(ay, by), cy) + margin)), size - 1)
    for y in range(y0, y1 + 1):
        for x in range(x0, x1 + 1):
            g = upstream[b, y, x]
            if wp.abs(g) > 1e-12:
                px = float(x)
                py = float(y)
                p = _edge(px, py, ax, ay, bx, by)
                q = _edge(px, py, bx, by, cx, cy)
                r = _edge(px, py, cx, cy, ax, ay)
                near = p
                start = i
                end = j
                square = p[0] * p[0] + p[1] * p[1]
                other = q[0] * q[0] + q[1] * q[1]
                if other < square:
                    near = q
                    start = j
                    end = k
                    square = other
                other = r[0] * r[0] + r[1] * r[1]
                if other < square:
                    near = r
                    start = k
                    end = i
                    square = other
                sign = float(-1.0)
                if _inside(px, py, ax, ay, bx, by, cx, cy):
                    sign = 1.0
                score = sign * square / sigma
                if score > -cut:
                    c = -g * sign * 2.0 / sigma / (1.0 + wp.exp(-score))
                    t = near[2]
                    wp.atomic_add(gradient, b, start, 0, c * near[0] * (1.0 - t))
                    wp.atomic_add(gradient, b, start, 1, c * near[1] * (1.0 - t))
                    wp.atomic_add(gradient, b, end, 0, c * near[0] * t)
                    wp.atomic_add(gradient, b, end, 1, c * near[1] * t)


class _WarpSilhouette(torch.autograd.Function):
    """Runs the two kernels on torch's memory."""

    @staticmethod
    def forward(ctx: Any, points: Tensor, faces: Tensor, size: int, sigma: float) -> Tensor:
        wp.init()
        points = points.detach().float().contiguous()
        faces = faces.to(torch.int32).contiguous()
        log_clear = points.new_zeros(points.shape[0], size, size)
        wp.launch(
            _forward,
            dim=(points.shape[0], faces.shape[0]),
            inputs=[wp.from_torch(points), wp.from_torch(faces), size, sigma, CUT, wp.from_torch(log_clear)],
            device=wp.device_from_torch(points.device),
        )
        clear = log_clear.exp()
        ctx.save_for_backward(points, faces, clear)
        ctx.size, ctx.sigma = size, sigma
        return 1 - clear

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None, None]:
        points, faces, clear = ctx.saved_tensors
        gradient = torch.zeros_like(points)
        upstream = (grads[0] * clear).contiguous()
        wp.launch(
            _backward,
            dim=(points.shape[0], faces.shape[0]),
            inputs=[
                wp.from_torch(points),
                wp.from_torch(faces),
                ctx.size,
                ctx.sigma,
                CUT,
                wp.from_torch(upstream),
                wp.from_torch(gradient),
            ],
            device=wp.device_from_torch(points.device),
        )
        return gradient, None, None, None
