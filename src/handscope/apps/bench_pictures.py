"""The pictures of `handscope bench` as sequences that make or read each one when it is asked for, and progress bars."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import Progress, TaskID

from handscope.evaluation.real import spread
from handscope.types import Sample, SampleSource

if TYPE_CHECKING:
    from handscope.synth.config import SynthConfig


FILL = (0.12, 0.8)
"""Shares of the picture's side that a rendered hand takes: small and large ones."""


def rendered(options: argparse.Namespace, seed: int) -> Sequence[Sample]:
    """Rendered pictures as the options of the command line say: of one hand or two, or scenes."""
    from handscope.synth.config import SynthConfig

    config = SynthConfig(
        scenes=options.scenes,
        size=options.size,
        scene_size=options.size,
        fill=FILL,
        backgrounds=tuple(options.backgrounds),
        photo_index=options.photo_index,
    )
    return Rendered(config, seed, options.limit or options.count)


class Rendered(Sequence[Sample]):
    """The first `count` pictures of a synthetic set."""

    def __init__(self, config: SynthConfig, seed: int, count: int) -> None:
        self.config, self.seed, self.length = config, seed, count

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, i: int) -> Sample:  # type: ignore[override]
        from handscope.synth.scene import render_sample

        return render_sample(self.config, self.seed, i)


class Spread(Sequence[Sample]):
    """So many of some samples, evenly spread; all without a limit."""

    def __init__(self, samples: SampleSource, limit: int | None) -> None:
        self.samples, self.chosen = samples, spread(len(samples), limit)

    def __len__(self) -> int:
        return len(self.chosen)

    def __getitem__(self, i: int) -> Sample:  # type: ignore[override]
        return self.samples[self.chosen[i]]


class Bars(Progress):
    """One bar for each set, on stderr, gone at the end."""

    def __init__(self) -> None:
        console = Console(stderr=True)
        super().__init__(console=console, transient=True, disable=not console.is_terminal)
        self.bars: dict[str, TaskID] = {}

    def __call__(self, name: str, done: int, total: int) -> None:
        """So many of `name` are done."""
        if name not in self.bars:
            self.bars[name] = self.add_task(name, total=total)
        self.update(self.bars[name], completed=done)
