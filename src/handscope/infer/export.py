"""Hands as files: JSON, GLB, OBJ, NPZ and mask PNG. Every file is written beside its place, then moved there.

JSON and NPZ keep the camera frame (x right, y down, z forward; metres). Meshes for viewers (GLB, OBJ) are
turned to x right, y up, z back, as glTF wants it.
"""

from __future__ import annotations

import io
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from handscope.errors import HandscopeError
from handscope.skeleton import JOINT_NAMES
from handscope.types import Hand
from handscope.viz import colours_by_finger, vertex_normals

FORMAT_VERSION = 1
"""Of the JSON; goes up when a reader of the old one would misread the new one."""

UNITS = {
    "box, joints_2d": "pixels, x right, y down, centre of the top-left pixel at (0, 0)",
    "joints_3d, T": "metres, camera frame: x right, y down, z forward",
    "theta": "radians, axis-angle of 15 joints: index, middle, little, ring, thumb, each from base to tip",
    "R, T": "x_camera = R (x - wrist) + T of the right-hand model; of the mirrored picture for a left hand",
}
_VIEWER = np.array([1.0, -1.0, -1.0])  # camera frame to y up, z back


def to_dict(
    hands: Sequence[Hand], *, width: int, height: int, source: str | None = None, notes: Sequence[str] = ()
) -> dict[str, Any]:
    """Everything but masks and meshes, ready for JSON."""
    return {
        "format": "handscope",
        "version": FORMAT_VERSION,
        "image": {"source": source, "width": width, "height": height, "notes": list(notes)},
        "units": UNITS,
        "joint_names": list(JOINT_NAMES),
        "hands": [_hand_to_dict(hand) for hand in hands],
    }


def _hand_to_dict(hand: Hand) -> dict[str, Any]:
    return {
        "handedness": hand.handedness,
        "score": _rounded(hand.score, 4),
        "box": _rounded(hand.box, 2),
        "joints_2d": _rounded(hand.joints_2d, 2),
        "joint_scores": _rounded(hand.joint_scores, 4),
        "joints_3d": _rounded(hand.joints_3d, 5),
        "theta": _rounded(hand.theta, 5),
        "beta": _rounded(hand.beta, 4),
        "R": _rounded(hand.R, 6),
        "T": _rounded(hand.T, 5),
        "K": _rounded(hand.K, 3),
        "mask_area_px": int(hand.mask.sum()),
        "extras": {key: _rounded(value, 4) for key, value in hand.extras.items()},
    }


def to_json(
    hands: Sequence[Hand], *, width: int, height: int, source: str | None = None, notes: Sequence[str] = ()
) -> str:
    """`to_dict` as text: one line per field of a hand."""
    content = to_dict(hands, width=width, height=height, source=source, notes=notes)
    listed = content.pop("hands")
    head = json.dumps(content, indent=1)[:-2]
    each = [
        "  {\n" + ",\n".join(f"   {json.dumps(k)}: {json.dumps(v)}" for k, v in hand.items()) + "\n  }"
        for hand in listed
    ]
    return head + ',\n "hands": [' + ("\n" + ",\n".join(each) + "\n " if each else "") + "]\n}\n"


def to_glb(hand: Hand) -> bytes:
    """The mesh as binary glTF 2.0, with normals and colours by finger."""
    import trimesh  # slow to import, and needed for this only
    from trimesh.exchange.gltf import export_glb

    mesh = trimesh.Trimesh(
        vertices=hand.vertices * _VIEWER,
        faces=hand.faces,
        vertex_normals=vertex_normals(hand) * _VIEWER,  # trimesh would want scipy for them
        vertex_colors=np.column_stack([colours_by_finger(hand), np.full(len(hand.vertices), 255, np.uint8)]),
        process=False,
    )
    name = f"{hand.handedness} hand"
    scene = trimesh.Scene()
    scene.add_geometry(mesh, geom_name=name, node_name=name)
    return export_glb(scene, include_normals=True, tree_postprocessor=_complete)


def _complete(tree: dict[str, Any]) -> None:
    """Matt skin, both sides shown: glTF's default material is metal, and the mesh is open at the wrist.

    Buffers say what they are for, as validators advise.
    """
    surface = {"baseColorFactor": [1, 1, 1, 1], "metallicFactor": 0.0, "roughnessFactor": 0.7}
    tree["materials"] = [{"name": "skin", "pbrMetallicRoughness": surface, "doubleSided": True}]
    for mesh in tree["meshes"]:
        for primitive in mesh["primitives"]:
            primitive["material"] = 0
            for accessor in (*primitive["attributes"].values(), primitive["indices"]):
                view = tree["bufferViews"][tree["accessors"][accessor]["bufferView"]]
                view["target"] = 34963 if accessor == primitive["indices"] else 34962  # indices, vertices
    tree["asset"]["generator"] = "handscope"


def to_obj(hand: Hand) -> str:
    """The mesh as Wavefront OBJ with vertex colours."""
    head = f"# handscope: {hand.handedness} hand, metres, x right, y up, z back, camera at the origin\n"
    colours = colours_by_finger(hand) / 255
    points = np.column_stack([hand.vertices * _VIEWER, colours])
    vertices = "\n".join("v " + " ".join(f"{value:.6g}" for value in row) for row in points.tolist())
    faces = "\n".join("f {} {} {}".format(*row) for row in (hand.faces + 1).tolist())
    return f"{head}o {hand.handedness}_hand\n{vertices}\n{faces}\n"


def to_npz(hands: Sequence[Hand]) -> bytes:
    """Every array of every hand, hands along the first axis, unrounded; read it with `numpy.load`."""
    names = (
        "score",
        "box",
        "joints_2d",
        "joint_scores",
        "mask",
        "joints_3d",
        "vertices",
        "theta",
        "beta",
        "R",
    )
    arrays = {name: np.array([getattr(hand, name) for hand in hands]) for name in (*names, "T", "K", "faces")}
    arrays["handedness"] = np.array([hand.handedness for hand in hands], "U5")
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]
    return buffer.getvalue()


def to_png(image: NDArray[np.uint8] | NDArray[np.bool_]) -> bytes:
    """An RGB picture (H, W, 3), or a mask (H, W) as 0 and 255."""
    stored = np.ascontiguousarray(image * np.uint8(255) if image.ndim == 2 else image[..., ::-1], np.uint8)
    return cv2.imencode(".png", stored, [cv2.IMWRITE_PNG_COMPRESSION, 4])[1].tobytes()


def write_file(path: Path, content: bytes | str) -> Path:
    """Write beside `path`, then move there: no reader ever sees half a file."""
    data = content.encode() if isinstance(content, str) else content
    beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        beside.write_bytes(data)
        os.replace(beside, path)
    except OSError as error:
        beside.unlink(missing_ok=True) if beside.parent.is_dir() else None
        raise HandscopeError(f"{path}: cannot write this file ({error.strerror or error})") from error
    return path


def _rounded(value: Any, digits: int) -> Any:
    """Plain Python numbers, short enough to read."""
    return np.round(np.asarray(value, np.float64), digits).tolist()
