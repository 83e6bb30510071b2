"""The commands of the README that want a dataset, a training run or the labelled photographs, on small stand-ins."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from handscope.apps.cli import main
from handscope.evaluation import peer
from handscope.infer.weights import SHIPPED

ROOT = Path(__file__).parents[2]
STUB = """
import json, struct, sys
print(json.dumps({"mediapipe": "stub"}), flush=True)
while header := sys.stdin.buffer.read(8):
    height, width = struct.unpack("<II", header)
    sys.stdin.buffer.read(3 * height * width)
    print("[]", flush=True)
"""
"""A MediaPipe that finds nothing."""

DATA = ROOT.parent / "shared" / "data"

pytestmark = pytest.mark.skipif(
    not (SHIPPED / "estimator.onnx").is_file(), reason="the weights are not in this checkout"
)


def section(title: str) -> list[list[str]]:
    """The handscope commands under a heading of the README, each as its words."""
    text = re.search(rf"^## {title}\n(.*?)(?=^## )", (ROOT / "README.md").read_text(), re.M | re.S)
    assert text is not None
    blocks = re.findall(r"^```\n(.*?)^```", text[1], re.M | re.S)
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    return [shlex.split(line, comments=True)[1:] for line in lines if line.startswith("handscope ")]


def test_the_commands_for_datasets_run(sets, tmp_path, monkeypatch):
    root, _ = sets["freihand"]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("handscope.data.editions.COUNTS", {})  # the stand-in has five hands
    found = section("Datasets and evaluation")
    assert [words[0] for words in found] == ["data", "predict-dataset", "eval", "compare"]
    for words in found:
        if words[0] == "compare":
            shutil.copytree("scores/ours", "scores/theirs")
        words = [str(root) if word == "/data/FreiHAND_pub_v2" else word for word in words]
        assert main(words) == 0, words
    assert (tmp_path / "scores/both").is_dir()


@pytest.mark.slow
def test_the_commands_for_training_run(tmp_path, monkeypatch):
    """From four rendered pictures to weights that read a photograph, by one step of training."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "recipes").symlink_to(ROOT / "recipes")
    (tmp_path / "photographs").mkdir()
    shutil.copy(ROOT / "samples/rendered/pinch.jpg", tmp_path / "photo.jpg")
    shutil.copy(ROOT / "samples/rendered/thumb.jpg", tmp_path / "photographs")
    smaller = {"synth": {"100000": "4"}, "train": {}}
    found = section("Train it yourself")
    assert [words[0] for words in found] == ["synth", "train", "export", "photo.jpg"]
    for words in found:
        words = [smaller.get(words[0], {}).get(word, word) for word in words]
        short = ["--loop.steps", "1", "--loop.batch", "2"] if words[0] == "train" else []
        assert main([*words, *short]) in (0, None), words
    assert (tmp_path / "weights/estimator.onnx").is_file() and (tmp_path / "out/photo/result.json").is_file()


@pytest.mark.data
@pytest.mark.skipif(not DATA.is_dir(), reason="../shared/data is not here")
def test_the_commands_for_results_run(tmp_path, monkeypatch, capsys):
    """On two pictures of each set, with a stub in MediaPipe's place."""
    (tmp_path / "stub.py").write_text(STUB)
    monkeypatch.setattr(peer, "SERVER", tmp_path / "stub.py")
    monkeypatch.setenv(peer.ENVIRONMENT_VARIABLE, sys.executable)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "recipes").symlink_to(ROOT / "recipes")
    found = section("Results")
    assert [words[1] for words in found] == ["real", "rendered", "calibrate", "scenes"]
    for words in found:
        words = [str(DATA) if word == "../shared/data" else {"1000": "2"}.get(word, word) for word in words]
        few = {"calibrate": ["--count", "4"], "scenes": ["--only", "people"]}.get(words[1], [])
        assert main([*words, *few, "--limit", "2"]) == 0, words
    assert "MediaPipe" in capsys.readouterr().out


@pytest.mark.slow
def test_the_demo_runs(tmp_path):
    """`make demo` in a new environment, with a picture of the user's."""
    places = [f"VENV={tmp_path / 'venv'}", f"OUT={tmp_path / 'out'}", f"PYTHON={sys.executable}"]
    picture = f"IMAGE={ROOT / 'samples/rendered/pinch.jpg'}"
    done = subprocess.run(["make", "demo", picture, *places], cwd=ROOT, capture_output=True, text=True)
    if "No matching distribution" in done.stderr:
        pytest.skip("no package index within reach")
    assert done.returncode == 0, done.stderr
    assert "torch" not in os.listdir(next((tmp_path / "venv/lib").iterdir()) / "site-packages")
    assert {"overlay.png", "mask-0.png", "hand-0.glb", "result.json"} <= set(os.listdir(tmp_path / "out/typing"))
