"""Supervised and weakly supervised terms (paper, section 3.3): a `Term` each, a value for every sample and whether
anything of the kind is known of it.

Weak supervision is fewer known labels, not another code path: a sample with 2D joints only trains the
heat-maps, two of the three channels of the POF and the re-projection; a joint that is not known is left out of
every term, and the rest of its hand trains.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional as F

from handscope.geometry.heatmaps import crop_to_map, gaussian_maps, orientation_fields
from handscope.losses.terms import Term, known_mean, known_sample
from handscope.skeleton import BONES, WRIST

OFF_BONE_WEIGHT = 0.1
"""What the mean error beside a bone counts against that on it (ours; the paper's L_pof does not say)."""
DECIMETRES = 10.0
"""A metre in decimetres: errors of a hand are then a fraction of 1, as those of the other terms are."""
ROOT_EPSILON = 1e-10
"""Under a square root of m^2: its derivative stays finite where two joints coincide."""


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
    maps: Float[Tensor, "b j h w"], joints: Float[Tensor, "b j 2"], known: Bool[Tensor, "b j"], crop: int, sigma: float
) -> Term:
    """L_hm of the paper: squared error to the Gaussian-like maps of section 3.1, summed over a map. `sigma` in
    map pixels.
    """
    size = maps.shape[-1]
    target = gaussian_maps(crop_to_map(joints, crop, size), size, sigma)
    return known_mean((maps - target).square().sum((2, 3)), known & inside(joints, crop))


def joint_l1(
    found: Float[Tensor, "b j 2"], joints: Float[Tensor, "b j 2"], known: Bool[Tensor, "b j"], crop: int
) -> Term:
    """L_2d: distance of 2D joints in crop widths (sum of |dx| and |dy|), over the known ones."""
    return known_mean((found - joints).abs().sum(-1) / crop, known)


def pof_l1(
    pof: Float[Tensor, "b 20 3 h w"],
    joints_2d: Float[Tensor, "b 21 2"],
    joints_2d_known: Bool[Tensor, "b 21"],
    joints_3d: Float[Tensor, "b 21 3"],
    joints_3d_known: Bool[Tensor, "b 21"],
    crop: int,
) -> Term:
    """L_pof: absolute error on the bones, plus `OFF_BONE_WEIGHT` of it elsewhere (Eq. 2: zero there).

    A bone counts if both its ends are known in 2D; its z channel counts if they are known in 3D too.
    """
    size = pof.shape[-1]
    target, on_bone = orientation_fields(crop_to_map(joints_2d, crop, size), joints_3d, size)
    bone_known = bones_known(joints_2d_known)
    depth_known = bone_known & bones_known(joints_3d_known)
    channel_known = torch.stack([bone_known, bone_known, depth_known], 2)  # (b, 20, 3)
    error = (pof - target).abs()
    on = on_bone[:, :, None].float()
    on_error = (error * on).sum((3, 4)) / on.sum((3, 4)).clamp(min=1)
    off_error = (error * (1 - on)).mean((3, 4))
    value = on_error + OFF_BONE_WEIGHT * off_error
    return known_mean(value.flatten(1), channel_known.flatten(1))


def mask_cross_entropy(logits: Float[Tensor, "b m m"], mask: Float[Tensor, "b n n"], known: Bool[Tensor, " b"]) -> Term:
    """L_seg: binary cross-entropy to the coverage, averaged down or up to the logits' size."""
    size = logits.shape[-1]
    if mask.shape[-1] != size:
        mask = F.interpolate(mask[:, None], size=(size, size), mode="area")[:, 0]
    entropy = F.binary_cross_entropy_with_logits(logits, mask, reduction="none").mean((1, 2))
    return known_sample(entropy, known)


def bones_known(joints: Bool[Tensor, "b 21"]) -> Bool[Tensor, "b 20"]:
    """Which bones have both ends known."""
    parents, children = (torch.tensor(ends, device=joints.device) for ends in zip(*BONES, strict=True))
    return joints[:, parents] & joints[:, children]


def bone_directions(joints: Float[Tensor, "b 21 3"]) -> Float[Tensor, "b 20 3"]:
    """Unit directions of the 20 bones."""
    parents, children = (torch.tensor(ends, device=joints.device) for ends in zip(*BONES, strict=True))
    return F.normalize(joints[:, children] - joints[:, parents], dim=-1, eps=1e-6)


def bone_cosine(found: Float[Tensor, "b 21 3"], joints: Float[Tensor, "b 21 3"], known: Bool[Tensor, "b 21"]) -> Term:
    """L_3d: 1 - cosine between estimated and true bones; free of size and place."""
    return known_mean(1 - (bone_directions(found) * bone_directions(joints)).sum(-1), bones_known(known))


def joint_distance(
    found: Float[Tensor, "b 21 3"], joints: Float[Tensor, "b 21 3"], known: Bool[Tensor, "b 21"]
) -> Term:
    """Distance of 3D joints in decimetres with the wrists laid on each other (where the wrist is not known, the means
    of the known joints): the size that L_3d leaves open (ours).
    """
    away = (found - anchor(found, known)) - (joints - anchor(joints, known))
    return known_mean((away.square().sum(-1) + ROOT_EPSILON).sqrt() * DECIMETRES, known)


def anchor(joints: Float[Tensor, "b 21 3"], known: Bool[Tensor, "b 21"]) -> Float[Tensor, "b 1 3"]:
    """The wrist, or the mean of the known joints where it is not known."""
    counted = known * (~known[:, WRIST, None])
    mean = (joints * counted[..., None]).sum(1) / counted.sum(1, keepdim=True).clamp(min=1)
    return torch.where(known[:, WRIST, None], joints[:, WRIST], mean)[:, None]


def rotation_distance(
    found: Float[Tensor, "b n 3 3"], true: Float[Tensor, "b n 3 3"], known: Bool[Tensor, " b"]
) -> Term:
    """Mean squared entry of the difference of rotation matrices (ours; synthesis knows theta and R)."""
    return known_sample((found - true).square().mean((1, 2, 3)), known)


def silhouette_iou(silhouette: Float[Tensor, "b s s"], mask: Float[Tensor, "b s s"], known: Bool[Tensor, " b"]) -> Term:
    """L_mask: one minus the soft intersection over union of rendered and true mask."""
    both = (silhouette * mask).sum((1, 2))
    either = (silhouette + mask - silhouette * mask).sum((1, 2))
    return known_sample(1 - both / either.clamp(min=1e-6), known)
