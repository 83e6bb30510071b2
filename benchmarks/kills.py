"""kill -9 at random moments: python benchmarks/kills.py [--kills 20] [--seed 0] [CASE...]

Each case is a command of `handscope` on small things of its own, killed again and again (its children too) and started
again with the same words. After each kill what lies there must be whole: no file under its own name that is cut short,
no files of two runs side by side, nothing gone that was there before. When it ends at last its results must be those of
a run that nobody killed, with nothing left over. Prints a table; exits with 1 if something was lost or half.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from clips import read_back, toy_frames, write_video
from handscope.data.shards import ShardReader, check_shard, digest
from handscope.errors import HandscopeError
from handscope.files import LEFTOVERS
from toy_networks import save_networks

HANDSCOPE = [sys.executable, "-m", "handscope.apps.cli"]
TRAINING = {
    "kind": "estimator",
    "network": {
        "crop": 64,
        "stem": [8, 8],
        "channels": 8,
        "pyramid": {"channels": [8, 8, 8, 8], "blocks": [1, 1, 1, 1]},
        "backbone": "pyramid",
        "regressor": [8, 8],
        "regressor_hidden": 16,
    },
    "crop": {"size": 64},
    "dev": None,
    "loop": {"steps": 40, "batch": 2, "warmup_steps": 5, "checkpoint_minutes": 0.0, "log_every": 10},
}


@dataclass
class Case:
    """`command` of a folder and of how often it was started; `check` says what is wrong with what a kill left there,
    `result` what a run that ended gives, to be compared.
    """

    command: Callable[[Path, int], list[str]]
    check: Callable[[Path], list[str]]
    result: Callable[[Path], object]
    again: bool = False
    """Whether a run that ended is followed by others into the same folder, which must replace it."""
    state: dict[str, object] = field(default_factory=dict)


def shards(folder: Path) -> list[str]:
    """Every shard under its name is what was written."""
    wrong = []
    for path in folder.glob("*.tar"):
        try:
            check_shard(path)
            reader = ShardReader([path])
            [reader[i] for i in range(len(reader))]
        except HandscopeError as problem:
            wrong.append(str(problem))
    for path in folder.glob("*.json"):
        json.loads(path.read_text())
    return wrong


def synth(place: Path) -> Case:
    """Shards, by two processes."""
    words = ["synth", "--count", "24", "--seed", "3", "--size", "96", "--workers", "2"]
    script = (
        "import sys; from handscope.synth import generate; generate.generate.__kwdefaults__['per_shard'] = 4; "
        "from handscope.apps.cli import main; sys.exit(main(sys.argv[1:]))"
    )
    return Case(
        command=lambda folder, _: [sys.executable, "-c", script, *words, "--out", str(folder)],
        check=shards,
        result=lambda folder: {p.name: digest(p) for p in sorted(folder.glob("*.tar"))},
    )


def train(place: Path) -> Case:
    """A training that keeps a checkpoint after every step."""
    from handscope.synth.generate import generate
    from handscope.synth.scene import SynthConfig
    from handscope.train import checkpoint

    generate(SynthConfig(size=96), count=6, seed=1, out=place / "shards", quiet=True)
    recipe = place / "recipe.yaml"
    recipe.write_text(json.dumps(TRAINING | {"sources": [{"kind": "shards", "path": str(place / "shards")}]}))
    case = Case(lambda folder, _: [*HANDSCOPE, "train", "--config", str(recipe), "--out", str(folder)], shards, shards)

    def check(folder: Path) -> list[str]:
        path = folder / checkpoint.NAME
        before = int(case.state.get(str(folder), 0))  # type: ignore[arg-type]
        step = int(checkpoint.load(path).header["step"]) if path.exists() else 0
        case.state[str(folder)] = step
        return [f"step {before} was kept, now it is {step}"] if step < before else []

    def result(folder: Path) -> object:
        groups = checkpoint.load(folder / checkpoint.NAME).groups
        return {
            f"{group}/{name}": value.numpy().tobytes() for group, held in groups.items() for name, value in held.items()
        }

    case.check, case.result = check, result
    return case


def video(place: Path) -> Case:
    """Two clips of the same name in turn, of 30 and 45 frames: files that do not agree are of two runs."""
    weights = save_networks(place / "weights")
    clips = []
    for count in (30, 45):
        (place / str(count)).mkdir()
        clips.append(write_video(place / str(count) / "clip.mp4", toy_frames(count)))

    def counts(folder: Path) -> dict[str, int]:
        import pyarrow.parquet

        inside, found = folder / "clip", {}
        if (lines := inside / "hands.jsonl").exists():
            found["jsonl"] = len([json.loads(line) for line in lines.read_text().splitlines()])
        if (table := inside / "hands.parquet").exists():
            found["parquet"] = pyarrow.parquet.read_table(table).num_rows
        if (film := inside / "overlay.mp4").exists():
            found["mp4"] = len(read_back(film)[0])
        return found

    case = Case(
        lambda folder, n: [*HANDSCOPE, str(clips[n % 2]), "--weights", str(weights), "--out", str(folder)],
        shards,
        shards,
    )

    def check(folder: Path) -> list[str]:
        found, before = counts(folder), case.state.get(str(folder), {})
        case.state[str(folder)] = found
        wrong = [f"files of two runs: {found}"] if len(set(found.values())) > 1 else []
        return wrong + ([f"gone: {before} before, {found} now"] if before and not found else [])

    case.check, case.result, case.again = check, lambda folder: sorted(counts(folder)), True
    return case


def pictures(place: Path) -> Case:
    """A folder of pictures, every file of each."""
    weights, inputs = save_networks(place / "weights"), place / "pictures"
    inputs.mkdir()
    for number, frame in enumerate(toy_frames(12)):
        cv2.imwrite(str(inputs / f"{number}.png"), frame[..., ::-1])
    formats = ["--overlay", "--json", "--glb", "--npz"]

    def check(folder: Path) -> list[str]:
        wrong = []
        for path in folder.glob("*/[!.]*"):
            try:
                if path.suffix == ".json":
                    json.loads(path.read_text())
                elif path.suffix == ".npz":
                    with np.load(path) as file:
                        dict(file.items())
                elif path.suffix == ".glb":
                    data = path.read_bytes()
                    assert data[:4] == b"glTF" and int.from_bytes(data[8:12], "little") == len(data)
                elif path.suffix == ".png":
                    assert cv2.imread(str(path)) is not None and path.read_bytes().endswith(b"IEND\xaeB`\x82")
            except Exception as problem:
                wrong.append(f"{path.name} is half: {problem}")
        return wrong

    return Case(
        command=lambda folder, _: [*HANDSCOPE, str(inputs), *formats, "--weights", str(weights), "--out", str(folder)],
        check=check,
        result=lambda folder: {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.glob("*/[!.]*.json"))},
        again=True,
    )


def corpus(place: Path) -> Case:
    """Five clips in a tree, their files and one table of all."""
    weights, study = save_networks(place / "weights"), place / "study"
    for number in range(5):
        (study / f"p{number % 2}").mkdir(parents=True, exist_ok=True)
        write_video(study / f"p{number % 2}" / f"trial{number}.mp4", toy_frames(8 + number))
    words = ["corpus", str(study), "--pattern", "{participant}/{trial}", "--csv", "--json", "--weights", str(weights)]
    case = Case(lambda folder, _: [*HANDSCOPE, *words, "--out", str(folder)], shards, shards)

    def check(folder: Path) -> list[str]:
        import pyarrow.parquet

        shown = [p for p in folder.rglob("*") if not any(part.startswith(".") for part in p.relative_to(folder).parts)]
        done = {p: pyarrow.parquet.read_table(p).num_rows for p in shown if p.suffix == ".parquet"}
        for path in shown:
            if path.suffix == ".jsonl":
                [json.loads(line) for line in path.read_text().splitlines()]
        lost = case.state.get(str(folder), set()) - done.keys()  # type: ignore[operator]
        case.state[str(folder)] = set(done)
        return [f"gone: {', '.join(path.name for path in lost)}"] if lost else []

    case.check, case.result = check, lambda folder: (folder / "corpus.csv").read_text()
    return case


def batch(place: Path) -> Case:
    """Sixty pictures, two of them broken, into parts of eight rows, by two processes."""
    weights, inputs = save_networks(place / "weights"), place / "pictures"
    inputs.mkdir()
    for number, frame in enumerate(toy_frames(58)):
        cv2.imwrite(str(inputs / f"{number}.png"), frame[..., ::-1])
    for name in ("a.png", "b.png"):
        (inputs / name).write_bytes(b"no picture")
    words = ["--processes", "2", "--shard-rows", "8", "--max-failed", "2", "--weights", str(weights)]
    case = Case(lambda folder, _: [*HANDSCOPE, "batch", str(inputs), "--out", str(folder), *words], shards, shards)

    def parts(folder: Path) -> dict[str, list[dict[str, object]]]:
        import pyarrow.parquet

        tables = {path.name: pyarrow.parquet.read_table(path) for path in folder.glob("parts/[!.]*")}
        varying = ("attempts", "seconds")
        return {name: table.drop_columns(list(varying)).to_pylist() for name, table in sorted(tables.items())}

    def check(folder: Path) -> list[str]:
        before, case.state[str(folder)] = case.state.get(str(folder), set()), set(now := parts(folder))
        return [f"gone: {name}" for name in before - now.keys()]  # type: ignore[operator]

    case.check, case.result = check, parts
    return case


CASES = {"synth": synth, "train": train, "video": video, "folder": pictures, "corpus": corpus, "batch": batch}


def start(case: Case, folder: Path, number: int) -> subprocess.Popen[str]:
    surroundings = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        case.command(folder, number), env=surroundings, start_new_session=True, text=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    )  # fmt: skip


def measure(name: str, kills: int, rng: random.Random) -> tuple[int, int, float, list[str]]:
    """Kills that met a running process, runs that ended, seconds of a whole run, and what was wrong."""
    with tempfile.TemporaryDirectory(prefix="kills-") as held:
        place = Path(held)
        case, wrong = CASES[name](place), []

        def end(folder: Path, number: int) -> float:
            before = time.monotonic()
            process = start(case, folder, number)
            said = process.communicate()[1]
            if process.returncode:
                wrong.append(f"exit code {process.returncode}: {said[-500:]}")
            return time.monotonic() - before

        whole_s = end(place / "whole", 0)
        if wrong:
            return 0, 0, whole_s, wrong
        wanted = case.result(place / "whole")
        done = ended = number = 0
        folder = place / "killed-0"
        while done < kills:
            process = start(case, folder, number)
            number += 1
            try:
                said = process.communicate(timeout=rng.uniform(0, 1.1 * whole_s))[1]
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.communicate()
                done += 1
                wrong += [f"kill {done}: {sentence}" for sentence in case.check(folder)]
                continue
            ended += 1
            wrong += [f"exit code {process.returncode}: {said[-500:]}"] if process.returncode else []
            wrong += case.check(folder)
            if not case.again:
                wrong += ["the result is another"] if case.result(folder) != wanted else []
                folder = place / f"killed-{number}"
        end(folder, 0)
        wrong += case.check(folder)
        wrong += ["the result is another"] if case.result(folder) != wanted else []
        left = [path.name for path in folder.rglob(LEFTOVERS)]
        wrong += [f"left over: {', '.join(left)}"] if left else []
        return done, ended, whole_s, wrong


def main() -> int:
    out = argparse.ArgumentParser(description=__doc__)
    out.add_argument("cases", nargs="*", metavar="CASE", help=f"of {', '.join(CASES)}; all by default")
    out.add_argument("--kills", type=int, default=20)
    out.add_argument("--seed", type=int, default=0)
    options = out.parse_args()
    print(
        "| run | kills | runs that ended between | a whole run, s | lost or half |\n|---|---:|---:|---:|---|",
        flush=True,
    )
    failed = False
    for name in options.cases or CASES:
        done, ended, whole_s, wrong = measure(name, options.kills, random.Random(f"{options.seed} {name}"))
        print(f"| {name} | {done} | {ended} | {whole_s:.1f} | {'; '.join(wrong) or 'nothing'} |", flush=True)
        failed |= bool(wrong)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
