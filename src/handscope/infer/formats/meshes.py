"""Meshes for viewers: GLB with a skeleton inside, OBJ and PLY; x right, y up, z back, the camera at the origin."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from handscope.geometry.meshes import vertex_normals
from handscope.geometry.rotations import matrix_to_quaternion
from handscope.hand.assets import HandAsset
from handscope.hand.skin import skin_texture
from handscope.infer.formats.gltf import INDICES, VERTICES, Document
from handscope.infer.formats.rig import NAMES, VIEWER, Rig, build_rig, hand_model, viewer_pose
from handscope.infer.formats.style import PLAIN, MeshStyle
from handscope.types import Hand
from handscope.viz import colours_by_finger

FRAME = "metres, x right, y up, z back, camera at the origin"


def to_glb(hands: Hand | Sequence[Hand], style: MeshStyle = PLAIN) -> bytes:
    """Meshes as binary glTF 2.0 with normals, colours by finger, and a skeleton to bend them by.

    The mesh is bound as a flat hand whose wrist is where it was seen (viewers frame a mesh by that), and posed by its
    skeleton: what it looks like then is what was seen, to the vertex (its own bulges, undone by the pose, are in the
    flat hand). Meshes of unknown models stand as they are.
    """
    document = Document()
    hands = _listed(hands)
    for hand, label in zip(hands, labels(hands), strict=True):
        model, left = hand_model(hand), hand.handedness == "left"
        if model is None:
            mesh = add_mesh(document, hand.vertices * VIEWER, hand.faces, _colours(hand), label)
            document.add_root(name=f"{label} hand", mesh=mesh)
            continue
        rig, (turns, place) = build_rig(model, hand.beta, left=left, bones=style.bones), viewer_pose(hand)
        flat = rig.unskinned(hand.vertices * VIEWER, turns, place) + place
        mesh = add_mesh(document, flat, hand.faces, _colours(hand), label, rig, wrapping(model, left=left), style)
        node = document.add_root(name=f"{label} hand", mesh=mesh)
        skin, _ = add_skeleton(document, rig, turns, place, label)
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


class Wrapping(NamedTuple):
    """A mesh cut open where its texture has seams: corners `of` (N,) vertices, the mesh's own first, in their order;
    `faces` (F, 3) of corners; `uv` (N, 2), v down."""

    of: NDArray[np.integer]
    faces: NDArray[np.integer]
    uv: NDArray[np.float32]


def wrapping(model: HandAsset, *, left: bool) -> Wrapping | None:
    """How a model's texture lies on its mesh; None if it has none."""
    if model.uv is None or model.uv_faces is None:
        return None
    side = slice(None, None, -1) if left else slice(None)
    faces, uv_faces = model.faces[:, side], model.uv_faces[:, side]
    pairs, corner = np.unique(np.stack([faces.ravel(), uv_faces.ravel()], 1), axis=0, return_inverse=True)
    again = np.r_[False, pairs[1:, 0] == pairs[:-1, 0]]  # sorted by vertex: all but the first corner of each
    order = np.argsort(again, kind="stable")
    rank = np.argsort(order)
    uv = model.uv[pairs[order, 1]] * [1, -1] + [0, 1]
    return Wrapping(pairs[order, 0], rank[corner.ravel()].reshape(-1, 3), uv.astype(np.float32))


def add_mesh(
    document: Document,
    vertices: NDArray[np.floating],
    faces: NDArray[np.integer],
    colours: NDArray[np.uint8],
    label: str,
    rig: Rig | None = None,
    wrapped: Wrapping | None = None,
    style: MeshStyle = PLAIN,
) -> int:
    """`vertices` (V, 3) with `faces` (F, 3) and sRGB `colours` (V, 3); returns the mesh."""
    every = np.arange(len(vertices)) if wrapped is None else wrapped.of
    normals = vertex_normals(vertices, faces).astype(np.float32)
    attributes = {
        "POSITION": document.add_array(vertices.astype(np.float32)[every], target=VERTICES, bounds=True),
        "NORMAL": document.add_array(normals[every], target=VERTICES),
    }
    if wrapped is not None:
        attributes["TEXCOORD_0"] = document.add_array(wrapped.uv, target=VERTICES)
    if not style.skin or wrapped is None:
        opaque = np.column_stack([linear(colours), np.full(len(colours), 255, np.uint8)])
        attributes["COLOR_0"] = document.add_array(opaque[every], target=VERTICES, normalized=True)
    if rig is not None:
        attributes["JOINTS_0"] = document.add_array(rig.owners[every], target=VERTICES)
        attributes["WEIGHTS_0"] = document.add_array(rig.weights[every], target=VERTICES)
    triangles = np.asarray(faces if wrapped is None else wrapped.faces, np.uint16).ravel()
    primitive = {
        "attributes": attributes,
        "indices": document.add_array(triangles, target=INDICES),
        "material": _material(document, textured=style.skin and wrapped is not None),
    }
    return document.add("meshes", name=f"{label} hand", primitives=[primitive])


def _material(document: Document, *, textured: bool) -> int:
    """Matt, both sides shown: glTF's default is metal, and the mesh is open at the wrist. One for all hands alike."""
    name = "skin" if textured else "colours by finger"
    known = [material["name"] for material in document.tree.get("materials", [])]
    if name in known:
        return known.index(name)
    surface: dict[str, Any] = {"baseColorFactor": [1, 1, 1, 1], "metallicFactor": 0.0, "roughnessFactor": 0.7}
    if textured:
        picture = cv2.cvtColor(np.array(skin_texture()), cv2.COLOR_RGB2BGR)
        jpeg = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 90])[1].tobytes()
        surface["baseColorTexture"] = {"index": document.add_picture(jpeg, "image/jpeg")}
    return document.add("materials", name=name, pbrMetallicRoughness=surface, doubleSided=True)


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
    turns: NDArray[np.floating],
    place: NDArray[np.floating],
    label: str,
) -> tuple[int, list[int]]:
    """Nodes for the 21 joints, in the pose of `turns` (21, 3, 3) and the wrist's `place` (3,) (`viewer_pose`), and the
    skin, bound at rest with the wrist at that place; returns the skin and the joints' nodes.

    The tips move no vertex; they are joints so that the last bones have an end.
    """
    offsets, quaternions = rig.offsets, gltf_quaternions(rig.local(turns))
    offsets[0] = place
    first = len(document.tree["nodes"])
    # a root of its own: importers make one armature of all bones whose parent is the scene
    root = document.add_root(name=f"{label} rig", children=[first + 1])
    nodes = []
    for joint, name in enumerate(NAMES):
        node = {"name": f"{label} {name}".replace(" ", "_"), "translation": offsets[joint].tolist()}
        if joint < 16:
            node["rotation"] = quaternions[joint].tolist()
        children = [first + 1 + int(child) for child in np.flatnonzero(rig.parents == joint)]
        if children:
            node["children"] = children
        nodes.append(document.add("nodes", **node))
    matrices = document.add_array(inverse(rig.frames, rig.rest + place))
    skin = document.add("skins", name=f"{label} hand", inverseBindMatrices=matrices, joints=nodes, skeleton=root)
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
