"""Whether the tests see it when the science is broken: python scripts/mutate.py [--only WORDS]

Each entry of tests/mutations.yaml is one small fault: a text of a source file, what takes its place, and the tests that
must fail then. Those tests must pass before. Prints which faults were seen; exits with 1 if one was not. Not part of
`make test`; `make mutations` runs it.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]
LIST = ROOT / "tests" / "mutations.yaml"


@dataclass(frozen=True, kw_only=True)
class Mutation:
    """`old` stands in `file` (under src/handscope) exactly once, `new` takes its place, and `tests` (under tests) must
    not pass.
    """

    name: str
    file: str
    old: str
    new: str
    tests: str

    def applied(self, source: str) -> str:
        """The file's text with the fault; ValueError if it does not fit the file any more."""
        if source.count(self.old) != 1:
            raise ValueError(
                f"{self.name}: `{self.old}` stands {source.count(self.old)} times in {self.file}, not once"
            )
        return source.replace(self.old, self.new)


def mutations() -> list[Mutation]:
    """The list."""
    return [Mutation(**entry) for entry in yaml.safe_load(LIST.read_text())]


def passes(source: Path, tests: str) -> bool:
    """Whether `tests` pass with the package at `source`."""
    words = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-x",
        "-p",
        "no:cacheprovider",
        *(f"tests/{t}" for t in tests.split()),
    ]
    around = os.environ | {"PYTHONPATH": str(source), "OMP_NUM_THREADS": "1"}
    return subprocess.run(words, cwd=ROOT, env=around, capture_output=True, check=False).returncode == 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", help="those whose names hold these words")
    options = parser.parse_args()
    chosen = [mutation for mutation in mutations() if options.only in mutation.name]
    survived = 0
    for tests in sorted({mutation.tests for mutation in chosen}):
        if not passes(ROOT / "src", tests):
            print(f"{tests}: fails without any fault")
            return 1
    for mutation in chosen:
        with tempfile.TemporaryDirectory(prefix="mutation-") as place:
            source = Path(shutil.copytree(ROOT / "src", Path(place) / "src"))
            path = source / "handscope" / mutation.file
            path.write_text(mutation.applied(path.read_text()))
            seen = not passes(source, mutation.tests)
        survived += not seen
        print(f"{mutation.name}: {'seen' if seen else 'NOT SEEN'}", flush=True)
    print(f"{len(chosen) - survived} of {len(chosen)} seen")
    return 1 if survived else 0


if __name__ == "__main__":
    sys.exit(main())
