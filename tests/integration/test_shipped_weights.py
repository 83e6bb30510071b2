"""The shipped networks on the shipped samples, through the command line: picture in, files out."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

import handscope
from handscope.apps.cli import main
from handscope.geometry.camera import project
from handscope.infer.images import find_pictures
from handscope.infer.weights import EIGHT_BIT, NAMES, SHIPPED

SAMPLES = Path(__file__).parents[2] / "samples/rendered"
PICTURES = find_pictures(SAMPLES) if SAMPLES.is_dir() else []

GOLDEN = json.loads((Path(__file__).parents[1] / "golden/samples.json").read_text())
TOLERANCES = {
    "score": (0, 1e-3),
    "box": (0, 0.1),
    "joints_2d": (0, 0.05),
    "joint_scores": (0, 2e-3),
    "mask_area_px": (2e-3, 5),
    "joints_3d": (0, 1e-3),
    "theta": (0, 1e-2),
    "beta": (0, 3e-2),
    "T": (0, 1e-3),
}
"""How far numbers may be off, relative and absolute: px, metres, radians."""

pytestmark = pytest.mark.skipif(
    not (PICTURES and all((SHIPPED / f"{name}.onnx").is_file() for name in NAMES)),
    reason="the weights are not in this checkout",
)


@pytest.fixture(scope="module")
def model():
    return handscope.load(threads=1)


def test_every_network_says_what_it_was_made_from(model):
    eight = {f"{name}-8bit" for name in EIGHT_BIT}
    assert set(model.cards) == set(NAMES) == {path.stem for path in SHIPPED.glob("*.onnx")} - eight
    for name, card in model.cards.items():
        assert card["name"] == name and card["licence"] == "Apache-2.0" and len(card["sha256"]) == 64
        ours = {"commit", "config", "metrics", "steps", "teacher"}
        assert {"data", "not_for"} | ({"origin"} if name == "presence" else ours) <= set(card)
    assert sum(path.stat().st_size for path in SHIPPED.glob("*.onnx")) < 45e6


def test_networks_in_8_bits_say_which_they_are_made_from(model):
    for name, card in handscope.load(effort="quick").cards.items():
        if name in EIGHT_BIT:
            made_from = card["made_from"].split()
            assert card["name"] == f"{name}-8bit" and card["licence"] == "Apache-2.0" and "calibrated_on" in card
            assert made_from[0] == f"{name}.onnx" and made_from[1].rstrip(",") == model.cards[name]["sha256"]


@pytest.mark.parametrize("path", PICTURES, ids=lambda path: path.name)
def test_8_bits_tell_what_float_tells(path):
    """The same hands, joints within two hundredths of the box."""
    quick, floats = (handscope.load(weights, effort="quick")(path) for weights in (None, SHIPPED))
    assert [hand.handedness for hand in quick] == [hand.handedness for hand in floats]
    for one, two in zip(quick, floats, strict=True):
        size = (two.box[2:] - two.box[:2]).max()
        assert np.linalg.norm(one.joints_2d - two.joints_2d, axis=1).mean() < 0.02 * size
        near = one.joints_3d - one.joints_3d[0] - (two.joints_3d - two.joints_3d[0])
        assert np.linalg.norm(near, axis=1).mean() < 0.01


@pytest.mark.parametrize("path", PICTURES, ids=lambda path: path.name)
def test_a_sample_becomes_files(path, tmp_path, capsys):
    kinds = ["--overlay", "--json", "--glb", "--obj", "--mask", "--npz"]
    assert main([str(path), "--out", str(tmp_path), "--threads", "1", *kinds]) == 0
    folder = tmp_path / path.stem
    content = json.loads((folder / "result.json").read_text())
    assert len(content["hands"]) >= 1, capsys.readouterr().out
    height, width = content["image"]["height"], content["image"]["width"]
    for i in range(len(content["hands"])):
        mask = cv2.imread(str(folder / f"mask-{i}.png"), cv2.IMREAD_UNCHANGED)
        assert mask.shape == (height, width) and mask.any()
        assert (folder / f"hand-{i}.glb").read_bytes()[:4] == b"glTF"
        assert (folder / f"hand-{i}.obj").read_text().startswith("# handscope")
    assert cv2.imread(str(folder / "overlay.png")) is not None
    with np.load(folder / "hands.npz") as arrays:
        assert len(arrays["handedness"]) == len(content["hands"])


def test_the_golden_numbers_are_of_these_samples():
    assert set(GOLDEN) == {path.name for path in PICTURES}
    assert all(GOLDEN.values())


@pytest.mark.parametrize("path", PICTURES, ids=lambda path: path.name)
def test_the_shipped_networks_say_what_they_said(path, model):
    """scripts/golden_samples.py wrote the numbers. Other CPUs and ONNX Runtimes add up in another order."""
    hands, golden = model(path), GOLDEN[path.name]
    assert [hand.handedness for hand in hands] == [one["handedness"] for one in golden]
    for hand, one in zip(hands, golden, strict=True):
        for name, (relative, absolute) in TOLERANCES.items():
            found = hand.cropped_mask.area() if name == "mask_area_px" else getattr(hand, name)
            np.testing.assert_allclose(found, one[name], rtol=relative, atol=absolute, err_msg=name)


@pytest.mark.parametrize("path", PICTURES, ids=lambda path: path.name)
def test_what_is_said_of_a_hand_agrees_with_itself(path, model):
    hands = model(path)
    assert len(hands) == len(GOLDEN[path.name])
    for hand in hands:
        size = float((hand.box[2:] - hand.box[:2]).max())
        assert np.isfinite(hand.vertices).all() and np.linalg.det(hand.R) == pytest.approx(1, abs=1e-3)
        assert 0.1 < hand.T[2] < 10
        off = np.linalg.norm(project(hand.joints_3d, hand.K) - hand.joints_2d, axis=1)
        assert off.mean() < 0.06 * size
        assert 0 <= hand.score <= 1 and hand.joint_scores.min() >= 0 and hand.joint_scores.max() <= 1


def test_a_mirrored_picture_has_mirrored_hands(model):
    from handscope.infer.images import read_picture

    image = read_picture(PICTURES[0]).image
    hands, mirrored = model(image), model(np.ascontiguousarray(image[:, ::-1]))
    assert sorted(h.handedness for h in hands) == sorted(
        {"left": "right", "right": "left"}[h.handedness] for h in mirrored
    )
