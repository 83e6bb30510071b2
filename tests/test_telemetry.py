"""Nothing leaves the machine: ONNX Runtime is told so before its first import, whichever module of ours comes first."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

PROBE = """
import importlib, os, sys

class Probe:
    def find_spec(self, name, path=None, target=None):
        if name == "onnxruntime":
            print("seen", os.environ.get("ORT_DISABLE_TELEMETRY"))
            sys.exit(0)

sys.meta_path.insert(0, Probe())
importlib.import_module(sys.argv[1])
"""


def what_the_runtime_sees(module: str, environment: dict[str, str]) -> str:
    result = subprocess.run(
        [sys.executable, "-c", PROBE, module], env=environment, capture_output=True, text=True, timeout=120
    )
    return result.stdout.strip()


@pytest.mark.parametrize("module", ["handscope.infer.weights", "handscope.infer.pipeline", "handscope.train.export"])
def test_telemetry_is_off_when_the_runtime_is_first_imported(module: str) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    assert what_the_runtime_sees(module, environment) == "seen 1"


def test_a_choice_of_the_users_stands() -> None:
    assert what_the_runtime_sees("handscope.infer.weights", {**os.environ, "ORT_DISABLE_TELEMETRY": "0"}) == "seen 0"


LOOKING = "import handscope, time; handscope.load(threads=1); time.sleep(99)"
SECONDS = 15
"""0.4.0 asked for mobile.events.data.microsoft.com after 10; `python -m fuzz.attacks` waits for 30."""


def free_port() -> str:
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        return str(door.getsockname()[1])


@pytest.mark.skipif(sys.platform != "linux", reason="networks of their own are Linux's")
def test_nothing_asks_for_a_name_or_writes_elsewhere(tmp_path: Path) -> None:
    """The library, a command, service and page, in a network that holds nothing but a name server."""
    photo = Path(__file__).parents[1] / "samples/rendered/pinch.jpg"
    command = [sys.executable, "-m", "handscope.apps.cli"]
    commands = [
        [sys.executable, "-c", LOOKING],
        [*command, str(photo), "--out", str(tmp_path / "out")],
        [*command, "serve", "--port", free_port()],
        [*command, "web", "--port", free_port()],
    ]
    (tmp_path / "home").mkdir()
    (tmp_path / "tmp").mkdir()
    surroundings = os.environ | {"HOME": str(tmp_path / "home"), "TMPDIR": str(tmp_path / "tmp")}
    surroundings.pop("ORT_DISABLE_TELEMETRY", None)
    quarantine = [sys.executable, str(Path(__file__).with_name("quarantine.py")), str(SECONDS), json.dumps(commands)]
    done = subprocess.run(
        quarantine, env=surroundings, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False
    )
    if done.returncode == 3:
        pytest.skip(done.stdout.strip())
    assert json.loads(done.stdout.splitlines()[-1]) == {"asked": [], "codes": [None, 0, None, None]}, done.stderr
    written = {path.relative_to(tmp_path).parts[0] for path in tmp_path.rglob("*") if path.is_file()}
    assert written == {"out"}
