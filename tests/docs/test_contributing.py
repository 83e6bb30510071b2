"""CONTRIBUTING.md: every diff applies to this tree, touches three files at most, and what it adds is there."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "CONTRIBUTING.md"
pytestmark = pytest.mark.skipif(
    not GUIDE.is_file() or shutil.which("git") is None, reason="not in a checkout, or no git here"
)
DIFFS = (
    re.findall(r"^## Add an? ([\w ]+)\n.*?^```diff\n(.*?)^```", GUIDE.read_text(), re.M | re.S)
    if GUIDE.exists()
    else []
)
PROBES = {
    "dataset": "from handscope.data.catalog import DATASETS; assert DATASETS['kitchen'].open('.') is not None",
    "head": (
        "from toy_configs import TINY; from dataclasses import replace; import torch;"
        "from handscope.hand.assets import load_asset; from handscope.hand.layer import HandLayer;"
        "from handscope.nn.network import HandNetwork;"
        "network = HandNetwork(replace(TINY, heads=('right', 'tone')), HandLayer(load_asset()));"
        "last = network(torch.zeros(2, 64, 64, 3, dtype=torch.uint8)).last;"
        "assert last.heads['tone'].shape == (2, 1);"
        "from handscope.losses.objective import ObjectiveConfig; assert ObjectiveConfig().weight('tone') == 1"
    ),
    "backbone": (
        "import torch; from handscope.nn.backbones import BACKBONES; backbone = BACKBONES['narrow']();"
        "assert len(backbone(torch.zeros(1, 3, 64, 64))) == len(backbone.channels)"
    ),
    "output format": (
        "import numpy as np; from posed_hands import posed_hand; from handscope.infer.outputs import FORMATS;"
        "hand = posed_hand(64, 64); text = FORMATS['xyz'].encode([hand]);"
        "np.testing.assert_allclose(np.array(text.split(), float).reshape(21, 3), hand.joints_3d, atol=1e-5);"
        "from handscope.apps.cli import parser; parser().parse_args(['--xyz'])"
    ),
    "app": "from handscope.apps.cli import main; assert main(['count']) == 0",
}


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package without its weights, which are linked."""
    root = tmp_path_factory.mktemp("tree")
    shutil.copytree(ROOT / "src", root / "src", ignore=shutil.ignore_patterns("weights", "__pycache__"))
    (root / "src/handscope/infer/weights").symlink_to(ROOT / "src/handscope/infer/weights")
    return root


def test_there_is_one_diff_for_each_kind_of_addition() -> None:
    assert [kind for kind, _ in DIFFS] == list(PROBES)


@pytest.mark.parametrize(("kind", "diff"), DIFFS, ids=[kind for kind, _ in DIFFS])
def test_a_diff_applies_to_three_files_at_most_and_does_what_it_says(kind: str, diff: str, tree: Path) -> None:
    assert diff.count("\n+++ ") + diff.startswith("+++ ") <= 3
    done = subprocess.run(
        ["git", "apply", "--unidiff-zero", "-"], input=diff, text=True, cwd=tree, capture_output=True, timeout=60
    )
    assert done.returncode == 0, f"{kind}: make the diff anew ({done.stderr})"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tree / "src"), str(ROOT / "tests")])}
    probe = subprocess.run(
        [sys.executable, "-c", PROBES[kind]], env=environment, cwd=tree, capture_output=True, text=True, timeout=120
    )
    assert probe.returncode == 0, probe.stderr
