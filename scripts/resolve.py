"""Whether the installs resolve, from wheels alone, for Pythons and machines that are not at hand; nothing is installed.

    python scripts/resolve.py [path of uv]

One line for each Python and machine, with the extras for pictures, videos, page and service; exit code 1 if one of them
does not resolve: a new Python or an ARM board that a package has no wheel for is found here, not by a user.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
PYTHONS = ("3.11", "3.12", "3.13")
MACHINES = ("x86_64-manylinux_2_28", "aarch64-manylinux_2_28", "aarch64-apple-darwin", "x86_64-pc-windows-msvc")
EXTRAS = ("video", "web", "serve")


def problem_of(uv: str, python: str, machine: str) -> str | None:
    """None if the install resolves from wheels alone, else what the resolver says."""
    command = [uv, "pip", "compile", "--quiet", "--only-binary", ":all:", "--python-version", python]
    command += ["--python-platform", machine, *(f"--extra={extra}" for extra in EXTRAS), str(ROOT / "pyproject.toml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return None if done.returncode == 0 else " ".join(done.stderr.split())


def main(uv: str = "uv") -> int:
    """Try them all; the exit code."""
    failed = 0
    for python in PYTHONS:
        for machine in MACHINES:
            problem = problem_of(uv, python, machine)
            failed += problem is not None
            print(f"{python}  {machine:24} {problem or 'resolves'}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
