"""What a model answers: lists that know their picture, and many pictures at once as one by one."""

import json
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from PIL import Image

import handscope
from handscope.errors import HandscopeError
from handscope.infer import formats
from handscope.infer.pipeline import load
from handscope.infer.results import FoundHand, Hands
from toy_networks import blobs, paint

K = np.array([[500.0, 0, 199.5], [0, 500, 149.5], [0, 0, 1]])


@pytest.fixture(scope="module")
def model(toy_weights):
    return load(toy_weights, threads=1, min_score=0.5)


@pytest.fixture(scope="module")
def pictures():
    """Ten pictures of different sizes with a toy hand each, but for the fourth."""
    rng = np.random.default_rng(0)
    made = []
    for i in range(10):
        width, height = (int(v) for v in rng.integers(200, 420, 2))
        points = blobs((width / 2, height / 2), 60 + 5 * i, rng.uniform(0, 6), ("left", "right")[i % 2])
        made.append(paint(width, height, [] if i == 3 else [points]))
    return made


@pytest.fixture
def hands(model, pictures):
    return model(pictures[0])


def test_many_at_once_are_as_one_by_one(model, pictures):
    together = model(pictures)
    assert [len(hands) for hands in together] == [1, 1, 1, 0, 1, 1, 1, 1, 1, 1]
    for picture, hands in zip(pictures, together, strict=True):
        alone = model(picture)
        assert (hands.width, hands.height) == (picture.shape[1], picture.shape[0]) and len(hands) == len(alone)
        for one, two in zip(hands, alone, strict=True):
            assert one.handedness == two.handedness and one.score == pytest.approx(two.score, abs=1e-4)
            np.testing.assert_allclose(one.joints_2d, two.joints_2d, atol=0.05)
            np.testing.assert_allclose(one.vertices, two.vertices, atol=1e-4)
    assert model([]) == [] and model(tuple(pictures[:1]))[0][0].handedness == "left"


def test_cameras_and_boxes_of_many(model):
    picture = paint(400, 300, [blobs((200, 150), 80, 0.0, "right")])
    one, two = model([picture, picture], K=K)
    np.testing.assert_array_equal(one[0].K, K)
    one, two = model([picture, picture], K=[K, None], boxes=[None, [[150, 90, 250, 210]]])
    np.testing.assert_array_equal(one[0].K, K)
    assert two[0].K[0, 0] == 480 and len(two) == 1
    with pytest.raises(HandscopeError, match="K: 1 given for 2 pictures"):
        model([picture, picture], K=[K])


def test_a_path_is_remembered(model, pictures, tmp_path):
    Image.fromarray(pictures[0]).save(tmp_path / "a.png")
    hands = model(tmp_path / "a.png")
    assert hands.source == str(tmp_path / "a.png")
    assert hands.to_dict()["image"]["source"] == hands.source
    assert model(Image.fromarray(pictures[0])).source is None


def test_it_is_a_list_that_reads_well(hands):
    assert isinstance(hands, list) and isinstance(hands[0], FoundHand) and isinstance(hands[0], handscope.Hand)
    assert repr(hands) == f"Hands(1 in {hands.width} x {hands.height} px: left {hands[0].score:.2f})"
    assert repr(Hands(width=4, height=3)) == "Hands(none in 4 x 3 px)"
    assert repr(hands[0]).startswith("Hand(left, score ")


def test_a_part_of_it_knows_the_picture_too(hands):
    several = Hands([*hands, *hands, *hands], width=40, height=30, source="a.png", notes=["turned"])
    for part in (several[:2], several[::-1], several.subset([0, 2]), several.copy(), several[5:]):
        assert isinstance(part, Hands) and (part.width, part.height) == (40, 30)
        assert part.source == "a.png" and part.notes == ("turned",)
    assert several[1:2][0] is several[1] and several[5:] == [] and len(several[:2]) == 2
    assert several.of_source("b.png").source == "b.png" and several.of_source("b.png").notes == ()


def test_what_it_knows_cannot_be_changed(hands):
    for name in ("width", "height", "source", "notes"):
        with pytest.raises(AttributeError):
            setattr(hands, name, None)


def test_it_draws_and_tells(hands, pictures):
    assert (hands.draw(pictures[0]) != pictures[0]).any()
    jsonschema.validate(json.loads(hands.to_json()), formats.schema())
    assert hands.to_dict()["hands"][0] == hands[0].to_dict() == json.loads(hands[0].to_json())
    assert hands[0].to_retargeting().shape == (21, 3)


def test_every_save_writes_what_its_name_says(hands, tmp_path):
    starts = {"json": b'{\n "format"', "csv": b"source,", "coco": b'{"images"', "npz": b"PK", "glb": b"glTF"}
    starts |= {"obj": b"# handscope", "ply": b"ply\n", "mano_npz": b"PK"}
    for owner, kinds in ((hands, ("json", "csv", "coco", "npz", "glb", "obj", "ply")), (hands[0], starts)):
        for kind in kinds:
            if save := getattr(owner, f"save_{kind}", None):
                path = save(tmp_path / f"file.{kind}")
                assert isinstance(path, Path) and path.read_bytes().startswith(starts[kind])
    with pytest.raises(HandscopeError, match="cannot write this file"):
        hands.save_json(tmp_path / "none" / "a.json")
