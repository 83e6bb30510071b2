"""Supervised and weakly supervised terms of joints and mesh (paper, section 3.3; those of the maps are in `tasks`): a
`Term` each, a value for every sample and whether anything of the kind is known of it.

Weak supervision is fewer known labels, not another code path: a sample with 2D joints only trains the
heat-maps, two of the three channels of the POF and the re-projection; a joint that is not known is left out of
every term, and the rest of its hand trains.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional as F

from handscope.skeleton import BONES, WRIST
from handscope.tasks.pof import bones_known
from handscope.tasks.terms import Term, known_mean, known_sample

DECIMETRES = 10.0
"""A metre in decimetres: errors of a hand are then a fraction of 1, as those of the other terms are."""
ROOT_EPSILON = 1e-10
"""Under a square root of m^2: its derivative stays finite where two joints coincide."""


def joint_l1(
    found: Float[Tensor, "b j 2"], joints: Float[Tensor, "b j 2"], known: Bool[Tensor, "b j"], crop: int
) -> Term:
    """L_2d: distance of 2D joints in crop widths (sum of |dx| and |dy|), over the known ones."""
    return known_mean((found - joints).abs().sum(-1) / crop, known)


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
