"""Labels in the convention that they were made in (docs/joints.md).

The mesh answers in the label's own joints. Heat-maps, POF and auxiliary head are taught the hand model's: their labels
are converted, and a joint that is made of one that is not known is not known.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from handscope.geometry.camera_torch import project_centred
from handscope.types import Batch, MeshPrediction

COUNTS = 1e-6
"""Weights below this are rounding."""


def as_labelled(mesh: MeshPrediction, batch: Batch) -> MeshPrediction:
    """The mesh with its joints, in 3D and projected, where the labels' conventions have them.

    In pixels the camera of the crop decides: the convention's joints are projected, not the projections weighed.
    """
    if batch.regressor is None:
        return mesh
    joints = batch.regressor @ mesh.joints_3d
    crop = batch.image.shape[1]
    return replace(mesh, joints_3d=joints, joints_2d=project_centred(joints, mesh.focal * crop, crop))


def as_modelled(batch: Batch) -> Batch:
    """The batch with its joints where the hand model has them, in 2D and 3D."""
    if batch.regressor is None:
        return batch
    inverse = torch.linalg.inv(batch.regressor)
    return replace(
        batch,
        joints_2d=inverse @ batch.joints_2d,
        joints_2d_known=all_known(inverse, batch.joints_2d_known),
        joints_3d=inverse @ batch.joints_3d,
        joints_3d_known=all_known(inverse, batch.joints_3d_known),
        regressor=None,
    )


def all_known(weights: Float[Tensor, "b 21 21"], known: Bool[Tensor, "b 21"]) -> Bool[Tensor, "b 21"]:
    """Which weighted sums are made of known joints alone."""
    return ~((weights.abs() > COUNTS) & ~known[:, None]).any(-1)
