"""Folders of videos: names that do not collide, one table of all, gone on with after any end."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from pyarrow import parquet

from clips import toy_frames, write_video
from handscope.apps.cli import main
from handscope.apps.corpus import find, folders_of, read_name
from handscope.infer.tidy import KEYS, NUMBERS

FRAMES = 5


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Two participants whose trials have the same names."""
    root = tmp_path_factory.mktemp("study")
    for participant in ("p1", "p2"):
        (root / participant).mkdir()
        for trial in (1, 2):
            write_video(root / participant / f"trial{trial}.mp4", toy_frames(FRAMES))
    return root


def corpus(toy_weights, study, out, *more):
    return main(["corpus", str(study), "--out", str(out), "--weights", str(toy_weights), *more])


def test_equal_names_come_out_whole_in_one_table(toy_weights, study, tmp_path):
    assert corpus(toy_weights, study, tmp_path, "--pattern", "{participant}/trial{trial}", "--csv") == 0
    table = parquet.read_table(tmp_path / "corpus.parquet")
    assert table.column_names == ["video", "participant", "trial", *KEYS, *[column.name for column in NUMBERS]]
    videos = [f"p{p}/trial{t}.mp4" for p in (1, 2) for t in (1, 2)]
    assert table["video"].to_pylist() == [video for video in videos for _ in range(FRAMES)]
    assert table["participant"].to_pylist()[::FRAMES] == ["p1", "p1", "p2", "p2"]
    assert (tmp_path / "p2" / "trial1" / "table.parquet").is_file()
    rows = list(csv.DictReader((tmp_path / "corpus.csv").read_text().splitlines()))
    assert [row["video"] for row in rows] == table["video"].to_pylist()
    for name in ("wrist_x_px", "index_tip_z_m", "index_pip_flexion_deg"):
        np.testing.assert_allclose([float(row[name]) for row in rows], table[name].to_pylist(), atol=6e-3)


def test_two_corpora_of_twenty_clips_with_equal_names(toy_weights, tmp_path):
    names, short = [f"trial{n}.mp4" for n in range(1, 21)], write_video(tmp_path / "short.mp4", toy_frames(2))
    for corpus_name in ("first", "second"):
        (tmp_path / corpus_name).mkdir()
        for name in names:
            (tmp_path / corpus_name / name).write_bytes(short.read_bytes())
    folders = [str(tmp_path / name) for name in ("first", "second")]
    assert main(["corpus", *folders, "--out", str(tmp_path / "out"), "--weights", str(toy_weights)]) == 0
    videos = parquet.read_table(tmp_path / "out" / "corpus.parquet")["video"].to_pylist()
    assert {name: videos.count(name) for name in set(videos)} == {
        f"{corpus_name}/{name}": 2 for corpus_name in ("first", "second") for name in names
    }


def test_what_is_done_is_not_done_again_nor_overwritten(toy_weights, study, tmp_path, capsys):
    assert corpus(toy_weights, study, tmp_path) == 0
    made = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("table.parquet")}
    (tmp_path / "p1" / "trial2" / "table.parquet").unlink()
    assert corpus(toy_weights, study, tmp_path) == 0
    again = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("table.parquet")}
    assert [path for path in made if made[path] != again[path]] == [tmp_path / "p1" / "trial2" / "table.parquet"]
    capsys.readouterr()
    assert corpus(toy_weights, study, tmp_path, "--no-smoothing") == 2
    assert "by other settings; --overwrite" in capsys.readouterr().err
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("table.parquet")} == again
    assert corpus(toy_weights, study, tmp_path, "--no-smoothing", "--overwrite") == 0


def test_a_damaged_video_costs_itself_alone(toy_weights, study, tmp_path, capsys):
    source = tmp_path / "study"
    source.mkdir()
    for name in ("a.mp4", "b.mp4"):
        (source / name).write_bytes((study / "p1" / "trial1.mp4").read_bytes())
    (source / "bad.mp4").write_bytes(b"\0\0\0\x18ftypmp42" + bytes(100))
    assert corpus(toy_weights, source, tmp_path / "out") == 1
    assert capsys.readouterr().err.count("handscope: ") == 1
    assert set(parquet.read_table(tmp_path / "out" / "corpus.parquet")["video"].to_pylist()) == {"a.mp4", "b.mp4"}


def test_a_kill_loses_one_video_at_most_and_leaves_no_half_of_it(toy_weights, study, tmp_path):
    source = tmp_path / "study"
    source.mkdir()
    write_video(source / "a.mp4", toy_frames(3))
    write_video(source / "b.mp4", toy_frames(40) * 50)
    command = [sys.executable, "-m", "handscope.apps.cli", "corpus", str(source), "--out", str(tmp_path / "out")]
    process = subprocess.Popen([*command, "--weights", str(toy_weights)], env=os.environ, stderr=subprocess.PIPE)
    done = tmp_path / "out" / "a" / "table.parquet"
    until = time.monotonic() + 60
    while not (done.is_file() and list(tmp_path.glob("out/b/.run.*"))) and time.monotonic() < until:
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130 and b"1 of 2 videos are done" in said
    assert done.is_file() and not [path for path in tmp_path.rglob("b/*")]


@pytest.mark.parametrize(
    ("pattern", "fields"),
    [
        ("{participant}/{trial}", {"participant": "p01", "trial": "walk_2"}),
        ("{who}/{action}_{n}", {"who": "p01", "action": "walk", "n": "2"}),
        ("p{who}/walk_{n}", {"who": "01", "n": "2"}),
        ("{trial}", None),
        ("{who}/run_{n}", None),
    ],
)
def test_patterns_read_names(pattern, fields):
    assert read_name(Path("p01/walk_2.mp4"), pattern) == fields


def test_no_two_videos_share_a_folder():
    names = [Path(name) for name in ("a/x.mp4", "a/x.avi", "a/X.mov", "b/x.mp4", "a?/x.mp4", "a_/x.mp4")]
    folders = [str(folder).lower() for folder in folders_of(names)]
    assert len(set(folders)) == len(names) and folders[3] == "b/x"


def test_results_are_not_taken_for_videos(study, tmp_path):
    clips = find([str(study)], study / "out", None)
    assert len(clips) == 4 and [clip.name for clip in clips] == sorted(clip.name for clip in clips)


@pytest.mark.parametrize(
    ("words", "told"),
    [(["--pattern", "{time}/{x}"], "no name for a column"), (["--pattern", "{x}"], "does not fit 4 of 4 videos")],
)
def test_bad_patterns_are_one_sentence(toy_weights, study, tmp_path, capsys, words, told):
    assert corpus(toy_weights, study, tmp_path, *words) == 2
    assert told in capsys.readouterr().err and not list(tmp_path.iterdir())


def test_lerobot_and_pose_have_a_row_a_frame(toy_weights, study, tmp_path):
    pose_format = pytest.importorskip("pose_format")
    assert corpus(toy_weights, study / "p1", tmp_path, "--lerobot", "--pose") == 0
    folder = tmp_path / "trial1"
    table = parquet.read_table(folder / "lerobot.parquet")
    tidy = parquet.read_table(folder / "table.parquet").to_pylist()
    assert table["frame_index"].to_pylist() == list(range(FRAMES))
    assert table["observation.hand.right.seen"].to_pylist() == [True] * FRAMES
    assert not any(table["observation.hand.left.seen"].to_pylist())
    assert table["observation.hand.right.joints"][2].as_py()[:3] == pytest.approx(
        [tidy[2][f"wrist_{a}_m"] for a in "xyz"]
    )
    pose = pose_format.Pose.read((folder / "hands.pose").read_bytes())
    assert [component.name for component in pose.header.components] == ["LEFT_HAND_LANDMARKS", "RIGHT_HAND_LANDMARKS"]
    assert pose.header.components[1].points[8] == "INDEX_FINGER_TIP"
    assert pose.body.data.shape == (FRAMES, 1, 42, 3) and pose.body.fps == pytest.approx(30)
    tip = [tidy[2]["index_tip_x_px"], tidy[2]["index_tip_y_px"]]
    np.testing.assert_allclose(pose.body.data[2, 0, 21 + 8, :2], tip, atol=1e-3)
    assert pose.body.data.mask[:, 0, :21].all() and pose.body.data[0, 0, 21, 2] == 0


def test_the_run_is_in_the_tables_own_words(toy_weights, study, tmp_path):
    corpus(toy_weights, study, tmp_path)
    run = json.loads(parquet.read_schema(tmp_path / "p1" / "trial1" / "table.parquet").metadata[b"handscope.run"])
    assert run["source"]["size"] == (study / "p1" / "trial1.mp4").stat().st_size
    assert len(run["settings"]["networks"]["estimator"]) == 64
