"""Variants whose definition is somebody's code, against that code's steps typed again, hand by hand and joint by joint.

The steps are those of lmb-freiburg/hand3d (data/BinaryDbReader.py, eval2d_gt_cropped.py, utils/general.py),
boukhayma/3dhand (crop.py), MengHao666/Minimal-Hand-pytorch (datasets/rhd.py), HowieMa/NSRMhand (src/utils.py) and
geopavlakos/hamer (EvaluatorPCK); labels are in RHD's own order there.
"""

import pickle
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest

from handscope.data.rhd import RHD
from handscope.evaluation.predictions import PackedMasks, Predictions
from handscope.evaluation.scoring import evaluate
from handscope.evaluation.truth import Dominance, Truth, read_truth
from handscope.evaluation.variants import VARIANTS
from handscope.skeleton import RHD_TO_CANONICAL

PICTURES, SIDE = 12, 320


class EvalUtil:
    """hand3d's: errors by keypoint, mean and median over each, area under each PCK curve, then their means."""

    def __init__(self) -> None:
        self.errors: list[list[float]] = [[] for _ in range(21)]

    def feed(self, gt, vis, pred) -> None:
        for k in range(21):
            if vis[k]:
                self.errors[k].append(float(np.sqrt(np.sum((gt[k] - pred[k]) ** 2))))

    def get_measures(self, low, high, steps, skip=0):
        thresholds = np.linspace(low, high, steps)[skip:]
        filled = [np.array(e) for e in self.errors if e]
        areas = []
        for errors in filled:
            curve = [np.mean(errors <= t) for t in thresholds]
            strips = [(a + b) / 2 for a, b in pairwise(curve)]
            areas.append(sum(strips) * (thresholds[1] - thresholds[0]) / (thresholds[-1] - thresholds[0]))
        return np.mean([e.mean() for e in filled]), np.mean([np.median(e) for e in filled]), np.mean(areas)


@pytest.fixture(scope="module")
def rhd_rows() -> dict[int, dict[str, np.ndarray]]:
    """Two hands a picture, each of another size, with joints behind others and outside the picture."""
    rng = np.random.default_rng(24)
    K = np.array([[280.0, 0, 160], [0, 280, 160], [0, 0, 1]])
    rows = {}
    for n in range(PICTURES):
        places = np.repeat(rng.uniform((-0.15, -0.15, 0.4), (0.15, 0.15, 1.2), (2, 3)), 21, 0)
        xyz = places + rng.normal(0, rng.uniform(0.01, 0.06), (42, 3))
        uv = xyz @ K.T
        uv = uv[:, :2] / uv[:, 2:]
        seen = (rng.random(42) < 0.7) & (uv >= 0).all(1) & (uv < SIDE).all(1)
        parts = np.zeros((SIDE, SIDE), np.uint8)
        left, right = (40, 40) if n == 0 else rng.choice([30, 40, 55], 2)
        parts[:10, :left], parts[20:30, :right] = rng.integers(2, 18), rng.integers(18, 34)
        rows[n] = {
            "xyz": xyz.astype(np.float32),
            "uv_vis": np.column_stack([uv, seen]).astype(np.float32),
            "K": K.astype(np.float32),
            "parts": parts,
        }
    return rows


@pytest.fixture(scope="module")
def rhd_truth(rhd_rows, tmp_path_factory) -> Truth:
    root = tmp_path_factory.mktemp("rhd")
    for folder in ("color", "mask"):
        (root / "evaluation" / folder).mkdir(parents=True)
    for n, row in rhd_rows.items():
        cv2.imwrite(str(root / f"evaluation/mask/{n:05d}.png"), row["parts"])
        cv2.imwrite(str(root / f"evaluation/color/{n:05d}.png"), np.zeros((SIDE, SIDE, 3), np.uint8))
    labels = {n: {k: row[k] for k in ("xyz", "uv_vis", "K")} for n, row in rhd_rows.items()}
    Path(root / "evaluation/anno_evaluation.pickle").write_bytes(pickle.dumps(labels))
    return read_truth(RHD(root, split="evaluation"))


@pytest.fixture(scope="module")
def answers(rhd_truth) -> Predictions:
    rng = np.random.default_rng(25)
    return Predictions(
        keys=rhd_truth.keys,
        found=np.ones(len(rhd_truth), bool),
        joints_2d=rhd_truth.joints_2d + rng.normal(0, 9, (len(rhd_truth), 21, 2)),
        joints_3d=rhd_truth.joints_3d * 1.1 + rng.normal(0, 0.012, (len(rhd_truth), 21, 3)),
    )


def answer(answers: Predictions, n: int, side: int) -> tuple[np.ndarray, np.ndarray]:
    """2D and 3D joints in RHD's order of the hand of `side` (0 left, 1 right) in picture n."""
    (row,) = np.flatnonzero(answers.keys == f"evaluation/{n:05d}#{side}")
    to_rhd = np.argsort(RHD_TO_CANONICAL)
    return answers.joints_2d[row][to_rhd], answers.joints_3d[row][to_rhd]


def figures(answers: Predictions, truth: Truth, name: str) -> tuple[float, float, float]:
    results, refused = evaluate([VARIANTS[name]], answers, truth)
    assert not refused
    return tuple(results[name].figures[f] for f in ("mean", "median", "auc"))


def more_pixels(row) -> int:
    """hand3d's side: left only if more of its pixels show."""
    left = np.count_nonzero((row["parts"] > 1) & (row["parts"] < 18))
    return 0 if left > np.count_nonzero(row["parts"] > 17) else 1


def test_2d_hand3d_is_that_of_its_crop(rhd_rows, rhd_truth, answers) -> None:
    util = EvalUtil()
    for n, row in rhd_rows.items():
        side = more_pixels(row)
        uv = row["uv_vis"][21 * side : 21 * side + 21, :2].astype(np.int32).astype(np.float64)
        vis = row["uv_vis"][21 * side : 21 * side + 21, 2] > 0
        pred = answer(answers, n, side)[0].copy()
        uv[0], pred[0], vis[0] = 0.5 * (uv[0] + uv[12]), 0.5 * (pred[0] + pred[12]), vis[0] or vis[12]
        centre = uv[12].copy()
        low, high = np.maximum(uv[vis].min(0), 0), np.minimum(uv[vis].max(0), SIDE)
        size = min(max(2 * np.maximum(high - centre, centre - low).max(), 50.0), 500.0)
        scale = min(max(256 / size, 1.0), 10.0)
        in_crop = lambda points: (points - centre) * scale + 128  # noqa: B023, E731
        util.feed(in_crop(uv) / scale, vis, in_crop(pred) / scale)
    assert figures(answers, rhd_truth, "2d_hand3d") == pytest.approx(util.get_measures(0, 30, 20), rel=1e-9)
    assert figures(answers, rhd_truth, "2d_hand3d_v0")[0] > 1.1 * util.get_measures(0, 30, 20)[0]


@pytest.mark.parametrize(("name", "skip"), [("rhd_hand3d", 8), ("rhd_hand3d_full", 0)])
def test_rhd_hand3d_sees_a_palm_whose_wrist_or_knuckle_is_seen(rhd_rows, rhd_truth, answers, name, skip) -> None:
    util = EvalUtil()
    for n, row in rhd_rows.items():
        side = more_pixels(row)
        xyz = row["xyz"][21 * side : 21 * side + 21].astype(np.float64)
        vis = row["uv_vis"][21 * side : 21 * side + 21, 2] > 0
        pred = answer(answers, n, side)[1].copy()
        xyz[0], pred[0], vis[0] = 0.5 * (xyz[0] + xyz[12]), 0.5 * (pred[0] + pred[12]), vis[0] or vis[12]
        xyz, pred = xyz - xyz[0], pred - pred[0]
        unit = pred / np.linalg.norm(pred[12] - pred[11])
        util.feed(1000 * xyz, vis, 1000 * unit * np.linalg.norm(xyz[12] - xyz[11]))
    assert figures(answers, rhd_truth, name) == pytest.approx(util.get_measures(0, 50, 20, skip), rel=1e-6)
    results, _ = evaluate([VARIANTS[name]], answers, rhd_truth)
    assert np.isfinite(results[name].values[:, 0]).sum() == len(util.errors[0])


def test_rhd_15steps_takes_the_hand_with_more_visible_joints(rhd_rows, rhd_truth, answers) -> None:
    util = EvalUtil()
    for n, row in rhd_rows.items():
        counts = [np.sum(row["uv_vis"][at : at + 21, 2] == 1) for at in (0, 21)]
        side = 0 if counts[0] > counts[1] else 1
        xyz = row["xyz"][21 * side : 21 * side + 21].astype(np.float64)
        pred = answer(answers, n, side)[1]
        grow = np.linalg.norm(xyz[12] - xyz[0]) / np.linalg.norm(pred[12] - pred[0])
        util.feed(1000 * (xyz - xyz[12]), np.ones(21), 1000 * grow * (pred - pred[12]))
    assert figures(answers, rhd_truth, "rhd_15steps") == pytest.approx(util.get_measures(20, 50, 15), rel=1e-6)
    results, _ = evaluate([VARIANTS["rhd_15steps"], VARIANTS["rhd_15steps_v0"]], answers, rhd_truth)
    assert [r.figures["hands"] for r in results.values()] == [PICTURES, 2 * PICTURES]


def test_hands_that_only_masks_could_tell_apart_all_count_and_are_counted(rhd_truth, answers) -> None:
    blind = np.full(len(rhd_truth), Dominance.UNKNOWN, np.int8)
    truth = Truth(**{**vars(rhd_truth), "dominant": blind, "masks": PackedMasks.pack([None] * len(rhd_truth))})
    results, refused = evaluate([VARIANTS[n] for n in ("2d_hand3d", "rhd_hand3d", "2d_hand3d_v0")], answers, truth)
    assert not refused and results["2d_hand3d"].figures["hands"] == 2 * PICTURES
    assert results["2d_hand3d_v0"].figures["hands"] == PICTURES  # as it was: the second hand of a picture was lost
    for name in ("2d_hand3d", "rhd_hand3d"):
        (note,) = results[name].notes
        assert note.startswith(f"{2 * PICTURES} hands share a picture") and "masks" in note


def flat_truth(joints: np.ndarray, known: np.ndarray, sizes: np.ndarray, boxes: np.ndarray) -> Truth:
    count = len(joints)
    return Truth(
        keys=np.array([f"p{n}#0" for n in range(count)]),
        joints_2d=joints,
        known_2d=known,
        joints_3d=np.zeros((count, 21, 3)),
        known_3d=np.zeros((count, 21), bool),
        visible=np.ones((count, 21), bool),
        head=np.full(count, np.nan),
        box=boxes,
        size=sizes,
        dominant=np.full(count, Dominance.YES, np.int8),
        most_visible=np.ones(count, bool),
        masks=PackedMasks.pack([None] * count),
    )


def boukhayma_crop(points: np.ndarray, width: int, height: int) -> tuple[np.ndarray, np.ndarray]:
    """The corner of crop.py's crop, and its scale by axis."""
    low, high = points.min(0), points.max(0)
    shorter = min(width, height)
    side = round(2.2 * max(high - low))
    start, end = [0, 0], [width - 1, height - 1]
    for axis, length in enumerate((width, height)):
        if side < shorter - 1 or length != shorter:
            reach = min(side, shorter - 1)
            start[axis] = round(max(0, low[axis] + (high[axis] - low[axis]) / 2 - reach / 2))
            end[axis] = start[axis] + reach
            if end[axis] > length - 1:
                start[axis], end[axis] = start[axis] - (end[axis] - (length - 1)), length - 1
    return np.array(start), 319.0 / (np.array(end) - np.array(start))


def test_cmu_px_is_that_of_boukhaymas_crop() -> None:
    rng = np.random.default_rng(26)
    sizes = np.array([(640, 480), (200, 300), (1280, 720), (300, 300), (500, 260)] * 4, np.float64)
    joints = np.stack([rng.normal(s / 2, rng.uniform(8, 60), (21, 2)) for s in sizes])
    known = rng.random((len(sizes), 21)) < 0.8
    boxes = np.full((len(sizes), 4), np.nan)
    predicted = joints + rng.normal(0, 6, joints.shape)
    util = EvalUtil()
    for hand in range(len(sizes)):
        corner, scale = boukhayma_crop(joints[hand][known[hand]], *map(int, sizes[hand]))
        util.feed((joints[hand] - corner) * scale, known[hand], (predicted[hand] - corner) * scale)
    truth = flat_truth(joints, known, sizes, boxes)
    answers = Predictions(
        keys=truth.keys, found=np.ones(len(truth), bool), joints_2d=predicted, joints_3d=truth.joints_3d
    )
    assert figures(answers, truth, "cmu_px") == pytest.approx(util.get_measures(0, 30, 31), rel=1e-9)
    assert VARIANTS["cmu_px"].at.values.tolist() == list(range(31))


def test_an_error_that_equals_the_threshold_counts_for_hamer_and_not_for_nsrm() -> None:
    joints = np.zeros((1, 21, 2))
    joints[0, 1] = (50, 20)  # the box's side is 50: 0.1 sides are 5 px, exactly
    moved = joints + np.array([5.0, 0])
    truth = flat_truth(joints, np.ones((1, 21), bool), np.array([[100.0, 100]]), np.array([[0.0, 0, 100, 60]]))
    answers = Predictions(keys=truth.keys, found=np.ones(1, bool), joints_2d=moved, joints_3d=np.zeros((1, 21, 3)))
    names = [f"cmu_{n}" for n in ("hint", "hint_v0", "nsrm", "nsrm_v0", "mmpose_pck", "mmpose_pck_v0")]
    results, _ = evaluate([VARIANTS[n] for n in names], answers, truth)
    found = [results[n].figures["pck@0.1"] for n in names]
    hamer = np.mean([np.hypot(*(m - j)) / 50 <= 0.1 for m, j in zip(moved[0], joints[0], strict=True)])
    nsrm = np.mean([np.hypot(*(m - j)) < 0.1 * 50 for m, j in zip(moved[0], joints[0], strict=True)])
    assert (hamer, nsrm) == (1, 0)
    assert found[:4] == [hamer, nsrm, nsrm, hamer]
    assert found[4:] == [1, 0]  # mmpose: 5 px are less than 0.1 of the labelled box's 100 px, not of the joints' 50
