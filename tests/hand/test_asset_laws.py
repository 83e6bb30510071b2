"""What scripts/build_hand_model.py promises of the shipped hand (docs/hand-model.md), held on the file itself."""

from collections import Counter

import numpy as np
import pytest

from handscope.geometry.meshes import vertex_normals
from handscope.hand.assets import HandAsset, is_left, load_asset
from handscope.hand.model import pose_hand, rest_joints
from handscope.skeleton import FINGERS, MODEL_FINGERS, MODEL_PARENTS, MODEL_TIP_OWNERS

BASE = {finger: 3 * MODEL_FINGERS.index(finger) + 1 for finger in FINGERS}
PUBLISHED_MM = {
    "thumb": (46.22, 31.57, None, 21.67, 5.67),
    "index": (68.12, 39.78, 22.38, 15.82, 3.84),
    "middle": (64.60, 44.63, 26.33, 17.40, 3.95),
    "ring": (58.00, 41.37, 25.65, 17.30, 3.95),
    "little": (53.69, 32.74, 18.11, 15.96, 3.73),
}
"""Buryanov and Kotiuk 2010: metacarpal, proximal, middle and distal phalanx, soft tissue beyond."""
IN_METACARPAL_MM, IN_PROXIMAL_MM, IN_MIDDLE_MM, CARTILAGE_MM = 7.0, 4.0, 3.0, 1.0
"""How far a joint's centre lies inside the head of its proximal bone, and the cartilage between two bones."""


@pytest.fixture(scope="module")
def asset() -> HandAsset:
    return load_asset()


@pytest.fixture(scope="module")
def closed(asset) -> np.ndarray:
    """The faces with a cap over the wrist."""
    loop = asset.boundary
    return np.concatenate([asset.faces, [[loop[0], loop[i], loop[i + 1]] for i in range(1, len(loop) - 1)]])


def published_mm(finger: str) -> tuple[float, float, float]:
    """Distances between the centres of a finger's three joints, and from the last one to the skin of the tip."""
    metacarpal, proximal, middle, distal, pulp = PUBLISHED_MM[finger]
    if middle is None:  # the thumb's saddle joint turns about a point 2 mm inside the trapezium
        first = metacarpal - 6 + 2 + CARTILAGE_MM
        return first, proximal + 6 - IN_PROXIMAL_MM + CARTILAGE_MM, distal + IN_PROXIMAL_MM + CARTILAGE_MM + pulp
    return (
        proximal + IN_METACARPAL_MM - IN_PROXIMAL_MM + CARTILAGE_MM,
        middle + IN_PROXIMAL_MM - IN_MIDDLE_MM + CARTILAGE_MM,
        distal + IN_MIDDLE_MM + CARTILAGE_MM + pulp,
    )


def edges_of(faces: np.ndarray) -> Counter[tuple[int, int]]:
    """Every edge in the direction in which its triangle runs along it."""
    return Counter((int(face[i]), int(face[(i + 1) % 3])) for face in faces for i in range(3))


def winding_number(point: np.ndarray, vertices: np.ndarray, faces: np.ndarray) -> float:
    """How often a closed surface goes round a point: 1 inside, 0 outside (Van Oosterom and Strackee 1983)."""
    a, b, c = (vertices[faces] - point).transpose(1, 0, 2)
    la, lb, lc = (np.linalg.norm(side, axis=1) for side in (a, b, c))
    over = np.einsum("fi,fi->f", a, np.cross(b, c))
    under = la * lb * lc + (a * b).sum(1) * lc + (b * c).sum(1) * la + (c * a).sum(1) * lb
    return float(np.arctan2(over, under).sum() / (2 * np.pi))


def shapes(count: int) -> np.ndarray:
    """The mean hand, both ends of every component, and hands at random, as far out as synthesis goes (2.5)."""
    ends = np.concatenate([np.zeros((1, 10)), 2.5 * np.eye(10), -2.5 * np.eye(10)])
    return np.concatenate([ends, np.clip(np.random.default_rng(0).standard_normal((count, 10)), -2.5, 2.5)])


@pytest.mark.parametrize("finger", FINGERS)
def test_fingers_have_the_published_lengths(asset, finger):
    joints, base = asset.joints.astype(np.float64), BASE[finger]
    tip = asset.template[asset.tips[FINGERS.index(finger)]]
    chain = np.array([*joints[base : base + 3], tip])
    found = 1e3 * np.linalg.norm(np.diff(chain, axis=0), axis=1)
    np.testing.assert_allclose(found, published_mm(finger), atol=0.35)


def test_the_wrist_lies_in_the_head_of_the_capitate(asset):
    metacarpal = PUBLISHED_MM["middle"][0]
    length = 1e3 * np.linalg.norm(asset.joints[BASE["middle"]] - asset.joints[0])
    assert abs(length - (metacarpal - IN_METACARPAL_MM + CARTILAGE_MM + 22)) < 0.35
    assert np.linalg.norm(asset.joints[0]) < 2e-4  # the origin, as far as the regressor goes


def test_the_open_hand_lies_flat_in_manos_frame(asset):
    """Fingers towards -x and straight, the back of the hand +y, the thumb's side +z."""
    joints = asset.joints.astype(np.float64)
    for finger in FINGERS[1:]:
        base = BASE[finger]
        chain = np.array([*joints[base : base + 3], asset.template[asset.tips[FINGERS.index(finger)]]])
        bones = np.diff(chain, axis=0) / np.linalg.norm(np.diff(chain, axis=0), axis=1, keepdims=True)
        assert (bones[:, 0] < -0.95).all()
        assert ((bones[1:] * bones[:-1]).sum(1) > np.cos(np.deg2rad(5))).all()
    across = [joints[BASE["thumb"] + 1, 2], *(joints[BASE[finger], 2] for finger in FINGERS[1:])]
    assert (np.diff(across) < 0).all()  # knuckles from the thumb's to the little finger's
    assert not is_left(asset.template, joints)
    assert is_left(asset.template * [-1, 1, 1], joints * [-1, 1, 1])


def test_every_vertex_follows_few_joints_that_add_up_to_one(asset):
    weights = asset.weights
    assert weights.shape == (len(asset.template), 16) and weights.min() >= 0
    np.testing.assert_allclose(weights.sum(1), 1, atol=1e-6)
    assert weights[weights > 0].min() > 1.9e-3  # less than 2e-3 is none
    assert (weights > 0).sum(1).max() <= 6
    assert (weights.max(0) > 0.8).all()  # every joint has skin that is nearly all its own


def test_tips_belong_to_the_last_joint_of_their_finger_and_lie_at_its_end(asset):
    for tip, owner in zip(asset.tips, MODEL_TIP_OWNERS, strict=True):
        own = asset.weights[:, owner] > 0.6
        bone = asset.template[own].mean(0) - asset.joints[owner]
        along = (asset.template - asset.joints[owner]) @ bone / np.linalg.norm(bone)
        assert asset.weights[tip, owner] > 0.6
        assert along[tip] > along[own].max() - 0.004


def test_the_regressor_takes_joints_from_skin_near_by(asset):
    regressor = asset.joint_regressor
    assert regressor.min() >= 0
    np.testing.assert_allclose(regressor.sum(1), 1, atol=1e-6)
    for joint, row in enumerate(regressor):
        far = np.linalg.norm(asset.template[row > 0] - asset.joints[joint], axis=1).max()
        assert far < 0.06


def test_parents_are_manos(asset):
    assert tuple(asset.parents) == MODEL_PARENTS


def test_the_mesh_is_one_sheet_open_at_the_wrist_alone(asset):
    edges = edges_of(asset.faces)
    assert max(edges.values()) == 1  # no edge is run along twice the same way: all faces agree on what is outside
    free = {edge for edge in edges if edge[::-1] not in edges}
    loop = asset.boundary.tolist()
    assert {edge[::-1] for edge in free} == set(zip(loop, [*loop[1:], loop[0]], strict=True))
    count = len({frozenset(edge) for edge in edges})
    assert len(asset.template) - count + len(asset.faces) == 1  # Euler: a disc
    assert len(np.unique(asset.faces)) == len(asset.template)


def test_capped_it_is_watertight_and_as_large_as_a_hand(asset, closed):
    edges = edges_of(closed)
    assert all(edge[::-1] in edges for edge in edges) and max(edges.values()) == 1
    corners = asset.template[closed].astype(np.float64)
    litres = 1e3 * np.einsum("fi,fi->", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])) / 6
    assert 0.25 < litres < 0.45


def test_joints_are_inside_the_flesh_whatever_the_shape(asset, closed):
    for beta in shapes(10):
        vertices = (asset.template + asset.shapedirs @ beta).astype(np.float64)
        for joint in rest_joints(asset, beta[None])[0]:
            assert winding_number(joint, vertices, closed) == pytest.approx(1, abs=1e-6)
    beyond = asset.template[asset.tips[2]] + [-0.01, 0, 0]  # past the middle fingertip is outside
    assert winding_number(beyond, asset.template.astype(np.float64), closed) == pytest.approx(0, abs=1e-6)


def test_knuckles_lie_deeper_than_finger_joints_can_bend_out(asset):
    """Millimetres to the nearest vertex: the wrist in mid-depth, the thumb's saddle joint deep in the palm."""
    depth = [1e3 * np.linalg.norm(asset.template - joint, axis=1).min() for joint in asset.joints]
    assert 17 < depth[0] < 22 and 13 < depth[BASE["thumb"]] < 17 and 9 < depth[BASE["thumb"] + 1] < 13
    assert min(depth) > 3.5


def test_silhouette_faces_are_a_closed_coarse_mesh_over_the_same_vertices(asset):
    faces = asset.silhouette_faces
    assert 500 < len(faces) < 600 and faces.min() >= 0 and faces.max() < len(asset.template)
    assert all(len(set(face)) == 3 for face in faces.tolist())
    assert set(Counter(frozenset(edge) for edge in edges_of(faces).elements()).values()) == {2}


def test_shape_components_are_principal_and_in_order_of_variance(asset):
    flat = asset.shapedirs.reshape(-1, 10).astype(np.float64)
    deviation = np.linalg.norm(flat, axis=0)
    assert (np.diff(deviation) < 0).all()
    np.testing.assert_allclose((flat / deviation).T @ (flat / deviation), np.eye(10), atol=1e-6)
    share = deviation**2 / (deviation**2).sum()
    assert share[0] == pytest.approx(0.929 / 0.998, abs=0.005)  # size
    assert (asset.shapedirs[:, 0].sum(0) < 0).all()  # positive beta: longer fingers


def test_no_shape_turns_a_triangle_inside_out(asset):
    normals = vertex_normals(asset.template.astype(np.float64), asset.faces)[asset.faces].mean(1)
    for beta in shapes(20):
        corners = (asset.template + asset.shapedirs @ beta)[asset.faces]
        flat = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        assert (np.linalg.norm(flat, axis=1) > 1e-8).all()
        assert ((flat * normals).sum(1) > 0).mean() > 0.995


def test_pose_blend_shapes_move_only_skin_that_bends(asset):
    size = np.abs(asset.posedirs.reshape(-1, 3, 15, 9)).max((1, 3))  # (V, 15)
    assert (size[asset.weights[:, 1:] <= 0.005] == 0).all()
    assert (size[asset.weights.max(1) > 0.995] == 0).all()


def test_axes_are_right_handed_frames_along_the_bones(asset):
    axes, joints = asset.axes.astype(np.float64), asset.joints.astype(np.float64)
    np.testing.assert_allclose(axes @ axes.transpose(0, 2, 1), np.broadcast_to(np.eye(3), axes.shape), atol=1e-6)
    np.testing.assert_allclose(np.linalg.det(axes), 1, atol=1e-6)
    for finger in FINGERS:
        for i in (0, 1):
            bone = joints[BASE[finger] + i + 1] - joints[BASE[finger] + i]
            assert axes[BASE[finger] - 1 + i, 2] @ bone / np.linalg.norm(bone) > 0.999


def test_the_texture_covers_every_face_once_and_stays_in_its_square(asset):
    assert asset.uv.min() >= 0 and asset.uv.max() <= 1
    assert asset.uv_faces.shape == asset.faces.shape and asset.uv_faces.max() < len(asset.uv)
    corners = asset.uv[asset.uv_faces].astype(np.float64)
    first, second = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    area = (first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0]) / 2
    assert (area > 0).mean() > 0.99 or (area < 0).mean() > 0.99
    assert 0.1 < abs(area.sum()) < 1


@pytest.mark.parametrize("angle", [0.0, 1e-9, 1e-4, np.pi, 2 * np.pi])
def test_turns_of_nothing_half_and_full_circles_pose_a_finite_hand(asset, angle):
    theta = np.zeros((1, 15, 3))
    theta[0] = angle * asset.axes[:, 0]
    posed = pose_hand(asset, np.zeros((1, 10)), theta)
    assert np.isfinite(posed.vertices).all() and np.abs(posed.vertices).max() < 0.25
    if angle in (0.0, 2 * np.pi):
        flat = pose_hand(asset, np.zeros((1, 10)), np.zeros((1, 15, 3)))
        np.testing.assert_allclose(posed.vertices, flat.vertices, atol=1e-5)
