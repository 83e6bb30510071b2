"""Forward kinematics and skinning of a hand in torch, differentiable; `kinematics` says what the arguments are."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor


def chain(
    joints: Float[Tensor, "b 16 3"], local: Float[Tensor, "b 15 3 3"]
) -> tuple[Float[Tensor, "b 16 3 3"], Float[Tensor, "b 16 3"]]:
    """Rotations and places of the joints after the turns `local`."""
    b = joints.shape[0]
    fingers, turns = joints[:, 1:].reshape(b, 5, 3, 3), local.reshape(b, 5, 3, 3, 3)
    position, rotation = [fingers[:, :, 0]], [turns[:, :, 0]]
    for i in (1, 2):
        bone = (fingers[:, :, i] - fingers[:, :, i - 1])[..., None]
        position.append(position[-1] + (rotation[-1] @ bone)[..., 0])
        rotation.append(rotation[-1] @ turns[:, :, i])
    identity = torch.eye(3, dtype=joints.dtype, device=joints.device).expand(b, 1, 3, 3)
    rotations = torch.cat([identity, torch.stack(rotation, 2).reshape(b, 15, 3, 3)], 1)
    positions = torch.cat([joints[:, :1], torch.stack(position, 2).reshape(b, 15, 3)], 1)
    return rotations, positions


def skin(
    vertices: Float[Tensor, "b v 3"],
    weights: Float[Tensor, "v 16"],
    joints: Float[Tensor, "b 16 3"],
    rotations: Float[Tensor, "b 16 3 3"],
    positions: Float[Tensor, "b 16 3"],
) -> Float[Tensor, "b v 3"]:
    """Linear blend skinning of rest `vertices` over rest `joints`, by products that ONNX Runtime does quickly."""
    shift = positions - (rotations @ joints[..., None])[..., 0]
    transform = torch.cat([rotations, shift[..., None]], -1).flatten(2)  # (b, 16, 12), row by row
    blended = (weights @ transform).unflatten(-1, (3, 4))  # (b, v, 3, 4)
    return (blended[..., :3] * vertices[:, :, None]).sum(-1) + blended[..., 3]
