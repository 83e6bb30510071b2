"""The browser's side by its own tools: format, types, lint, arithmetic, and the page in Chromium.

pytest tests/web/test_npm.py        the same as `npm ci && npm test` in web/
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

WEB = Path(__file__).parents[2] / "web"
CHROMIUM = Path(os.environ.get("HANDSCOPE_CHROMIUM", "/usr/bin/chromium"))
UNREACHABLE = re.compile(
    r"ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|ENOTCACHED|E40[134]|E5\d\d"
)
"""What npm says where its index cannot be reached."""
INSTALL_S, TEST_S = 180, 400
FEW_RETRIES = ("--fetch-retries=1", "--fetch-retry-mintimeout=1000")


@pytest.mark.slow
def test_npm_ci_and_npm_test() -> None:
    npm, node = shutil.which("npm"), shutil.which("node")
    if npm is None or node is None:
        pytest.skip("node and npm are not here: the browser's side is not tested")
    if _major(node) < 20:
        pytest.skip("node is older than 20: the browser's side is not tested")
    _install(npm)
    environment = os.environ | {"HANDSCOPE_PYTHON": sys.executable, "CI": "1", "NO_COLOR": "1"}
    run = _run([npm, "test", "--silent"], TEST_S, environment)
    assert run.returncode == 0, run.stdout[-8000:] + run.stderr[-4000:]
    if not CHROMIUM.exists():
        pytest.skip(f"{CHROMIUM} is not here (Debian's package chromium): the page itself is not tested, all else is")


def _install(npm: str) -> None:
    """`npm ci`, unless what it last installed here is what the lock file says."""
    lock, installed = WEB / "package-lock.json", WEB / "node_modules" / ".handscope-lock.json"
    if installed.is_file() and installed.read_bytes() == lock.read_bytes():
        return
    try:
        run = _run([npm, "ci", "--no-audit", "--no-fund", *FEW_RETRIES], INSTALL_S, os.environ)
    except subprocess.TimeoutExpired:
        pytest.skip("npm's index answers too slowly: the browser's side is not tested")
    if run.returncode != 0 and UNREACHABLE.search(run.stderr):
        pytest.skip("npm's index cannot be reached: the browser's side is not tested")
    assert run.returncode == 0, run.stderr
    shutil.copyfile(lock, installed)


def _major(node: str) -> int:
    return int(_run([node, "--version"], 20, os.environ).stdout.strip().lstrip("v").split(".")[0])


def _run(
    command: list[str], seconds: int, environment: os._Environ[str] | dict[str, str]
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=WEB, capture_output=True, text=True, timeout=seconds, env=environment, check=False
    )
