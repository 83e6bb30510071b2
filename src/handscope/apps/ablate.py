"""`handscope ablate STUDY.yaml`: a grid of runs, stopped and gone on with at will, and what it says."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from handscope.ablation import report
from handscope.ablation.cost import estimated
from handscope.ablation.runner import work
from handscope.ablation.study import Job, Study, jobs_of, read_study
from handscope.errors import HandscopeError
from handscope.synth.generate import generate
from handscope.synth.scene import SynthConfig

STOPPED = 130


def parser() -> argparse.ArgumentParser:
    """Which study, at what scale, where, how many side by side."""
    out = argparse.ArgumentParser(
        prog="handscope ablate",
        description="Train a grid of networks, score every block, say what is confirmed. Stop it when you like: the "
        "same command goes on.",
    )
    out.add_argument("study", type=Path, help="a file such as recipes/ablations/table2.yaml")
    out.add_argument("--out", type=Path, default=Path("runs/ablations"), help="runs, one folder each (%(default)s)")
    out.add_argument("--report", type=Path, metavar="DIR", help="tables and plots (OUT/NAME-OF-THE-STUDY)")
    out.add_argument("--scale", help="another size that the study knows, such as full")
    out.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="what the runs use (%(default)s)")
    out.add_argument("--side-by-side", type=int, default=2, metavar="N", help="runs at a time (%(default)s)")
    out.add_argument("--dry-run", action="store_true", help="say what it will cost and end")
    out.add_argument("--report-only", action="store_true", help="tables of what is done; no run is begun")
    return out


def main(arguments: Sequence[str]) -> int:
    """Run as the command line says."""
    options = parser().parse_args(arguments)
    if options.side_by_side < 1:
        raise HandscopeError(f"--side-by-side must be at least 1, got {options.side_by_side}")
    study = read_study(options.study, options.scale)
    jobs = jobs_of(study)
    console, errors = Console(), Console(stderr=True)
    if not options.report_only:
        say_cost(study, jobs, options, console)
    if options.dry_run:
        return 0
    if not options.report_only:
        for set_ in study.data:
            generate(SynthConfig(**set_.options), count=set_.count, seed=set_.seed, out=set_.out)
        work(study, jobs, options.out, side_by_side=options.side_by_side, device=options.device, console=errors)
    name = options.study.stem + (f"-{options.scale}" if options.scale else "")
    print(report.write(study, jobs, options.out, options.report or options.out / name))
    return 0


def say_cost(study: Study, jobs: Sequence[Job], options: argparse.Namespace, console: Console) -> None:
    """A line for each cell, and the hours in all."""
    rows = estimated(study, jobs, options.out, options.device)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("cell", "runs", "steps each", "hours left"):
        table.add_column(heading, justify="left" if heading == "cell" else "right")
    for cell in dict.fromkeys(job.cell for job in jobs):
        own = [(job, seconds) for job, seconds in rows if job.cell == cell]
        hours = sum(seconds for _, seconds in own) / 3600
        table.add_row(cell or "(start of all)", str(len(own)), str(own[0][0].steps), f"{hours:.2f}")
    total = sum(seconds for _, seconds in rows) / 3600
    pictures = sum(set_.count for set_ in study.data)
    console.print(table)
    console.print(
        f"{len(jobs)} runs, {total:.2f} hours of one {'core' if options.device == 'cpu' else 'GPU'} left, "
        f"{total / options.side_by_side:.2f} at {options.side_by_side} side by side; {pictures} pictures to render",
        highlight=False,
        soft_wrap=True,
    )
