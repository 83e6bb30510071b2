"""Whatever a caller gives to what `import handscope` offers: an answer, or one sentence; no raw exception, no hang."""

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import handscope
from handscope.errors import HandscopeError
from handscope.infer.frames import is_video
from handscope.infer.images import read_picture
from toy_networks import blobs, paint

IMAGE = paint(160, 120, [blobs((90, 60), 35, 0.4, "left")])
HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def model(toy_weights):
    return handscope.load(toy_weights, threads=1)


@pytest.fixture(scope="module")
def hands(model):
    return model(IMAGE)


def test_no_raw_exception_leaves_a_public_function(toy_weights):
    surroundings = os.environ | {"PYTHONPATH": os.pathsep.join([str(Path(handscope.__file__).parents[1]), str(HERE)])}
    command = [sys.executable, str(HERE / "misuse_calls.py"), str(toy_weights), "25"]
    done = subprocess.run(command, env=surroundings, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stdout[-200:] + done.stderr[-3000:]


@pytest.mark.parametrize("path", ["", ".", "..", "a\0b", "none/there.json", "x" * 300])
def test_what_is_no_path_to_write_to_is_one_sentence(hands, tmp_path, monkeypatch, path):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(HandscopeError) as caught:
        hands.save_json(path)
    assert "\n" not in str(caught.value) and not list(tmp_path.iterdir())


def test_a_box_far_outside_is_refused_at_once(model):
    """Found on 0.4.0: the mirrored border of a box at -1e7 never ended."""
    before = time.monotonic()
    for box in ([-1e7, -1e7, 1e7, 1e7], [-1e7, 10, 50, 50], [10, 10, 1e9, 60]):
        with pytest.raises(HandscopeError, match="too far outside"):
            model(IMAGE, boxes=[box])
    assert time.monotonic() - before < 5
    assert len(model(IMAGE, boxes=[[-100, -100, 150, 150]])) == 1


def test_pipes_and_endless_files_are_not_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    for path, words in ((tmp_path / "pipe.jpg", "neither a file"), ("/dev/zero", "neither a file")):
        with pytest.raises(HandscopeError, match=words):
            read_picture(path)
    assert not is_video(tmp_path / "pipe.jpg")
    with (tmp_path / "sparse.jpg").open("wb") as file:
        file.truncate(30 * 2**30)
    with pytest.raises(HandscopeError, match=r"30,720 MiB"):
        read_picture(tmp_path / "sparse.jpg")


@pytest.mark.parametrize("focal", [1e300, 1e8, 1e-9, -3, float("nan")])
def test_a_focal_length_beyond_arithmetic_is_refused(model, focal):
    with pytest.raises(HandscopeError, match="focal length must be"):
        model(IMAGE, K=focal)
    with pytest.raises(HandscopeError, match="K must be"):
        model(IMAGE, K=np.diag([focal, focal, 1]))
