"""Weights between two checkpoints: what a run starts from and what it ends with (WiSE-FT, Wortsman et al. 2022).

    python scripts/average_checkpoints.py runs/init/small-0.3.0.safetensors runs/small/checkpoint.safetensors \\
        --share 0.85 --out recipes/weights/small-0.4.0.safetensors

`--share` is the second one's. What the first has not is the second's. The header is the second's, with both files'
names; weights are stored as float16.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from handscope.errors import HandscopeError
from handscope.train.checkpoint import load, write


def average(one: dict[str, torch.Tensor], two: dict[str, torch.Tensor], share: float) -> dict[str, torch.Tensor]:
    """`two`'s names; floating-point values of which `share` is from `two`, float16."""
    mixed = {}
    for name, value in two.items():
        if value.dtype.is_floating_point:
            before = one.get(name, value)
            if before.shape != value.shape:
                raise HandscopeError(f"{name}: {tuple(before.shape)} and {tuple(value.shape)} cannot be averaged")
            value = torch.lerp(before.float(), value.float(), share).half()
        mixed[name] = value
    return mixed


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    parser.add_argument("--share", type=float, default=0.5)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    if not 0 <= arguments.share <= 1:
        raise SystemExit(f"--share must be between 0 and 1, got {arguments.share}")
    try:
        one, two = load(arguments.before), load(arguments.after)
        tensors = average(one.groups["average"], two.groups["average"], arguments.share)
    except HandscopeError as problem:
        raise SystemExit(str(problem)) from problem
    mixture = {"before": arguments.before.name, "after": arguments.after.name, "share": arguments.share}
    header = {**two.header, "averaged": mixture}
    write(arguments.out, {"average": tensors}, header)
    print(f"{arguments.out}: {sum(t.numel() for t in tensors.values()) / 1e6:.2f} M values")


if __name__ == "__main__":
    main()
