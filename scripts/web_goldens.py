"""Golden numbers for the browser's arithmetic: what Python computes of small inputs, as JSON in web/tests/goldens/.

    PYTHONPATH=src python scripts/web_goldens.py

vitest holds the TypeScript modules against these files, tests/web/test_goldens.py holds Python against them: whichever
side changes alone fails. Pictures are made by a formula that both sides know (`picture`); bytes are base64.
"""

from __future__ import annotations

import base64
import json
import struct
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from handscope.geometry.boxes import best_of_each, box_iou
from handscope.geometry.camera import Camera, default_intrinsics, project_centred
from handscope.geometry.crops import Crop, crop_around, upright_crop, upright_frame
from handscope.geometry.looks import shrunk
from handscope.geometry.masks import CroppedMask
from handscope.geometry.rotations import axis_angle_to_matrix, matrix_to_axis_angle, rotation_between
from handscope.hand.angles import named_angles
from handscope.hand.assets import load_asset
from handscope.hand.model import pose_hand
from handscope.infer.assembly import Assembler, without_specks
from handscope.infer.calibration import Calibration
from handscope.infer.clock import Clock
from handscope.infer.context import surroundings
from handscope.infer.crop_estimates import CropEstimate
from handscope.infer.crop_policy import Tolerance, crops_of_box, is_settled, next_crop, other_side, resized
from handscope.infer.detector import merged, own_answers, palm_answers
from handscope.infer.duplicates import distinct, drop_repeated, same_hand
from handscope.infer.estimator import Estimate
from handscope.infer.fitting import fit
from handscope.infer.full_camera import PosedHand, crop_to_full, settle
from handscope.infer.pipeline import load
from handscope.infer.presence import asked_crop
from handscope.infer.results import FoundHand, Hands
from handscope.infer.silhouette_refinement import refine_silhouette
from handscope.infer.smoothing import HandSmoother, OneEuro, OneEuroConfig, SmoothingConfig
from handscope.infer.tracking import Side, TrackingConfig, blocks
from handscope.infer.two_hands import kept_apart, meeting
from handscope.infer.weights import SHIPPED
from handscope.skeleton import BONES, JOINT_NAMES, MODEL_TIP_OWNERS, MODEL_TO_CANONICAL

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "web" / "tests" / "goldens"
SAMPLES = ROOT / "samples"
SIZE = 224
"""Side of the estimator's crops, px."""


NAMES = ("geometry", "pictures", "detector", "crops", "hand", "assembly", "formats", "tracking", "samples", "given")
"""Of the files."""


def main() -> None:
    """Write every file."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name in NAMES:
        text = json.dumps(plain(golden(name)), separators=(",", ":"), allow_nan=False)
        (FOLDER / f"{name}.json").write_text(text + "\n", encoding="utf-8")
        print(f"{name}.json: {len(text) / 1000:.1f} kB")


def golden(name: str) -> dict[str, Any]:
    """The content of the file of that name: what the function of that name says."""
    return globals()[name]()


def plain(content: Any) -> Any:
    """What JSON can say: arrays as lists, numbers to nine digits, bytes as base64."""
    if isinstance(content, dict):
        return {key: plain(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [plain(value) for value in content]
    if isinstance(content, np.ndarray):
        return base64.b64encode(content.tobytes()).decode() if content.dtype == np.uint8 else plain(content.tolist())
    if isinstance(content, np.generic):
        return plain(content.item())
    return float(f"{content:.9g}") if isinstance(content, float) else content


def picture(width: int, height: int) -> NDArray[np.uint8]:
    """RGB (height, width, 3) that web/tests/goldens.ts makes by the same formula."""
    y, x, c = np.mgrid[:height, :width, :3]
    return ((x * 37 + y * 91 + c * 53 + x * y % 101) % 256).astype(np.uint8)


def geometry() -> dict[str, Any]:
    """Skeleton, rotations, boxes."""
    rng = np.random.default_rng(1)
    vectors = np.concatenate([rng.normal(size=(4, 3)), [[0, 0, 0], [1e-5, 0, 0], [3.1, 0.2, 0.1]]])
    boxes = np.array([[0, 0, 10, 10], [5, 5, 15, 12], [20, 20, 30, 30], [0, 0, 10, 10.5]], float)
    scores = [0.5, 0.9, 0.2, 0.5]
    overlap = box_iou(boxes[:, None], boxes)
    return {
        "joint_names": JOINT_NAMES,
        "bones": BONES,
        "tip_owners": MODEL_TIP_OWNERS,
        "to_canonical": MODEL_TO_CANONICAL,
        "vectors": vectors,
        "matrices": axis_angle_to_matrix(vectors),
        "axis_angles": matrix_to_axis_angle(axis_angle_to_matrix(vectors)),
        "between": rotation_between(vectors[0], vectors[1]),
        "boxes": boxes,
        "iou": overlap,
        "scores": scores,
        "kept": best_of_each(scores, overlap > 0.5),
        "intrinsics": default_intrinsics(640, 480),
    }


def pictures() -> dict[str, Any]:
    """Scaling, warping, filling: OpenCV's answers."""
    looks = [(100, 70, 64), (70, 100, 33), (40, 30, 64), (64, 32, 64), (90, 60, 45), (96, 64, 32)]
    views = [
        ((50.0, 40.0), 60.0, (0.3, -1.0), 24, False),
        ((20.0, 10.0), 90.0, (-1.0, 0.2), 16, True),
        ((60.0, 30.0), 9.0, (0.1, 1.0), 24, False),
        ((50.0, 35.0), 200.0, (0.5, -0.5), 24, True),
    ]
    image = picture(100, 70)
    rng = np.random.default_rng(2)
    triangles = rng.integers(-200, 64 * 16 + 200, size=(24, 3, 2)).astype(np.int32)
    triangles[12:] = triangles[12:, :1] + rng.integers(-60, 60, size=(12, 3, 2))
    filled = []
    for triangle in triangles:
        grid = np.zeros((64, 64), np.uint8)
        cv2.fillConvexPoly(grid, triangle, 1, cv2.LINE_8, 4)
        filled.append(np.packbits(grid))
    grid = np.zeros((64, 64), np.uint8)
    for triangle in triangles:
        cv2.fillConvexPoly(grid, triangle, 1, cv2.LINE_8, 4)
    plane = rng.random((8, 8)).astype(np.float32)
    mask = np.zeros((56, 56), np.float32)
    mask[10:40, 12:30], mask[45:47, 50:52], mask[50:54, 2:20] = 0.9, 0.8, 0.7
    cropped = CroppedMask(mask, crop_around((60, 50), 90, (0.2, -1), size=SIZE, mirrored=True), 100, 120)
    return {
        "looks": [{"of": look, "picture": shrunk(picture(*look[:2]), look[2])[0]} for look in looks],
        "views": [
            {"centre": c, "extent": e, "up": u, "size": s, "mirrored": m, "border": name, "picture": view}
            for c, e, u, s, m in views
            for name, border in (("reflect", cv2.BORDER_REFLECT_101), ("black", cv2.BORDER_CONSTANT))
            for view in [crop_around(c, e, u, size=s, mirrored=m).extract(image, border=border)]
        ],
        "triangles": triangles,
        "filled": filled,
        "eroded": np.packbits(cv2.erode(1 - grid, np.ones((3, 3), np.uint8))),
        "plane": plane,
        "scaled": cv2.resize(plane, (28, 28), interpolation=cv2.INTER_LINEAR),
        "mask": {"matrix": cropped.crop.matrix, "area": cropped.area(), "pasted": np.packbits(cropped.pasted())},
        "specks": {"before": int((mask > 0.5).sum()), "after": int((without_specks(mask) > 0.5).sum())},
    }


def detector() -> dict[str, Any]:
    """Decoding of the detector's cells and each hand once."""
    rng = np.random.default_rng(3)
    cells, scale = 9, np.array([0.4, 0.41])
    corner = rng.uniform(0, 150, size=(cells, 2))
    turned = rng.normal(size=(cells, 2))
    out = {
        "scores": rng.random(cells),
        "boxes": np.concatenate([corner, corner + rng.uniform(20, 60, size=(cells, 2))], 1),
        "up": turned / np.linalg.norm(turned, axis=1, keepdims=True),
        "crops": np.concatenate([corner + 25, rng.uniform(0.5, 90, size=(cells, 1))], 1),
        "right": rng.random(cells),
        "palm_scores": rng.random(cells),
        "palm_boxes": np.concatenate([corner + 5, corner + 25], 1),
        "palm_points": rng.uniform(0, 150, size=(cells, 7, 2)),
    }
    out = {name: value.astype(np.float32) for name, value in out.items()}
    own, palms = own_answers(out, 0.3, scale), palm_answers(out, 0.3, scale)
    return {
        "out": {name: value.astype(np.float64) for name, value in out.items()},
        "scale": scale,
        "own": [asdict(found) for found in own],
        "palms": [asdict(found) for found in palms],
        "merged": [asdict(found) for found in merged(own, palms)],
    }


def _joints(seed: int) -> NDArray[np.float64]:
    """Joints (21, 2) px of a hand that the model poses."""
    rng = np.random.default_rng(seed)
    seen = _posed(rng)[3]
    return project_centred(seen.joints_3d, 500.0, SIZE).astype(np.float64)


def _crop_of(crop: Crop) -> dict[str, Any]:
    return {"matrix": crop.matrix, "size": crop.size}


def crops() -> dict[str, Any]:
    """Frames, crops and what the policy makes of estimates."""
    joints = _joints(4)
    centre, extent, up = upright_frame(joints)
    start = crop_around((300, 200), 180, (0.4, -1), size=SIZE, mirrored=True)
    estimates = [CropEstimate(crop=start, joints=joints, right=right) for right in (0.9, 0.3)]
    settled = CropEstimate(
        crop=upright_crop(estimates[0].joints_2d, size=SIZE, mirrored=True), joints=joints, right=0.9
    )
    settled = replace(settled, joints=settled.crop.apply(estimates[0].joints_2d))
    return {
        "joints": joints,
        "frame": {"centre": centre, "extent": extent, "up": up},
        "start": _crop_of(start),
        "next": [_crop_of(next_crop(estimate, 96)) for estimate in estimates],
        "uprightness": estimates[0].uprightness,
        "fitness": estimates[0].fitness,
        "resized": _crop_of(resized(start, 96, 1.35)),
        "other_side": _crop_of(other_side(start)),
        "presence": _crop_of(asked_crop(start, SIZE)),
        "context": _crop_of(surroundings(joints, SIZE)),
        "of_box": [_crop_of(crop) for crop in crops_of_box(np.array([10.0, 20, 60, 90]), 96)],
        "settled": [is_settled(estimate, Tolerance()) for estimate in (*estimates, settled)],
        "up_of_start": -start.rotation[1],
        "middle": start.centre,
        "extent": start.extent,
    }


def _posed(rng: np.random.Generator) -> tuple[NDArray, NDArray, NDArray, PosedHand]:
    """Shape, pose, orientation, and the hand that they make half a metre away."""
    beta = rng.normal(size=10) * 0.5
    theta = rng.normal(size=(15, 3)) * 0.15
    R = axis_angle_to_matrix(np.array([0.3, -0.4, 1.4]))
    T = np.array([0.02, 0.05, 0.5])
    found = pose_hand(load_asset(), beta[None], theta[None], R[None], T[None])
    hand = PosedHand(R=R, T=T, joints_3d=found.joints[0], vertices=found.vertices[0])
    return beta, theta, R, hand


def hand() -> dict[str, Any]:
    """The hand model, its angles, the fit, the outline's step."""
    asset = load_asset()
    rng = np.random.default_rng(5)
    beta, theta, R, posed = _posed(rng)
    joints = project_centred(posed.joints_3d, 450.0, SIZE).astype(np.float64) + rng.normal(size=(21, 2)) * 2
    scores = rng.uniform(0.3, 1.0, size=21).astype(np.float32)
    depths = rng.uniform(-0.6, 0.6, size=20).astype(np.float32)
    fitted = fit(asset, beta, theta, posed, 450.0, joints, scores, depths, SIZE)
    mask = _mask_of(posed, 450.0)
    thicker = refine_silhouette(asset, fitted, joints, mask, 450.0, SIZE)
    return {
        "beta": beta,
        "theta": theta,
        "R": R,
        "T": posed.T,
        "joints_3d": posed.joints_3d,
        "every_100th": posed.vertices[::100],
        "thickening": asset.thickening,
        "angles": {side: named_angles(theta, R, asset, side) for side in ("right", "left")},
        "aim": {"joints": joints, "scores": scores, "bone_depths": depths, "focal": 450.0},
        "fitted": _fitted(fitted),
        "mask": np.packbits(mask > 0.5),
        "thicker": _fitted(thicker),
    }


def _fitted(fitted: Any) -> dict[str, Any]:
    return {
        "beta": fitted.beta,
        "theta": fitted.theta,
        "R": fitted.hand.R,
        "T": fitted.hand.T,
        "joints_3d": fitted.hand.joints_3d,
        "every_100th": fitted.hand.vertices[::100],
    }


def _mask_of(posed: PosedHand, focal: float) -> NDArray[np.float32]:
    """A mask (56, 56) a little wider than the hand."""
    points = project_centred(posed.vertices, focal, SIZE)
    grid = np.zeros((SIZE, SIZE), np.uint8)
    for triangle in np.round(points).astype(np.int32)[load_asset().silhouette_faces]:
        cv2.fillConvexPoly(grid, triangle, 1)
    grid = cv2.dilate(grid, np.ones((3, 3), np.uint8))
    return (cv2.resize(grid.astype(np.float32), (56, 56), interpolation=cv2.INTER_AREA) > 0.5).astype(np.float32)


def _estimate(seed: int, crop: Crop) -> Estimate:
    rng = np.random.default_rng(seed)
    beta, theta, _, posed = _posed(rng)
    joints = project_centred(posed.joints_3d, 450.0, SIZE).astype(np.float64) + rng.normal(size=(21, 2))
    return Estimate(
        crop=crop,
        joints=joints,
        joint_scores=rng.uniform(0.3, 1.0, size=21),
        bone_depths=rng.uniform(-0.6, 0.6, size=20),
        mask=_mask_of(posed, 450.0),
        right=0.8,
        theta=theta,
        beta=beta,
        hand=posed,
        focal=450.0,
    )


def _found(seed: int, *, mirrored: bool) -> tuple[Estimate, FoundHand]:
    crop = crop_around((330, 200), 260, (0.3, -1), size=SIZE, mirrored=mirrored)
    estimate = _estimate(seed, crop)
    camera = Camera(default_intrinsics(640, 480), (640, 480))
    assembler = Assembler(asset=load_asset(), calibration=Calibration.of(_card("estimator")))
    return estimate, assembler(estimate, 0.875, camera)


def _card(name: str) -> Any:
    return json.loads((SHIPPED / f"{name}.json").read_text(encoding="utf-8"))


def _told(found: FoundHand) -> dict[str, Any]:
    names = ("handedness", "score", "box", "joints_2d", "joint_scores", "joints_3d", "theta", "beta", "R", "T", "K")
    return {name: getattr(found, name) for name in names} | {
        "every_100th": found.vertices[::100],
        "mask_area": found.cropped_mask.area(),
        "right": found.extras["right"],
        "faces": found.faces[:4],
    }


def assembly() -> dict[str, Any]:
    """From an estimate to a hand of the picture, right and left; which hands are the same."""
    K = default_intrinsics(640, 480)
    both = []
    for mirrored in (False, True):
        estimate, found = _found(6, mirrored=mirrored)
        placed = crop_to_full(estimate.hand, estimate.focal, estimate.crop, K, 640)
        settled = settle(placed, estimate.joints_2d, estimate.joint_scores, K, mirrored=mirrored)
        both.append(
            {
                "crop": _crop_of(estimate.crop),
                "full": {"R": placed.R, "T": placed.T, "joints_3d": placed.joints_3d},
                "settled": {"T": settled.T, "joints_3d": settled.joints_3d},
                "hand": _told(found),
            }
        )
    names = ("joints", "joint_scores", "bone_depths", "right", "theta", "beta", "focal")
    joints = _joints(4)
    near = [joints, joints + 3, joints + 40, joints * 0.5 + 30]
    hands = [_found(seed, mirrored=False)[1] for seed in (6, 7)]
    pair = [_found(6, mirrored=mirrored)[1] for mirrored in (False, True)]
    boxes = np.array([[0, 0, 10, 10], [5, 5, 9, 20], [8, 8, 30, 30], [40, 0, 50, 9]], np.float64)
    scores = np.linspace(0, 1, 7)
    return {
        "estimate": {name: getattr(estimate, name) for name in names}
        | {"R": estimate.hand.R, "T": estimate.hand.T, "mask": np.packbits(estimate.mask > 0.5)},
        "hands": both,
        "calibrated": {"raw": scores, "told": Calibration.of(_card("estimator"))(scores)},
        "distinct": distinct(near, [0.5, 0.6, 0.4, 0.3]),
        "same": [same_hand(joints, other) for other in near],
        "dropped": len(drop_repeated(hands)),
        "meeting": {"boxes": boxes, "pairs": meeting(list(boxes))},
        "apart": [{"behind": behind, "told": _pair(pair, behind)} for behind in (0.0, 0.07, 0.6)],
    }


def _pair(pair: list[FoundHand], behind: float) -> list[dict[str, Any]]:
    """A hand and one that is read `behind` m further off, as they are told."""
    away = np.array([0, 0, behind])
    other = replace(pair[1], joints_3d=pair[1].joints_3d + away, T=pair[1].T + away)
    return [{"joints_3d": hand.joints_3d, "T": hand.T} for hand in kept_apart([pair[0], other])]


def formats() -> dict[str, Any]:
    """JSON and CSV letter for letter, and what a GLB holds."""
    right, left = (_found(6, mirrored=mirrored)[1] for mirrored in (False, True))
    hands = Hands([replace(right, track=3), left], width=640, height=480, source='pic "ü",1.jpg', notes=("a note",))
    glb = hands.to_glb()
    length = struct.unpack("<I", glb[12:16])[0]
    tree = json.loads(glb[20 : 20 + length])
    data = glb[28 + length :]
    kinds = {5121: np.uint8, 5123: np.uint16, 5126: np.float32}
    sampled = []
    for accessor in tree["accessors"]:
        view = tree["bufferViews"][accessor["bufferView"]]
        part = data[view["byteOffset"] : view["byteOffset"] + view["byteLength"]]
        values = np.frombuffer(part, kinds[accessor["componentType"]]).astype(np.float64)
        sampled.append(values[:: max(1, len(values) // 60)])
    return {
        "hands": [_told(hand) | {"mask": _mask_record(hand)} for hand in hands],
        "json": hands.to_json(),
        "empty": Hands([], width=3, height=2).to_json(),
        "csv": hands.to_csv(),
        "tree": tree,
        "sampled": sampled,
    }


def _mask_record(found: FoundHand) -> dict[str, Any]:
    crop = found.cropped_mask.crop
    return _crop_of(crop) | {"values": np.packbits(found.cropped_mask.values > 0.5)}


def tracking() -> dict[str, Any]:
    """Clock, sides, filters, change of scene."""
    times = [0.0, 0.033, 0.066, 0.066, 0.1, 0.133, 3.0, 3.033, 1.0, 1.04]
    clock = Clock()
    config = TrackingConfig()
    side, heard = Side(config), [0.5, 2.0, 3.0, 3.0, -1.0, -9.0, -2.0, -2.0, -2.0, -2.0]
    told = []
    for log_odds in heard:
        side.hear(log_odds)
        told.append({"evidence": side.evidence, "right": side.right, "sure": side.sure})
    rng = np.random.default_rng(8)
    values = np.cumsum(rng.normal(size=(8, 21, 2)), 0)
    filtered = OneEuro(OneEuroConfig(cutoff=2.0, slope=2.0, speed_cutoff=2.0))
    smoother = HandSmoother(load_asset(), SmoothingConfig())
    frames = []
    for number, mirrored in enumerate((False, False, False, True)):
        found = _found(6 + number % 3, mirrored=mirrored)[1]
        smooth = smoother(found, number / 30)
        frames.append({"seed": 6 + number % 3, "hand": _told(found), "smooth": _told(smooth)})
    return {
        "times": times,
        "ticks": [{"seconds": t.seconds, "anew": t.anew, "notes": len(t.notes)} for t in map(clock, times)],
        "heard": heard,
        "sides": told,
        "values": values,
        "filtered": [filtered(value, number / 30, unit=3.0) for number, value in enumerate(values)],
        "frames": frames,
        "blocks": blocks(picture(100, 70)),
    }


def samples() -> dict[str, Any]:
    """The hands of the photographs and renderings in samples/."""
    model = load()
    paths = sorted([*SAMPLES.glob("*.jpg"), *SAMPLES.glob("rendered/*.jpg")])
    return {path.relative_to(SAMPLES).as_posix(): _places(model(path)) for path in paths}


def given() -> dict[str, Any]:
    """A hand in a given box, seen by a given camera."""
    picture, focal, boxes = "thinking.jpg", 900.0, [[300.0, 150.0, 480.0, 360.0]]
    return {"picture": picture, "K": focal, "boxes": boxes, "hands": _places(load()(SAMPLES / picture, focal, boxes))}


def _places(hands: Hands) -> list[dict[str, Any]]:
    return [
        {
            "handedness": found.handedness,
            "score": round(found.score, 4),
            "joints_2d": found.joints_2d.round(3),
            "joints_3d": found.joints_3d.round(6),
        }
        for found in hands
    ]


if __name__ == "__main__":
    main()
