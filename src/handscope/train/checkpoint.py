"""Checkpoints without pickle: weights, their moving average and the optimiser's state in one safetensors file.

The file's header carries step, configuration and commit as JSON. Written beside and renamed, so a kill at any
time leaves a whole file.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from handscope.errors import AssetError, HandscopeError
from handscope.files import NewFile
from handscope.train.renames import dotted, renamed_keys, renamed_weight
from handscope.types import JsonValue

NAME = "checkpoint.safetensors"
BEST = "best.safetensors"
"""The averaged weights at the best validation, to start or export from."""
FREE = (
    "out", "dev", "loop.steps", "loop.workers", "loop.log_every", "loop.checkpoint_minutes", "loop.validate_minutes",
)  # fmt: skip
"""What may change between a run and its resumption: how long, how watched, where."""


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
    header: Mapping[str, JsonValue],
) -> None:
    """Write everything that an exact resume needs."""
    states = {
        f"{index}/{name}": torch.as_tensor(value)
        for index, state in optimiser.state_dict()["state"].items()
        for name, value in state.items()
    }
    write(path, {"model": model.state_dict(), "average": average.state_dict(), "optimiser": states}, header)


def write(path: Path, groups: Mapping[str, Mapping[str, Tensor]], header: Mapping[str, JsonValue]) -> None:
    """Write tensors by group and the header."""
    tensors = {
        f"{group}/{name}": value.detach().contiguous().clone()
        for group, named in groups.items()
        for name, value in named.items()
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    with NewFile(path) as beside:
        save_file(tensors, beside, metadata={"header": json.dumps(header)})


def load(path: Path) -> Checkpoint:
    """Read a checkpoint; AssetError if it is missing, damaged or under the names of 0.4.0."""
    kept = read(path)
    if old := renamed_keys(dotted(kept.header.get("config", {}))) or renamed_weight(kept.groups):
        raise AssetError(
            f"{path}: written by handscope 0.4.0 or earlier: {old}; "
            "scripts/rename_checkpoint.py saves it under the present names"
        )
    return kept


def refuse_other_run(path: Path, header: Mapping[str, Any], described: Mapping[str, JsonValue]) -> None:
    """HandscopeError if the checkpoint at `path` is of a run of another configuration, but for what is `FREE`. Keys
    that one of the two does not know are those of another version, and pass.
    """
    before, now = (_flat(json.loads(json.dumps(config))) for config in (header.get("config", {}), dict(described)))
    changed = [
        f"{key} was {before[key]!r}, is {now[key]!r}"
        for key in sorted(before.keys() & now.keys())
        if before[key] != now[key] and not any(key == free or key.startswith(f"{free}.") for free in FREE)
    ]
    if changed:
        more = f" and {len(changed) - 3} more" if len(changed) > 3 else ""
        raise HandscopeError(
            f"{path}: kept by a run of another configuration ({'; '.join(changed[:3])}{more}); give --restart to begin "
            "anew there, another --out, or the old values"
        )


def refuse_other_processes(path: Path, header: Mapping[str, Any], now: int) -> None:
    """HandscopeError if the checkpoint at `path` is of a run of another number of processes: each takes its own share
    of the examples, and means over what is known are its own. Those of 0.7.0 and earlier do not say, and pass.
    """
    before = header.get("processes", now)
    if before != now:
        raise HandscopeError(
            f"{path}: kept by a run of {before} process{'es' * (before != 1)}, and there {'are' if now != 1 else 'is'} "
            f"{now} now, which would not go on exactly; start {before} in all, on however many machines, give "
            "--restart to begin anew there, or another --out"
        )


def _flat(config: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """Values by dotted names; lists are values."""
    out: dict[str, Any] = {}
    for key, value in config.items():
        out |= _flat(value, f"{above}{key}.") if isinstance(value, Mapping) else {f"{above}{key}": value}
    return out


def read(path: Path) -> Checkpoint:
    """What `load` does, whatever the names are."""
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
