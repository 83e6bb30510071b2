"""Files of hands: what a reader finds in them, and that they are whole or absent."""

import io
import json
import struct

import cv2
import numpy as np
import pytest
import trimesh

from handscope.errors import HandscopeError
from handscope.infer import export
from handscope.skeleton import JOINT_NAMES
from posed_hands import posed_hand


@pytest.fixture(params=["left", "right"])
def hand(request):
    return posed_hand(320, 240, request.param)


def test_json_tells_what_it_holds(hand):
    content = json.loads(export.to_json([hand, hand], width=320, height=240, source="a/b.jpg", notes=["x"]))
    assert content["version"] == export.FORMAT_VERSION
    assert content["image"] == {"source": "a/b.jpg", "width": 320, "height": 240, "notes": ["x"]}
    assert content["joint_names"] == list(JOINT_NAMES)
    one = content["hands"][1]
    assert one["handedness"] == hand.handedness and one["mask_area_px"] == hand.mask.sum()
    for name in ("box", "joints_2d", "joint_scores", "joints_3d", "theta", "beta", "R", "T", "K"):
        np.testing.assert_allclose(one[name], getattr(hand, name), atol=6e-3)
    np.testing.assert_allclose(one["joints_3d"], hand.joints_3d, atol=1e-5)


def test_json_without_hands():
    assert json.loads(export.to_json([], width=2, height=1))["hands"] == []


def glb_tree(data: bytes) -> dict:
    magic, version, total, length, kind = struct.unpack("<4sIII4s", data[:20])
    assert (magic, version, total, kind) == (b"glTF", 2, len(data), b"JSON")
    assert length % 4 == 0 and (len(data) - 28 - length) % 4 == 0
    return json.loads(data[20 : 20 + length])


def test_glb_is_the_mesh_with_y_up(hand):
    data = export.to_glb(hand)
    mesh = trimesh.load(io.BytesIO(data), file_type="glb", force="mesh", process=False)
    np.testing.assert_allclose(mesh.vertices, hand.vertices * [1, -1, -1], atol=1e-6)
    np.testing.assert_array_equal(mesh.faces, hand.faces)
    assert mesh.volume > 0  # faces look outwards


def test_glb_is_sound(hand):
    tree = glb_tree(export.to_glb(hand))
    (primitive,) = tree["meshes"][0]["primitives"]
    assert set(primitive["attributes"]) == {"POSITION", "NORMAL", "COLOR_0"}
    assert tree["materials"][primitive["material"]]["pbrMetallicRoughness"]["metallicFactor"] == 0
    assert tree["nodes"][0]["name"] == f"{hand.handedness} hand"
    colours = tree["accessors"][primitive["attributes"]["COLOR_0"]]
    assert colours["normalized"] and colours["min"] != colours["max"]  # fingers differ
    for accessor in tree["accessors"]:
        view = tree["bufferViews"][accessor["bufferView"]]
        assert view["byteOffset"] % 4 == 0 and accessor["count"] > 0
    assert sum(view["byteLength"] for view in tree["bufferViews"]) == tree["buffers"][0]["byteLength"]


def test_glb_normals_are_unit(hand):
    data = export.to_glb(hand)
    tree = glb_tree(data)
    accessor = tree["accessors"][tree["meshes"][0]["primitives"][0]["attributes"]["NORMAL"]]
    view = tree["bufferViews"][accessor["bufferView"]]
    start = 28 + struct.unpack("<I", data[12:16])[0] + view["byteOffset"]
    normals = np.frombuffer(data[start : start + view["byteLength"]], "<f4").reshape(-1, 3)
    np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1, atol=1e-3)


def test_obj_is_the_mesh_with_y_up(hand):
    mesh = trimesh.load(io.StringIO(export.to_obj(hand)), file_type="obj", process=False, maintain_order=True)
    np.testing.assert_allclose(mesh.vertices, hand.vertices * [1, -1, -1], atol=1e-6)
    np.testing.assert_array_equal(mesh.faces, hand.faces)


def test_npz_keeps_every_array(hand):
    with np.load(io.BytesIO(export.to_npz([hand, hand])), allow_pickle=False) as arrays:
        assert arrays["handedness"].tolist() == [hand.handedness] * 2
        np.testing.assert_array_equal(arrays["vertices"][1], hand.vertices)
        np.testing.assert_array_equal(arrays["mask"][0], hand.mask)
    with np.load(io.BytesIO(export.to_npz([])), allow_pickle=False) as arrays:
        assert len(arrays["joints_3d"]) == 0


def test_png_comes_back(hand):
    decoded = cv2.imdecode(np.frombuffer(export.to_png(hand.mask), np.uint8), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(decoded, hand.mask * 255)
    colours = np.arange(60, dtype=np.uint8).reshape(4, 5, 3)
    decoded = cv2.imdecode(np.frombuffer(export.to_png(colours), np.uint8), cv2.IMREAD_COLOR)
    np.testing.assert_array_equal(decoded[..., ::-1], colours)


def test_a_file_is_whole_or_absent(tmp_path, monkeypatch):
    target = tmp_path / "a.json"
    export.write_file(target, "old")

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(export.os, "replace", fail)
    with pytest.raises(HandscopeError, match=r"a\.json: cannot write this file \(No space left"):
        export.write_file(target, "new")
    assert target.read_text() == "old" and list(tmp_path.iterdir()) == [target]
