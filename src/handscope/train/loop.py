"""The training loop: accelerate, AdamW, cosine schedule with warm-up, moving average, checkpoints, exact resume.

It knows nothing of hands: a `Task` brings the model, the examples by number, the loss and the validation. One process
or several, of one thread each, on one machine or several (`torchrun --nnodes 2 --nproc_per_node 2 ...`); the first one
alone reads and writes the run's folder, which the other machines need not see.
"""

from __future__ import annotations

import copy
import json
import math
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar, runtime_checkable

import torch
from accelerate import Accelerator
from accelerate.utils import broadcast_object_list
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torch.utils.tensorboard import SummaryWriter

from handscope.data.mixture import ExampleSampler, worker_init
from handscope.errors import HandscopeError
from handscope.train import checkpoint
from handscope.types import JsonValue

Precision = Literal["float32", "bfloat16"]


@dataclass(frozen=True, kw_only=True)
class LoopConfig:
    """How long and how fast to learn: AdamW at the learning rate `lr`, times `pretrained_lr_scale` for pretrained
    weights, from `warmup_steps` on falling to `min_lr_ratio` of it. `batch` is per process; a step takes `accumulate`
    of them one after the other, and descends their mean gradient: memory for one, the gradient of all (but for batch
    norm, and for terms of which more is known in one than in another). With the precision "bfloat16" the network's
    convolutions run in it, what they say and the losses in float32.
    """

    steps: int = 20000
    batch: int = 32
    accumulate: int = 1
    precision: Precision = "float32"
    lr: float = 1e-3
    pretrained_lr_scale: float = 0.3
    warmup_steps: int = 500
    min_lr_ratio: float = 0.01
    weight_decay: float = 0.02
    max_grad_norm: float = 5.0
    ema_decay: float = 0.999
    workers: int = 0
    seed: int = 0
    log_every: int = 50
    checkpoint_minutes: float = 5.0
    validate_minutes: float = 10.0

    def __post_init__(self) -> None:
        for name in ("steps", "batch", "accumulate"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be positive, got {getattr(self, name)}")


@runtime_checkable
class OnDevice(Protocol):
    """A batch: something that can be moved to a device."""

    def to(self, device: torch.device, /) -> OnDevice:
        """The same on `device`."""
        ...


Batch = TypeVar("Batch", bound=OnDevice)


@runtime_checkable
class Task(Protocol[Batch]):
    """What is to be learnt."""

    @property
    def model(self) -> nn.Module:
        """What learns."""
        ...

    @property
    def data(self) -> Dataset[Any]:
        """Map-style by number: the n-th example of the run."""
        ...

    @property
    def collate(self) -> Callable[[list[Any]], Batch]:
        """Examples to a batch."""
        ...

    def loss(self, model: nn.Module, batch: Batch, step: int) -> tuple[Tensor, dict[str, Tensor]]:
        """The value to descend and terms for the log; `model` is `self.model`, wrapped for several processes."""
        ...

    def pretrained_parameters(self) -> set[nn.Parameter]:
        """Weights that learn at a lower rate."""
        ...

    def validate(self, model: nn.Module) -> dict[str, float]:
        """Figures on pictures that never train, by the averaged model; may be empty. Of checkpoints that are kept the
        one with the greatest figure `MERIT` is the best.
        """
        ...


MERIT = "merit"
"""The figure of validation that says how good a model is, as a whole."""


def lr_at(step: int, config: LoopConfig) -> float:
    """Linear warm-up, then a cosine from `lr` to `min_lr_ratio` x `lr`."""
    if step < config.warmup_steps:
        return config.lr * (step + 1) / config.warmup_steps
    share = min((step - config.warmup_steps) / max(config.steps - config.warmup_steps, 1), 1.0)
    return config.lr * (config.min_lr_ratio + (1 - config.min_lr_ratio) * 0.5 * (1 + math.cos(math.pi * share)))


def train(
    task: Task[Batch], config: LoopConfig, out: Path, described: Mapping[str, JsonValue], *, resume: bool = True
) -> Path:
    """Train to the last step; returns the checkpoint's path. `described` is the whole configuration, kept in
    the file.

    With `resume`, a checkpoint in `out` is gone on with: same examples, same optimiser state; HandscopeError if it is
    that of another configuration or of another number of processes. The averaged weights of the best validation are
    kept beside it (`checkpoint.BEST`).
    """
    torch.set_num_threads(1)
    accelerator = Accelerator(cpu=not torch.cuda.is_available())
    model = task.model.to(accelerator.device)
    model.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue] (torch's types lack it)
    groups = _groups(task, model, config.pretrained_lr_scale)
    optimiser = torch.optim.AdamW(groups, lr=config.lr, weight_decay=config.weight_decay)
    average = copy.deepcopy(model).requires_grad_(False).eval()
    path, first = out / checkpoint.NAME, 0
    kept = _kept(path, accelerator) if resume else None
    if kept is not None:
        checkpoint.refuse_other_run(path, kept.header, described)
        checkpoint.refuse_other_processes(path, kept.header, accelerator.num_processes)
        first = checkpoint.restore(kept, model, average, optimiser)
    wrapped, optimiser = accelerator.prepare(model, optimiser)
    run = _Run(task, config, out, described, accelerator, resumed=first > 0)
    with run.progress(first) as progress, _stop_asked() as stop, _in_precision(model, config.precision):
        batches = iter(_loader(task, config, first, accelerator))
        for step in range(first, config.steps):
            lr = lr_at(step, config)
            for group in optimiser.param_groups:
                group["lr"] = lr * group["factor"]
            optimiser.zero_grad()
            loss, terms = _gradient(task, wrapped, islice(batches, config.accumulate), step, config, accelerator)
            if not bool(torch.isfinite(loss)):
                odd = [name for name, value in terms.items() if not bool(torch.isfinite(value))]
                raise HandscopeError(
                    f"{out}: the loss of step {step} is {loss.item()} ({', '.join(odd) or 'no single term'}); the last "
                    "checkpoint is whole: go on from it with a lower loop.lr or loop.max_grad_norm"
                )
            norm = accelerator.clip_grad_norm_(wrapped.parameters(), config.max_grad_norm)
            optimiser.step()
            update_average(average, model, min(config.ema_decay, (1 + step) / (10 + step)))
            run.after_step(step, loss, terms, lr, norm, progress)
            if run.due("checkpoint", config.checkpoint_minutes):
                run.save(path, model, average, optimiser, step + 1)
            if stop:
                run.save(path, model, average, optimiser, step + 1)
                raise KeyboardInterrupt(f"{path} is kept, after step {step + 1}")
            if run.due("validate", config.validate_minutes):
                run.validate(average, step)
    run.validate(average, config.steps)
    run.save(path, model, average, optimiser, config.steps)
    accelerator.end_training()
    return path


@contextmanager
def _in_precision(model: nn.Module, precision: Precision) -> Iterator[None]:
    """The forward pass of `model`, but not what is reckoned from it, by autocast (which is why accelerate's own mixed
    precision, one of a process for good, is not asked).
    """
    if precision == "float32":
        yield
        return
    device = next(model.parameters()).device.type
    model.forward = torch.autocast(device, dtype=torch.bfloat16)(model.forward)
    try:
        yield
    finally:
        del model.forward


def _gradient(
    task: Task[Any],
    wrapped: nn.Module,
    batches: Iterable[Any],
    step: int,
    config: LoopConfig,
    accelerator: Accelerator,
) -> tuple[Tensor, dict[str, Tensor]]:
    """Adds the mean gradient of a step's batches to the weights'; the mean loss and terms, without gradients. Processes
    exchange theirs with the last one.
    """
    share = 1 / config.accumulate
    total, means = torch.zeros((), device=accelerator.device), dict[str, Tensor]()
    for number, batch in enumerate(batches, start=1):
        alone = accelerator.no_sync(wrapped) if number < config.accumulate else nullcontext()
        with alone:
            loss, terms = task.loss(wrapped, batch.to(accelerator.device), step)
            accelerator.backward(loss * share)
        total = total + loss.detach() * share
        for name, value in terms.items():
            means[name] = means.get(name, torch.zeros_like(value)) + value.detach() * share
    return total, means


def _kept(path: Path, accelerator: Accelerator) -> checkpoint.Checkpoint | None:
    """The checkpoint that the first process finds, if there is one; the others have it, or what is wrong with it, from
    there.
    """
    found: list[checkpoint.Checkpoint | HandscopeError | None] = [None]
    if accelerator.is_main_process and path.exists():
        try:
            found = [checkpoint.load(path)]
        except HandscopeError as problem:
            found = [problem]
    (kept,) = broadcast_object_list(found)
    if isinstance(kept, HandscopeError):
        raise kept
    return kept


@contextmanager
def _stop_asked() -> Iterator[list[int]]:
    """Ctrl-C and SIGTERM are noted in the list that it gives, so that a step is ended and kept; a second one ends at
    once. Only the main thread can hear them.
    """
    asked: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield asked
        return
    before = {kind: signal.getsignal(kind) for kind in (signal.SIGINT, signal.SIGTERM)}

    def note(kind: int, _: object) -> None:
        if asked:
            raise KeyboardInterrupt
        asked.append(kind)

    try:
        for kind in before:
            signal.signal(kind, note)
        yield asked
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)


def _loader(task: Task[Batch], config: LoopConfig, first: int, accelerator: Accelerator) -> DataLoader[Any]:
    """This process's batches from step `first` on, `accumulate` of them a step."""
    return DataLoader(
        task.data,
        batch_size=config.batch,
        sampler=ExampleSampler(
            batch=config.batch * config.accumulate,
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


def _groups(task: Task[Batch], model: nn.Module, pretrained_lr_scale: float) -> list[dict[str, Any]]:
    """Four groups: pretrained or not, decayed (matrices) or not (biases, norms)."""
    pretrained = {id(p) for p in task.pretrained_parameters()}
    groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
    for parameter in model.parameters():
        if parameter.requires_grad:
            groups.setdefault((id(parameter) in pretrained, parameter.dim() > 1), []).append(parameter)
    return [
        {
            "params": parameters,
            "factor": pretrained_lr_scale if is_pretrained else 1.0,
            **({} if decayed else {"weight_decay": 0.0}),
        }
        for (is_pretrained, decayed), parameters in groups.items()
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
        self,
        task: Task[Any],
        config: LoopConfig,
        out: Path,
        described: Mapping[str, JsonValue],
        accelerator: Accelerator,
        *,
        resumed: bool,
    ) -> None:
        self.task, self.config, self.out, self.described = task, config, out, described
        self.accelerator, self.main = accelerator, accelerator.is_main_process
        self.last: dict[str, float] = dict.fromkeys(("checkpoint", "validate"), time.monotonic())
        self.mark, self.seen = time.monotonic(), 0
        self.sums: dict[str, float] = {}
        self.commit = checkpoint.commit()
        self.best, self.board = -math.inf, None
        if self.main:
            out.mkdir(parents=True, exist_ok=True)
            best = out / checkpoint.BEST
            self.best = float(checkpoint.load(best).header[MERIT]) if resumed and best.exists() else -math.inf
            self.board = SummaryWriter(out / "tensorboard")

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
        lr: float,
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
            pictures = self.seen * self.config.batch * self.config.accumulate * self.accelerator.num_processes
            figures = {name: total / self.seen for name, total in self.sums.items()}
            self.write(step, {**figures, "lr": lr, "pictures_per_second": pictures / spent})
            progress.update(self.bar, description=f"loss {figures['loss']:.3f}")
            self.mark, self.seen, self.sums = time.monotonic(), 0, {}

    def write(self, step: int, figures: dict[str, float]) -> None:
        """To tensorboard and to log.jsonl."""
        for name, value in figures.items():
            self.board.add_scalar(name, value, step)  # type: ignore[union-attr]
        with open(self.out / "log.jsonl", "a", encoding="utf-8") as file:
            row = {"step": step, **{k: float(f"{v:.5g}") for k, v in figures.items()}}
            file.write(json.dumps(row) + "\n")

    def validate(self, average: nn.Module, step: int) -> None:
        if self.main:
            figures = self.task.validate(average)
            if figures:
                self.write(step, {f"validation/{name}": value for name, value in figures.items()})
            if figures.get(MERIT, -math.inf) > self.best:
                self.best = figures[MERIT]
                header = {"step": step, "config": self.described, "commit": self.commit, MERIT: self.best}
                checkpoint.write(self.out / checkpoint.BEST, {"average": average.state_dict()}, header)

    def save(
        self, path: Path, model: nn.Module, average: nn.Module, optimiser: torch.optim.Optimizer, step: int
    ) -> None:
        if self.main:
            header = {
                "step": step,
                "config": self.described,
                "commit": self.commit,
                "processes": self.accelerator.num_processes,
            }
            checkpoint.save(path, model, average, optimiser, header)
