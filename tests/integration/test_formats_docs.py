"""docs/formats.md and the example: every block runs, in the order it is read, on a sample picture."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from handscope.infer.weights import SHIPPED

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.skipif(
    not (SHIPPED / "estimator.onnx").is_file(), reason="the weights are not in this checkout"
)


def test_the_blocks_of_the_page_run(tmp_path, monkeypatch, capsys):
    pytest.importorskip("pyarrow")
    shutil.copy(ROOT / "samples/rendered/pinch.jpg", tmp_path / "photo.jpg")
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "docs/formats.md").read_text(), re.DOTALL)
    scope: dict = {}
    for block in blocks:
        exec(compile(block.replace("handscope.load()", "handscope.load(threads=1)"), "docs/formats.md", "exec"), scope)
    assert len(blocks) >= 9 and "(48,)" in capsys.readouterr().out
    assert {"hands.glb", "clip.glb", "hands.parquet", "coco.json"} <= {path.name for path in tmp_path.iterdir()}


def test_the_example_of_dex_retargeting_runs_without_it():
    script = ROOT / "examples/dex_retargeting.py"
    done = subprocess.run(
        [sys.executable, script, ROOT / "samples/rendered/pinch.jpg"], capture_output=True, text=True, check=True
    )
    assert "joints about the wrist" in done.stdout and done.stderr == ""
