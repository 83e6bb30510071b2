"""Hands as Universal Scene Description with UsdSkel, written by Pixar's library (extra [usd]).

Y up, metres, the camera at the origin. /hands holds a SkelRoot a hand: Skeleton, Mesh with skinning and texture
coordinates, and a SkelAnimation, of one time or of many.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from handscope.errors import HandscopeError, missing_extra
from handscope.infer.formats.animation import Motion, at_rest, motion_of
from handscope.infer.formats.meshes import gltf_quaternions, labels, wrapping
from handscope.infer.formats.rig import INFLUENCES, NAMES, VIEWER, Rig, build_rig, require_model, viewer_pose
from handscope.infer.formats.style import PLAIN, MeshStyle
from handscope.skeleton import MODEL_TO_CANONICAL
from handscope.types import Hand
from handscope.viz import colours_by_finger


def to_usd(hands: Hand | Sequence[Hand], style: MeshStyle = PLAIN) -> str:
    """Hands of a picture as the text of a .usda file, bound flat and posed as in `to_glb`."""
    listed = [hands] if isinstance(hands, Hand) else hands
    scene = _Scene(rate=None)
    for hand, label in zip(listed, labels(listed), strict=True):
        model, left = require_model(hand), hand.handedness == "left"
        rig, (turns, place) = build_rig(model, hand.beta, left=left, bones=style.bones), viewer_pose(hand)
        flat = rig.unskinned(hand.vertices * VIEWER, turns, place)
        motion = Motion(model, np.asarray(hand.beta), left, np.zeros(1), turns[None], place[None])
        scene.add(label, rig, motion, flat)
    return scene.text()


def to_usd_animation(
    frames: Sequence[Hand | None],
    fps: float = 30.0,
    *,
    times: Sequence[float] | None = None,
    style: MeshStyle = PLAIN,
) -> str:
    """One hand frame by frame, as `to_glb_animation` takes them; time codes are frames of `style.frame_rate`, by
    default of `fps`.
    """
    motion = motion_of(frames, fps, times=times, rate=style.frame_rate)
    rig = build_rig(motion.model, motion.beta, left=motion.left, bones=style.bones)
    scene = _Scene(rate=style.frame_rate or fps)
    flat, _ = at_rest(motion.model, motion.beta, left=motion.left)
    scene.add("left" if motion.left else "right", rig, motion, flat)
    return scene.text()


def _pxr(name: str) -> Any:
    """A module of Pixar's library, or one sentence on how to get it."""
    try:
        return import_module(f"pxr.{name}")
    except ModuleNotFoundError as error:
        raise HandscopeError(missing_extra("USD", "usd-core", "usd")) from error


class _Scene:
    """A stage in memory; `rate` time codes a second, None for a still."""

    def __init__(self, rate: float | None) -> None:
        Usd, UsdGeom, UsdSkel = (_pxr(name) for name in ("Usd", "UsdGeom", "UsdSkel"))
        self.skel, self.geom, self.rate = UsdSkel, UsdGeom, rate
        self.stage = Usd.Stage.CreateInMemory()
        UsdGeom.SetStageUpAxis(self.stage, UsdGeom.Tokens.y)
        UsdGeom.SetStageMetersPerUnit(self.stage, 1.0)
        self.stage.SetDefaultPrim(UsdGeom.Xform.Define(self.stage, "/hands").GetPrim())
        if rate is not None:
            self.stage.SetTimeCodesPerSecond(rate)
            self.stage.SetFramesPerSecond(rate)

    def text(self) -> str:
        """The file."""
        return self.stage.GetRootLayer().ExportToString()

    def add(self, label: str, rig: Rig, motion: Motion, flat: NDArray[np.floating]) -> None:
        """A hand whose mesh is `flat` (V, 3) at rest."""
        name = label.replace(" ", "_")
        path = f"/hands/{name}"
        root = self.skel.Root.Define(self.stage, path)
        skeleton = self._skeleton(f"{path}/skeleton", rig, name)
        animation = self._animation(f"{path}/motion", rig, motion, name)
        for prim in (root, skeleton):
            self.skel.BindingAPI.Apply(prim.GetPrim())
        self.skel.BindingAPI(skeleton.GetPrim()).CreateAnimationSourceRel().SetTargets([animation.GetPath()])
        mesh = self._mesh(f"{path}/mesh", rig, motion, flat)
        self.skel.BindingAPI.Apply(mesh.GetPrim()).CreateSkeletonRel().SetTargets([skeleton.GetPath()])

    def _skeleton(self, path: str, rig: Rig, name: str) -> Any:
        skeleton = self.skel.Skeleton.Define(self.stage, path)
        skeleton.CreateJointsAttr(_paths(rig, name))
        bind = np.tile(np.eye(4), (21, 1, 1))
        bind[:, :3, :3], bind[:, :3, 3] = rig.frames, rig.rest
        rest = np.tile(np.eye(4), (21, 1, 1))
        rest[:, :3, :3], rest[:, :3, 3] = rig.local(np.tile(np.eye(3), (21, 1, 1))), rig.offsets
        skeleton.CreateBindTransformsAttr(_matrices(bind))
        skeleton.CreateRestTransformsAttr(_matrices(rest))
        return skeleton

    def _animation(self, path: str, rig: Rig, motion: Motion, name: str) -> Any:
        Gf, Vt = _pxr("Gf"), _pxr("Vt")

        animation = self.skel.Animation.Define(self.stage, path)
        animation.CreateJointsAttr(_paths(rig, name))
        animation.CreateScalesAttr(Vt.Vec3hArray([Gf.Vec3h(1, 1, 1)] * 21))
        turns, places = animation.CreateRotationsAttr(), animation.CreateTranslationsAttr()
        quaternions = gltf_quaternions(rig.local(motion.turns))
        for moment, quaternion, place in zip(motion.clock.tolist(), quaternions, motion.places, strict=True):
            offsets = rig.offsets
            offsets[0] = place
            when = () if self.rate is None else (round(moment * self.rate, 6),)
            turns.Set(Vt.QuatfArray([Gf.Quatf(w, x, y, z) for x, y, z, w in quaternion.tolist()]), *when)
            places.Set(Vt.Vec3fArray([Gf.Vec3f(*offset) for offset in offsets.tolist()]), *when)
        if self.rate is not None:
            self.stage.SetStartTimeCode(round(float(motion.clock[0]) * self.rate, 6))
            self.stage.SetEndTimeCode(round(float(motion.clock[-1]) * self.rate, 6))
        return animation

    def _mesh(self, path: str, rig: Rig, motion: Motion, flat: NDArray[np.floating]) -> Any:
        Gf, Sdf, Vt = _pxr("Gf"), _pxr("Sdf"), _pxr("Vt")

        mesh = self.geom.Mesh.Define(self.stage, path)
        faces = motion.model.faces_of("left" if motion.left else "right")
        mesh.CreatePointsAttr(Vt.Vec3fArray.FromNumpy(np.asarray(flat, np.float32)))
        mesh.CreateFaceVertexCountsAttr(Vt.IntArray([3] * len(faces)))
        mesh.CreateFaceVertexIndicesAttr(Vt.IntArray.FromNumpy(np.ascontiguousarray(faces, np.int32).ravel()))
        mesh.CreateSubdivisionSchemeAttr("none")
        mesh.CreateDoubleSidedAttr(True)
        mesh.CreateExtentAttr(Vt.Vec3fArray([Gf.Vec3f(*flat.min(0).tolist()), Gf.Vec3f(*flat.max(0).tolist())]))
        colours = (colours_by_finger(flat, rig.rest[MODEL_TO_CANONICAL]) / 255) ** 2.2
        colour = mesh.CreateDisplayColorPrimvar("vertex")
        colour.Set(Vt.Vec3fArray.FromNumpy(colours.astype(np.float32)))
        wrapped = wrapping(motion.model, left=motion.left)
        if wrapped is not None:
            corners = wrapped.uv[wrapped.faces.ravel()] * [1, -1] + [0, 1]  # USD's v goes up
            where = self.geom.PrimvarsAPI(mesh).CreatePrimvar(
                "st", Sdf.ValueTypeNames.TexCoord2fArray, self.geom.Tokens.faceVarying
            )
            where.Set(Vt.Vec2fArray.FromNumpy(np.ascontiguousarray(corners, np.float32)))
        binding = self.skel.BindingAPI.Apply(mesh.GetPrim())
        owners = Vt.IntArray.FromNumpy(np.ascontiguousarray(rig.owners, np.int32).ravel())
        binding.CreateJointIndicesPrimvar(False, INFLUENCES).Set(owners)
        weights = Vt.FloatArray.FromNumpy(np.ascontiguousarray(rig.weights, np.float32).ravel())
        binding.CreateJointWeightsPrimvar(False, INFLUENCES).Set(weights)
        return mesh


def _paths(rig: Rig, name: str) -> list[str]:
    """Joints as UsdSkel names them: by their way from the root."""
    paths: list[str] = []
    for joint, parent in enumerate(rig.parents.tolist()):
        own = f"{name}_{NAMES[joint]}"
        paths.append(own if parent < 0 else f"{paths[parent]}/{own}")
    return paths


def _matrices(columns: NDArray[np.floating]) -> Any:
    """Matrices (n, 4, 4) that act on columns, as USD's, which act on rows."""
    Gf, Vt = _pxr("Gf"), _pxr("Vt")

    return Vt.Matrix4dArray([Gf.Matrix4d(matrix.T.tolist()) for matrix in columns])
