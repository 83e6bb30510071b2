"""Meshes: what other readers find in them, and that skeletons move them as the hand model does."""

import io
from dataclasses import replace

import cv2
import numpy as np
import pytest
import trimesh
from scipy.spatial.transform import Rotation

from glb_reader import Glb
from handscope.errors import HandscopeError
from handscope.hand.assets import load_asset
from handscope.hand.model import pose_hand
from handscope.infer import formats
from handscope.infer.formats.meshes import linear
from handscope.skeleton import MODEL_TO_CANONICAL
from posed_hands import posed_hand

VIEWER = np.array([1.0, -1, -1])


@pytest.fixture(params=["left", "right"])
def hand(request):
    return posed_hand(320, 240, request.param)


def moving(side: str, count: int = 4, beta=None):
    """A hand that bends and turns, its mesh without pose blend shapes: what a skeleton alone can do."""
    asset = replace(load_asset(), posedirs=np.zeros_like(load_asset().posedirs))
    flip = np.array([-1.0 if side == "left" else 1.0, 1, 1])
    frames = []
    for step in range(count):
        hand = posed_hand(320, 240, side, curl=0.1 + 0.4 * step, turn=1.9 * step, centre=(0.02 * step, 0.05, 0.4))
        shape = np.zeros(10) if beta is None else np.asarray(beta)
        theta = hand.theta + 0.1 * np.sin(np.arange(45)).reshape(15, 3)
        posed = pose_hand(asset, shape[None], theta[None], hand.R[None], hand.T[None])
        vertices, joints = posed.vertices[0] * flip, posed.joints[0] * flip
        frames.append(replace(hand, theta=theta, beta=shape, vertices=vertices, joints_3d=joints))
    return frames


def test_glb_is_bound_as_the_flat_hand(hand):
    """The mesh itself is the open hand at the wrist's place, but for the bulges of its bend, faces outwards."""
    mesh = trimesh.load(io.BytesIO(formats.to_glb(hand)), file_type="glb", force="mesh", process=False)
    flip = np.array([-1.0 if hand.handedness == "left" else 1.0, 1, 1])
    open_hand = pose_hand(load_asset(), hand.beta[None], np.zeros((1, 15, 3))).vertices[0] * flip
    apart = np.linalg.norm(mesh.vertices[: len(open_hand)] - open_hand - hand.joints_3d[0] * VIEWER, axis=1)
    assert apart.mean() < 2e-3 and apart.max() < 15e-3 and mesh.volume > 0


def test_glb_shows_the_hand_as_it_was_seen(hand):
    glb = Glb(formats.to_glb(hand))
    shown, seams = glb.skinned(), glb.attribute(0, "POSITION")
    np.testing.assert_allclose(shown[: len(hand.vertices)], hand.vertices * VIEWER, atol=1e-6)
    (primitive,) = glb.tree["meshes"][0]["primitives"]
    corners = seams[glb.array(primitive["indices"]).ravel()]
    np.testing.assert_array_equal(corners, seams[hand.faces.ravel()])  # cut open at seams, the same triangles


def test_a_bare_rig_is_the_flat_hand_again(hand):
    """Without turns, as after "clear pose", joints are at their rest places: nothing of the pose is in the binding."""
    glb = Glb(formats.to_glb(hand))
    bind = np.linalg.inv(glb.array(glb.tree["skins"][0]["inverseBindMatrices"]).astype(np.float64))
    nodes = glb.tree["skins"][0]["joints"]
    flat = bind[:, :3, 3]
    for first, second, third in ((1, 2, 3), (4, 5, 6), (7, 8, 9), (10, 11, 12)):
        one, two = flat[second] - flat[first], flat[third] - flat[second]
        assert one @ two > 0.95 * np.linalg.norm(one) * np.linalg.norm(two)  # straight
    assert len(nodes) == 21 and np.allclose(np.linalg.det(bind[:, :3, :3]), 1)


@pytest.mark.parametrize("side", ["left", "right"])
def test_bones_lie_along_fingers_and_bend_about_x(side):
    """y to the next joint; turned further about +x every finger's tip nears the palm, on both hands."""
    glb = Glb(formats.to_glb(posed_hand(320, 240, side, curl=0.2)))
    nodes, world = glb.tree["skins"][0]["joints"], glb.world()
    names = {glb.tree["nodes"][i]["name"].split("_", 1)[1]: i for i in nodes}
    for finger in ("index", "middle", "ring", "little"):
        for one, two in (("mcp", "pip"), ("pip", "dip"), ("dip", "tip")):
            a, b = (names[f"{finger}_{part}"] for part in (one, two))
            bone = world[b, :3, 3] - world[a, :3, 3]
            assert world[a, :3, 1] @ bone > 0.99 * np.linalg.norm(bone)  # tips are places on the skin
        joint, tip = names[f"{finger}_mcp"], names[f"{finger}_tip"]
        turn = Rotation.from_quat(glb.tree["nodes"][joint]["rotation"]) * Rotation.from_euler("x", 30, degrees=True)
        bent = glb.world({joint: {"rotation": turn.as_quat()}})
        palm = world[names["wrist"], :3, 2]
        assert (bent[tip, :3, 3] - world[tip, :3, 3]) @ palm > 0.01


def test_manos_frames_are_the_models_axes():
    hand = posed_hand(320, 240, "right", curl=0.3)
    glb = Glb(formats.to_glb(hand, formats.MeshStyle(bones="mano")))
    bind = glb.array(glb.tree["skins"][0]["inverseBindMatrices"])
    np.testing.assert_array_equal(bind[:, :3, :3], np.tile(np.eye(3), (21, 1, 1)))
    np.testing.assert_allclose(glb.skinned()[: len(hand.vertices)], hand.vertices * VIEWER, atol=1e-6)


def test_texture_coordinates_and_a_skin_lie_on_the_mesh(hand):
    plain, skinned = (Glb(formats.to_glb([hand, hand], formats.MeshStyle(skin=skin))) for skin in (False, True))
    asset = load_asset()
    uv, faces = plain.attribute(0, "TEXCOORD_0"), plain.tree["meshes"][0]["primitives"][0]["indices"]
    side = slice(None, None, -1) if hand.handedness == "left" else slice(None)
    wanted = asset.uv[asset.uv_faces[:, side]] * [1, -1] + [0, 1]
    np.testing.assert_allclose(uv[plain.array(faces).reshape(-1, 3)], wanted, atol=1e-6)
    assert "COLOR_0" in plain.tree["meshes"][0]["primitives"][0]["attributes"] and "images" not in plain.tree
    assert "COLOR_0" not in skinned.tree["meshes"][0]["primitives"][0]["attributes"]
    assert len(skinned.tree["images"]) == len(skinned.tree["materials"]) == 1  # one for both hands
    view = skinned.tree["bufferViews"][skinned.tree["images"][0]["bufferView"]]
    jpeg = skinned.blob[view["byteOffset"] : view["byteOffset"] + view["byteLength"]]
    picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert picture.shape == (1024, 1024, 3) and picture.std() > 5
    assert picture[..., 2].mean() > picture[..., 0].mean()  # skin is red rather than blue


def test_glb_is_sound(hand):
    glb = Glb(formats.to_glb([hand, hand]))
    assert [node["name"] for node in glb.tree["nodes"] if "mesh" in node] == [
        f"{hand.handedness} hand",
        f"{hand.handedness} 2 hand",
    ]
    names = [node["name"] for node in glb.tree["nodes"]]
    assert len(set(names)) == len(names) == 2 * 23  # mesh, rig and 21 joints
    for mesh in range(2):
        normals, weights = glb.attribute(mesh, "NORMAL"), glb.attribute(mesh, "WEIGHTS_0")
        np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1, atol=1e-3)
        np.testing.assert_allclose(weights.sum(1), 1, atol=1e-6)
        joints = glb.attribute(mesh, "JOINTS_0")
        assert joints.max() < 16 and (joints[weights == 0] == 0).all()
        colours = glb.attribute(mesh, "COLOR_0")
        assert (colours.min(0) != colours.max(0))[:3].all()  # fingers differ
        (primitive,) = glb.tree["meshes"][mesh]["primitives"]
        assert glb.array(primitive["indices"]).max() == len(normals) - 1 >= len(hand.vertices) - 1
    assert glb.tree["materials"][0]["pbrMetallicRoughness"]["metallicFactor"] == 0
    for accessor in range(len(glb.tree["accessors"])):
        glb.array(accessor)  # inside the buffer, aligned, bounds true
    covered = sum(view["byteLength"] for view in glb.tree["bufferViews"])
    assert covered == glb.tree["buffers"][0]["byteLength"]
    used = {i for node in glb.tree["nodes"] for i in node.get("children", [])} | set(glb.tree["scenes"][0]["nodes"])
    assert used == set(range(len(names)))  # every node hangs in the scene, once


def test_joints_of_the_skeleton_are_those_of_the_hand(hand):
    glb = Glb(formats.to_glb(hand))
    nodes = glb.tree["skins"][0]["joints"]
    places = glb.world()[nodes, :3, 3][MODEL_TO_CANONICAL] * VIEWER
    inner = [joint for joint in range(21) if joint % 4 or joint == 0]
    np.testing.assert_allclose(places[inner], hand.joints_3d[inner], atol=1e-6)
    np.testing.assert_allclose(places, hand.joints_3d, atol=0.006)  # tips bulge a little with the bend
    names = [glb.tree["nodes"][i]["name"] for i in nodes]
    assert names[0] == f"{hand.handedness}_wrist" and names[1] == f"{hand.handedness}_index_mcp"


def test_a_mesh_of_an_unknown_model_has_no_skeleton(hand):
    small = replace(hand, vertices=hand.vertices[:100], faces=hand.faces[(hand.faces < 100).all(1)])
    tree = Glb(formats.to_glb(small)).tree
    assert "skins" not in tree and len(tree["nodes"]) == 1
    with pytest.raises(HandscopeError, match="a hand of 100 vertices"):
        formats.to_glb_animation([small])


def test_glb_colours_are_levels_of_light():
    """Half of the light is sRGB 188, as everybody's table has it."""
    np.testing.assert_array_equal(linear(np.array([0, 1, 188, 255], np.uint8)), [0, 0, 128, 255])


def test_no_hand_gives_empty_files():
    assert "meshes" not in Glb(formats.to_glb([])).tree
    assert formats.to_obj([]).startswith("# handscope: no hand")
    assert b"element vertex 0\n" in formats.to_ply([])


@pytest.mark.parametrize("side", ["left", "right"])
def test_the_clip_moves_the_mesh_as_the_hand_moved(side):
    """Without pose blend shapes, every key frame is our mesh within a millimetre; with a shape of its own too."""
    frames = moving(side, beta=np.linspace(-1, 1, 10))
    glb = Glb(formats.to_glb_animation(frames, fps=25))
    for number, hand in enumerate(frames):
        time, pose = glb.frame(number)
        assert time == pytest.approx(number / 25)
        shown = glb.skinned(pose=pose)[: len(hand.vertices)]
        assert np.linalg.norm(shown - hand.vertices * VIEWER, axis=1).max() < 1e-3
    np.testing.assert_allclose(glb.skinned(), glb.skinned(pose=glb.frame(0)[1]), atol=1e-6)


def test_the_clip_turns_the_short_way():
    """Between neighbouring key frames no joint turns by more than the angle between them."""
    glb = Glb(formats.to_glb_animation(moving("right", count=6)))
    for channel in glb.tree["animations"][0]["channels"]:
        if channel["target"]["path"] == "rotation":
            values = glb.array(glb.tree["animations"][0]["samplers"][channel["sampler"]]["output"])
            assert ((values[1:] * values[:-1]).sum(1) >= 0).all()
            np.testing.assert_allclose(np.linalg.norm(values, axis=1), 1, atol=1e-6)
            Rotation.from_quat(values)


@pytest.mark.parametrize("rate", [24, 60])
def test_a_clip_lands_on_whole_frames_of_another_rate(rate):
    """Keys are at k / rate; there the hand is between its neighbours, and where a frame was, as it was."""
    frames = moving("left", count=7)
    glb = Glb(formats.to_glb_animation(frames, fps=30, style=formats.MeshStyle(frame_rate=rate)))
    (clip,) = glb.tree["animations"]
    times = glb.array(clip["samplers"][0]["input"])[:, 0]
    np.testing.assert_allclose(times * rate, np.arange(len(times)), atol=1e-4)
    assert len(times) == int(6 / 30 * rate + 1e-6) + 1
    plain = Glb(formats.to_glb_animation(frames, fps=30))
    for key, time in enumerate(times):
        if abs(time * 30 - round(time * 30)) < 1e-4:
            there, then = glb.frame(key)[1], plain.frame(round(time * 30))[1]
            np.testing.assert_allclose(glb.skinned(pose=there), plain.skinned(pose=then), atol=1e-5)
    assert clip["name"] == "left hand"


def test_frames_without_the_hand_are_bridged():
    one, two, three = moving("right", count=3)
    glb = Glb(formats.to_glb_animation([None, one, None, two, three, None], fps=10))
    assert [glb.frame(i)[0] for i in range(3)] == pytest.approx([0.1, 0.3, 0.4])
    late = Glb(formats.to_glb_animation([one, None, two], times=[0.0, 0.5, 2.0]))
    assert [late.frame(i)[0] for i in range(2)] == pytest.approx([0.0, 2.0])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"frames": [None]}, "in one frame at least"),
        ({"frames": [*moving("left", 1), *moving("right", 1)]}, "left and right"),
        ({"frames": moving("left", 2), "fps": 0}, "fps must be positive"),
        ({"frames": moving("left", 2), "times": [0.0]}, "1 times for 2 frames"),
        ({"frames": moving("left", 2), "times": [1.0, 1.0]}, "each later"),
    ],
)
def test_what_cannot_be_a_clip_gives_one_sentence(arguments, words):
    with pytest.raises(HandscopeError, match=words):
        formats.to_glb_animation(**arguments)


def test_obj_is_the_mesh_with_y_up(hand):
    mesh = trimesh.load(io.StringIO(formats.to_obj(hand)), file_type="obj", process=False, maintain_order=True)
    np.testing.assert_allclose(mesh.vertices, hand.vertices * VIEWER, atol=1e-6)
    np.testing.assert_array_equal(mesh.faces, hand.faces)
    assert formats.to_obj([hand, hand]).count("\no ") == 2


def test_ply_is_the_meshes_with_y_up(hand):
    mesh = trimesh.load(io.BytesIO(formats.to_ply([hand, hand])), file_type="ply", process=False)
    count = len(hand.vertices)
    for part, faces in ((slice(0, count), hand.faces), (slice(count, None), hand.faces + count)):
        np.testing.assert_allclose(mesh.vertices[part], hand.vertices * VIEWER, atol=1e-6)
        start = 0 if part.start == 0 else len(hand.faces)
        np.testing.assert_array_equal(mesh.faces[start : start + len(hand.faces)], faces)
    np.testing.assert_array_equal(np.unique(mesh.metadata["_ply_raw"]["vertex"]["data"]["hand"]), [0, 1])
