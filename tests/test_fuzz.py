"""A short share of `make fuzz`: each target takes its corpus and some mutations of it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.skipif(not (ROOT / "fuzz").is_dir(), reason="not in a checkout")
PARTS = {
    "pickles": ["pickles", "--count", "300"],
    "small files": ["arrays", "answers", "cards", "shards", "--count", "60"],
    "recipes": ["recipes", "--count", "40"],
    "pictures": ["pictures", "--count", "100"],
    "videos": ["videos", "--count", "60"],
    "requests": ["requests", "--count", "60"],
}


@pytest.mark.parametrize("part", PARTS)
def test_what_strangers_give_is_read_or_refused(part: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "fuzz.run", "--seconds", "40", "--out", str(tmp_path), *PARTS[part]]
    surroundings = os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'src'}{os.pathsep}{ROOT / 'tests'}"}
    done = subprocess.run(command, cwd=ROOT, env=surroundings, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
