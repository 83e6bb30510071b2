"""`handscope gestures`: from folders of pictures and marked spans to a model, and what it tells."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from clips import toy_frames, write_video
from handscope.apps.cli import main
from toy_networks import blobs, paint

pytest.importorskip("sklearn")


@pytest.fixture
def folder(tmp_path):
    """Two classes that differ by how the toy hand is turned."""
    rng = np.random.default_rng(0)
    for name, angle in (("upright", 0.0), ("lying", 1.4)):
        (tmp_path / "taught" / name).mkdir(parents=True)
        for k in range(6):
            picture = paint(200, 160, [blobs((100, 80), 60 + 2 * k, angle + rng.normal(0, 0.1), "right")])
            Image.fromarray(picture).save(tmp_path / "taught" / name / f"{k}.png")
    return tmp_path / "taught"


def gestures(toy_weights, *words):
    return main(["gestures", *map(str, words), "--weights", str(toy_weights)])


def test_a_folder_of_examples_becomes_a_model_that_tells_them(toy_weights, folder, tmp_path, capsys):
    model = tmp_path / "mine.json"
    assert gestures(toy_weights, "learn", folder, "--turned", "--out", model) == 0
    assert "lying 6, upright 6" in capsys.readouterr().out
    assert gestures(toy_weights, "try", model, folder, folder / "lying" / "2.png") == 0
    said = capsys.readouterr().out
    assert "12 of 12 right" in said and "2.png: hand 0 right: lying" in said
    assert gestures(toy_weights, "try", "built-in", folder / "lying" / "2.png") == 0


def test_marked_spans_of_videos_teach_too(toy_weights, tmp_path, capsys):
    source = tmp_path / "films"
    source.mkdir()
    write_video(source / "a.mp4", toy_frames(12))
    (source / "spans.csv").write_text("video,start,end,gesture\na.mp4,0,0.18,one\na.mp4,0.2,0.4,two\n")
    assert gestures(toy_weights, "learn", source, "--out", tmp_path / "m.json") == 0
    assert "one 6, two 6" in capsys.readouterr().out
    assert gestures(toy_weights, "try", tmp_path / "m.json", source / "a.mp4") == 0
    assert "track 0: " in capsys.readouterr().out


def test_what_cannot_teach_is_one_sentence(toy_weights, folder, tmp_path, capsys):
    for path in (folder / "upright").glob("[1-5].png"):
        path.unlink()
    assert gestures(toy_weights, "learn", folder, "--out", tmp_path / "m.json") == 2
    assert "a class needs 5 examples with a hand in them; found upright 1" in capsys.readouterr().err
    (tmp_path / "empty").mkdir()
    assert gestures(toy_weights, "learn", tmp_path / "empty", "--out", tmp_path / "m.json") == 2
    (folder / "spans.csv").write_text("video,start\na,b\n")
    assert gestures(toy_weights, "learn", folder, "--out", tmp_path / "m.json") == 2
    said = capsys.readouterr().err
    assert "no folders in it" in said and "expected the columns video, start, end, gesture" in said
    assert not (tmp_path / "m.json").exists()
