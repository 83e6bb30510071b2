"""Shards of synthetic pictures: `handscope synth`.

A set is (config, seed, count); shard number k holds samples k * per_shard and following, whoever makes it
and in whatever order, so the work can be shared out, stopped and resumed: complete shards are kept,
unfinished and damaged ones made again, and the bytes are the same.
"""

from __future__ import annotations

import dataclasses
import json
import multiprocessing
from pathlib import Path

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from handscope.data.shards import ShardWriter, check_shard, read_index
from handscope.errors import HandscopeError
from handscope.files import writable_folder, write_first
from handscope.paths import read_bytes
from handscope.synth.scene import SynthConfig, render_sample

PER_SHARD = 1000
Task = tuple[SynthConfig, int, int, int, str]


def generate(
    config: SynthConfig,
    *,
    count: int,
    seed: int,
    out: str | Path,
    workers: int = 1,
    split: str = "train",
    per_shard: int = PER_SHARD,
    quiet: bool = False,
) -> list[Path]:
    """Write samples 0 to `count` - 1 of the set as `out`/{split}-{000000}.tar and return the files' paths.

    Complete shards in `out` are kept if they belong to the same set (`{split}.json` says which) and are
    refused otherwise.
    """
    if count < 1 or workers < 1:
        raise HandscopeError(f"count and workers must be at least 1, got {count} and {workers}")
    folder = writable_folder(out)
    _claim(folder, split, config, seed, per_shard)
    paths = [folder / f"{split}-{k:06d}.tar" for k in range(-(-count // per_shard))]
    tasks: list[Task] = []
    for k, path in enumerate(paths):
        first, last = k * per_shard, min((k + 1) * per_shard, count)
        if not _is_complete(path, last - first):
            tasks.append((config, seed, first, last, str(path)))
    done = count - sum(last - first for _, _, first, last, _ in tasks)
    columns = (
        TextColumn("synth"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("pictures"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, disable=quiet) as progress:
        bar = progress.add_task("synth", total=count, completed=done)
        for made in _run(tasks, workers):
            progress.advance(bar, made)
    return paths


def _claim(folder: Path, split: str, config: SynthConfig, seed: int, per_shard: int) -> None:
    """Write down which set the folder holds, or check that it is this one."""
    card = {"config": dataclasses.asdict(config), "seed": seed, "per_shard": per_shard}
    text = json.dumps(card, indent=1, sort_keys=True)
    path = folder / f"{split}.json"
    if not write_first(path, text) and read_bytes(path, HandscopeError) != text.encode():
        raise HandscopeError(f"{path}: this folder holds another set (other seed or settings); choose another --out")


def _is_complete(path: Path, count: int) -> bool:
    """A shard appears under its name only when finished; a shorter one comes from a smaller `count`, and one that is
    damaged is not complete.
    """
    if not path.is_file():
        return False
    try:
        check_shard(path)
        return len(read_index(path)) == count
    except HandscopeError:
        return False


def _run(tasks: list[Task], workers: int):
    """Do the tasks, yielding how many pictures were made since the last time."""
    if workers == 1 or len(tasks) <= 1:
        for task in tasks:
            yield from _pictures(task)
        return
    context = multiprocessing.get_context("spawn")
    with context.Pool(min(workers, len(tasks)), initializer=_start_worker) as pool:
        yield from pool.imap_unordered(_whole, tasks)


def _start_worker() -> None:
    """One thread per worker: the workers themselves fill the cores."""
    import cv2

    cv2.setNumThreads(1)


def _whole(task: Task) -> int:
    return sum(_pictures(task))


def _pictures(task: Task):
    config, seed, first, last, path = task
    with ShardWriter(path) as writer:
        for index in range(first, last):
            writer.write(render_sample(config, seed, index))
            yield 1
