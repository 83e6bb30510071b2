"""`handscope batch` beside daft-physical-ai 0.3's `track_hands` (its method mediapipe): pictures a second, equal cores.

    python3.11 -m venv PEERS && PEERS/bin/pip install "daft-physical-ai[mediapipe]==0.3.0" "handscope[batch] @ ."
    PEERS/bin/python benchmarks/batch_peers.py PICTURES --modules MODULES [--count 4000] [--cores 2] [--rounds 2]

PICTURES is a folder of JPEGs; files that Pillow does not read are left out, as theirs ends at
one. MODULES is the folder `mediapipe/modules` of the wheel of mediapipe 0.10.21, whose two networks make the
hand_landmarker.task that is otherwise downloaded (later wheels have no networks in them).

Each is a process of its own with all that it starts, held to the same CPUs, from files to Parquet: theirs a query of
Daft (glob, download, decode, track_hands, write) as their documentation has it, ours the command; and ours as a column
of the same query. They take turns. Told are pictures a second of the whole, start included, and without it: of all
pictures less those of a tenth, which is run first. Nothing else may run beside it. The aim is 1.0 x theirs.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pyarrow.parquet
from PIL import Image

NETWORKS = {
    "hand_detector.tflite": "palm_detection/palm_detection_full.tflite",
    "hand_landmarks_detector.tflite": "hand_landmark/hand_landmark_full.tflite",
}
QUERY = """
import sys
import daft
{imports}
folder, out = sys.argv[1:3]
frame = daft.from_glob_path(folder + "/*.jpg").select("path")
frame = frame.with_column("image", daft.functions.decode_image(daft.functions.download(daft.col("path")), mode="RGB"))
frame = frame.with_column("hands", {call})
frame.select("path", "hands").write_parquet(out)
"""
THEIRS = QUERY.format(
    imports="from daft_physical_ai.hands import track_hands",
    call='track_hands(daft.col("image"), method="mediapipe", model_path=sys.argv[3])',
)
OURS = QUERY.format(
    imports="from handscope.batch.daft_engine import track_hands", call='track_hands(daft.col("image"))'
)


def task_file(modules: Path, out: Path) -> Path:
    """The bundle of MediaPipe's two networks."""
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as file:
        for name, source in NETWORKS.items():
            file.write(modules / source, name)
    return out


def commands(task: Path) -> dict[str, list[str]]:
    """What each runs; the folder of pictures and the place for results come next."""
    python = sys.executable
    ours = [python, "-m", "handscope.apps.cli", "batch", "PICTURES", "--out", "OUT"]
    return {
        "daft-physical-ai 0.3.0, mediapipe": [python, "-c", THEIRS, "PICTURES", "OUT", str(task)],
        "handscope batch --effort quick": [*ours, "--effort", "quick"],
        "handscope batch": ours,
        "handscope, a column of Daft": [python, "-c", OURS, "PICTURES", "OUT"],
    }


def seconds(command: Sequence[str], pictures: Path, cpus: set[int]) -> tuple[float, float, int, int]:
    """Of the whole, by the clock and of CPU time, with the rows and hands that came out."""
    out = Path(tempfile.mkdtemp(dir=pictures.parent)) / "out"
    words = [{"PICTURES": str(pictures), "OUT": str(out)}.get(word, word) for word in command]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    done = subprocess.run(
        words,
        env={**os.environ, "DAFT_ANALYTICS_ENABLED": "0", "DAFT_PROGRESS_BAR": "0"},
        preexec_fn=lambda: os.sched_setaffinity(0, cpus),
        capture_output=True,
        text=True,
        check=False,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    spent = time.perf_counter() - began
    if done.returncode:
        raise SystemExit(f"{words[:4]} ended with {done.returncode}: {done.stderr[-2000:]}")
    tables = [pyarrow.parquet.read_table(path, columns=["hands"]) for path in out.rglob("[!m]*.parquet")]
    hands = [cell for table in tables for cell in table["hands"].to_pylist()]
    shutil.rmtree(out.parent)
    return spent, cpu, len(hands), sum(len(cell or ()) for cell in hands)


def chosen(folder: Path, count: int, out: Path) -> Path:
    """A folder of links to the first so many pictures that can be read."""
    out.mkdir()
    there = 0
    for path in sorted(folder.rglob("*.jpg")):
        if there == count:
            break
        try:
            with Image.open(path) as picture:
                picture.load()
        except OSError:
            continue
        (out / f"{there:06d}.jpg").symlink_to(path.resolve())
        there += 1
    return out


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("pictures", type=Path)
    parser.add_argument("--modules", type=Path, required=True, metavar="DIR", help="mediapipe/modules of 0.10.21")
    parser.add_argument("--count", type=int, default=4000)
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=2)
    options = parser.parse_args()
    cpus = set(sorted(os.sched_getaffinity(0))[: options.cores])
    with tempfile.TemporaryDirectory() as place:
        task = task_file(options.modules, Path(place) / "hand_landmarker.task")
        few = chosen(options.pictures, options.count // 10, Path(place) / "few")
        many = chosen(options.pictures, options.count, Path(place) / "many")
        count, tenth = len(list(many.iterdir())), len(list(few.iterdir()))
        whole: dict[str, list[float]] = {}
        steady: dict[str, list[float]] = {}
        of_cpu: dict[str, list[float]] = {}
        found: dict[str, tuple[int, int]] = {}
        for _ in range(options.rounds):
            for name, command in commands(task).items():
                start, start_cpu, *_ = seconds(command, few, cpus)
                spent, spent_cpu, rows, hands = seconds(command, many, cpus)
                if rows != count:
                    raise SystemExit(f"{name}: {rows} rows of {count} pictures")
                whole.setdefault(name, []).append(count / spent)
                steady.setdefault(name, []).append((count - tenth) / (spent - start))
                of_cpu.setdefault(name, []).append(1000 * (spent_cpu - start_cpu) / (count - tenth))
                found[name] = rows, hands
                print(f"{name}: {tenth} in {start:.1f} s, {count} in {spent:.1f} s", file=sys.stderr, flush=True)
    print(f"{count} pictures, {len(cpus)} cores, medians of {options.rounds}\n")
    print("| | pictures a second | without the start | x theirs | ms of CPU a picture | hands |")
    print("|---|---|---|---|---|---|")
    theirs = statistics.median(steady[next(iter(steady))])
    for name in whole:
        rate = statistics.median(steady[name])
        print(
            f"| {name} | {statistics.median(whole[name]):.1f} | {rate:.1f} | {rate / theirs:.2f} "
            f"| {statistics.median(of_cpu[name]):.1f} | {found[name][1]} |"
        )
    return 0 if statistics.median(steady["handscope batch --effort quick"]) >= theirs else 1


if __name__ == "__main__":
    sys.exit(main())
