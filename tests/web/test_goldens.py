"""Python computes what the browser's tests are held against: who changes one side alone fails here or in vitest."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
GOLDENS = ROOT / "web" / "tests" / "goldens"


def _script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("web_goldens", ROOT / "scripts" / "web_goldens.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


SCRIPT = _script()
TOLERANCE = {"samples": 0.05, "given": 0.05, "hand": 1e-3, "assembly": 1e-3}
"""Of other processors' sums; elsewhere 1e-5. Shapes of hands are in hundreds of units a metre."""


def _same(found: Any, wanted: Any, tolerance: float, path: str) -> None:
    if isinstance(wanted, dict):
        assert found.keys() == wanted.keys(), path
        for key in wanted:
            _same(found[key], wanted[key], tolerance, f"{path}.{key}")
    elif isinstance(wanted, list):
        assert len(found) == len(wanted), path
        for i, (one, two) in enumerate(zip(found, wanted, strict=True)):
            _same(one, two, tolerance, f"{path}[{i}]")
    elif isinstance(wanted, float) or isinstance(found, float):
        assert np.isclose(found, wanted, rtol=tolerance, atol=tolerance), f"{path}: {found}, web has {wanted}"
    else:
        assert found == wanted, path


@pytest.mark.parametrize("name", SCRIPT.NAMES)
def test_python_computes_what_the_browser_is_held_against(name: str) -> None:
    wanted = json.loads((GOLDENS / f"{name}.json").read_text(encoding="utf-8"))
    found = json.loads(json.dumps(SCRIPT.plain(SCRIPT.golden(name))))
    _same(found, wanted, TOLERANCE.get(name, 1e-5), name)


def test_every_golden_file_is_written_by_the_script() -> None:
    assert {path.stem for path in GOLDENS.glob("*.json")} == set(SCRIPT.NAMES)
