"""The training loop: accelerate, AdamW, cosine schedule with warm-up, moving average, checkpoints, exact
resume.

It knows nothing of hands: a `Task` brings the model, the data by draws, the loss and the validation. One
process or several (`torchrun --nproc_per_node 2 -m handscope.train ...`), one thread each.
"""

from __future__ import annotations

import copy
import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from accelerate import Accelerator
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torch.utils.tensorboard import SummaryWriter

from handscope.data.mixture import DrawSampler, worker_init
from handscope.train import checkpoint


@dataclass(frozen=True, kw_only=True)
class LoopConfig:
    """How long and how fast to learn. `batch` is per process; `slow` multiplies the rate of pretrained weights."""

    steps: int = 20000
    batch: int = 32
    rate: float = 1e-3
    slow: float = 0.3
    warm_up: int = 500
    last_rate: float = 0.01
    decay: float = 0.02
    clip: float = 5.0
    average: float = 0.999
    workers: int = 0
    seed: int = 0
    log_every: int = 50
    checkpoint_minutes: float = 5.0
    validate_minutes: float = 10.0

    def __post_init__(self) -> None:
        if self.steps < 1 or self.batch < 1:
            raise ValueError(f"steps and batch must be positive, got {self.steps} and {self.batch}")


class Task(Protocol):
    """What is to be learnt."""

    model: nn.Module
    data: Dataset[Any]
    """Map-style by draw number: the n-th example of the run."""
    collate: Callable[[list[Any]], Any]

    def loss(self, model: nn.Module, batch: Any, step: int) -> tuple[Tensor, dict[str, Tensor]]:
        """The value to descend and terms for the log; `model` is `self.model`, wrapped for several processes."""
        ...

    def slow_parameters(self) -> set[nn.Parameter]:
        """Pretrained weights that learn at a lower rate."""
        ...

    def validate(self, model: nn.Module) -> dict[str, float]:
        """Figures on pictures that never train, by the averaged model; may be empty."""
        ...


def rate_at(step: int, config: LoopConfig) -> float:
    """Linear warm-up, then a cosine from `rate` to `last_rate` x `rate`."""
    if step < config.warm_up:
        return config.rate * (step + 1) / config.warm_up
    share = min((step - config.warm_up) / max(config.steps - config.warm_up, 1), 1.0)
    return config.rate * (config.last_rate + (1 - config.last_rate) * 0.5 * (1 + math.cos(math.pi * share)))


def train(task: Task, config: LoopConfig, out: Path, described: dict[str, Any], *, resume: bool = True) -> Path:
    """Train to the last step; returns the checkpoint's path. `described` is the whole configuration, kept in
    the file.

    With `resume`, a checkpoint in `out` is gone on with: same draws, same optimiser state.
    """
    torch.set_num_threads(1)
    accelerator = Accelerator(cpu=not torch.cuda.is_available())
    model = task.model.to(accelerator.device, memory_format=torch.channels_last)
    optimiser = torch.optim.AdamW(_groups(task, model, config.slow), lr=config.rate, weight_decay=config.decay)
    average = copy.deepcopy(model).requires_grad_(False).eval()
    path, first = out / checkpoint.NAME, 0
    if resume and path.exists():
        first = checkpoint.restore(checkpoint.load(path), model, average, optimiser)
    wrapped, optimiser = accelerator.prepare(model, optimiser)
    run = _Run(task, config, out, described, accelerator)
    loader = DataLoader(
        task.data,
        batch_size=config.batch,
        sampler=DrawSampler(
            batch=config.batch,
            rank=accelerator.process_index,
            ranks=accelerator.num_processes,
            first_step=first,
            last_step=config.steps,
        ),
        num_workers=config.workers,
        collate_fn=task.collate,
        worker_init_fn=worker_init,
        prefetch_factor=4 if config.workers else None,
        persistent_workers=config.workers > 0,
        multiprocessing_context="spawn" if config.workers else None,
    )
    with run.progress(first) as progress:
        for step, batch in enumerate(loader, start=first):
            rate = rate_at(step, config)
            for group in optimiser.param_groups:
                group["lr"] = rate * group["factor"]
            loss, terms = task.loss(wrapped, batch.to(accelerator.device), step)
            optimiser.zero_grad()
            accelerator.backward(loss)
            norm = accelerator.clip_grad_norm_(wrapped.parameters(), config.clip)
            optimiser.step()
            update_average(average, model, min(config.average, (1 + step) / (10 + step)))
            run.after_step(step, loss, terms, rate, norm, progress)
            if run.due("checkpoint", config.checkpoint_minutes):
                run.save(path, model, average, optimiser, step + 1)
            if run.due("validate", config.validate_minutes):
                run.validate(average, step)
    run.validate(average, config.steps)
    run.save(path, model, average, optimiser, config.steps)
    accelerator.end_training()
    return path


def _groups(task: Task, model: nn.Module, slow_factor: float) -> list[dict[str, Any]]:
    """Four groups: slow or not, decayed (matrices) or not (biases, norms)."""
    slow = {id(p) for p in task.slow_parameters()}
    groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
    for parameter in model.parameters():
        if parameter.requires_grad:
            groups.setdefault((id(parameter) in slow, parameter.dim() > 1), []).append(parameter)
    return [
        {"params": parameters, "factor": slow_factor if is_slow else 1.0, **({} if decayed else {"weight_decay": 0.0})}
        for (is_slow, decayed), parameters in groups.items()
    ]


@torch.no_grad()
def update_average(average: nn.Module, model: nn.Module, decay: float) -> None:
    """Move the average towards the model: floating-point values by 1 - decay, counters copied."""
    for old, new in zip(average.state_dict().values(), model.state_dict().values(), strict=True):
        if old.dtype.is_floating_point:
            old.lerp_(new, 1 - decay)
        else:
            old.copy_(new)


class _Run:
    """What a run says and leaves behind: progress, tensorboard, a log in JSON lines, checkpoints. The first
    process alone writes.
    """

    def __init__(
        self, task: Task, config: LoopConfig, out: Path, described: dict[str, Any], accelerator: Accelerator
    ) -> None:
        self.task, self.config, self.out, self.described = task, config, out, described
        self.accelerator, self.main = accelerator, accelerator.is_main_process
        self.last: dict[str, float] = dict.fromkeys(("checkpoint", "validate"), time.monotonic())
        self.mark, self.seen = time.monotonic(), 0
        self.sums: dict[str, float] = {}
        self.commit = checkpoint.commit()
        out.mkdir(parents=True, exist_ok=True)
        self.board = SummaryWriter(out / "tensorboard") if self.main else None

    def progress(self, first: int) -> Progress:
        """A bar for the first process; silent for the others and where nobody looks."""
        console = Console(quiet=not self.main)
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
        bar = Progress(*columns, TimeElapsedColumn(), TimeRemainingColumn(), console=console)
        self.bar = bar.add_task("training", total=self.config.steps, completed=first)
        return bar

    def due(self, what: str, minutes: float) -> bool:
        """True once per `minutes`, in the first process."""
        if not self.main or time.monotonic() - self.last[what] < minutes * 60:
            return False
        self.last[what] = time.monotonic()
        return True

    def after_step(
        self,
        step: int,
        loss: Tensor,
        terms: dict[str, Tensor],
        rate: float,
        norm: Tensor | float | None,
        progress: Progress,
    ) -> None:
        if not self.main:
            return
        self.seen += 1
        for name, value in {"loss": loss, "norm": norm, **terms}.items():
            figure = value.detach().item() if isinstance(value, Tensor) else float(value or 0.0)
            self.sums[name] = self.sums.get(name, 0.0) + figure
        progress.update(self.bar, advance=1)
        if self.seen == self.config.log_every:
            spent = time.monotonic() - self.mark
            pictures = self.seen * self.config.batch * self.accelerator.num_processes
            figures = {name: total / self.seen for name, total in self.sums.items()}
            self.write(step, {**figures, "rate": rate, "pictures_per_second": pictures / spent})
            progress.update(self.bar, description=f"loss {figures['loss']:.3f}")
            self.mark, self.seen, self.sums = time.monotonic(), 0, {}

    def write(self, step: int, figures: dict[str, float]) -> None:
        """To tensorboard and to log.jsonl."""
        for name, value in figures.items():
            self.board.add_scalar(name, value, step)  # type: ignore[union-attr]
        with open(self.out / "log.jsonl", "a") as file:
            row = {"step": step, **{k: float(f"{v:.5g}") for k, v in figures.items()}}
            file.write(json.dumps(row) + "\n")

    def validate(self, average: nn.Module, step: int) -> None:
        if self.main:
            figures = self.task.validate(average)
            if figures:
                self.write(step, {f"validation/{name}": value for name, value in figures.items()})

    def save(
        self, path: Path, model: nn.Module, average: nn.Module, optimiser: torch.optim.Optimizer, step: int
    ) -> None:
        if self.main:
            header = {"step": step, "config": self.described, "commit": self.commit}
            checkpoint.save(path, model, average, optimiser, header)
