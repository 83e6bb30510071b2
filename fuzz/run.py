"""`python -m fuzz.run --seconds 60 [TARGET...]`: the targets share the time; exit code 1 if one found something.

Each target runs in a process of its own, so that a crash or a hang is found too and its input kept (`--out`).
`--corpus` runs the seeds as they are and nothing else; `--count` ends each target after so many inputs.
"""

from __future__ import annotations

import argparse
import faulthandler
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path

from fuzz.mutations import mutated
from fuzz.seeds import MUTABLE
from fuzz.targets import TARGETS

BATCH = 250
HANG_S = 20
"""No input may take longer."""
MOST_MEMORY = 8 * 2**30
"""Address space of a target's process; torch and ONNX Runtime reserve most of it."""


def child(name: str, seconds: float, count: int | None, seed: int, folder: Path, only_corpus: bool) -> int:
    """Feed one target until the time is over; prints a line of JSON."""
    from hypothesis import HealthCheck, Phase, given, settings
    from hypothesis import seed as seeded

    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, resource.getrlimit(resource.RLIMIT_AS)[1]))
    target = TARGETS[name]
    seeds = target.seeds()
    run = target.open(folder)
    path = folder / f"input{target.suffix}"
    done = {"inputs": 0, "slowest_s": 0.0}
    end = time.monotonic() + seconds

    def feed(content: bytes) -> None:
        path.write_bytes(content)
        faulthandler.dump_traceback_later(HANG_S, exit=True)
        before = time.monotonic()
        run(path)
        faulthandler.cancel_dump_traceback_later()
        done["inputs"] += 1
        done["slowest_s"] = max(done["slowest_s"], round(time.monotonic() - before, 2))

    for label, content in seeds.items():
        try:
            feed(content)
        except BaseException:
            print(f"seed {label}:", file=sys.stderr)
            raise
    everything = sorted(content for content in seeds.values() if len(content) <= MUTABLE)
    while not only_corpus and time.monotonic() < end and (count is None or done["inputs"] < count):
        seed += 1

        @seeded(seed)
        @settings(
            max_examples=BATCH, deadline=None, database=None, phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        @given(mutated(everything))
        def batch(content: bytes) -> None:
            if time.monotonic() < end:
                feed(content)

        batch()
    done["peak_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(json.dumps(done | {"seeds": len(seeds)}))
    return 0


def fuzz(name: str, options: argparse.Namespace, seconds: float) -> str | None:
    """Run one target in its own process; what went wrong, or None."""
    folder = Path(tempfile.mkdtemp(prefix=f"fuzz-{name}-"))
    command = [
        sys.executable,
        "-m",
        "fuzz.run",
        "--child",
        name,
        "--seconds",
        str(seconds),
        "--seed",
        str(options.seed),
    ]
    command += ["--folder", str(folder), *(["--corpus"] if options.corpus else [])]
    command += [] if options.count is None else ["--count", str(options.count)]
    root = Path(__file__).parents[1]
    paths = [str(root / "src"), str(root), os.environ.get("PYTHONPATH", "")]
    surroundings = os.environ | {"PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=root, env=surroundings, capture_output=True, text=True, check=False)
    told = None
    if done.returncode == 0:
        print(f"{name:10} {done.stdout.strip().splitlines()[-1]}", flush=True)
    else:
        options.out.mkdir(parents=True, exist_ok=True)
        kept = options.out / f"{name}-{int(time.time())}{TARGETS[name].suffix}"
        for path in folder.glob(f"input{TARGETS[name].suffix}"):
            shutil.copy(path, kept)
        how = f"exit code {done.returncode}" if done.returncode > 0 else f"killed by signal {-done.returncode}"
        told = f"{name}: {how}; the input is {kept}\n{done.stderr[-6000:]}"
        print(told, flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    return told


def main(arguments: list[str] | None = None) -> int:
    """Run targets; the exit code."""
    out = argparse.ArgumentParser(prog="python -m fuzz.run", description=__doc__)
    out.add_argument("targets", nargs="*", metavar="TARGET", help=f"of {', '.join(TARGETS)}; all by default")
    out.add_argument("--seconds", type=float, default=60, help="for all of them together")
    out.add_argument("--count", type=int, help="inputs of each target at most")
    out.add_argument("--seed", type=int, default=0, help="of what is drawn")
    out.add_argument("--corpus", action="store_true", help="the seeds as they are, once")
    out.add_argument("--out", type=Path, default=Path("out/fuzz"), help="where inputs go that did harm")
    out.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    out.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = out.parse_args(arguments)
    if options.child:
        try:
            return child(
                options.targets[0], options.seconds, options.count, options.seed, options.folder, options.corpus
            )
        except BaseException:
            traceback.print_exc()
            return 1
    names = options.targets or list(TARGETS)
    found = [fuzz(name, options, options.seconds / len(names)) for name in names]
    return 1 if any(found) else 0


if __name__ == "__main__":
    sys.exit(main())
