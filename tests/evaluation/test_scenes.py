"""The benchmark of scenes: its readers, its figures and its table, on made-up pictures."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from handscope.data.scenes import People, labelled_clips
from handscope.errors import HandscopeError
from handscope.evaluation import scenes
from handscope.types import Hand
from stand_ins import stand_in


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Three photographs, one of them for training, one not looked at; a clip with two labelled frames."""
    common = {"width": 64, "height": 48, "source": "here", "ignore": [], "crowd": False}
    hand = {"box": [10, 10, 30, 30], "side": "left", "by": "eye"}
    rows = [
        {"file": "a.png", "split": "dev", "hands": [hand], **common},
        {"file": "b.png", "split": "dev", "hands": [], **common},
        {"file": "c.png", "split": "dev", "hands": None, **common},
        {"file": "d.png", "split": "train", "hands": [hand], **common},
    ]
    for folder in ("people", "videos"):
        (tmp_path / folder).mkdir()
    (tmp_path / "people" / "index.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    for row in rows:
        cv2.imwrite(str(tmp_path / "people" / row["file"]), np.full((48, 64, 3), (255, 0, 0), np.uint8))
    frames = [{"clip": "x.mkv", "frame": n, "width": 64, "height": 48, "hands": [hand], "ignore": []} for n in (1, 3)]
    (tmp_path / "videos" / "labels.jsonl").write_text("".join(json.dumps(frame) + "\n" for frame in frames))
    return tmp_path


def answer(handedness: str, track: int | None = None):
    return stand_in(Hand, box=np.array([10.0, 10, 30, 30]), score=0.8, handedness=handedness, track=track)


def test_only_pictures_of_the_split_that_were_looked_at(data: Path) -> None:
    people = People(data)
    assert [scene.name for scene in people.scenes] == ["a.png", "b.png"]
    scene, picture = people[0]
    assert scene.sides == ("left",) and picture.shape == (48, 64, 3) and picture[0, 0].tolist() == [0, 0, 255]
    assert people.scenes[1].is_empty and not people.scenes[0].is_empty
    with pytest.raises(HandscopeError, match=r"people/index\.jsonl: cannot be read"):
        People(data / "nowhere")


def test_figures_of_photographs_and_clips(data: Path) -> None:
    """The hand is seen everywhere: right in one of two photographs, and in every frame but on the wrong side."""
    column = scenes.Column(
        "model",
        lambda picture: [answer("left")],
        lambda clip: iter([[answer("right", 0)]] * 4),
    )
    figures = scenes.bench(People(data), labelled_clips(data), column)
    people, clips = figures["people/dev"], figures["clips"]
    assert people["found, of all"].value == 1.0 and people["precision"].value == 0.5
    assert people["false hands on 1 pictures without any"].value == 1
    assert people["found, 160 px and more (1)"].value == 1.0  # 20 of 64 px are 200 of 640
    assert str(people["found, under 32 px (0)"]) == "-"
    assert clips["labelled frames"].value == 2 and clips["found"].value == 1.0 and clips["left or right"].value == 0.0
    table = scenes.report({"model": figures})
    assert "| people/dev | pictures | 2 |" in table and "precision | 50.0 % (" in table
    assert json.loads(json.dumps(scenes.as_json({"model": figures})))["model"]["clips"]["found"]["value"] == 1.0
