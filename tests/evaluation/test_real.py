"""The protocols with models whose scores are known beforehand."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from handscope.data.dev_sets import JointsDev
from handscope.evaluation import protocols
from handscope.evaluation.crops_dev import CropsDev
from handscope.evaluation.real import AskedOnce, Column, Model, report, spread
from handscope.evaluation.real import bench as bench_columns
from handscope.geometry.boxes import HAND_MARGIN, tight_box
from handscope.geometry.camera import project
from handscope.geometry.masks import CroppedMask
from handscope.types import Hand, HandLabel, Sample

K = np.array([[480.0, 0, 128], [0, 480, 128], [0, 0, 1]])
SIZE = 256


def hand_joints() -> np.ndarray:
    """Something hand-like (21, 3) m before the camera."""
    rng = np.random.default_rng(0)
    joints = np.zeros((21, 3))
    for finger in range(5):
        steps = np.linspace(0.04, 0.16, 4)[:, None] * [0.3 * (finger - 2), -1, 0.1]
        joints[1 + 4 * finger : 5 + 4 * finger] = steps + rng.normal(0, 0.003, (4, 3))
    return joints + np.array([0.01, 0.08, 0.5])


def make_hand(joints: np.ndarray, *, shift_px: float = 0.0, score: float = 0.9) -> Hand:
    joints_2d = project(joints, K) + np.array([shift_px, 0])
    mask = np.zeros((SIZE, SIZE), bool)
    x0, y0, x1, y1 = (int(v) for v in tight_box(joints_2d))
    mask[max(y0, 0) : y1 + 1, max(x0, 0) : x1 + 1] = True
    empty = np.zeros(0)
    return Hand(
        handedness="left",
        score=score,
        box=tight_box(joints_2d),
        joints_2d=joints_2d,
        joint_scores=np.ones(21),
        cropped_mask=CroppedMask.of(mask),
        joints_3d=joints,
        vertices=empty,
        faces=np.zeros((0, 3), int),
        theta=empty,
        beta=empty,
        R=np.eye(3),
        T=joints[0],
        K=K,
    )


def bench(data: Path, model: Model, **options: Any) -> dict[str, protocols.Scores]:
    """The scores of one model by set."""
    return bench_columns(data, [Column("model", model)], sets=("joints-dev", "masks-dev"), **options)["model"]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Two pictures of joints-dev, two of masks-dev, two photographs."""
    joints = hand_joints()
    (tmp_path / "joints-dev").mkdir()
    rows = []
    for i in range(2):
        name = f"{i:05d}.jpg"
        cv2.imwrite(str(tmp_path / "joints-dev" / name), np.full((SIZE, SIZE, 3), 90, np.uint8))
        row = {"file": name, "handedness": "left", "K": K.tolist(), "xyz_m": joints.tolist()}
        rows.append(row | {"uv_px": project(joints, K).tolist()})
    (tmp_path / "joints-dev" / "labels.json").write_text(json.dumps(rows))
    (tmp_path / "masks-dev").mkdir()
    skin = make_hand(joints).mask.astype(np.uint8) * 255
    x0, _, x1, y1 = (int(v) for v in tight_box(project(joints, K)))
    skin[y1:, x0 : x1 + 1] = 255  # a forearm
    for name in "ab":
        cv2.imwrite(str(tmp_path / "masks-dev" / f"{name}.jpg"), np.full((SIZE, SIZE, 3), 90, np.uint8))
        cv2.imwrite(str(tmp_path / "masks-dev" / f"{name}.png"), skin)
    return tmp_path


def test_a_perfect_model_has_perfect_scores(data: Path, tmp_path: Path) -> None:
    results = bench(data, lambda image: [make_hand(hand_joints())], out=tmp_path / "out")
    joints, masks = results["joints-dev"], results["masks-dev"]
    assert joints["found"] == joints["pck_0.1"] == joints["handedness"] == 1
    assert joints["error_px256_mean"] == pytest.approx(0, abs=1e-9)
    assert joints["pa_error_mm_mean"] == pytest.approx(0, abs=1e-9)
    assert masks["found"] == 1 and masks["iou_mean"] > 0.97
    assert json.loads((tmp_path / "out" / "scores.json").read_text())["model"]["joints-dev"]["found"] == 1


def test_columns_see_the_same_pictures_and_what_one_has_not_is_a_dash(data: Path) -> None:
    seen: dict[str, list[bytes]] = {"a": [], "b": []}

    def watching(name: str) -> Model:
        def model(image: np.ndarray) -> list[Hand]:
            seen[name].append(image.tobytes())
            return [make_hand(hand_joints())]

        return model

    columns = [
        Column("a", watching("a")),
        Column("b", watching("b"), sets=["joints-dev"], without=["projected_error_px256_mean"]),
    ]
    results = bench_columns(data, columns, sets=("joints-dev", "masks-dev"))
    assert len(seen["a"]) == 4 and seen["a"][:2] == seen["b"]
    table = report(results)
    assert table.startswith("| set | measure | a | b |")
    assert "|  | hands found | 100.0 % | 100.0 % |" in table
    assert "|  | 2D error of the mesh's joints, mean, px of 256 | 0.00 | - |" in table
    assert "| masks-dev | pictures | 2 | - |" in table


def test_columns_that_share_a_model_ask_it_once(data: Path) -> None:
    asked = []
    shared = AskedOnce(lambda image: asked.append(image) or [make_hand(hand_joints())])
    columns = [Column("a", shared), Column("b", shared, sets=["joints-dev"])]
    bench_columns(data, columns, sets=("joints-dev", "masks-dev"))
    assert len(asked) == 4


def test_a_shift_is_seen_in_2d_and_not_in_3d(data: Path) -> None:
    scores = bench(data, lambda image: [make_hand(hand_joints(), shift_px=3)])["joints-dev"]
    assert scores["error_px256_mean"] == pytest.approx(3)
    assert scores["projected_error_px256_mean"] == pytest.approx(0, abs=1e-9)
    assert scores["pa_error_mm_mean"] == pytest.approx(0, abs=1e-9)


def test_a_blind_model_finds_nothing_and_breaks_nothing(data: Path) -> None:
    results = bench(data, lambda image: [])
    assert results["joints-dev"]["found"] == results["masks-dev"]["iou_mean"] == 0


def test_a_hand_elsewhere_is_not_found_but_the_right_one_of_two_is(data: Path) -> None:
    away = make_hand(hand_joints(), shift_px=150, score=1.0)
    assert bench(data, lambda image: [away])["joints-dev"]["found"] == 0
    both = bench(data, lambda image: [away, make_hand(hand_joints())])["joints-dev"]
    assert both["error_px256_mean"] == pytest.approx(0, abs=1e-9)


def test_errors_are_in_pixels_of_256() -> None:
    joints = hand_joints()
    hand = make_hand(joints, shift_px=8)
    label = HandLabel(handedness="left", joints_2d=project(joints, K), joints_3d=joints)
    sample = Sample(key="x", source="x", image=np.zeros((300, 512, 3), np.uint8), hands=(label,))
    assert protocols.score_joints([sample], [[hand]])["error_px256_mean"] == pytest.approx(4)


def test_the_forearm_is_behind_the_wrist() -> None:
    joints = project(hand_joints(), K)
    region = protocols.compared_region(joints, SIZE, SIZE, box=False)
    wrist, knuckle = joints[0], joints[9]
    ahead, behind = wrist + 0.3 * (knuckle - wrist), wrist - 0.3 * (knuckle - wrist)
    assert region[int(ahead[1]), int(ahead[0])] and not region[int(behind[1]), int(behind[0])]


def test_photographs_count_finds_and_false_alarms() -> None:
    joints = hand_joints()
    hand = make_hand(joints)
    box = tight_box(hand.joints_2d, HAND_MARGIN)
    known = np.zeros(21, bool)
    known[[4, 8]] = True
    label = HandLabel(box=box, joints_2d=hand.joints_2d + np.array([5, 0]), joints_2d_known=known)
    sample = Sample(key="x", source="photos/ti1k", image=np.zeros((SIZE, SIZE, 3), np.uint8), hands=(label,))
    away = replace(hand, joints_2d=hand.joints_2d + 200, box=hand.box + 200)
    scores = protocols.score_photos([sample, sample], [[hand, away], []])
    assert scores["found"] == 0.5 and scores["false_alarms_per_picture"] == 0.5
    side = max(box[2:] - box[:2])
    assert scores["thumb_tip_error"] == pytest.approx(5 / side)


def test_a_limit_takes_evenly_spread_pictures(data: Path) -> None:
    assert spread(10, 3) == [0, 4, 9] and spread(2, 5) == [0, 1]
    assert bench(data, lambda image: [], limit=1)["joints-dev"]["pictures"] == 1


def test_crops_dev_undoes_the_crop_and_the_mirror(data: Path) -> None:
    dev = CropsDev(data, size=128, every=1)
    truth = JointsDev(data)[0].hands[0]
    assert truth.joints_2d is not None and truth.joints_3d is not None
    in_crop, mirrored = dev.crops[0].apply(truth.joints_2d), truth.joints_3d * [-1, 1, 1]
    shift = 2.0

    def predict(crops: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return np.tile(in_crop + np.array([shift, 0]), (len(crops), 1, 1)), np.tile(3 * mirrored, (len(crops), 1, 1))

    scores = dev.score(predict)
    assert scores["error_px256"] == pytest.approx(shift / dev.crops[0].scale)
    assert scores["error_px256_offset_free"] == pytest.approx(0, abs=1e-9)
    assert scores["pa_mm"] == pytest.approx(0, abs=1e-9)
    assert "pa_mm" not in dev.score(lambda crops: (np.tile(in_crop, (len(crops), 1, 1)), None))
