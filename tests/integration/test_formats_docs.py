"""docs/formats.md and the example: every block runs, in the order it is read, on a sample picture."""

import os
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


EXAMPLE = ROOT / "examples/robot_hand.py"
STAND_IN = """
import numpy as np


class RetargetingConfig:
    @classmethod
    def set_default_urdf_dir(cls, folder):
        assert folder == "hands"

    @classmethod
    def load_from_file(cls, path):
        return cls()

    def build(self):
        return self

    @property
    def optimizer(self):
        return type("", (), {"target_link_human_indices": np.array([[0, 0], [4, 8]]), "retargeting_type": "VECTOR"})

    def retarget(self, vectors):
        return "angles of", vectors.shape
"""
"""What the example uses of dex-retargeting, under its name."""


def test_the_example_of_a_robot_hand_runs_without_dex_retargeting():
    done = subprocess.run(
        [sys.executable, EXAMPLE, ROOT / "samples/rendered/pinch.jpg"], capture_output=True, text=True, check=True
    )
    assert "joints about the wrist" in done.stdout and done.stderr == ""


def test_a_robot_follows_a_hand_of_its_own_side(tmp_path):
    """And the example does not stand in the way of the package that it imports."""
    (tmp_path / "dex_retargeting").mkdir()
    (tmp_path / "dex_retargeting/__init__.py").touch()
    (tmp_path / "dex_retargeting/retargeting_config.py").write_text(STAND_IN)
    told = {}
    for side in ("left", "right"):
        config = tmp_path / f"robot_{side}.yml"
        config.write_text(f"retargeting:\n  urdf_path: allegro_hand/allegro_hand_{side}.urdf\n")
        words = [sys.executable, EXAMPLE, ROOT / "samples/writing.jpg", "--config", config, "--urdf-dir", "hands"]
        paths = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
        told[side] = subprocess.run(words, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": paths})
    assert told["right"].returncode == 0 and "angles of" in told["right"].stdout  # a right hand writes
    assert told["left"].returncode == 1 and "this robot is a left hand" in told["left"].stderr
