"""`handscope bench rendered` and `calibrate` through the command line, with stand-ins for the networks."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from handscope.apps import bench_calibrate
from handscope.apps.bench_pictures import FILL
from handscope.apps.cli import main
from handscope.infer.calibration import Calibration
from handscope.infer.joint_conventions import in_convention
from handscope.infer.models import open_models
from handscope.infer.pipeline import Pipeline
from handscope.synth.scene import SynthConfig, render_sample
from handscope.types import Hand, Sample
from posed_hands import posed_hand
from toy_networks import blobs, paint, toy_joints


def test_rendered_pictures_are_scored_by_groups(toy_weights, tmp_path, capsys) -> None:
    words = ["bench", "rendered", "--count", "2", "--size", "96", "--weights", str(toy_weights), "--out", str(tmp_path)]
    assert main(words) == 0
    table = capsys.readouterr().out
    assert table.startswith("2 rendered pictures, ") and "| skin tone |" in table and "| size, px of 256 |" in table
    figures = json.loads((tmp_path / "rendered.json").read_text())
    assert figures["pictures"] == 2 and figures["scores"]["all"]["all"]["hands"] >= 2


def test_shards_are_scored_like_the_pictures_they_hold(toy_weights, tmp_path, capsys) -> None:
    made = ["--count", "2", "--size", "96", "--seed", "5"]
    assert main(["synth", *made, "--fill", "[0.12, 0.8]", "--out", str(tmp_path)]) == 0
    capsys.readouterr()
    tables = []
    for source in (made, ["--shards", str(tmp_path)]):
        assert main(["bench", "rendered", *source, "--weights", str(toy_weights)]) == 0
        tables.append(capsys.readouterr().out)
    assert tables[0] == tables[1]


@pytest.fixture
def real_pictures(tmp_path: Path) -> Path:
    """A picture of each set of `bench real`, with a toy hand."""
    wrist, knuckle, thumb = blobs((128, 128), 90, 0.2, "left")
    picture, flat = paint(256, 256, [(wrist, knuckle, thumb)]), toy_joints(wrist, knuckle, thumb)
    for folder, name in (
        ("joints-dev", "0.png"),
        ("masks-dev", "0.jpg"),
        ("masks-dev", "0.png"),
        ("photos", "540.png"),
    ):
        (tmp_path / folder).mkdir(exist_ok=True)
        cv2.imwrite(str(tmp_path / folder / name), picture[..., ::-1])
    row = {"file": "0.png", "handedness": "left", "K": [[480.0, 0, 128], [0, 480, 128], [0, 0, 1]]}
    row |= {"uv_px": flat.tolist(), "xyz_m": np.column_stack([(flat - 128) / 480, np.ones(21)]).tolist()}
    (tmp_path / "joints-dev/labels.json").write_text(json.dumps([row]))
    photo = {"file": "photos/540.png", "source": "ti1k", "width": 256, "height": 256, "boxes": [[150, 60, 220, 200]]}
    (tmp_path / "photos/index.jsonl").write_text(json.dumps(photo))
    return tmp_path


def test_real_pictures_are_scored_in_our_joints_and_in_mediapipes(toy_weights, real_pictures, tmp_path, capsys) -> None:
    out = tmp_path / "out"
    words = ["--data", str(real_pictures), "--weights", str(toy_weights), "--out", str(out)]
    assert main(["bench", "real", *words]) == 0
    told = json.loads((out / "scores.json").read_text())
    (own, others), (first, second) = told.values(), told
    assert second == f"{first}, MediaPipe's joints" and list(others) == ["joints-dev", "photos held-out"]
    flat, moved = own["joints-dev"], others["joints-dev"]
    assert flat["found"] == moved["found"] == 1 and flat["error_px256_mean"] < moved["error_px256_mean"]
    (hand,) = Pipeline(open_models(toy_weights))(cv2.imread(str(real_pictures / "joints-dev/0.png"))[..., ::-1].copy())
    shifts = np.linalg.norm(in_convention(hand, "mediapipe").joints_2d - hand.joints_2d, axis=-1)
    assert moved["error_px256_mean"] == pytest.approx(shifts.mean(), abs=2 * flat["error_px256_mean"] + 0.1)
    assert "ms_per_picture" in flat and "ms_per_picture" not in moved
    assert f"| set | measure | {first} | {second} |" in capsys.readouterr().out


class HalfRight:
    """A model that knows the rendered pictures: joints of score 0.8 lie right, those of score 0.3 every other time."""

    def __init__(self, samples: list[Sample]) -> None:
        self.labels = {sample.image.tobytes(): sample.hands for sample in samples}

    def __call__(self, image: np.ndarray) -> list[Hand]:
        sure, wrong = np.arange(21) < 10, np.arange(21) % 2 == 0
        return [
            replace(
                posed_hand(96, 96),
                joints_2d=np.where((sure | ~wrong)[:, None], label.joints_2d, label.joints_2d.mean(0)),
                joint_scores=np.where(sure, 0.8, 0.3),
            )
            for label in self.labels[image.tobytes()]
            if label.joints_2d is not None
        ]


def test_the_calibration_goes_into_the_card(toy_weights, tmp_path: Path, capsys, monkeypatch) -> None:
    weights = tmp_path / "weights"
    shutil.copytree(toy_weights, weights)
    config = SynthConfig(size=96, scene_size=96, fill=FILL)
    known = [render_sample(config, seed, i) for seed in (9001, 9002) for i in range(3)]
    monkeypatch.setattr(bench_calibrate, "Pipeline", lambda models: HalfRight(known))
    before = json.loads((weights / "estimator.json").read_text())
    words = ["bench", "calibrate", "--count", "3", "--size", "96", "--write", "--out", str(tmp_path)]
    words += ["--weights", str(weights)]
    assert main(words) == 0
    after = json.loads((weights / "estimator.json").read_text())
    kept = after.pop("calibration")
    assert after == before and kept == json.loads((tmp_path / "calibration.json").read_text())
    assert kept["slope"] > 1 and Calibration.of({"calibration": kept})(0.8) > 0.9
    assert f"sigmoid({kept['offset']} + {kept['slope']} logit(score))" in capsys.readouterr().out


def test_without_a_hand_nothing_is_calibrated(toy_weights, capsys) -> None:
    assert main(["bench", "calibrate", "--count", "1", "--size", "96", "--weights", str(toy_weights)]) == 2
    assert "no labelled hand was found" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["rendered", "--shards", "/nowhere"], ["calibrate", "--data", "/nowhere"]])
def test_missing_folders_are_one_sentence(words, toy_weights, capsys) -> None:
    assert main(["bench", *words, "--count", "1", "--weights", str(toy_weights)]) == 2
    assert capsys.readouterr().err.startswith("handscope: ")
