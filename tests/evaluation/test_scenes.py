"""The benchmark of scenes: its readers, its figures and its table, on made-up pictures."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from handscope.data.scenes import People, labelled_clips
from handscope.errors import HandscopeError
from handscope.evaluation import scenes
from handscope.types import Hand, HandLabel, Sample
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
    with pytest.raises(HandscopeError, match=r"people/index\.jsonl: no such file"):
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


def rendered(*boxes: tuple[int, int, int, int], apart: float = 1.0) -> Sample:
    """Hands whose masks fill these boxes, left and right in turn, `apart` metres from each other."""
    hands = []
    for i, (x0, y0, x1, y1) in enumerate(boxes):
        mask = np.zeros((480, 640), np.uint8)
        mask[y0:y1, x0:x1] = 255
        joints = np.full((21, 3), apart * i)
        hands.append(HandLabel(handedness=("left", "right")[i % 2], mask=mask, joints_3d=joints))
    return Sample(key="x", source="synth", image=np.zeros((480, 640, 3), np.uint8), hands=tuple(hands))


def at(box: tuple[int, int, int, int], score: float = 0.9, handedness: str = "left") -> Hand:
    blank = np.zeros((0, 3))
    return stand_in(Hand, box=np.array(box, np.float64), score=score, handedness=handedness, track=None, vertices=blank)


LEFT, RIGHT, TINY = (10, 10, 60, 60), (200, 10, 250, 60), (300, 300, 310, 310)


def test_figures_of_rendered_scenes() -> None:
    """Both hands of one touching pair, one of another; a tiny hand missed; something on an empty picture."""
    answers = iter([[at(LEFT), at(RIGHT, handedness="right")], [at(LEFT)], [], [at(LEFT)]])
    pictures = [
        ("touching", rendered(LEFT, RIGHT, apart=0.01)),
        ("touching", rendered(LEFT, RIGHT, apart=0.01)),
        ("plain", rendered(TINY)),
        ("no hand", rendered()),
    ]
    column = scenes.Column("model", lambda picture: next(answers), lambda clip: iter(()))
    figures = scenes.bench_rendered(iter(pictures), [column])["model"]
    assert figures["found, of 24 px and more"].value == 0.75 and figures["found, of all"].value == 0.6
    assert figures["precision"].value == 0.75 and figures["left or right"].value == 1
    assert figures["false hands on 1 pictures without any"].value == 1
    assert figures["both found, of 2 touching pairs"].value == 0.5
    assert figures["found, of 24 px and more, touching"].value == 0.75
    assert "found, of 24 px and more, plain" not in figures


def test_a_rendered_hand_is_where_it_shows() -> None:
    scene = scenes.rendered_scene(rendered(LEFT))
    np.testing.assert_allclose(scene.boxes, [[9.5, 9.5, 59.5, 59.5]])
    assert scene.sizes[0] == pytest.approx(50) and scene.sides == ("left",)
    assert scenes.touch(rendered(LEFT, RIGHT, apart=0.01)) and not scenes.touch(rendered(LEFT, RIGHT))
    assert not scenes.touch(rendered(LEFT))
