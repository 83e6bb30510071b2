"""Dexter+Object (Sridhar et al., ECCV 2016): fingertips of a left hand with a cuboid, six sequences, 640 x 480 px.

Labels are millimetres and pixels of the DEPTH camera (320 x 240), one line a picture, `u, v;` and `x, y, z;` for thumb
to little finger, then what belongs to the object; z = 32001 means missing. The signs of x and y are found by comparing
the two files: copies differ in them. Calibration as in Minimal-Hand-pytorch (datasets/dexter_object.py).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from handscope.data.files import AGAIN, in_numbers, read_picture, whole_sequences
from handscope.data.labels import hand_label
from handscope.errors import AssetError
from handscope.geometry.camera import project
from handscope.skeleton import TIPS
from handscope.types import Sample

SEQUENCES = ("Grasp1", "Grasp2", "Occlusion", "Pinch", "Rigid", "Rotate")
MISSING = 32001.0
K_COLOUR = np.array([[587.45209, 0, 325], [0, 600.67456, 249], [0, 0, 1]])
K_DEPTH = np.array([[224.502, 0, 160], [0, 230.494, 120], [0, 0, 1]])
TO_COLOUR = np.array([[0.9999, 0.0034, 0.0161], [-0.0033, 1.0, -0.0079], [-0.0162, 0.0079, 0.9998]])
SHIFT_M = np.array([19.0473, -1.8514, -4.7501]) * 1e-3
"""From the depth camera to the colour camera: x_colour = TO_COLOUR x_depth + SHIFT_M."""
FOLDER = "the folder that holds data/Grasp1 and so on (dexter+object)"


class DexterObject:
    """Map-style, for evaluation: known are up to five fingertips. A picture without any has a hand without joints.
    Sequences that are not there are left out only if `partial` is "yes".
    """

    def __init__(self, root: Path | str, *, partial: str = "no") -> None:
        self.pictures: list[Path] = []
        tips = []
        needed = {s: [f"data/{s}/annotations/{s}{kind}.txt" for kind in ("2D", "3D")] for s in SEQUENCES}
        for sequence in whole_sequences(Path(root), needed, partial, FOLDER):
            flat_path, spatial_path = (Path(root) / below for below in needed[sequence])
            pictures = sorted((Path(root) / f"data/{sequence}/color").glob("*.*"), key=in_numbers)
            flat, spatial = read_tips(flat_path, 2), read_tips(spatial_path, 3)
            for path, found in ((flat_path, len(flat)), (spatial_path, len(spatial))):
                if found != len(pictures):
                    raise AssetError(f"{path}: found {found} lines for {len(pictures)} pictures in color; {AGAIN}")
            self.pictures += pictures
            tips.append(in_camera_axes(spatial, flat))
        self.tips = np.concatenate(tips)

    def __len__(self) -> int:
        return len(self.pictures)

    def files(self, i: int) -> tuple[Path, ...]:
        """The file that picture i is read from."""
        return (self.pictures[i],)

    def __getitem__(self, i: int) -> Sample:
        path = self.pictures[i]
        joints = np.full((21, 3), np.nan)
        joints[list(TIPS)] = self.tips[i] @ TO_COLOUR.T + SHIFT_M
        return Sample(
            key=f"{path.parent.parent.name}/{path.stem}",
            source="dexter_object",
            image=read_picture(path),
            hands=(hand_label(handedness="left", joints_3d=joints, K=K_COLOUR),),
            K=K_COLOUR,
            complete=False,
        )


def read_tips(path: Path, size: int) -> NDArray[np.float64]:
    """The five fingertips (n, 5, size) of an annotation file; NaN where z is missing."""
    try:
        lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
        rows = [[[float(v) for v in point.split(",")] for point in line.split(";")[:5]] for line in lines]
        tips = np.array(rows, np.float64).reshape(len(lines), 5, size)
    except (OSError, ValueError) as problem:
        raise AssetError(f"{path}: expected five points of {size} numbers a line ({problem}); {AGAIN}") from problem
    if size == 3:
        tips[tips[..., 2] == MISSING] = np.nan
    return tips


def in_camera_axes(tips_mm: NDArray[np.float64], pixels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Fingertips (n, 5, 3) in metres, x right and y down: the signs by which they fall on their `pixels` (n, 5, 2)."""
    known = np.isfinite(tips_mm).all(-1)
    best, least = tips_mm, np.inf
    for sign in ([1, 1, 1], [-1, -1, 1], [1, -1, 1], [-1, 1, 1]):
        turned = tips_mm * sign
        with np.errstate(invalid="ignore", divide="ignore"):
            error = np.linalg.norm(project(turned, K_DEPTH) - pixels, axis=-1)[known]
        off = float(np.median(error)) if error.size else 0.0
        if off < least:
            best, least = turned, off
    return best * 1e-3
