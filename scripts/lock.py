"""Lock files: `locks/`, every install of this project as it was tested, written by uv.

    python scripts/lock.py [path of uv] [--upgrade]

`build`, `tools`, `light`, `video`, `serve` and `web` name each package by version and by SHA-256, for pip's
--require-hashes. `dev` names versions alone: torch's CPU build is another file than the public one, and both will do.
No file names an index. Without --upgrade versions stay as they are, as far as pyproject.toml allows.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
LOCKS = ROOT / "locks"
HASHED = {"light": [], "video": ["video"], "serve": ["serve"], "web": ["web"]}
"""Extras of each install for users."""
SECURE = ["--generate-hashes"]


def lock(uv: str, name: str, sources: list[str], options: list[str]) -> None:
    """Write locks/`name`.txt."""
    command = [uv, "pip", "compile", "--quiet", "--universal", "--python-version", "3.11", "--no-emit-index-url"]
    command += ["--custom-compile-command", "python scripts/lock.py", "--no-annotate", *options, *sources]
    subprocess.run([*command, "-o", f"locks/{name}.txt"], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)


def main(arguments: list[str]) -> int:
    """Write all of them."""
    upgrade = ["--upgrade"] if "--upgrade" in arguments else []
    uv = next((word for word in arguments if not word.startswith("--")), "uv")
    for name, extras in HASHED.items():
        lock(uv, name, ["pyproject.toml"], [*SECURE, *upgrade, *(f"--extra={extra}" for extra in extras)])
    dev = LOCKS / "dev.txt"
    lock(uv, "dev", ["pyproject.toml", "locks/build.in"], ["--extra=dev", "--constraint=constraints-cpu.txt", *upgrade])
    dev.write_text(re.sub(r"(==[\w.]+)\+\w+", r"\1", dev.read_text(encoding="utf-8")), encoding="utf-8")
    lock(uv, "build", ["locks/build.in"], [*SECURE, "--constraint=locks/dev.txt", *upgrade])  # they lie side by side
    lock(uv, "tools", ["locks/tools.in"], [*SECURE, *upgrade])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
