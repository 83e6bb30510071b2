"""Checkpoints without pickle: weights, their moving average and the optimiser's state in one safetensors file.

The file's header carries step, configuration and commit as JSON. Written beside and renamed, so a kill at any
time leaves a whole file.
"""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from handscope.errors import AssetError
from handscope.files import NewFile, remove_leftovers

NAME = "checkpoint.safetensors"


@dataclass(frozen=True)
class Checkpoint:
    """What a file holds: tensors by group ("model", "average", "optimiser") and the header."""

    groups: dict[str, dict[str, Tensor]]
    header: dict[str, Any]


def commit() -> str:
    """The commit of the code that runs, or "unknown" outside a checkout."""
    here = Path(__file__).parent
    done = subprocess.run(["git", "rev-parse", "HEAD"], cwd=here, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def save(
    path: Path,
    model: nn.Module,
    average: nn.Module,
    optimiser: torch.optim.Optimizer,
    header: dict[str, Any],
) -> None:
    """Write everything that an exact resume needs."""
    tensors = {f"model/{k}": v for k, v in model.state_dict().items()}
    tensors |= {f"average/{k}": v for k, v in average.state_dict().items()}
    for index, state in optimiser.state_dict()["state"].items():
        tensors |= {f"optimiser/{index}/{name}": torch.as_tensor(value) for name, value in state.items()}
    tensors = {k: v.detach().contiguous().clone() for k, v in tensors.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    remove_leftovers(path.parent)
    with NewFile(path) as beside:
        save_file(tensors, beside, metadata={"header": json.dumps(header)})


def load(path: Path) -> Checkpoint:
    """Read a checkpoint; AssetError if it is missing or damaged."""
    groups: dict[str, dict[str, Tensor]] = {"model": {}, "average": {}, "optimiser": {}}
    try:
        with safe_open(path, framework="pt") as file:
            header = json.loads((file.metadata() or {})["header"])
            for key in file.keys():  # noqa: SIM118 (not a mapping)
                group, name = key.split("/", 1)
                groups[group][name] = file.get_tensor(key)
    except (OSError, SafetensorError, KeyError, ValueError) as problem:
        raise AssetError(f"{path}: not a training checkpoint ({problem}); start without it") from problem
    return Checkpoint(groups, header)


def restore(checkpoint: Checkpoint, model: nn.Module, average: nn.Module, optimiser: torch.optim.Optimizer) -> int:
    """Put everything back; returns the step to go on with."""
    model.load_state_dict(checkpoint.groups["model"])
    average.load_state_dict(checkpoint.groups["average"])
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in checkpoint.groups["optimiser"].items():
        index, name = key.split("/")
        state.setdefault(int(index), {})[name] = value
    optimiser.load_state_dict({**optimiser.state_dict(), "state": state})
    return int(checkpoint.header["step"])
