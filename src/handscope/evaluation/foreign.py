"""Anybody's answers: FreiHAND's pred.json (or the .zip of it), a table .csv, or a plain .npz; metres and pixels.

pred.json is `[xyz, verts]`, a row for each labelled hand in the data set's order. The other two name their rows: `key`
is a picture's key as `handscope eval` gives it, with "#1" for its second labelled hand ("#0" may be left out). A table
has a row a hand with the columns u0, v0 to u20, v20 (px) or x0, y0, z0 to x20, y20, z20 (metres, camera frame), or both
groups, and perhaps `found` (0 or 1). A plain .npz has `keys` (n,), `joints_2d` (n, 21, 2) or `joints_3d` (n, 21, 3), or
both, and perhaps `found` (n,), `vertices` (n, V, 3), `K` (n, 3, 3), `masks` (n, H, W) of whole pictures. Joints are in
FreiHAND's order. What an answer lacks is NaN, and variants that need it are refused.
"""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from handscope.errors import HandscopeError
from handscope.evaluation.predictions import PackedMasks, Predictions, load_predictions
from handscope.evaluation.truth import Truth
from handscope.npz import BROKEN, MOST_BYTES, read_npz
from handscope.paths import read_bytes

FLAT_COLUMNS = [f"{axis}{joint}" for joint in range(21) for axis in "uv"]
SPATIAL_COLUMNS = [f"{axis}{joint}" for joint in range(21) for axis in "xyz"]
FORMS = 'docs/evaluation.md, "Anybody\'s answers", has the forms'
IN_ORDER = "in_order"


def load_answers(path: Path) -> Predictions:
    """The answers in a file, told by its ending: .json or .zip, .csv, else .npz (ours, or a plain one).

    Those of pred.json have no keys yet; `in_order_of` gives them.
    """
    ending = path.suffix.lower()
    if ending in (".json", ".zip"):
        return _freihand(path)
    if ending == ".csv":
        return _table(path)
    return _plain(path) if _is_plain(path) else load_predictions(path)


def in_order_of(answers: Predictions, truth: Truth) -> Predictions:
    """Answers without keys, taken for those of the truth's hands, row by row; others as they are."""
    if not answers.header.get(IN_ORDER):
        return answers
    if len(answers.found) != len(truth) or truth.unreadable:
        lost = f", {len(truth.unreadable)} of its pictures cannot be read" if truth.unreadable else ""
        raise HandscopeError(
            f"{answers.header['file']}: {len(answers.found)} rows in the data set's order, but that has {len(truth)} "
            f"labelled hands{lost}; give the split and options they were made for, or answers with keys"
        )
    return replace(answers, keys=truth.keys)


def _freihand(path: Path) -> Predictions:
    content = _read(path)
    if path.suffix.lower() == ".zip":
        try:
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                if archive.getinfo("pred.json").file_size > MOST_BYTES:
                    raise ValueError(f"it unpacks to more than {MOST_BYTES / 2**30:g} GiB")
                content = archive.read("pred.json")
        except BROKEN as problem:
            raise HandscopeError(f"{path}: no .zip with a pred.json ({problem}); {FORMS}") from problem
    try:
        joints, vertices = json.loads(content)
        points = np.array(joints, np.float64)
        meshes = np.array(vertices, np.float64)
    except (ValueError, TypeError, RecursionError) as problem:
        raise HandscopeError(f"{path}: expected FreiHAND's [xyz, verts] ({problem}); {FORMS}") from problem
    if points.shape != (len(points), 21, 3) or meshes.ndim != 3 or meshes.shape[::2] != (len(points), 3):
        raise HandscopeError(
            f"{path}: xyz has the shape {points.shape} and verts {meshes.shape}, expected (n, 21, 3) and (n, V, 3); "
            f"{FORMS}"
        )
    has_mesh = meshes.shape[1] > 1  # a single point stands in where there is none
    return _answers(path, np.full(len(points), ""), None, points, vertices=meshes if has_mesh else None, in_order=True)


def _table(path: Path) -> Predictions:
    try:
        rows = list(csv.DictReader(io.StringIO(_read(path).decode("utf-8-sig"))))
    except (UnicodeDecodeError, csv.Error) as problem:
        raise HandscopeError(f"{path}: no table that can be read ({problem}); {FORMS}") from problem
    there = set(rows[0]) if rows else set()
    groups = [set(FLAT_COLUMNS) <= there, set(SPATIAL_COLUMNS) <= there]
    if "key" not in there or not any(groups):
        raise HandscopeError(f"{path}: expected the columns key and u0 to v20 or x0 to z20; {FORMS}")
    try:
        flat, spatial = (
            np.array([[float(row[c]) for c in columns] for row in rows]).reshape(len(rows), 21, -1) if group else None
            for columns, group in zip((FLAT_COLUMNS, SPATIAL_COLUMNS), groups, strict=True)
        )
        found = np.array([bool(float(row.get("found") or 1)) for row in rows])
    except (ValueError, TypeError) as problem:
        raise HandscopeError(f"{path}: expected a number in every cell ({problem}); {FORMS}") from problem
    return _answers(path, np.array([row["key"] for row in rows]), flat, spatial, found=found)


def _is_plain(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            names = set(archive.namelist())
        return "header.npy" not in names and "keys.npy" in names
    except BROKEN:
        return False


def _plain(path: Path) -> Predictions:
    arrays = read_npz(path, FORMS)
    try:
        keys = np.array([str(key) for key in arrays.pop("keys")])
        masks = arrays.pop("masks", None)
        numbers = {name: np.asarray(values, np.float64) for name, values in arrays.items()}
    except (ValueError, TypeError) as problem:
        raise HandscopeError(f"{path}: not a whole .npz of numbers ({problem}); {FORMS}") from problem
    n = len(keys)
    shapes = {"joints_2d": (n, 21, 2), "joints_3d": (n, 21, 3), "found": (n,), "K": (n, 3, 3)}
    for name, shape in shapes.items():
        if name in numbers and numbers[name].shape != shape:
            raise HandscopeError(f"{path}: {name} has the shape {numbers[name].shape}, expected {shape}; {FORMS}")
    if not {"joints_2d", "joints_3d"} & set(numbers):
        raise HandscopeError(f"{path}: has neither joints_2d nor joints_3d; {FORMS}")
    vertices = numbers.get("vertices")
    if vertices is not None and (vertices.ndim != 3 or vertices.shape[::2] != (n, 3)):
        raise HandscopeError(f"{path}: vertices has the shape {vertices.shape}, expected ({n}, V, 3); {FORMS}")
    if masks is not None and (masks.ndim != 3 or len(masks) != n):
        raise HandscopeError(f"{path}: masks has the shape {masks.shape}, expected ({n}, H, W); {FORMS}")
    return _answers(
        path,
        keys,
        numbers.get("joints_2d"),
        numbers.get("joints_3d"),
        found=numbers["found"] > 0 if "found" in numbers else None,
        vertices=vertices,
        masks=None if masks is None else PackedMasks.pack([mask > 0 for mask in masks]),
        K=numbers.get("K"),
    )


def _answers(
    path: Path,
    keys: NDArray[np.character],
    flat: NDArray[np.float64] | None,
    spatial: NDArray[np.float64] | None,
    *,
    found: NDArray[np.bool_] | None = None,
    vertices: NDArray[np.float64] | None = None,
    masks: PackedMasks | None = None,
    K: NDArray[np.float64] | None = None,
    in_order: bool = False,
) -> Predictions:
    whole = np.array([str(key) if "#" in str(key) or in_order else f"{key}#0" for key in keys])
    repeated = [key for key, count in Counter(whole.tolist()).items() if count > 1]
    if repeated and not in_order:
        raise HandscopeError(f"{path}: {repeated[0]} has more than one row; give each hand once, the second as ...#1")
    n = len(keys)
    found = np.ones(n, np.bool_) if found is None else found
    flat = np.full((n, 21, 2), np.nan) if flat is None else flat
    spatial = np.full((n, 21, 3), np.nan) if spatial is None else spatial
    return Predictions(
        keys=whole,
        found=found,
        joints_2d=np.where(found[:, None, None], flat, 0.0),
        joints_3d=np.where(found[:, None, None], spatial, 0.0),
        vertices=vertices,
        masks=masks,
        K=K,
        header={"file": str(path), "name": path.stem, IN_ORDER: in_order},
    )


def _read(path: Path) -> bytes:
    return read_bytes(path, lambda sentence: HandscopeError(f"{sentence}; {FORMS}"))
