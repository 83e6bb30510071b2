"""Doing the runs: each in a process of its own, so many side by side, with progress; stopped and gone on with at will.

What is done is what lies in the folders, so a kill at any time loses at most what was learnt since a run's last
checkpoint.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from handscope.ablation.study import Job, Study, scores_name
from handscope.errors import HandscopeError
from handscope.files import write_file

POLL_S = 0.2


@dataclass
class _Working:
    job: Job
    process: subprocess.Popen[bytes]


def is_done(job: Job, out: Path, study: Study) -> bool:
    """Whether its last file is there: the scores, or the checkpoint of a run that others start from."""
    folder = out / job.name
    if job.cell is None:
        return (folder / "done").exists()
    return (folder / scores_name(study)).exists()


def steps_done(job: Job, out: Path) -> int:
    """By its log."""
    path = out / job.name / "log.jsonl"
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        return min(int(json.loads(lines[-1])["step"]) + 1, job.steps) if lines else 0
    except (OSError, ValueError, KeyError):
        return 0


def work(study: Study, jobs: Sequence[Job], out: Path, *, side_by_side: int, device: str, console: Console) -> None:
    """Do what is not done yet. HandscopeError names the runs that failed, after all others are done."""
    waiting = [job for job in jobs if not is_done(job, out, study)]
    working: list[_Working] = []
    failed: list[str] = []
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"))
    total = sum(job.steps for job in jobs)
    with Progress(*columns, TimeElapsedColumn(), TimeRemainingColumn(), console=console) as progress:
        bar = progress.add_task("runs", total=total)
        try:
            while waiting or working:
                for one in [one for one in working if one.process.poll() is not None]:
                    working.remove(one)
                    _let_go(one)
                    if one.process.returncode:
                        failed.append(_what_failed(one, out))
                    elif one.job.cell is None:
                        write_file(out / one.job.name / "done", "")
                failed += _never(waiting, working, jobs, out, study)
                for job in [job for job in waiting if _may_start(job, jobs, out, study)]:
                    if len(working) < side_by_side and all(job.name != one.job.name for one in working):
                        waiting.remove(job)
                        if not is_done(job, out, study):
                            working.append(_Working(job, _start(job, out, study, device)))
                left = len(waiting) + len(working)
                done = sum(job.steps if is_done(job, out, study) else steps_done(job, out) for job in jobs)
                progress.update(bar, completed=done, description=f"{len(jobs) - left} of {len(jobs)} runs done")
                time.sleep(POLL_S)
        finally:
            for one in working:
                _let_go(one)
            for one in working:
                one.process.wait()
    if failed:
        raise HandscopeError("; ".join(failed))


def _let_go(one: _Working) -> None:
    """Close what the run listens to: it ends, if it has not yet."""
    if one.process.stdin is not None:
        one.process.stdin.close()


def _may_start(job: Job, jobs: Sequence[Job], out: Path, study: Study) -> bool:
    return job.after is None or all(is_done(other, out, study) for other in jobs if other.name == job.after)


def _never(waiting: list[Job], working: Sequence[_Working], jobs: Sequence[Job], out: Path, study: Study) -> list[str]:
    """Take away the runs whose start is neither there nor to come; a sentence for each."""
    coming = {job.name for job in waiting} | {one.job.name for one in working}
    lost = [job for job in waiting if not _may_start(job, jobs, out, study) and job.after not in coming]
    for job in lost:
        waiting.remove(job)
    return [f"{job.cell}, seed {job.seed}: the run that it starts from failed" for job in lost]


def _start(job: Job, out: Path, study: Study, device: str) -> subprocess.Popen[bytes]:
    folder = out / job.name
    folder.mkdir(parents=True, exist_ok=True)
    content = {
        "cell": job.cell,
        "seed": job.seed,
        "recipe": job.recipe,
        "evaluate": study.evaluate,
        "hands": study.hands,
        "scores": None if job.cell is None else scores_name(study),
        "device": device,
    }
    write_file(folder / "run.json", json.dumps(content, indent=1) + "\n")
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}
    if device == "cpu":
        environment["CUDA_VISIBLE_DEVICES"] = ""
    with (folder / "output.txt").open("ab") as said:
        return subprocess.Popen(
            [sys.executable, "-m", "handscope.ablation.one", str(folder)],
            stdin=subprocess.PIPE, stdout=said, stderr=subprocess.STDOUT, env=environment,
        )  # fmt: skip


def _what_failed(one: _Working, out: Path) -> str:
    path = out / one.job.name / "output.txt"
    said = path.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    last = said[-1] if said else f"exit code {one.process.returncode}"
    return f"{one.job.cell or 'the run that others start from'}, seed {one.job.seed} failed ({last}; {path})"
