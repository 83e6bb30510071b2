"""`handscope clip.mp4` and `handscope camera`, as people use them; Ctrl-C by a real signal."""

import errno
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from importlib.util import find_spec
from urllib.parse import urlsplit

import numpy as np
import pytest

from clips import FakeCapture, read_back, read_lines, toy_frames, write_sound, write_video
from handscope.apps import camera as camera_command
from handscope.apps.cli import main
from handscope.apps.preview import Preview
from handscope.apps.recording import Recording
from handscope.errors import HandscopeError
from handscope.infer import video_files
from handscope.infer.outputs import video_formats
from handscope.infer.pipeline import load
from handscope.infer.video import CameraReader, VideoFrame

pytest.importorskip("pyarrow")


def rows_of(path):
    import pyarrow.parquet

    return pyarrow.parquet.read_table(path).num_rows


def test_a_video_becomes_files(toy_weights, tmp_path, capsys):
    path = write_video(tmp_path / "clip.mp4", toy_frames(8))
    assert main([str(path), "--out", str(tmp_path / "out"), "--weights", str(toy_weights), "--threads", "1"]) == 0
    folder = tmp_path / "out" / "clip"
    assert sorted(p.name for p in folder.iterdir()) == ["hands.jsonl", "hands.parquet", "overlay.mp4"]
    times, images = read_back(folder / "overlay.mp4")
    np.testing.assert_allclose(times, np.arange(8) / 30, atol=1e-3)
    assert images[0].shape == (240, 320, 3)
    lines = read_lines(folder / "hands.jsonl")
    assert [line["frame"] for line in lines] == list(range(8)) and rows_of(folder / "hands.parquet") == 8
    said = capsys.readouterr().out
    assert "track 0: right, 8 frames, 0.00 to 0.23 s" in said and "8 frames, 1 hand; files in" in said


def test_a_picture_and_a_video_together(toy_weights, tmp_path):
    from PIL import Image

    clip = write_video(tmp_path / "same.mp4", toy_frames(3))
    Image.fromarray(toy_frames(1)[0]).save(tmp_path / "same.png")
    arguments = [str(clip), str(tmp_path / "same.png"), "--out", str(tmp_path / "out"), "--weights", str(toy_weights)]
    assert main([*arguments, "--json"]) == 0
    found = {str(p.relative_to(tmp_path / "out")) for p in (tmp_path / "out").rglob("*.json*")}
    assert len(found) == 2 and {name.rpartition("/")[2] for name in found} == {"result.json", "hands.jsonl"}


def test_a_moving_mesh(toy_weights, tmp_path, capsys):
    path = write_video(tmp_path / "clip.mp4", toy_frames(4))
    assert main([str(path), "--out", str(tmp_path), "--weights", str(toy_weights), "--glb", "--npz"]) == 0
    assert "--npz: for pictures only" in capsys.readouterr().out
    data = (tmp_path / "clip" / "hand-0-right.glb").read_bytes()
    tree = json.loads(data[20 : 20 + int.from_bytes(data[12:16], "little")])
    assert data[:4] == b"glTF" and len(tree["animations"]) == 1


def test_motion_for_3d_programs_on_whole_frames(toy_weights, tmp_path, capsys):
    path = write_video(tmp_path / "clip.mp4", toy_frames(4))
    kinds = ["--glb", "--bvh"] + (["--usd"] if find_spec("pxr") else [])
    style = ["--frame-rate", "24", "--bones", "mano", "--skin"]
    assert main([str(path), "--out", str(tmp_path), "--weights", str(toy_weights), *kinds, *style]) == 0
    data = (tmp_path / "clip/hand-0-right.glb").read_bytes()
    tree = json.loads(data[20 : 20 + int.from_bytes(data[12:16], "little")])
    assert tree["images"][0]["mimeType"] == "image/jpeg"
    assert "Frame Time: 0.04166667" in (tmp_path / "clip/hand-0-right.bvh").read_text()
    for kind in kinds[2:]:
        assert kind == "--usd" and "timeCodesPerSecond = 24" in (tmp_path / "clip/hand-0-right.usda").read_text()
    assert main([str(path), "--out", str(tmp_path), "--weights", str(toy_weights), "--bones", "hers"]) != 0
    assert "bones are one of fingers, mano" in capsys.readouterr().err


def test_without_an_extra_nothing_is_left_behind(toy_weights, tmp_path, capsys, monkeypatch):
    path = write_video(tmp_path / "clip.mp4", toy_frames(2))
    arguments = [str(path), "--out", str(tmp_path / "out"), "--weights", str(toy_weights)]
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert main(arguments) == 1
    monkeypatch.setitem(sys.modules, "av", None)
    assert main(arguments) == 1
    said = capsys.readouterr().err
    assert said.count("pip install '.[video]'") == 2 and not list((tmp_path / "out").rglob("*.*"))


def test_videos_that_cannot_be_read_are_counted(toy_weights, tmp_path, capsys):
    (tmp_path / "bad.mp4").write_text("no video")
    good = write_video(tmp_path / "good.mp4", toy_frames(2))
    options = ["--out", str(tmp_path / "out"), "--weights", str(toy_weights)]
    sound = write_sound(tmp_path / "sound.mp4")
    assert main([str(tmp_path / "bad.mp4"), str(sound), str(good), *options]) == 1
    said = capsys.readouterr().err
    assert said.count("handscope: ") == 2 and "Traceback" not in said
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["good"]  # the others left nothing behind


@pytest.mark.parametrize("full", ["TableWriter", "LinesWriter", "OverlayWriter"])
def test_a_full_disk_is_one_sentence_and_leaves_no_half_file(toy_weights, tmp_path, monkeypatch, capsys, full):
    """The disk is full from the sixth frame on; what one file cannot hold the others still end properly."""
    path = write_video(tmp_path / "clip.mp4", toy_frames(10))
    written = getattr(video_files, full).write

    def write(self, frame, painted):
        if frame.index >= 5:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written(self, frame, painted)

    monkeypatch.setattr(getattr(video_files, full), "write", write)
    code = main([str(path), "--out", str(tmp_path / "out"), "--weights", str(toy_weights)])
    said = capsys.readouterr().err
    assert code == 2 and said.count("\n") == 1 and "No space left" in said
    folder = tmp_path / "out/clip"
    assert not list(folder.glob(".*"))
    for line in (folder / "hands.jsonl").read_text().splitlines():
        json.loads(line)
    if (folder / "overlay.mp4").exists():
        assert len(read_back(folder / "overlay.mp4")[0]) >= 5


LIMITED = """
import resource, signal, sys
from handscope.apps.cli import main

resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]),) * 2)
sys.exit(main(sys.argv[2:]))
"""


@pytest.mark.parametrize("size", [0, 20_000])
def test_no_file_can_grow_is_one_sentence_too(toy_weights, tmp_path, size):
    """A limit of the system's own stands for the full disk: lines and packets are cut where it is reached."""
    path = write_video(tmp_path / "clip.mp4", toy_frames(20))
    out = tmp_path / "out"
    formats = ["--overlay", "--json", "--parquet", "--glb"]
    command = [sys.executable, "-c", LIMITED, str(size), str(path), "--out", str(out), "--weights", str(toy_weights)]
    done = subprocess.run([*command, *formats], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and "File too large" in done.stderr
    left = [path for path in (out / "clip").rglob("*")]
    assert not any(path.name.startswith(".") or path.is_dir() for path in left) and bool(left) == (size > 0)
    for path in left:
        if path.suffix == ".jsonl":
            assert 1 <= len(read_lines(path)) < 20


def test_results_are_of_one_run(toy_weights, tmp_path):
    """A later run with fewer files takes the earlier one's away; one that is killed leaves them."""
    path = write_video(tmp_path / "clip.mp4", toy_frames(4))
    usual = [str(path), "--out", str(tmp_path), "--weights", str(toy_weights)]
    folder = tmp_path / "clip"
    assert main([*usual, "--json", "--parquet", "--glb"]) == 0
    (folder / "notes.txt").write_text("mine")
    before = (folder / "hands.jsonl").read_text()
    killed = Recording(folder, video_formats(["json", "parquet"]), rate=30.0)
    killed.write(VideoFrame(0, 0.0, toy_frames(1)[0], load(toy_weights)(toy_frames(1)[0])), toy_frames(1)[0])
    assert (folder / "hands.jsonl").read_text() == before and (folder / "hands.parquet").is_file()
    killed.close()
    assert len(read_lines(folder / "hands.jsonl")) == 1 and not list(folder.glob("*.glb"))
    assert main([*usual, "--json"]) == 0
    assert sorted(p.name for p in folder.iterdir()) == ["hands.jsonl", "notes.txt"]


def test_ctrl_c_leaves_valid_files(toy_weights, tmp_path):
    path = write_video(tmp_path / "long.mp4", toy_frames(70) * 20)
    command = [sys.executable, "-m", "handscope.apps.cli", str(path), "--threads", "1"]
    command += ["--out", str(tmp_path / "out"), "--weights", str(toy_weights)]
    folder = tmp_path / "out" / "long"
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + 120
        while process.poll() is None and time.monotonic() < deadline:
            lines = next(folder.glob(".run.*.part/hands.jsonl"), None)
            if lines is not None and lines.read_text().count("\n") >= 5:
                break
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        said, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    lines = read_lines(folder / "hands.jsonl")
    count = len(lines)
    assert 5 <= count < 1400 and f"stopped after {count} frames" in said and "Traceback" not in errors
    assert len(read_back(folder / "overlay.mp4")[0]) == count
    assert rows_of(folder / "hands.parquet") == sum(len(line["hands"]) for line in lines) > 0
    assert sorted(p.name for p in folder.iterdir()) == ["hands.jsonl", "hands.parquet", "overlay.mp4"]


def test_a_camera_writes_files_and_shows_a_preview(toy_weights, tmp_path, monkeypatch, capsys):
    capture = FakeCapture(toy_frames(5))
    seen = []
    show = Preview.show

    def look(self, image):
        show(self, image)
        seen.append(urllib.request.urlopen(f"{self.address}frame.jpg").read()[:3])

    monkeypatch.setattr(Preview, "show", look)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    options = camera_command.parser().parse_args(["--out", str(tmp_path / "cam"), "--port", port])
    assert camera_command.watch(CameraReader(capture), load(toy_weights, threads=1), options) == 0
    assert seen == [b"\xff\xd8\xff"] * 5 and capture.released
    assert len(read_back(tmp_path / "cam" / "overlay.mp4")[0]) == 5
    assert "5 frames, 1 hand" in capsys.readouterr().out


def test_the_preview_streams_to_this_machine_only():
    preview = Preview(0)
    try:
        assert preview.address.startswith("http://127.0.0.1:")
        with pytest.raises(urllib.error.HTTPError):
            urllib.request.urlopen(f"{preview.address}frame.jpg")  # nothing to show yet
        preview.show(np.zeros((8, 8, 3), np.uint8))
        assert b'src="stream"' in urllib.request.urlopen(preview.address).read()
        with urllib.request.urlopen(f"{preview.address}stream", timeout=5) as stream:
            assert stream.readline().strip() == b"--frame" and b"image/jpeg" in stream.readline()
        with pytest.raises(HandscopeError, match="cannot be used"):
            Preview(urlsplit(preview.address).port)
    finally:
        preview.close()


def test_a_camera_without_anything_to_do_is_refused(toy_weights, monkeypatch):
    options = camera_command.parser().parse_args(["--port", "0"])
    with pytest.raises(HandscopeError, match="nothing to do"):
        camera_command.watch(CameraReader(FakeCapture([])), load(toy_weights), options)


def test_pictures_need_nothing_of_the_extras():
    code = "import handscope.apps.analyse, sys; assert not {'av', 'pyarrow', 'torch', 'numba'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
