"""Meshes for viewers: GLB with a skeleton inside, OBJ and PLY; x right, y up, z back, the camera at the origin."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from handscope.geometry.meshes import vertex_normals
from handscope.geometry.rotations import matrix_to_quaternion
from handscope.infer.formats.gltf import INDICES, VERTICES, Document
from handscope.infer.formats.rig import NAMES, VIEWER, Rig, build_rig, hand_model, viewer_pose
from handscope.types import Hand
from handscope.viz import colours_by_finger

FRAME = "metres, x right, y up, z back, camera at the origin"


def to_glb(hands: Hand | Sequence[Hand]) -> bytes:
    """Meshes as binary glTF 2.0 with normals, colours by finger, and a skeleton to bend them by.

    The mesh is bound to its skeleton in the pose it has, so viewers that know no skeletons show the same.
    """
    document = Document()
    hands = _listed(hands)
    for hand, label in zip(hands, labels(hands), strict=True):
        model = hand_model(hand)
        rig = None if model is None else build_rig(model, hand.beta, left=hand.handedness == "left")
        mesh = add_mesh(document, hand.vertices * VIEWER, hand.faces, _colours(hand), rig, label)
        node = document.add_root(name=f"{label} hand", mesh=mesh)
        if rig is not None:
            local, place = viewer_pose(hand)
            turns, places = rig.posed(local, place)
            skin, _ = add_skeleton(document, rig, local, place, inverse(turns, places), label)
            document.tree["nodes"][node]["skin"] = skin
    return document.pack()


def labels(hands: Sequence[Hand]) -> list[str]:
    """ "right", "left", "right 2": one name for each hand."""
    seen: Counter[str] = Counter()
    names = []
    for hand in hands:
        seen[hand.handedness] += 1
        count = seen[hand.handedness]
        names.append(hand.handedness if count == 1 else f"{hand.handedness} {count}")
    return names


def add_mesh(
    document: Document,
    vertices: NDArray[np.floating],
    faces: NDArray[np.integer],
    colours: NDArray[np.uint8],
    rig: Rig | None,
    label: str,
) -> int:
    """`vertices` (V, 3) in the viewer's frame with `faces` (F, 3) and sRGB `colours` (V, 3); returns the mesh."""
    opaque = np.column_stack([linear(colours), np.full(len(colours), 255, np.uint8)])
    normals = vertex_normals(vertices, faces).astype(np.float32)
    attributes = {
        "POSITION": document.add_array(vertices.astype(np.float32), target=VERTICES, bounds=True),
        "NORMAL": document.add_array(normals, target=VERTICES),
        "COLOR_0": document.add_array(opaque, target=VERTICES, normalized=True),
    }
    if rig is not None:
        attributes["JOINTS_0"] = document.add_array(rig.owners, target=VERTICES)
        attributes["WEIGHTS_0"] = document.add_array(rig.weights, target=VERTICES)
    if "materials" not in document.tree:
        # matt, both sides shown: glTF's default is metal, and the mesh is open at the wrist
        surface = {"baseColorFactor": [1, 1, 1, 1], "metallicFactor": 0.0, "roughnessFactor": 0.7}
        document.add("materials", name="skin", pbrMetallicRoughness=surface, doubleSided=True)
    triangles = document.add_array(np.asarray(faces, np.uint16).ravel(), target=INDICES)
    primitive = {"attributes": attributes, "indices": triangles, "material": 0}
    return document.add("meshes", name=f"{label} hand", primitives=[primitive])


def linear(colours: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """sRGB levels as levels of light, which glTF's vertex colours are."""
    share = colours / 255.0
    light = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    return (light * 255 + 0.5).astype(np.uint8)


def inverse(turns: NDArray[np.floating], places: NDArray[np.floating]) -> NDArray[np.float32]:
    """Matrices (n, 4, 4) that take the world to joints with these `turns` (n, 3, 3) and `places` (n, 3)."""
    back = np.transpose(turns, (0, 2, 1))
    matrices = np.tile(np.eye(4), (len(turns), 1, 1))
    matrices[:, :3, :3] = back
    matrices[:, :3, 3] = -(back @ places[..., None])[..., 0]
    return matrices.astype(np.float32)


def add_skeleton(
    document: Document,
    rig: Rig,
    local: NDArray[np.floating],
    place: NDArray[np.floating],
    to_joint: NDArray[np.float32],
    label: str,
) -> tuple[int, list[int]]:
    """Nodes for the 21 joints, turned by `local` (21, 3, 3), the wrist at `place` (3,), and the skin whose inverse
    bind matrices are `to_joint` (21, 4, 4); returns the skin and the joints' nodes.

    The tips move no vertex; they are joints so that the last bones have an end.
    """
    offsets, quaternions = rig.offsets, gltf_quaternions(local)
    offsets[0] = place
    first = len(document.tree["nodes"])
    nodes = []
    for joint, name in enumerate(NAMES):
        node = {"name": f"{label} {name}".replace(" ", "_"), "translation": offsets[joint].tolist()}
        if joint < 16:
            node["rotation"] = quaternions[joint].tolist()
        children = [first + int(child) for child in np.flatnonzero(rig.parents == joint)]
        if children:
            node["children"] = children
        nodes.append(document.add_root(**node) if joint == 0 else document.add("nodes", **node))
    matrices = document.add_array(to_joint)
    skin = document.add("skins", name=f"{label} hand", inverseBindMatrices=matrices, joints=nodes, skeleton=nodes[0])
    return skin, nodes


def gltf_quaternions(matrices: NDArray[np.floating]) -> NDArray[np.float64]:
    """Rotations (..., 3, 3) as unit quaternions (..., 4), x, y, z, w."""
    return np.roll(matrix_to_quaternion(matrices), -1, axis=-1)


def to_obj(hands: Hand | Sequence[Hand]) -> str:
    """Meshes as Wavefront OBJ with vertex colours, one object a hand."""
    hands = _listed(hands)
    sides = ", ".join(labels(hands)) + (" hand" if len(hands) == 1 else " hands")
    lines = [f"# handscope: {sides if hands else 'no hand'}, {FRAME}"]
    before = 1
    for hand, label in zip(hands, labels(hands), strict=True):
        points = np.column_stack([hand.vertices * VIEWER, _colours(hand) / 255])
        lines.append(f"o {label.replace(' ', '_')}_hand")
        lines += ["v " + " ".join(f"{value:.6g}" for value in row) for row in points.tolist()]
        lines += ["f {} {} {}".format(*row) for row in (hand.faces + before).tolist()]
        before += len(hand.vertices)
    return "\n".join(lines) + "\n"


def to_ply(hands: Hand | Sequence[Hand]) -> bytes:
    """Meshes as one binary PLY with normals, colours, and per vertex which hand it is of."""
    hands = _listed(hands)
    fields = [(name, "<f4") for name in ("x", "y", "z", "nx", "ny", "nz")]
    fields += [(name, "u1") for name in ("red", "green", "blue", "hand")]
    points = np.zeros(sum(len(hand.vertices) for hand in hands), fields)
    triangles = np.zeros(sum(len(hand.faces) for hand in hands), [("count", "u1"), ("corners", "<i4", 3)])
    triangles["count"] = 3
    vertex = face = 0
    for number, hand in enumerate(hands):
        rows = slice(vertex, vertex + len(hand.vertices))
        values = [hand.vertices * VIEWER, vertex_normals(hand.vertices, hand.faces) * VIEWER, _colours(hand)]
        for (name, _), column in zip(fields, np.column_stack(values).T, strict=False):
            points[name][rows] = column
        points["hand"][rows] = number
        triangles["corners"][face : face + len(hand.faces)] = hand.faces + vertex
        vertex, face = rows.stop, face + len(hand.faces)
    kinds = {"<f4": "float", "u1": "uchar"}
    header = ["ply", "format binary_little_endian 1.0", f"comment handscope: {', '.join(labels(hands))}; {FRAME}"]
    header += [f"element vertex {len(points)}", *(f"property {kinds[kind]} {name}" for name, kind in fields)]
    header += [f"element face {len(triangles)}", "property list uchar int vertex_indices", "end_header", ""]
    return "\n".join(header).encode() + points.tobytes() + triangles.tobytes()


def _listed(hands: Hand | Sequence[Hand]) -> Sequence[Hand]:
    return [hands] if isinstance(hands, Hand) else hands


def _colours(hand: Hand) -> NDArray[np.uint8]:
    return colours_by_finger(hand.vertices, hand.joints_3d)
