"""`handscope batch` measured: python benchmarks/batch.py DIR [--count 20000] [pictures | cores | memory | kills ...]

DIR holds the pictures, which are made once: `SCENES` rendered scenes of 320 px, each in many variants (mirrored, moved,
darker and brighter, with noise), so that no two files are alike; every hundredth is broken: cut short, text, or empty.
`--take N` uses the first N of them.

- cores: rows a second on one core (the command and all its processes held to one CPU) and on all of them, the whole
  command by the clock. Nothing else may run beside it. The aim is 1.9 on two.
- memory: what the command and its processes hold together (PSS), at most, in the first and in the last tenth of a run.
- kills: `kill -9` of all its processes at random moments, --kills times, each followed by the same command. After each,
  no part is half or gone; in the end its rows are those of a run that nobody killed, once each, but for attempts and
  seconds. With `--engine daft` it is Daft's that are killed, held against a whole run of the local engine.

`--toys` runs with the tests' stand-in networks, a fifth of the work.

Prints a table each; exits with 1 if an aim is missed.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import psutil
import pyarrow.parquet
from numpy.typing import NDArray

from handscope.batch.rows import VARYING

SCENES, SIDE = 1000, 320
BROKEN_EVERY = 100
sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
HANDSCOPE = [sys.executable, "-m", "handscope.apps.cli"]
AIM = 0.95
"""Of as many times the rows as there are cores: 1.9 of two."""


def pictures(folder: Path, count: int) -> Path:
    """The folder of pictures, made if it is not there."""
    place = folder / f"pictures-{count}"
    if place.is_dir():
        return place
    from handscope.data.shards import ShardReader
    from handscope.synth.generate import generate
    from handscope.synth.scene import SynthConfig

    config = SynthConfig(scenes=True, scene_size=SIDE)
    reader = ShardReader(generate(config, count=min(SCENES, count), seed=23, out=folder / "scenes"))
    scenes = [reader[number].image for number in range(len(reader))]
    made = folder / ".pictures"
    shutil.rmtree(made, ignore_errors=True)
    for number in range(count):
        path = made / f"{number // 1000:03d}" / f"{number:06d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        rng = np.random.default_rng(number)
        picture = varied(scenes[number % len(scenes)], rng)
        data = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 92])[1].tobytes()
        if number % BROKEN_EVERY == BROKEN_EVERY // 2:
            data = (data[: len(data) // 5], b"no picture", b"")[number // BROKEN_EVERY % 3]
        path.write_bytes(data)
    return made.replace(place)


def varied(picture: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """A picture moved by up to 16 px, perhaps mirrored, brighter or darker, with noise."""
    dx, dy = rng.integers(-16, 17, 2)
    height, width = picture.shape[:2]
    moved = cv2.warpAffine(
        picture, np.array([[1.0, 0, dx], [0, 1, dy]]), (width, height), borderMode=cv2.BORDER_REFLECT_101
    )
    if rng.random() < 0.5:
        moved = moved[:, ::-1]
    noise = rng.normal(0, rng.uniform(1, 5), moved.shape)
    return (moved * rng.uniform(0.75, 1.2) + noise).clip(0, 255).astype(np.uint8)


def toys(folder: Path) -> Path:
    """The folder of the tests' stand-in networks."""
    from toy_networks import save_networks

    return save_networks(folder / "toys")


def listed(folder: Path, place: Path, take: int | None) -> Path:
    """What is given as source: the folder, or a list of the first so many."""
    if take is None:
        return place
    path = folder / f"first-{take}.txt"
    path.write_text("\n".join(map(str, sorted(place.rglob("*.jpg"))[:take])))
    return path


def start(source: Path, out: Path, *more: str, cpus: set[int] | None = None) -> subprocess.Popen[str]:
    """The command, in a group of processes of its own, on these CPUs."""

    def hold() -> None:
        if cpus is not None:
            os.sched_setaffinity(0, cpus)

    return subprocess.Popen(
        [*HANDSCOPE, "batch", str(source), "--out", str(out), *more], start_new_session=True, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=hold,
    )  # fmt: skip


def end(process: subprocess.Popen[str]) -> None:
    """Wait for it; some rows fail in every run here."""
    said = process.communicate()[1]
    if process.returncode not in (0, 1):
        raise SystemExit(f"exit code {process.returncode}: {said[-1000:]}")


def cores(folder: Path, source: Path, options: argparse.Namespace) -> bool:
    """Whether all cores are worth nearly as many times one."""
    cpus = sorted(os.sched_getaffinity(0))
    print("| cores | rows | seconds | rows a second | of a core a row |\n|---:|---:|---:|---:|---:|", flush=True)
    rates = []
    for some in (cpus[:1], cpus):
        out = fresh(folder / f"cores-{len(some)}")
        began = time.perf_counter()
        end(start(source, out, *options.words, cpus=set(some)))
        seconds = time.perf_counter() - began
        rows = json.loads((out / "summary.json").read_text())["rows"]
        rates.append(rows / seconds)
        each = sum(row_seconds(out)) / rows
        print(f"| {len(some)} | {rows} | {seconds:.1f} | {rates[-1]:.2f} | {1000 * each:.1f} ms |", flush=True)
    print(f"{rates[1] / rates[0]:.2f} times one core's with {len(cpus)}", flush=True)
    return rates[1] / rates[0] >= AIM * len(cpus)


def row_seconds(out: Path) -> Iterator[float]:
    """What each row took by its process's clock: more on two cores than on one is what they take from each other."""
    for path in out.glob("parts/*.parquet"):
        yield from pyarrow.parquet.read_table(path, columns=["seconds"]).column("seconds").to_pylist()


def memory(folder: Path, source: Path, options: argparse.Namespace) -> bool:
    """Whether the last tenth of a run takes as much as the first."""
    process = start(source, fresh(folder / "memory"), *options.words)
    samples: list[tuple[float, float]] = []
    began = time.perf_counter()
    while process.poll() is None:
        samples.append((time.perf_counter() - began, held(process.pid)))
        time.sleep(1.0)
    end(process)
    seconds = samples[-1][0]
    first = max(mib for at, mib in samples if at <= seconds / 10)
    last = max(mib for at, mib in samples if at >= seconds * 9 / 10)
    print("| first tenth, MiB | last tenth, MiB | seconds |\n|---:|---:|---:|")
    print(f"| {first:.0f} | {last:.0f} | {seconds:.0f} |", flush=True)
    return abs(last / first - 1) <= 0.1


def held(pid: int) -> float:
    """MiB that a process and those below it hold; what they share is counted once."""
    total = 0
    try:
        family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0.0
    for one in family:
        try:
            total += one.memory_full_info().pss
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return total / 2**20


def kills(folder: Path, source: Path, options: argparse.Namespace) -> bool:
    """Whether rows are the same, once each, however often a run was killed."""
    words = ("--shard-rows", str(options.shard_rows), *options.words)
    engine = ("--engine", options.engine)
    whole, out, wrong = fresh(folder / "whole"), fresh(folder / "killed"), []
    began = time.perf_counter()
    end(start(source, whole, *words))
    seconds, rng, done = time.perf_counter() - began, random.Random(options.seed), 0
    seen: set[str] = set()
    began = time.perf_counter()
    while done < options.kills:
        process = start(source, out, *words, *engine)
        try:
            process.communicate(timeout=rng.uniform(0, 2.5 * seconds / options.kills))
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            done += 1
            parts = {path.name for path in out.glob("parts/0*.parquet")}
            wrong += [f"kill {done}: gone {name}" for name in seen - parts]
            wrong += [f"kill {done}: half {path.name}" for path in out.glob("parts/0*.parquet") if not is_whole(path)]
            seen = parts
        else:  # it came to its end: another one
            wrong += [] if same(whole, out) else ["the rows of a run that ended between are others"]
            out, seen = fresh(folder / "killed"), set()
    end(start(source, out, *words, *engine))
    wrong += [] if same(whole, out) else ["the rows are others"]
    left = [path.name for path in out.rglob(".*.part")]
    wrong += [f"left over: {', '.join(left)}"] if left else []
    rows = sum(1 for _ in rows_of(out))
    killed_s, told = time.perf_counter() - began, "; ".join(wrong) or "nothing"
    print("| rows | kills | a whole run, s | with the kills, s | lost, half, twice or other |")
    print(f"|---:|---:|---:|---:|---|\n| {rows} | {done} | {seconds:.0f} | {killed_s:.0f} | {told} |", flush=True)
    return not wrong


def is_whole(path: Path) -> bool:
    try:
        pyarrow.parquet.read_table(path)
    except (pyarrow.ArrowException, OSError):
        return False
    return True


def rows_of(out: Path) -> Iterator[dict[str, object]]:
    """All rows in order of their parts, without what varies."""
    for path in sorted(out.glob("parts/*.parquet")):
        for row in pyarrow.parquet.read_table(path).to_pylist():
            yield {name: value for name, value in row.items() if name not in VARYING}


def same(one: Path, two: Path) -> bool:
    """Whether two runs have the same rows, each once and in order."""
    try:
        pairs = enumerate(zip(rows_of(one), rows_of(two), strict=True))
        return all(row == other and row["index"] == number for number, (row, other) in pairs)
    except ValueError:  # one has more
        return False


def fresh(folder: Path) -> Path:
    """The folder, empty."""
    shutil.rmtree(folder, ignore_errors=True)
    return folder


MEASURES: dict[str, Callable[[Path, Path, argparse.Namespace], bool]] = {
    "cores": cores, "memory": memory, "kills": kills
}  # fmt: skip


def main() -> int:
    out = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    out.add_argument("folder", type=Path, metavar="DIR")
    out.add_argument("measures", nargs="*", metavar="MEASURE", help=f"pictures alone, or of {', '.join(MEASURES)}")
    out.add_argument("--count", type=int, default=20_000)
    out.add_argument("--take", type=int, metavar="N")
    out.add_argument("--kills", type=int, default=20)
    out.add_argument("--shard-rows", type=int, default=64, help="of the runs that are killed")
    out.add_argument("--engine", default="local", help="of the runs that are killed (default: local)")
    out.add_argument("--toys", action="store_true", help="with the tests' stand-in networks")
    out.add_argument("--seed", type=int, default=0)
    options = out.parse_args()
    folder = options.folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    options.words = ("--weights", str(toys(folder))) if options.toys else ()
    source = listed(folder, pictures(folder, options.count), options.take)
    wanted = options.measures or [*MEASURES]
    met = [MEASURES[name](folder, source, options) for name in wanted if name != "pictures"]
    return 0 if all(met) else 1


if __name__ == "__main__":
    sys.exit(main())
