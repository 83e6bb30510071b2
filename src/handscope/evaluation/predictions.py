"""The file of predictions: made once by `handscope predict-dataset`, scored often by `handscope eval`.

One .npz without pickles. A row is one labelled hand: `keys` (n,) text, "sample key#number of the hand"; `found` (n,)
bool; `joints_2d` (n, 21, 2) px; `joints_3d` (n, 21, 3) m in the camera frame; perhaps `K` (n, 3, 3), the camera that
projects them; perhaps `vertices` (n, V, 3) m; perhaps masks as packed bits (`mask_bits`, `mask_offsets` (n + 1,),
`mask_shapes` (n, 2)), and those of the projected meshes (`mesh_mask_*`); with MANO's hand `refit_residual_mm` (n,), how
far its joints are from those it was fitted to, on average (NaN where no hand was found). `header` is JSON: format,
dataset, the weights' card, how the hands were found. Rows not found hold zeros.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from handscope.errors import HandscopeError
from handscope.files import NewFile, write_file
from handscope.npz import read_npz

FORMAT = "handscope-predictions-1"
REMEDY = "make it with `handscope predict-dataset`"
PACKED = ("bits", "offsets", "shapes")
SHAPES = {"joints_2d": (21, 2), "joints_3d": (21, 3), "found": (), "keys": ()}


@dataclass(frozen=True)
class PackedMasks:
    """Masks of any sizes, eight pixels a byte; a row may have none (its shape is 0 x 0)."""

    bits: NDArray[np.uint8]
    offsets: NDArray[np.int64]
    shapes: NDArray[np.int64]

    @classmethod
    def pack(cls, masks: Sequence[NDArray[np.bool_] | None]) -> PackedMasks:
        """Masks (H, W) each, or None for a row that has none."""
        whole = [np.zeros((0, 0), np.bool_) if mask is None else mask for mask in masks]
        parts = [np.packbits(mask) for mask in whole]
        offsets = np.cumsum([0, *(len(part) for part in parts)])
        return cls(
            np.concatenate([np.zeros(0, np.uint8), *parts]),
            offsets.astype(np.int64),
            np.array([mask.shape for mask in whole], np.int64).reshape(-1, 2),
        )

    @property
    def known(self) -> NDArray[np.bool_]:
        """Which rows (n,) have a mask."""
        return (self.shapes[:, 0] > 0) & (self.shapes[:, 1] > 0)

    def __len__(self) -> int:
        return len(self.shapes)

    def __getitem__(self, i: int) -> NDArray[np.bool_]:
        """Mask (H, W) of row i; (0, 0) if it has none."""
        height, width = self.shapes[i]
        part = self.bits[self.offsets[i] : self.offsets[i + 1]]
        return np.unpackbits(part, count=height * width).reshape(height, width).astype(bool)


@dataclass(frozen=True, kw_only=True)
class Predictions:
    """The content of a file of predictions."""

    keys: NDArray[np.character]
    found: NDArray[np.bool_]
    joints_2d: NDArray[np.float64]
    joints_3d: NDArray[np.float64]
    vertices: NDArray[np.floating] | None = None
    masks: PackedMasks | None = None
    K: NDArray[np.float64] | None = None
    mesh_masks: PackedMasks | None = None
    refit_residual_mm: NDArray[np.float64] | None = None
    header: dict[str, Any] = field(default_factory=dict)

    def save(self, path: Path) -> None:
        """Write the arrays as a .npz at `path`."""
        arrays: dict[str, Any] = {
            "keys": self.keys,
            "found": self.found,
            "joints_2d": self.joints_2d.astype(np.float32),
            "joints_3d": self.joints_3d.astype(np.float32),
            "header": np.array(json.dumps({"format": FORMAT} | self.header)),
        }
        if self.vertices is not None:
            arrays["vertices"] = self.vertices.astype(np.float32)
        if self.K is not None:
            arrays["K"] = self.K
        if self.refit_residual_mm is not None:
            arrays["refit_residual_mm"] = self.refit_residual_mm
        for name, masks in (("mask", self.masks), ("mesh_mask", self.mesh_masks)):
            if masks is not None:
                arrays |= {f"{name}_{k}": getattr(masks, k) for k in PACKED}
        path.parent.mkdir(parents=True, exist_ok=True)
        with NewFile(path) as beside, beside.open("wb") as file:
            np.savez_compressed(file, **arrays)


def load_predictions(path: Path) -> Predictions:
    """Read and check a file of predictions; HandscopeError in one sentence if it is none."""
    arrays = read_npz(path, REMEDY)
    try:
        header = json.loads(str(arrays["header"]))
    except (ValueError, KeyError, RecursionError) as problem:
        raise HandscopeError(f"{path}: not a file of predictions ({problem}); {REMEDY}") from problem
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        found = header.get("format") if isinstance(header, dict) else header
        raise HandscopeError(f"{path}: found format {found!r}, expected {FORMAT!r}; {REMEDY}")
    count = len(np.atleast_1d(arrays.get("keys", [])))
    for name, shape in SHAPES.items():
        found = arrays[name].shape if name in arrays else None
        if found != (count, *shape):
            raise HandscopeError(f"{path}: {name} has the shape {found}, expected {(count, *shape)}; {REMEDY}")
    numbers = [array for name, array in arrays.items() if name not in ("keys", "header")]
    if arrays["keys"].dtype.kind not in "US" or any(array.dtype.kind not in "biuf" for array in numbers):
        raise HandscopeError(f"{path}: keys are text and everything else numbers, which is not so here; {REMEDY}")
    wanted = {"K": (count, 3, 3), "refit_residual_mm": (count,)}
    for name, shape in wanted.items():
        if name in arrays and arrays[name].shape != shape:
            raise HandscopeError(f"{path}: {name} has the shape {arrays[name].shape}, expected {shape}; {REMEDY}")
    vertices = arrays.get("vertices")
    if vertices is not None and (vertices.ndim != 3 or vertices.shape[::2] != (count, 3)):
        raise HandscopeError(f"{path}: vertices has the shape {vertices.shape}, expected ({count}, V, 3); {REMEDY}")
    return Predictions(
        keys=arrays["keys"],
        found=arrays["found"].astype(bool),
        joints_2d=arrays["joints_2d"].astype(np.float64),
        joints_3d=arrays["joints_3d"].astype(np.float64),
        vertices=arrays.get("vertices"),
        masks=_packed(path, arrays, "mask", count),
        K=arrays.get("K"),
        mesh_masks=_packed(path, arrays, "mesh_mask", count),
        refit_residual_mm=arrays.get("refit_residual_mm"),
        header=header,
    )


def _packed(path: Path, arrays: Mapping[str, NDArray[Any]], name: str, count: int) -> PackedMasks | None:
    """The masks of that name, whose parts must belong together: each as many bytes as its sides want."""
    parts = [arrays[f"{name}_{k}"] for k in PACKED if f"{name}_{k}" in arrays]
    if len(parts) != len(PACKED):
        return None
    bits, offsets, shapes = parts
    kinds = bits.dtype == np.uint8 and offsets.dtype.kind in "iu" and shapes.dtype.kind in "iu"
    if kinds and bits.ndim == 1 and offsets.shape == (count + 1,) and shapes.shape == (count, 2):
        sides = shapes.astype(np.int64)
        steps = np.diff(offsets.astype(np.int64))
        fits = sides.min(initial=0) >= 0 and sides.max(initial=0) < 2**16
        if fits and offsets[0] == 0 and offsets[-1] == len(bits) and np.array_equal(steps, -(-sides.prod(1) // 8)):
            return PackedMasks(bits, offsets.astype(np.int64), sides)
    raise HandscopeError(f"{path}: the parts of {name} do not belong together; {REMEDY}")


def save_freihand(predictions: Predictions, path: Path) -> None:
    """FreiHAND's submission: pred.json, `[xyz, verts]` in metres, in a zip for the server if `path` ends in .zip.

    The server wants the evaluation set in its order, 3,960 hands; the caller sees to that. Without vertices, or with
    others than MANO's 778, the script scores joints only, so a single point stands in for each mesh.
    """
    vertices = predictions.vertices
    if vertices is None or vertices.shape[1] != 778:
        vertices = np.zeros((len(predictions.keys), 1, 3))
    content = json.dumps([np.round(a.astype(np.float64), 6).tolist() for a in (predictions.joints_3d, vertices)])
    if path.suffix != ".zip":
        write_file(path, content)
        return
    with NewFile(path) as beside, zipfile.ZipFile(beside, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("pred.json", content)
