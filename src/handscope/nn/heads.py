"""Regressor heads (paper, section 3.2): theta, beta, R, T and f from a block's TAM features; one set of weights
for all blocks.

Rotations are learnt in 6D (Zhou et al. 2019). The camera is learnt as what a crop shows: where the wrist is,
how large a metre is there, and the focal length; T follows from them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from roma import special_gramschmidt
from torch import Tensor, nn

from handscope.geometry.camera_torch import project_centred
from handscope.hand.layer import HandLayer
from handscope.nn.blocks import conv_bn, in_float32
from handscope.tasks.table import HEADS
from handscope.types import MeshPrediction

FOCAL = 2.0
"""Focal length that the head starts from, in crop widths: the middle of what synthesis samples."""
WIDTHS_PER_METRE = 3.8
"""Crop widths that a metre at the wrist takes, to start from: an 0.17 m hand fills 0.65 of the crop."""


class RegressorHeads(nn.Module):
    """Strided convolutions, global average pool, two fully connected layers; the hand model is given, not
    owned.

    `pooled` features of a pretrained backbone join after the pool (ours; 0 in the paper). `heads` are those of
    `tasks.table.HEADS` beside hand model and camera, which are left out without `mesh`.
    """

    def __init__(
        self,
        channels: int,
        widths: tuple[int, ...],
        hidden: int,
        *,
        pooled: int = 0,
        heads: Sequence[str] = (),
        mesh: bool = True,
    ) -> None:
        super().__init__()
        steps = zip((channels, *widths[:-1]), widths, strict=True)
        self.reduce = nn.Sequential(*[conv_bn(a, b, 3, 2) for a, b in steps])
        self.features = nn.Sequential(nn.Linear(widths[-1] + pooled, hidden), nn.ReLU(inplace=True))
        if mesh:
            self.theta = nn.Linear(hidden, 15 * 6)
            self.beta = nn.Linear(hidden, 10)
            self.orientation = nn.Linear(hidden, 6)
            self.camera = nn.Linear(hidden, 4)
        self.names, self.has_mesh = tuple(heads), mesh
        for name in heads:
            inputs = hidden + (pooled if HEADS[name].pooled else 0)
            self.add_module(name, nn.Linear(inputs, HEADS[name].outputs))
        if mesh:
            self._start_at_the_mean()

    def _start_at_the_mean(self) -> None:
        """Small weights and the flat hand, palm towards the camera, fingers up, at the usual distance."""
        for layer in (self.theta, self.beta, self.orientation, self.camera):
            nn.init.normal_(layer.weight, std=1e-3)
            nn.init.zeros_(layer.bias)
        with torch.no_grad():
            self.theta.bias.copy_(torch.tensor([1.0, 0, 0, 1, 0, 0]).repeat(15))
            self.orientation.bias.copy_(torch.tensor([0.0, 0, 1, 0, 0, 1]))
            self.camera.bias.copy_(torch.tensor([0.0, 0.3, 0.0, 0.0]))

    def forward(
        self, features: Float[Tensor, "b c h w"], pooled: Float[Tensor, "b p"] | None, hand: HandLayer, crop: int
    ) -> tuple[MeshPrediction | None, dict[str, Float[Tensor, "b _"]]]:
        """The mesh in the crop's camera, and what the other heads say by their names; `crop` is its width in px."""
        x = self.reduce(features).mean((2, 3))
        x = self.features(x if pooled is None else torch.cat([x, pooled], 1))
        with in_float32(x):  # a hand's parameters and its bones want every bit
            return self._told(x.float(), None if pooled is None else pooled.float(), hand, crop)

    def _told(
        self, x: Float[Tensor, "b h"], pooled: Float[Tensor, "b p"] | None, hand: HandLayer, crop: int
    ) -> tuple[MeshPrediction | None, dict[str, Float[Tensor, "b _"]]]:
        both = x if pooled is None else torch.cat([x, pooled], 1)
        told = {name: self.get_submodule(name)(both if HEADS[name].pooled else x) for name in self.names}
        return (self._mesh(x, hand, crop) if self.has_mesh else None), told

    def _mesh(self, x: Float[Tensor, "b h"], hand: HandLayer, crop: int) -> MeshPrediction:
        turns = torch.cat([self.theta(x), self.orientation(x)], 1).view(-1, 16, 3, 2)
        turns = special_gramschmidt(turns)  # all at once: small steps cost time, not arithmetic
        theta, R = turns[:, :15], turns[:, 15]
        beta = self.beta(x)
        u, v, scale, focal = self.camera(x).unbind(-1)
        widths_per_metre = WIDTHS_PER_METRE * scale.clamp(-2.5, 2.5).exp()
        focal = FOCAL * focal.clamp(-2.0, 2.0).exp()
        T = torch.stack([u, v, focal], -1) / widths_per_metre[:, None]
        vertices, joints = hand(beta, theta, R, T)
        return MeshPrediction(
            theta=theta,
            beta=beta,
            R=R,
            T=T,
            focal=focal,
            vertices=vertices,
            joints_3d=joints,
            joints_2d=project_centred(joints, focal * crop, crop),
        )


assert math.isclose(0.17 * WIDTHS_PER_METRE, 0.65, abs_tol=0.01)
