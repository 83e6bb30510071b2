"""The kernels of `silhouette.soft_silhouette` in Warp, forward and backward: the same code on CPU and CUDA.

Warp compiles the functions below from their source; to a type checker they are Python with Warp's types, which are not
made to be added and indexed. That is why the rules named here are off, in this file only.
"""
# pyright: reportOperatorIssue=false, reportInvalidTypeForm=false, reportGeneralTypeIssues=false, reportAssignmentType=false

from __future__ import annotations

import os
import sys
from typing import Any, no_type_check

import torch
import warp as wp
from torch import Tensor

wp.config.log_level = wp.LOG_ERROR


def _start() -> None:
    """Start Warp. On a machine without CUDA its library says so on stderr itself, whatever the level: not here, where
    nobody asked for CUDA.
    """
    if torch.cuda.is_available():
        wp.init()
        return
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        wp.init()
    finally:
        os.dup2(kept, 2)
        os.close(kept)


_start()


@wp.func
@no_type_check
def _edge(px: float, py: float, ax: float, ay: float, bx: float, by: float):
    """Offset to the nearest point of segment ab, and where on it that is."""
    ex = bx - ax
    ey = by - ay
    t = wp.clamp(((px - ax) * ex + (py - ay) * ey) / wp.max(ex * ex + ey * ey, 1e-12), 0.0, 1.0)
    return wp.vec3(px - ax - t * ex, py - ay - t * ey, t)


@wp.func
@no_type_check
def _inside(px: float, py: float, ax: float, ay: float, bx: float, by: float, cx: float, cy: float):
    u = (bx - ax) * (py - ay) - (by - ay) * (px - ax)
    v = (cx - bx) * (py - by) - (cy - by) * (px - bx)
    w = (ax - cx) * (py - cy) - (ay - cy) * (px - cx)
    return (u > 0.0 and v > 0.0 and w > 0.0) or (u < 0.0 and v < 0.0 and w < 0.0)


@wp.kernel
@no_type_check
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
@no_type_check
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


class WarpSilhouette(torch.autograd.Function):
    """Runs the two kernels on torch's memory: points (b, v, 2), faces (f, 3), size, sigma and cut to (b, s, s)."""

    @staticmethod
    def forward(ctx: Any, points: Tensor, faces: Tensor, size: int, sigma: float, cut: float) -> Tensor:
        """Coverage; faces add up what they leave clear, as a logarithm."""
        wp.init()
        points = points.detach().float().contiguous()
        faces = faces.to(torch.int32).contiguous()
        log_clear = points.new_zeros(points.shape[0], size, size)
        wp.launch(
            _forward,
            dim=(points.shape[0], faces.shape[0]),
            inputs=[wp.from_torch(points), wp.from_torch(faces), size, sigma, cut, wp.from_torch(log_clear)],
            device=wp.device_from_torch(points.device),
        )
        clear = log_clear.exp()
        ctx.save_for_backward(points, faces, clear)
        ctx.size, ctx.sigma, ctx.cut = size, sigma, cut
        return 1 - clear

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None, None, None]:
        """The gradient of the points alone."""
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
                ctx.cut,
                wp.from_torch(upstream),
                wp.from_torch(gradient),
            ],
            device=wp.device_from_torch(points.device),
        )
        return gradient, None, None, None, None
