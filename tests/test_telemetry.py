"""Nothing leaves the machine: ONNX Runtime is told so before its first import, whichever module of ours comes first."""

from __future__ import annotations

import os
import subprocess
import sys

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
