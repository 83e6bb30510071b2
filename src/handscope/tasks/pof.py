"""The part orientation field (paper, section 3.1, Eq. 2): on each bone's pixels, which way it runs in the picture and
in depth.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from handscope.geometry.heatmaps import crop_to_map, mean_along_bones, orientation_fields
from handscope.skeleton import BONES
from handscope.tasks.task import MapTarget, MapTask
from handscope.tasks.terms import Term, known_mean
from handscope.types import Batch

OFF_BONE_WEIGHT = 0.1
"""What the mean error beside a bone counts against that on it (ours; the paper's L_pof does not say)."""


def bones_known(joints: Bool[Tensor, "b 21"]) -> Bool[Tensor, "b 20"]:
    """Which bones have both ends known."""
    parents, children = (torch.tensor(ends, device=joints.device) for ends in zip(*BONES, strict=True))
    return joints[:, parents] & joints[:, children]


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


def pof_term(pof: Tensor, batch: Batch, _: MapTarget) -> Term:
    """L_pof of what is known in 2D and in 3D."""
    crop = batch.image.shape[1]
    return pof_l1(pof, batch.joints_2d, batch.joints_2d_known, batch.joints_3d, batch.joints_3d_known, crop)


def bone_depths(pof: Float[Tensor, "b 20 3 h w"], joints: Float[Tensor, "b 21 2"]) -> Float[Tensor, "b 20"]:
    """The z of unit vectors along the bones, in [-1, 1]; `joints` in map px."""
    return mean_along_bones(pof[:, :, 2], joints).clamp(-1, 1)


POF = MapTask(name="pof", outputs=len(BONES) * 3, fine=False, term=pof_term, read=bone_depths, exported="bone_depths")
