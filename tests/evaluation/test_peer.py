"""MediaPipe's process, with a stub in its place, and what happens when it is missing; the real one where it is."""

import os
import re
import sys
from pathlib import Path

import numpy as np
import pytest

from handscope.apps import bench as command
from handscope.errors import HandscopeError
from handscope.evaluation import peer
from handscope.evaluation.peer import ENVIRONMENT_VARIABLE, MediaPipe, find_python

DATA = Path(__file__).parents[3] / "shared" / "data"

STUB = """
import json, struct, sys
sys.stdout.write(json.dumps({"mediapipe": "0.0-stub"}) + "\\n"); sys.stdout.flush()
while header := sys.stdin.buffer.read(8):
    height, width = struct.unpack("<II", header)
    pixels = sys.stdin.buffer.read(3 * height * width)
    if pixels[0] == 255: sys.exit()
    hands = [{"joints_2d": [[i, pixels[3 * i + 1]] for i in range(21)], "joints_3d": [[0, 0, i] for i in range(21)],
              "handedness": "left", "score": 0.5}] if pixels[0] else []
    sys.stdout.write(json.dumps(hands) + "\\n"); sys.stdout.flush()
"""


@pytest.fixture
def stub(tmp_path: Path) -> Path:
    path = tmp_path / "stub.py"
    path.write_text(STUB)
    return path


def test_pictures_go_and_hands_come_back(stub: Path) -> None:
    rng = np.random.default_rng(0)
    with MediaPipe(Path(sys.executable), stub) as model:
        assert model.version == "0.0-stub"
        for height, width in ((30, 40), (512, 300)):
            image = rng.integers(1, 200, (height, width, 3)).astype(np.uint8)
            (hand,) = model(image[:, ::-1])  # not contiguous
            row = image[0, ::-1]
            np.testing.assert_array_equal(hand.joints_2d, np.column_stack([np.arange(21), row[:21, 1]]))
            assert hand.handedness == "left" and hand.mask.shape == (height, width)
            assert model(np.zeros((8, 9, 3), np.uint8)) == []
    assert model.process.returncode == 0


def test_a_process_that_dies_is_one_sentence(stub: Path) -> None:
    with MediaPipe(Path(sys.executable), stub) as model:
        with pytest.raises(HandscopeError, match=r"pip install mediapipe==0\.10\.21"):
            model(np.full((8, 9, 3), 255, np.uint8))
        with pytest.raises(HandscopeError, match=r"ended without an answer"):
            model(np.full((800, 900, 3), 1, np.uint8))
    with pytest.raises(HandscopeError, match="needs mediapipe"):
        MediaPipe(Path(sys.executable), stub.with_name("nothing.py"))
    with pytest.raises(HandscopeError, match="cannot be started"):
        MediaPipe(stub.with_name("no-python"))


def test_the_environment_is_given_named_or_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ENVIRONMENT_VARIABLE, sys.executable)
    assert find_python(None) == Path(sys.executable)
    with pytest.raises(HandscopeError, match="no such Python"):
        find_python(tmp_path / "python")
    monkeypatch.delenv(ENVIRONMENT_VARIABLE)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    commands = []

    def make(*words: str) -> None:
        commands.append(words)
        if words[1:3] == ("-m", "venv"):
            python = Path(words[-1]) / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
            python.parent.mkdir(parents=True, exist_ok=True)
            python.touch()

    monkeypatch.setattr(peer, "_run", make)
    first, again = find_python(None), find_python(None)
    assert first == again and first.is_relative_to(tmp_path / "handscope")
    assert len(commands) == 2 and commands[1][-1] == "mediapipe==0.10.21"


def test_without_network_the_remedy_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ENVIRONMENT_VARIABLE, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    run = peer._run

    def offline(*words: str) -> None:
        run(sys.executable, "-c", "import sys; sys.exit('no network')")

    monkeypatch.setattr(peer, "_run", offline)
    with pytest.raises(HandscopeError, match=rf"no network.*--peer-python or \${ENVIRONMENT_VARIABLE}"):
        find_python(None)


def test_bench_says_what_to_type() -> None:
    for words in ([], ["--data", "x"]):
        with pytest.raises(HandscopeError, match="handscope bench real --data"):
            command.main(words)
    with pytest.raises(HandscopeError, match="no such folder"):
        command.main(["real", "--data", "/nowhere"])


@pytest.mark.data
@pytest.mark.skipif(not DATA.is_dir(), reason="the photographs are not here")
@pytest.mark.skipif(not os.environ.get(ENVIRONMENT_VARIABLE), reason=f"${ENVIRONMENT_VARIABLE} is not set")
def test_both_columns_stand_side_by_side(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    words = ["real", "--data", str(DATA), "--peer", "mediapipe", "--limit", "3", "--out", str(tmp_path)]
    assert command.main(words) == 0
    out = capsys.readouterr().out
    assert re.search(r"\| set \| measure \| handscope \S+ \| MediaPipe 0\.10\.21 \|", out)
    assert re.search(r"PA 3D error, mm \| \d+\.\d+ \| \d+\.\d+ \|", out)
    assert re.search(r"IoU of rendered mesh and estimated mask \| 0\.\d+ \| - \|", out)
    assert (tmp_path / "scores.json").is_file() and (tmp_path / "report.md").read_text() == out
