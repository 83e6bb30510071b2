"""Heat-maps of the 21 joints (paper, section 3.1): two ways to teach them, four to read places from them (Eq. 1)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from jaxtyping import Bool, Float
from torch import Tensor

from handscope.geometry.heatmaps import (
    argmax,
    crop_to_map,
    gaussian_maps,
    mean_above_half,
    mean_coordinates,
    sample_maps,
    soft_argmax,
)
from handscope.skeleton import JOINT_NAMES
from handscope.tasks.task import MapTarget, MapTask
from handscope.tasks.terms import Term, known_mean
from handscope.types import Batch

Coordinates = Literal["softmax", "mean", "argmax", "half-peak"]
READ: dict[Coordinates, Callable[[Tensor], Tensor]] = {
    "softmax": soft_argmax,
    "mean": lambda maps: mean_coordinates(maps.relu()),
    "argmax": argmax,
    "half-peak": mean_above_half,
}
"""Maps (b, j, h, w) to places (b, j, 2) in map px: Eq. 1 of their softmax; Eq. 1 as printed, of what is positive; the
highest pixel; Eq. 1 of what is above half the peak."""


def inside(points: Float[Tensor, "b j 2"], crop: int) -> Bool[Tensor, "b j"]:
    """Which points lie on the crop."""
    return ((points > -0.5) & (points < crop - 0.5)).all(-1)


def heatmap_cross_entropy(
    logits: Float[Tensor, "b j h w"],
    joints: Float[Tensor, "b j 2"],
    known: Bool[Tensor, "b j"],
    crop: int,
    sigma: float,
) -> Term:
    """L_hm for the softmax form of Eq. 1: cross-entropy to the normalised Gaussian. `sigma` in map pixels."""
    size = logits.shape[-1]
    target = gaussian_maps(crop_to_map(joints, crop, size), size, sigma).flatten(2)
    target = target / target.sum(-1, keepdim=True).clamp(min=1e-6)
    entropy = -(target * logits.flatten(2).log_softmax(-1)).sum(-1)
    return known_mean(entropy, known & inside(joints, crop))


def heatmap_squared_error(
    maps: Float[Tensor, "b j h w"],
    joints: Float[Tensor, "b j 2"],
    known: Bool[Tensor, "b j"],
    crop: int,
    sigma: float,
    peak: float = 0.0,
) -> Term:
    """L_hm of the paper: squared error to the Gaussian-like maps of section 3.1, summed over a map, 1 + `peak` times
    the target's height for each pixel. `sigma` in map pixels.
    """
    size = maps.shape[-1]
    target = gaussian_maps(crop_to_map(joints, crop, size), size, sigma)
    error = (maps - target).square() * (1 + peak * target)
    return known_mean(error.sum((2, 3)), known & inside(joints, crop))


def heatmap_term(maps: Tensor, batch: Batch, target: MapTarget) -> Term:
    """L_hm in the form that the recipe names."""
    crop = batch.image.shape[1]
    if target.form == "softmax":
        return heatmap_cross_entropy(maps, batch.joints_2d, batch.joints_2d_known, crop, target.sigma_px)
    return heatmap_squared_error(maps, batch.joints_2d, batch.joints_2d_known, crop, target.sigma_px, target.peak)


def heatmap_confidence(
    heatmaps: Float[Tensor, "b j h w"], read_px: Float[Tensor, "b j 2"], sigma: float, form: Coordinates = "softmax"
) -> Float[Tensor, "b j"]:
    """How sure the maps are of the places read from them, in [0, 1]; `read_px` in map pixels.

    For maps read by softmax, the share of the mass within about two sigmas; for the paper's, which are to be one where
    a joint is, their height there.
    """
    if form != "softmax":
        return sample_maps(heatmaps, read_px).clamp(0, 1)
    probability = heatmaps.flatten(2).softmax(-1)
    near = gaussian_maps(read_px, heatmaps.shape[-1], 2 * sigma).flatten(2)
    return (probability * near).sum(-1)


def read_joints(maps: Float[Tensor, "b j h w"], form: Coordinates = "softmax") -> Float[Tensor, "b j 2"]:
    """Places in map px."""
    return READ[form](maps)


HEATMAP = MapTask(
    name="heatmap", outputs=len(JOINT_NAMES), fine=True, term=heatmap_term, read=read_joints, exported="joints"
)
