"""The hand model in torch: differentiable and batched; equal to `hand.model` within 1e-5 m (paper, Eqs. 3 and 4)."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from handscope.hand.assets import HandAsset
from handscope.hand.kinematics_torch import chain, skin
from handscope.skeleton import MODEL_TO_CANONICAL


class HandLayer(nn.Module):
    """M(beta, theta), placed by R and T. Buffers follow the module's device and dtype; nothing is learnt."""

    template: Tensor
    shapedirs: Tensor
    posedirs: Tensor
    rest_joints: Tensor
    joint_dirs: Tensor
    weights: Tensor
    faces: Tensor
    silhouette_faces: Tensor
    tips: Tensor
    order: Tensor

    def __init__(self, asset: HandAsset) -> None:
        super().__init__()
        count = len(asset.template)
        constants = {
            "template": asset.template,
            "shapedirs": asset.shapedirs.reshape(count * 3, -1).T,
            "posedirs": asset.posedirs.reshape(count * 3, 135).T,
            "rest_joints": asset.joints,
            "joint_dirs": asset.joint_dirs.reshape(48, -1).T,
            "weights": asset.weights,
        }
        for name, value in constants.items():
            self.register_buffer(name, torch.tensor(value, dtype=torch.float32).contiguous(), persistent=False)
        for name, index in {
            "faces": asset.faces,
            "silhouette_faces": asset.silhouette_faces,
            "tips": asset.tips,
            "order": MODEL_TO_CANONICAL,
        }.items():
            self.register_buffer(name, torch.tensor(index.copy(), dtype=torch.int64), persistent=False)

    def forward(
        self,
        beta: Float[Tensor, "b 10"],
        theta: Float[Tensor, "b 15 3 3"],
        R: Float[Tensor, "b 3 3"] | None = None,
        T: Float[Tensor, "b 3"] | None = None,
    ) -> tuple[Float[Tensor, "b v 3"], Float[Tensor, "b 21 3"]]:
        """Vertices and canonical joints in metres; `theta` and `R` are rotation matrices, T is the wrist's place."""
        b, count = beta.shape[0], self.template.shape[0]
        vertices = self.template + (beta @ self.shapedirs).view(b, count, 3)
        joints = self.rest_joints + (beta @ self.joint_dirs).view(b, 16, 3)
        identity = torch.eye(3, dtype=beta.dtype, device=beta.device)
        vertices = vertices + ((theta - identity).reshape(b, 135) @ self.posedirs).view(b, count, 3)
        rotation, position = chain(joints, theta)
        vertices = skin(vertices, self.weights, joints, rotation, position)
        placed = torch.cat([position, vertices[:, self.tips]], 1)[:, self.order]
        wrist = joints[:, :1]
        if R is not None:
            turned = R.transpose(1, 2)
            vertices, placed, wrist = vertices @ turned, placed @ turned, wrist @ turned
        move = -wrist if T is None else T[:, None] - wrist
        return vertices + move, placed + move
