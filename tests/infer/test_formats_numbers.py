"""Numbers, tables and what robots take: the values are those of the hand, in the frames that are promised."""

import csv
import io
import json
import sys

import cv2
import jsonschema
import numpy as np
import pytest

from handscope.errors import HandscopeError
from handscope.geometry.rotations import axis_angle_to_matrix
from handscope.hand.assets import load_asset
from handscope.infer import formats
from handscope.infer.results import Hands
from handscope.skeleton import JOINT_NAMES
from posed_hands import posed_hand

MIRROR = np.array([-1.0, 1, 1])


@pytest.fixture(params=["left", "right"])
def hand(request):
    return posed_hand(320, 240, request.param)


def test_json_tells_what_it_holds(hand):
    content = json.loads(formats.to_json([hand, hand], width=320, height=240, source="a/b.jpg", notes=["x"]))
    assert content["version"] == content["schema_version"] == formats.SCHEMA_VERSION
    assert content["image"] == {"source": "a/b.jpg", "width": 320, "height": 240, "notes": ["x"]}
    assert content["joint_names"] == list(JOINT_NAMES)
    one = content["hands"][1]
    assert one["handedness"] == hand.handedness and one["mask_area_px"] == hand.mask.sum()
    for name in ("box", "joints_2d", "joint_scores", "joints_3d", "theta", "beta", "R", "T", "K"):
        np.testing.assert_allclose(one[name], getattr(hand, name), atol=6e-3)
    np.testing.assert_allclose(one["joints_3d"], hand.joints_3d, atol=1e-5)


def test_json_keeps_its_schema(hand):
    schema = formats.schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    for hands in ([], [hand], [hand, hand]):
        jsonschema.validate(json.loads(formats.to_json(hands, width=320, height=240)), schema)
    wrong = formats.to_dict([hand], width=320, height=240)
    wrong["hands"][0]["joints_3d"].pop()
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(wrong, schema)


def test_npz_keeps_every_array(hand):
    with np.load(io.BytesIO(formats.to_npz([hand, hand])), allow_pickle=False) as arrays:
        assert arrays["handedness"].tolist() == [hand.handedness] * 2
        np.testing.assert_array_equal(arrays["vertices"][1], hand.vertices)
        np.testing.assert_array_equal(arrays["mask"][0], hand.mask)
    none = dict(np.load(io.BytesIO(Hands(width=32, height=24).to_npz()), allow_pickle=False))
    one = dict(np.load(io.BytesIO(formats.to_npz([hand])), allow_pickle=False))
    assert set(none) == set(one) and none["joints_2d"].shape == (0, 21, 2) and none["mask"].shape == (0, 24, 32)
    for name in set(one) - {"mask"}:
        np.testing.assert_array_equal(np.concatenate([none[name], one[name]]), one[name])
    with np.load(io.BytesIO(formats.to_npz([])), allow_pickle=False) as arrays:
        assert len(arrays["joints_3d"]) == 0


def test_mano_parameters_pose_the_hand_of_that_side(hand):
    """As smplx does it, with the model of that side: Rot(global_orient) (v - J0) + J0 + trans."""
    with np.load(io.BytesIO(formats.to_mano_npz(hand)), allow_pickle=False) as arrays:
        content = dict(arrays)
    assert content["pose"].shape == (48,) and content["betas"].shape == (10,) and content["trans"].shape == (3,)
    assert bool(content["is_right"]) == (hand.handedness == "right") and content["model"] == "open"
    asset, side = load_asset(), MIRROR if hand.handedness == "left" else np.ones(3)
    rest = asset.joints * side  # the model of that side, at rest
    turn = axis_angle_to_matrix(content["pose"].reshape(16, 3))
    places, turns = [rest[0] + content["trans"]], [turn[0]]
    for joint in range(1, 16):
        above = asset.parents[joint]
        places.append(places[above] + turns[above] @ (rest[joint] - rest[above]))
        turns.append(turns[above] @ turn[joint])
    model_joints = hand.joints_3d[[0, 5, 6, 7, 9, 10, 11, 17, 18, 19, 13, 14, 15, 1, 2, 3]]
    np.testing.assert_allclose(places, model_joints, atol=1e-6)


@pytest.mark.parametrize("name", ["=cmd|' /C calc'!A0.png", "+1.png", "-1.png", "@SUM(A1).png"])
def test_no_name_is_a_formula_to_a_spreadsheet(hand, name):
    """Numbers stay numbers, those below zero too."""
    rows = list(csv.DictReader(io.StringIO(formats.to_csv([hand], source=name), newline="")))
    assert {row["source"] for row in rows} == {f"'{name}"}
    assert all(float(row[key]) is not None for row in rows for key in ("x_px", "y_px", "x_m", "y_m", "z_m"))
    assert any(row["x_m"].startswith("-") for row in rows)


def test_a_name_ends_no_line_and_commands_no_terminal(hand):
    written = formats.to_csv([hand], source="a\r\n=1,\x1b]0;x\x07.png")
    assert written.count("\n") == 22 and not set(written) & {"\r", "\x1b", "\x07"}
    assert next(csv.DictReader(io.StringIO(written)))["source"] == "a\\x0d\\x0a=1,\\x1b]0;x\\x07.png"


def test_csv_has_a_row_for_each_joint(hand):
    rows = list(csv.DictReader(io.StringIO(formats.to_csv([hand, hand], source='a, "b".jpg'))))
    assert len(rows) == 42 and rows[0]["source"] == 'a, "b".jpg' and rows[41]["name"] == "little_tip"
    pixels = np.array([[float(row["x_px"]), float(row["y_px"])] for row in rows[21:]])
    metres = np.array([[float(row[f"{axis}_m"]) for axis in "xyz"] for row in rows[21:]])
    np.testing.assert_allclose(pixels, hand.joints_2d, atol=6e-3)
    np.testing.assert_allclose(metres, hand.joints_3d, atol=6e-6)
    assert {row["hand"] for row in rows} == {"0", "1"} and rows[0]["handedness"] == hand.handedness


def test_coco_fills_the_side_it_knows(hand):
    content = json.loads(formats.to_coco([hand], width=320, height=240, source="a.jpg", image_id=7))
    (annotation,) = content["annotations"]
    side, other = hand.handedness, {"left": "right", "right": "left"}[hand.handedness]
    assert annotation["image_id"] == content["images"][0]["id"] == 7
    assert annotation[f"{side}hand_valid"] and not annotation[f"{other}hand_valid"]
    points = np.reshape(annotation[f"{side}hand_kpts"], (21, 3))
    np.testing.assert_allclose(points, np.column_stack([hand.joints_2d, hand.joint_scores]), atol=1e-3)
    assert annotation[f"{other}hand_kpts"] == [0] * 63
    lengths = {"keypoints": 17, "foot_kpts": 6, "face_kpts": 68, "lefthand_kpts": 21, "righthand_kpts": 21}
    assert {name: len(annotation[name]) for name in lengths} == {name: 3 * n for name, n in lengths.items()}
    x, y, width, height = annotation["bbox"]
    np.testing.assert_allclose([x, y, x + width, y + height], hand.box, atol=0.02)


def test_track_hands_cells(hand):
    (cell,) = formats.track_hands([hand])
    assert list(cell) == ["handedness", "confidence", "kp2d", "kp3d"]
    np.testing.assert_array_equal(cell["kp2d"], hand.joints_2d)
    np.testing.assert_array_equal(cell["kp3d"], hand.joints_3d)


def test_parquet_has_a_row_for_each_picture(hand):
    parquet = pytest.importorskip("pyarrow.parquet")
    data = formats.to_parquet({"a.jpg": [hand, hand], "b.jpg": []})
    rows = parquet.read_table(io.BytesIO(data)).to_pylist()
    assert [(row["path"], len(row["hands"])) for row in rows] == [("a.jpg", 2), ("b.jpg", 0)]
    np.testing.assert_allclose(rows[0]["hands"][1]["kp3d"], hand.joints_3d, rtol=1e-6)


def test_parquet_without_pyarrow_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(HandscopeError, match=r"needs pyarrow.*pip install"):
        formats.to_parquet({})


def dex_frame(joints):
    """dex-retargeting's own way to the frame: the plane by an SVD, then Gram-Schmidt."""
    points = joints[[0, 5, 9]]
    x = points[0] - points[2]
    centred = points - points.mean(0)
    normal = np.linalg.svd(centred)[2][2]
    x = x - (x @ normal) * normal
    x /= np.linalg.norm(x)
    z = np.cross(x, normal)
    sign = -1 if z @ (centred[1] - centred[2]) < 0 else 1
    return np.stack([x, sign * normal, sign * z], 1)


@pytest.mark.parametrize("turn", [0.0, 1.0, 3.0])
@pytest.mark.parametrize("side", ["left", "right"])
def test_retargeting_joints_are_those_of_dex_retargeting(side, turn):
    """The same numbers as its detector would give, whatever way the hand is turned, and wherever it is."""
    matrix = {"right": [[0, 0, -1], [-1, 0, 0], [0, 1, 0]], "left": [[0, 0, -1], [1, 0, 0], [0, -1, 0]]}[side]
    hand = posed_hand(320, 240, side, turn=turn, centre=(0.1, 0, 0.6))
    own = hand.joints_3d - hand.joints_3d[0]
    found = formats.to_retargeting(hand)
    np.testing.assert_allclose(found, own @ dex_frame(own) @ np.array(matrix), atol=1e-9)
    np.testing.assert_allclose(found, formats.to_retargeting(posed_hand(320, 240, side)), atol=1e-6)
    np.testing.assert_allclose(found[9], [0, 0, np.linalg.norm(own[9])], atol=1e-9)


def test_retargeting_joints_of_left_and_right_mirror_each_other():
    left, right = (formats.to_retargeting(posed_hand(320, 240, side)) for side in ("left", "right"))
    np.testing.assert_allclose(left, right * [1, -1, 1], atol=1e-6)


def test_png_comes_back(hand):
    decoded = cv2.imdecode(np.frombuffer(formats.to_png(hand.mask), np.uint8), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(decoded, hand.mask * 255)
    colours = np.arange(60, dtype=np.uint8).reshape(4, 5, 3)
    decoded = cv2.imdecode(np.frombuffer(formats.to_png(colours), np.uint8), cv2.IMREAD_COLOR)
    np.testing.assert_array_equal(decoded[..., ::-1], colours)
