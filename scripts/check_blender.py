"""Open our GLB, USD and BVH files with Blender's own Python module (bpy) and look at what an artist would find.

    make test-blender                        # an environment of its own with bpy, files of samples/, this script
    python scripts/check_blender.py FOLDER   # FOLDER holds hands.glb, clip.glb, hands.usda, hand.bvh, expected.json

Checks, each with one line: names; the rest pose is flat, bones lie along fingers; posed, Blender's mesh is ours within
0.1 mm; with poses cleared it is flat; texture coordinates are there; keys lie on whole frames; FBX is written and comes
back with its bones. Exit code 1 if anything is otherwise. Needs no handscope: bpy wants another numpy.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import bpy  # pyright: ignore[reportMissingImports]
import numpy as np

FINGERS = ("index", "middle", "ring", "little")
failed: list[str] = []


def check(what: str, good: bool) -> None:
    """One line of the report."""
    print(f"{'ok   ' if good else 'WRONG'} {what}")
    if not good:
        failed.append(what)


def fresh() -> None:
    """An empty scene at 24 frames a second."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.context.scene.render.fps = 24


def armatures() -> list:
    return sorted((o for o in bpy.data.objects if o.type == "ARMATURE"), key=lambda o: o.name)


def seen_vertices(armature) -> np.ndarray:
    """Vertices (n, 3) of the mesh that follows an armature, as Blender shows them, back in glTF's frame (y up)."""
    bpy.context.view_layer.update()
    (mesh,) = [
        o for o in bpy.data.objects
        if o.type == "MESH" and any(m.type == "ARMATURE" and m.object == armature for m in o.modifiers)
    ]  # fmt: skip
    shown = mesh.evaluated_get(bpy.context.evaluated_depsgraph_get())
    places = np.array([shown.matrix_world @ v.co for v in shown.data.vertices])
    return np.stack([places[:, 0], places[:, 2], -places[:, 1]], 1)


def nearest(found: np.ndarray, wanted: np.ndarray) -> float:
    """The greatest distance of a wanted vertex from the nearest that was found (importers merge and reorder)."""
    return float(max(np.linalg.norm(found - point, axis=1).min() for point in wanted))


def straight(armature, side: str, *, posed: bool) -> float:
    """The least cosine between neighbouring bones of the four fingers."""
    bones = armature.pose.bones if posed else armature.data.bones
    least = 1.0
    for finger in FINGERS:
        ends = [f"{side}_{finger}_{part}" for part in ("mcp", "pip", "dip")]
        places = [np.array(bones[name].head if posed else bones[name].head_local) for name in ends]
        one, two = places[1] - places[0], places[2] - places[1]
        least = min(least, float(one @ two / np.linalg.norm(one) / np.linalg.norm(two)))
    return least


def along(armature, side: str) -> float:
    """The least cosine between a bone and the way to its child's head, at rest."""
    least = 1.0
    for finger in FINGERS:
        for one, two in (("mcp", "pip"), ("pip", "dip")):
            bone, child = (armature.data.bones[f"{side}_{finger}_{part}"] for part in (one, two))
            bone_way = np.array(bone.tail_local) - np.array(bone.head_local)
            way = np.array(child.head_local) - np.array(bone.head_local)
            least = min(least, float(bone_way @ way / np.linalg.norm(bone_way) / np.linalg.norm(way)))
    return least


def look_at_stills(folder: Path, expected: dict) -> None:
    """hands.glb, hands.usda and the FBX made of it."""
    fresh()
    bpy.ops.import_scene.gltf(filepath=str(folder / "hands.glb"))
    check("one armature a hand", len(armatures()) == len(expected["hands"]))
    for hand in expected["hands"]:
        side = hand["side"]
        (armature,) = [a for a in armatures() if f"{side}_wrist" in a.data.bones]
        check(f"{side}: posed as it was seen", nearest(seen_vertices(armature), np.array(hand["vertices"])) < 1e-4)
        check(f"{side}: the rest pose is flat ({straight(armature, side, posed=False):.3f})",
              straight(armature, side, posed=False) > 0.95)  # fmt: skip
        check(f"{side}: bones lie along fingers ({along(armature, side):.3f})", along(armature, side) > 0.98)
        for bone in armature.pose.bones:
            bone.rotation_quaternion, bone.location = (1, 0, 0, 0), (0, 0, 0)
        bpy.context.view_layer.update()
        check(f"{side}: with its pose cleared it is flat", straight(armature, side, posed=True) > 0.95)
    meshes = [o for o in bpy.data.objects if o.type == "MESH" and o.find_armature()]
    check("texture coordinates", all(o.data.uv_layers for o in meshes))
    check("names", {o.name for o in meshes} == {f"{hand['side']} hand" for hand in expected["hands"]})
    fbx = folder / "hands.fbx"
    bpy.ops.export_scene.fbx(filepath=str(fbx), add_leaf_bones=False, bake_anim=True)
    fresh()
    bpy.ops.import_scene.fbx(filepath=str(fbx))
    bones = {bone.name for a in armatures() for bone in a.data.bones}
    check("FBX comes back with its bones", {f"{hand['side']}_thumb_ip" for hand in expected["hands"]} <= bones)
    fresh()
    bpy.ops.wm.usd_import(filepath=str(folder / "hands.usda"))
    bones = {bone.name.rsplit("/", 1)[-1] for a in armatures() for bone in a.data.bones}
    check("USD has the bones", {f"{hand['side']}_index_mcp" for hand in expected["hands"]} <= bones)


def look_at_motion(folder: Path, expected: dict) -> None:
    """clip.glb and hand.bvh."""
    fresh()
    bpy.ops.import_scene.gltf(filepath=str(folder / "clip.glb"))
    (armature,) = armatures()
    (action,) = list(bpy.data.actions)
    curves = [c for layer in action.layers for strip in layer.strips for bag in strip.channelbags for c in bag.fcurves]
    keys = np.array([point.co[0] for curve in curves for point in curve.keyframe_points])
    check("keys on whole frames of 24 a second", len(keys) > 0 and bool(np.allclose(keys, keys.round(), atol=1e-3)))
    check("the action is called by its side", expected["clip"]["side"] in action.name)
    for frame, places in expected["clip"]["wrists"].items():
        bpy.context.scene.frame_set(int(frame))
        head = armature.matrix_world @ armature.pose.bones[f"{expected['clip']['side']}_wrist"].head
        place = np.array([head[0], head[2], -head[1]])
        check(f"frame {frame}: the wrist is where it was", float(np.linalg.norm(place - places)) < 1e-3)
    fresh()
    bpy.ops.import_anim.bvh(filepath=str(folder / "hand.bvh"), global_scale=0.01)
    check("BVH has the bones", f"{expected['clip']['side']}_index_mcp" in armatures()[0].data.bones)


def main() -> None:
    """Look at all files of the folder."""
    folder = Path(sys.argv[1])
    expected = json.loads((folder / "expected.json").read_text())
    print("Blender", bpy.app.version_string)
    look_at_stills(folder, expected)
    look_at_motion(folder, expected)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
