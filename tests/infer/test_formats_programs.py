"""Hands for animation programs, headsets and printers: BVH, USD, OpenXR, STL, as other readers find them."""

import io
import re
from itertools import pairwise

import numpy as np
import pytest
import trimesh
from scipy.spatial.transform import Rotation

from handscope.errors import HandscopeError
from handscope.infer import formats
from handscope.infer.formats.printing import closed, holes
from handscope.skeleton import MODEL_TO_CANONICAL
from posed_hands import posed_hand

VIEWER = np.array([1.0, -1, -1])


def walk(side: str, count: int = 5) -> list:
    return [
        posed_hand(320, 240, side, curl=0.1 + 0.3 * k, turn=1.4 * k, centre=(0.02 * k, 0.05, 0.4)) for k in range(count)
    ]


def read_bvh(text: str) -> tuple[list[str], np.ndarray, float]:
    """Names, places (n, 21, 3) of joints and ends, and seconds a frame, by forward kinematics of its own."""
    head, _, motion = text.partition("MOTION\n")
    joints: list[tuple[str, int, np.ndarray]] = []
    stack: list[int] = []
    for line in head.splitlines()[1:]:
        words = line.split()
        if words[0] in ("ROOT", "JOINT", "End"):
            joints.append((words[1] if words[0] != "End" else "", stack[-1] if stack else -1, np.zeros(3)))
            stack.append(len(joints) - 1)
        elif words[0] == "OFFSET":
            joints[stack[-1]] = (*joints[stack[-1]][:2], np.array(words[1:], float))
        elif words[0] == "}":
            stack.pop()
    rows = motion.splitlines()
    seconds = float(rows[1].split()[-1])
    values = np.array([row.split() for row in rows[2:]], float)
    places = []
    for row in values:
        angles, turns, spots = iter(row[3:].reshape(-1, 3)), [], []
        for name, parent, offset in joints:
            own = Rotation.from_euler("ZXY", next(angles), degrees=True) if name else Rotation.identity()
            above, start = (Rotation.identity(), row[:3]) if parent < 0 else (turns[parent], spots[parent])
            turns.append(above * own)
            spots.append(start + (above.apply(offset) if parent >= 0 else 0))
        places.append(spots)
    return [name for name, _, _ in joints], np.array(places), seconds


@pytest.mark.parametrize("side", ["left", "right"])
def test_a_bvh_moves_the_joints_as_the_hand_moved(side) -> None:
    frames = walk(side)
    names, places, seconds = read_bvh(formats.to_bvh(frames, fps=25))
    assert seconds == pytest.approx(1 / 25) and len(places) == 5 and names[0] == f"{side}_wrist"
    for shown, hand in zip(places, frames, strict=True):
        by_name = dict(zip(names, shown / 100, strict=True))
        for word, joint in (("wrist", 0), ("index_mcp", 5), ("index_pip", 6), ("index_dip", 7), ("thumb_ip", 3)):
            np.testing.assert_allclose(by_name[f"{side}_{word}"], hand.joints_3d[joint] * VIEWER, atol=2e-5)


def test_a_bvh_is_evenly_spaced_whatever_the_video_was() -> None:
    frames = walk("right", 4)
    text = formats.to_bvh([frames[0], None, *frames[1:]], times=[0.0, 0.1, 0.21, 0.3, 0.4], fps=20)
    _, places, seconds = read_bvh(text)
    assert seconds == pytest.approx(0.05) and len(places) == 9
    np.testing.assert_allclose(places[-1][0] / 100, frames[-1].joints_3d[0] * VIEWER, atol=2e-5)
    assert "Frames: 1\n" in formats.to_bvh(frames[0])
    with pytest.raises(HandscopeError, match="fps must be positive"):
        formats.to_bvh(frames, fps=0)


@pytest.mark.parametrize("side", ["left", "right"])
def test_a_printed_hand_is_a_solid_in_millimetres(side) -> None:
    hand = posed_hand(320, 240, side)
    mesh = trimesh.load(io.BytesIO(hand.to_stl()), file_type="stl")
    assert mesh.is_watertight and mesh.is_winding_consistent and 1e5 < mesh.volume < 1e6  # mm3, outwards
    seen = hand.vertices * VIEWER * 1000
    np.testing.assert_allclose(mesh.bounds, [seen.min(0), seen.max(0)], atol=1e-2)
    (rim,) = holes(hand.faces)
    vertices, faces = closed(hand.vertices, hand.faces)
    assert len(rim) == 20 and len(vertices) == len(hand.vertices) + 1 and len(faces) == len(hand.faces) + 20
    assert not holes(faces) and len(formats.to_stl([])) == 84


@pytest.mark.parametrize("side", ["left", "right"])
def test_openxr_has_26_joints_with_its_axes(side) -> None:
    hand = posed_hand(320, 240, side, curl=0.3, turn=0.4)
    joints = hand.to_openxr()
    place = dict(zip(formats.OPENXR_NAMES, joints.positions, strict=True))
    turn = dict(zip(formats.OPENXR_NAMES, Rotation.from_quat(joints.orientations).as_matrix(), strict=True))
    assert len(place) == 26 and formats.OPENXR_NAMES[:3] == ("palm", "wrist", "thumb_metacarpal")
    assert formats.OPENXR_NAMES[6:8] == ("index_metacarpal", "index_proximal") and place.keys() == turn.keys()
    ours = dict(zip(("wrist", "thumb_proximal", "index_proximal", "little_distal"), (0, 2, 5, 19), strict=True))
    for name, joint in ours.items():
        np.testing.assert_allclose(place[name], hand.joints_3d[joint] * VIEWER, atol=1e-6)
    for finger in ("index", "middle", "ring", "little"):
        parts = ("metacarpal", "proximal", "intermediate", "distal", "tip")
        for one, two in pairwise(parts):
            bone = place[f"{finger}_{two}"] - place[f"{finger}_{one}"]
            assert -turn[f"{finger}_{one}"][:, 2] @ bone > 0.98 * np.linalg.norm(bone)
        wrist, base, knuckle = (place[name] for name in ("wrist", f"{finger}_metacarpal", f"{finger}_proximal"))
        np.testing.assert_allclose(base, 0.75 * wrist + 0.25 * knuckle, atol=1e-9)
    np.testing.assert_allclose(place["palm"], (place["middle_metacarpal"] + place["middle_proximal"]) / 2, atol=1e-9)
    across = place["little_proximal"] - place["index_proximal"]
    right = turn["palm"][:, 0] @ across / np.linalg.norm(across)  # back up, fingers forward: a right hand's little
    assert right > 0.9 if side == "right" else right < -0.9  # finger is to the right
    assert (joints.radii[2:] < 0.03).all() and joints.radii[1] > 0.01
    rows = hand.to_openxr_csv().splitlines()
    assert len(rows) == 27 and rows[0].startswith("joint,name,x_m") and rows[3].startswith("2,thumb_metacarpal,")


@pytest.mark.parametrize("side", ["left", "right"])
def test_usd_shows_the_hand_as_it_was_seen(side) -> None:
    """Pixar's own library skins the mesh."""
    pxr = pytest.importorskip("pxr")
    from pxr import Gf, Sdf, Usd, UsdGeom, UsdSkel

    assert pxr
    hand = posed_hand(320, 240, side, curl=0.6, turn=0.5)
    layer = Sdf.Layer.CreateAnonymous(".usda")
    assert layer.ImportFromString(formats.to_usd([hand, hand]))
    stage = Usd.Stage.Open(layer)
    assert UsdGeom.GetStageUpAxis(stage) == "Y" and UsdGeom.GetStageMetersPerUnit(stage) == 1
    assert stage.GetPrimAtPath(f"/hands/{side}_2/skeleton").IsValid()
    root = UsdSkel.Root(stage.GetPrimAtPath(f"/hands/{side}"))
    assert UsdSkel.BakeSkinning(root, Gf.Interval(0, 0))
    points = UsdGeom.Mesh(stage.GetPrimAtPath(f"/hands/{side}/mesh")).GetPointsAttr().Get(0)
    np.testing.assert_allclose(np.array(points), hand.vertices * VIEWER, atol=1e-5)


def test_usd_moves_at_its_frame_rate() -> None:
    pytest.importorskip("pxr")
    from pxr import Sdf, Usd, UsdSkel

    frames = walk("left")
    text = formats.to_usd_animation(frames, fps=30, style=formats.MeshStyle(frame_rate=24))
    layer = Sdf.Layer.CreateAnonymous(".usda")
    assert layer.ImportFromString(text)
    stage = Usd.Stage.Open(layer)
    assert stage.GetTimeCodesPerSecond() == 24 and stage.GetStartTimeCode() == 0 and stage.GetEndTimeCode() == 3
    motion = UsdSkel.Animation(stage.GetPrimAtPath("/hands/left/motion"))
    assert motion.GetRotationsAttr().GetTimeSamples() == [0, 1, 2, 3]
    places = np.array(motion.GetTranslationsAttr().Get(0))
    np.testing.assert_allclose(places[0], frames[0].joints_3d[0] * VIEWER, atol=1e-6)
    names = [path.split("/")[-1] for path in motion.GetJointsAttr().Get()]
    assert names[0] == "left_wrist" and len(names) == 21 and np.isin(np.arange(21), MODEL_TO_CANONICAL).all()
    assert re.search(r"texCoord2f\[\] primvars:st", text)


def test_styles_that_there_are_not_are_one_sentence() -> None:
    for wrong in ({"bones": "hers"}, {"frame_rate": 0.0}):
        with pytest.raises(HandscopeError, match=r"bones are one of fingers, mano|a frame rate is a positive"):
            formats.MeshStyle(**wrong)
