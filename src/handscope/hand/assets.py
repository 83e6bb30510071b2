"""Hand model files: the shipped open hand, and official MANO files if the user has them.

Both become one `HandAsset`: a RIGHT hand of MANO's structure (Romero et al. 2017), metres, theta = 0 flat. Axes
of the open hand: fingers towards -x, back of the hand +y, thumb side +z. MANO files are unpickled by an
allow-list (no chumpy, no code execution); a left hand is mirrored into a right one.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, fields, replace
from functools import cache, cached_property
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from handscope.errors import AssetError
from handscope.geometry.meshes import vertex_normals
from handscope.npz import read_npz
from handscope.paths import as_path, reason
from handscope.skeleton import MODEL_PARENTS
from handscope.types import HandModel, frozen_array
from handscope.unpickle import BROKEN, ArrayUnpickler, StandIn

OPEN_HAND = "hand_right.npz"
MANO_TIPS = (745, 317, 444, 556, 673)
"""Tip vertices of thumb, index, middle, ring, little finger on MANO's 778 (manopth's choice)."""

UNIT_SHAPE_M = 0.0005
"""A unit of shape weighs as much as joints that move by this (root of the sum of squares, metres)."""


ARRAYS: dict[str, tuple[int | str, ...]] = {
    "template": ("V", 3), "shapedirs": ("V", 3, 10), "posedirs": ("V", 3, 135), "joint_regressor": (16, "V"),
    "weights": ("V", 16), "parents": (16,), "faces": ("F", 3), "silhouette_faces": ("f", 3), "tips": (5,),
    "axes": (15, 3, 3), "uv": ("U", 2), "uv_faces": ("F", 3), "uv_crop": (3,), "boundary": ("B",),
}  # fmt: skip
"""The arrays of a file of the open hand, and their shapes."""
OPTIONAL = {"axes", "uv", "uv_faces", "uv_crop", "boundary"}
INDICES = {"faces": "V", "silhouette_faces": "V", "tips": "V", "boundary": "V", "uv_faces": "U"}
"""Arrays of numbers of vertices, or of places on the texture."""
LARGEST = 2**28
"""Bytes of a hand model's arrays, at most."""
AGAIN = "rebuild it with scripts/build_hand_model.py or reinstall handscope"


@dataclass(frozen=True, eq=False)
class HandAsset:
    """A right hand: V vertices, F triangles, 16 joints in MANO's order, 10 shape components.

    `template` (V, 3) m; `shapedirs` (V, 3, 10) m per unit beta; `posedirs` (V, 3, 135) m per entry of R - I;
    `joint_regressor` (16, V); `weights` (V, 16); `parents` (16,); `faces` (F, 3) counter-clockwise from
    outside; `silhouette_faces` (f, 3) a coarser list over the same vertices; `tips` (5,) vertices of thumb to
    little finger; `axes` (15, 3, 3) flexion, abduction and twist axis of each joint at rest, `uv` (U, 2),
    `uv_faces` (F, 3) and the ordered wrist loop `boundary`: open hand only. Its arrays cannot be written to.
    `origin` is the file it was read from, "" for the shipped one: a pickle holds that and not the arrays.
    """

    name: HandModel
    template: NDArray[np.float32]
    shapedirs: NDArray[np.float32]
    posedirs: NDArray[np.float32]
    joint_regressor: NDArray[np.float32]
    weights: NDArray[np.float32]
    parents: NDArray[np.int32]
    faces: NDArray[np.int32]
    silhouette_faces: NDArray[np.int32]
    tips: NDArray[np.int32]
    axes: NDArray[np.float32] | None = None
    uv: NDArray[np.float32] | None = None
    uv_faces: NDArray[np.int32] | None = None
    uv_crop: NDArray[np.float64] | None = None
    boundary: NDArray[np.int32] | None = None
    origin: str | None = None

    def __post_init__(self) -> None:
        for field in fields(self):
            if isinstance(value := getattr(self, field.name), np.ndarray):
                object.__setattr__(self, field.name, frozen_array(value))

    def __reduce__(self) -> Any:
        return super().__reduce__() if self.origin is None else (_known_asset, (self.origin,))

    def faces_of(self, handedness: str) -> NDArray[np.int32]:
        """Triangles (F, 3) of a "right" hand's mesh, or of a "left" one's, which is mirrored."""
        return self.faces if handedness == "right" else self._mirrored_faces

    @cached_property
    def _mirrored_faces(self) -> NDArray[np.int32]:
        return frozen_array(self.faces[:, ::-1])

    @cached_property
    def joints(self) -> NDArray[np.float32]:
        """Rest joints (16, 3) of the mean hand, metres."""
        return (self.joint_regressor @ self.template).astype(np.float32)

    @cached_property
    def joint_dirs(self) -> NDArray[np.float32]:
        """How the rest joints move with the shape: (16, 3, 10) m per unit beta."""
        return np.einsum("jv,vck->jck", self.joint_regressor, self.shapedirs).astype(np.float32)

    @cached_property
    def thickening(self) -> NDArray[np.float64]:
        """The change of shape (10,) that moves the skin outwards by a metre in the mean, as far as shapes can without
        moving the joints: 2 mm of thickness move joints by 0.4 mm.
        """
        normals = vertex_normals(self.template.astype(np.float64), self.faces)
        outwards = np.einsum("vc,vck->k", normals, self.shapedirs) / len(normals)
        joints = (self.joint_dirs - self.joint_dirs[:1]).reshape(48, 10).astype(np.float64)
        direction = np.linalg.solve(joints.T @ joints + UNIT_SHAPE_M**2 * np.eye(10), outwards)
        return direction / (outwards @ direction)


def load_asset(path: str | Path | None = None) -> HandAsset:
    """The shipped open hand, a file of the same format (.npz), or MANO_RIGHT.pkl / MANO_LEFT.pkl.

    Raises AssetError if the file is missing, damaged, or something else.
    """
    if path is None:
        return _shipped()
    path = as_path(path)
    if not path.is_file():
        raise AssetError(f"{path}: no such hand model; give a hand_right.npz, MANO_RIGHT.pkl or MANO_LEFT.pkl")
    return _load_npz(path) if path.suffix == ".npz" else replace(load_mano(path), origin=str(path.resolve()))


@cache
def _shipped() -> HandAsset:
    with resources.as_file(resources.files("handscope.hand") / "data" / OPEN_HAND) as path:
        return replace(_load_npz(path), origin="")


@cache
def _known_asset(origin: str) -> HandAsset:
    """The hand model that a pickle names, once a process."""
    return load_asset(origin or None)


def _load_npz(path: Path) -> HandAsset:
    found = read_npz(path, AGAIN, most=LARGEST, kind=AssetError)
    missing = {name for name in ARRAYS if name not in OPTIONAL} - set(found)
    if missing:
        raise AssetError(f"{path}: not a hand model: lacks {', '.join(sorted(missing))}; {AGAIN}")
    arrays = {name: found[name] for name in ARRAYS if name in found}
    sizes: dict[str, int] = {}
    for name, array in arrays.items():
        if wrong := _wrong(array, ARRAYS[name], sizes):
            raise AssetError(f"{path}: not a hand model: {name} {wrong}; {AGAIN}")
    for name, of in INDICES.items():
        if name in arrays and (arrays[name].min(initial=0) < 0 or arrays[name].max(initial=0) >= sizes[of]):
            raise AssetError(f"{path}: not a hand model: {name} points beyond its {sizes[of]} vertices; {AGAIN}")
    if tuple(arrays["parents"][1:]) != MODEL_PARENTS[1:]:
        raise AssetError(f"{path}: not a hand model: its joints hang together otherwise than a hand's; {AGAIN}")
    return HandAsset(name="open", origin=str(path.resolve()), **arrays)


def _wrong(array: NDArray[Any], wanted: tuple[int | str, ...], sizes: dict[str, int]) -> str:
    """What is wrong with an array of the shape `wanted`, "" if nothing; letters are sizes, the first one to say a
    letter's size decides.
    """
    if array.dtype.kind not in "iuf":
        return f"holds {array.dtype}, expected numbers"
    if array.ndim != len(wanted) or any(
        found != (sizes.setdefault(size, found) if isinstance(size, str) else size)
        for found, size in zip(array.shape, wanted, strict=True)
    ):
        shape = " x ".join(f"{sizes.get(size, size) if isinstance(size, str) else size}" for size in wanted)
        return f"has the shape {array.shape}, expected {shape}"
    return "" if np.isfinite(array).all() else "is not finite everywhere"


class _Chumpy(StandIn):
    """Stands in for chumpy objects: keeps their state, runs none of their code."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        if isinstance(state, dict):
            self.__dict__.update(state)


class _SparseCsc(StandIn):
    """A scipy sparse matrix without scipy: its state is `data`, `indices`, `indptr`, `_shape`."""

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)

    def dense(self, by_rows: bool) -> NDArray[np.float64]:
        shape = tuple(self.__dict__.get("_shape") or self.__dict__["shape"])
        if shape != (16, 778):
            raise ValueError(f"a joint regressor of shape {shape}")
        out = np.zeros(shape)
        for major in range(len(self.indptr) - 1):  # type: ignore[attr-defined]
            part = slice(self.indptr[major], self.indptr[major + 1])  # type: ignore[attr-defined]
            minor, values = self.indices[part], self.data[part]  # type: ignore[attr-defined]
            if by_rows:
                np.add.at(out, (major, minor), values)
            else:
                np.add.at(out, (minor, major), values)
        return out


class _SparseCsr(_SparseCsc):
    """The row-wise sibling."""


class _ManoUnpickler(ArrayUnpickler):
    """Reads arrays, and stand-ins for chumpy's and scipy's classes."""

    def find_class(self, module: str, name: str) -> object:
        if module.split(".")[0] == "chumpy":
            return _Chumpy
        if module.startswith("scipy.sparse") and name in ("csc_matrix", "csr_matrix", "csc_array", "csr_array"):
            return _SparseCsr if name.startswith("csr") else _SparseCsc
        return super().find_class(module, name)


def _array(value: Any) -> NDArray[Any]:
    if isinstance(value, _Chumpy):
        state = value.__dict__
        if "idxs" in state and "a" in state:  # chumpy.reordering.Select
            picked = _array(state["a"]).ravel()[_array(state["idxs"])]
            shape = state.get("preferred_shape")
            return picked.reshape(shape) if shape is not None else picked
        value = state["x"]
    if isinstance(value, _SparseCsc):
        return value.dense(by_rows=isinstance(value, _SparseCsr))
    if not isinstance(value, np.ndarray):
        raise ValueError(f"a {type(value).__name__} where an array belongs")
    return np.asarray(value)


def _mano_content(path: Path) -> dict[str, Any]:
    try:
        return _ManoUnpickler(io.BytesIO(path.read_bytes()), encoding="latin1").load()
    except (*BROKEN, OSError) as problem:
        raise _not_mano(path, problem) from problem


def _not_mano(path: Path, problem: Exception) -> AssetError:
    return AssetError(f"{path}: not an official MANO file ({reason(problem)[:200]}); download it from the MANO site")


def load_mano_mean_pose(path: str | Path) -> NDArray[np.float32]:
    """The mean pose (15, 3) axis-angle of a MANO file: what `flat_hand_mean=False` adds to a pose."""
    path = as_path(path)
    try:
        return _array(_mano_content(path)["hands_mean"]).astype(np.float32).reshape(15, 3)
    except BROKEN as problem:
        raise _not_mano(path, problem) from problem


def load_mano(path: Path) -> HandAsset:
    """An official MANO file as a right-hand asset; a left hand is mirrored, its shape-sign bug detected and
    mended.
    """
    content = _mano_content(path)
    try:
        raw = {
            key: _array(content[key]) for key in ("v_template", "shapedirs", "posedirs", "J_regressor", "weights", "f")
        }
        parents = _array(content["kintree_table"]).astype(np.int64)[0]
    except BROKEN as problem:
        raise _not_mano(path, problem) from problem
    vertices = raw["v_template"].shape
    if vertices != (778, 3) or raw["J_regressor"].shape != (16, 778) or tuple(parents[1:]) != MODEL_PARENTS[1:]:
        raise AssetError(f"{path}: found a template of shape {vertices}, expected MANO's (778, 3) with 16 joints")
    template, shapedirs = raw["v_template"].astype(np.float64), raw["shapedirs"].astype(np.float64)[..., :10]
    posedirs, faces = raw["posedirs"].astype(np.float64), raw["f"].astype(np.int32)
    joints = raw["J_regressor"] @ template
    if is_left(template, joints):
        if has_left_shape_bug(template, shapedirs, joints):
            shapedirs[:, 0] *= -1
        mirror = np.array([-1.0, 1.0, 1.0])
        template, shapedirs = template * mirror, shapedirs * mirror[:, None]
        features = np.tile(np.outer(mirror, mirror).ravel(), 15)  # R -> S R S under the mirror S
        posedirs = posedirs * mirror[:, None] * features
        faces = faces[:, ::-1]
    f32 = lambda a: np.ascontiguousarray(a, np.float32)  # noqa: E731
    return HandAsset(
        name="MANO",
        template=f32(template),
        shapedirs=f32(shapedirs),
        posedirs=f32(posedirs),
        joint_regressor=f32(raw["J_regressor"]),
        weights=f32(raw["weights"]),
        parents=np.array(MODEL_PARENTS, np.int32),
        faces=np.ascontiguousarray(faces),
        silhouette_faces=np.ascontiguousarray(faces),
        tips=np.array(MANO_TIPS, np.int32),
    )


def is_left(template: NDArray[np.floating], joints: NDArray[np.floating]) -> bool:
    """True if this flat hand is a left one: from the fingers, the thumb and the back it has the other turn.

    The palm faces -y in both; fingers point away from the wrist along x; the thumb side is +z.
    """
    fingers = joints[4] - joints[0]
    thumb = joints[13] - joints[0]
    return bool(np.cross(fingers, thumb)[1] < 0)


def has_left_shape_bug(
    template: NDArray[np.floating], shapedirs: NDArray[np.floating], joints: NDArray[np.floating]
) -> bool:
    """True for copies of MANO_LEFT whose shapedirs kept the right hand's sign in x (smplx issue 48).

    In a right file the component of overall size moves vertices away from the wrist along every axis alike; in
    a broken one it stretches the hand in z while it shrinks it in x.
    """
    offset = template - joints[0]
    gain = np.einsum("vc,vck->ck", offset, shapedirs) / (offset**2).sum(0)[:, None]  # (3, 10) relative growth
    component = np.argmax(np.minimum(np.abs(gain[0]), np.abs(gain[2])))
    return bool(gain[0, component] * gain[2, component] < 0)
