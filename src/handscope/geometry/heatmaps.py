"""Heat-maps, part orientation fields and the coordinates read from them (paper, section 3.1, Eqs. 1 and 2).

A map of size h over a crop of size S has its pixel i at crop pixel (i + 0.5) S / h - 0.5: both cover the same
square.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import grid_sample

from handscope.skeleton import BONES


def crop_to_map(points: Float[Tensor, "... 2"], crop: int, size: int) -> Float[Tensor, "... 2"]:
    """Crop pixels to pixels of a map of `size` over the same square."""
    return (points + 0.5) * (size / crop) - 0.5


def map_to_crop(points: Float[Tensor, "... 2"], crop: int, size: int) -> Float[Tensor, "... 2"]:
    """The inverse of `crop_to_map`."""
    return (points + 0.5) * (crop / size) - 0.5


def gaussian_maps(points: Float[Tensor, "b j 2"], size: int, sigma_px: float) -> Float[Tensor, "b j h w"]:
    """exp(-((x - x^)^2 + (y - y^)^2) / 2 sigma^2) for points in map pixels."""
    grid = torch.arange(size, dtype=points.dtype, device=points.device)
    fall = torch.exp(-((grid - points[..., None]) ** 2) / (2 * sigma_px**2))  # (b, j, 2, size)
    return fall[..., 1, :, None] * fall[..., 0, None, :]


def mean_coordinates(weights: Float[Tensor, "b j h w"]) -> Float[Tensor, "b j 2"]:
    """Eq. 1: the mean of the pixel places under non-negative weights, in map pixels; the centre for an empty
    map.
    """
    empty = weights.sum((2, 3), keepdim=True) < 1e-6
    weights = torch.where(empty, torch.ones_like(weights), weights)
    rows, columns = weights.sum(3), weights.sum(2)
    total = columns.sum(-1, keepdim=True)
    x = torch.arange(columns.shape[-1], dtype=weights.dtype, device=weights.device)
    y = torch.arange(rows.shape[-1], dtype=weights.dtype, device=weights.device)
    return torch.stack([(columns / total) @ x, (rows / total) @ y], -1)


def soft_argmax(logits: Float[Tensor, "b j h w"]) -> Float[Tensor, "b j 2"]:
    """Eq. 1 of the softmax of logits, in map pixels."""
    return mean_coordinates(logits.flatten(2).softmax(-1).view_as(logits))


def argmax(maps: Float[Tensor, "b j h w"]) -> Float[Tensor, "b j 2"]:
    """The highest pixel, in map pixels: the paper's read-out of its 2D figures. No gradient; the centre for a flat
    map.
    """
    flat = maps.detach().flatten(2)
    place = flat.argmax(-1)
    found = torch.stack([place % maps.shape[-1], torch.div(place, maps.shape[-1], rounding_mode="floor")], -1)
    is_flat = (flat.amax(-1) - flat.amin(-1) < 1e-6)[..., None]
    return torch.where(is_flat, (maps.shape[-1] - 1) / 2, found.to(maps.dtype))


def mean_above_half(maps: Float[Tensor, "b j h w"]) -> Float[Tensor, "b j 2"]:
    """Eq. 1 of what is above half the peak, in map pixels: the far ground, which is never quite zero, does not pull.
    The centre for a map that is nowhere positive.
    """
    peak = maps.detach().amax((2, 3), keepdim=True).clamp(min=0)
    return mean_coordinates((maps - peak / 2).relu())


def sample_maps(maps: Float[Tensor, "b j h w"], points: Float[Tensor, "b j 2"]) -> Float[Tensor, "b j"]:
    """Each map's own value at its point in map pixels, between pixels linearly."""
    grid = (points + 0.5) * (2 / maps.shape[-1]) - 1
    seen = grid_sample(
        maps.flatten(0, 1)[:, None], grid.flatten(0, 1)[:, None, None], padding_mode="border", align_corners=False
    )
    return seen.view(maps.shape[:2])


def orientation_fields(
    joints_2d: Float[Tensor, "b 21 2"],
    joints_3d: Float[Tensor, "b 21 3"],
    size: int,
    half_width_px: float = 1.0,
) -> tuple[Float[Tensor, "b 20 3 h w"], Bool[Tensor, "b 20 h w"]]:
    """Eq. 2: on the pixels of a bone, its unit direction in the picture and the z of its unit direction in 3D;
    0 elsewhere.

    `joints_2d` in map pixels. A pixel belongs to a bone if it is within `half_width_px` of its segment. Returns
    the fields and where the bones are. A bone seen end-on (shorter than half a pixel) has no direction in the
    picture: zeros there.
    """
    parents, children = (torch.tensor(ends, device=joints_2d.device) for ends in zip(*BONES, strict=True))
    a, b = joints_2d[:, parents], joints_2d[:, children]
    step = b - a
    length = step.norm(dim=-1, keepdim=True)
    direction = torch.where(length > 0.5, step / length.clamp(min=0.5), torch.zeros_like(step))
    bone = joints_3d[:, children] - joints_3d[:, parents]
    depth = bone[..., 2:] / bone.norm(dim=-1, keepdim=True).clamp(min=1e-6)
    grid = torch.arange(size, dtype=joints_2d.dtype, device=joints_2d.device)
    x, y = grid[None, None, None, :] - a[..., 0, None, None], grid[None, None, :, None] - a[..., 1, None, None]
    sx, sy = step[..., 0, None, None], step[..., 1, None, None]
    along = ((x * sx + y * sy) / (sx * sx + sy * sy).clamp(min=1e-6)).clamp(0, 1)
    on_bone = (x - along * sx) ** 2 + (y - along * sy) ** 2 <= half_width_px**2
    value = torch.cat([direction, depth], -1)
    return value[..., None, None] * on_bone[:, :, None], on_bone


def mean_along_bones(
    maps: Float[Tensor, "b 20 h w"], joints_2d: Float[Tensor, "b 21 2"], samples: int = 7
) -> Float[Tensor, "b 20"]:
    """Each bone's own map, averaged over its inner four fifths; `joints_2d` in map pixels."""
    parents, children = (torch.tensor(ends, device=joints_2d.device) for ends in zip(*BONES, strict=True))
    share = torch.linspace(0.1, 0.9, samples, device=joints_2d.device)[:, None]
    points = joints_2d[:, parents, None] * (1 - share) + joints_2d[:, children, None] * share  # (b, 20, samples, 2)
    grid = (points + 0.5) * (2 / maps.shape[-1]) - 1
    seen = grid_sample(maps.flatten(0, 1)[:, None], grid.flatten(0, 1)[:, None], align_corners=False)
    return seen.mean((1, 2, 3)).view(maps.shape[:2])
