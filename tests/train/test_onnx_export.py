import dataclasses
import json

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from handscope.errors import HandscopeError
from handscope.hand.assets import load_asset
from handscope.hand.layer import HandLayer
from handscope.hand.model import pose_hand
from handscope.infer.weights import open_network
from handscope.nn.network import HandNetwork
from handscope.train import checkpoint
from handscope.train.export import TOLERANCE, export, fold, load_network, rotation_vectors
from handscope.train.recipe import from_dict
from toy_configs import TINY

CONFIG = dataclasses.replace(TINY, crop=128, stacks=2)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A checkpoint of a small network with lively heads, as the loop writes it."""
    torch.manual_seed(0)
    network = HandNetwork(CONFIG, HandLayer(load_asset()))
    with torch.no_grad():
        for layer in (network.heads.theta, network.heads.beta, network.heads.orientation, network.heads.camera):
            torch.nn.init.normal_(layer.weight, std=0.2)
    path = tmp_path_factory.mktemp("run") / checkpoint.NAME
    header = {"step": 5, "commit": "abc", "config": {"network": dataclasses.asdict(CONFIG)}}
    checkpoint.save(path, network, network, torch.optim.AdamW(network.parameters()), header)
    return path


@pytest.fixture(scope="module")
def exported(trained, tmp_path_factory):
    return export("estimator", trained, tmp_path_factory.mktemp("weights"), {"licence": "Apache-2.0"})


def test_the_card_carries_what_the_file_was_made_from(exported):
    card = json.loads(exported.with_suffix(".json").read_text())
    assert card["steps"] == 5 and card["commit"] == "abc" and card["licence"] == "Apache-2.0"
    assert from_dict(card["config"]).network == CONFIG
    assert card["crop"] == {"rotation_deg": 14.0, "translation": 0.035, "scale": 0.11}
    assert max(card["onnx_against_torch"].values()) <= TOLERANCE
    assert open_network("estimator", exported.parent).input_size == 128  # checks the SHA-256 too


def test_the_graph_carries_the_hand_model(exported):
    """theta, beta, R and T of the graph, posed in numpy, give the graph's vertices and joints."""
    crops = np.random.default_rng(0).integers(0, 256, (4, 128, 128, 3), dtype=np.uint8)
    out = open_network("estimator", exported.parent).run(crops)
    posed = pose_hand(load_asset(), out["beta"], out["theta"], out["R"], out["T"])
    assert np.abs(posed.vertices - out["vertices"]).max() < 1e-4
    assert np.abs(posed.joints - out["joints_3d"]).max() < 1e-4
    assert out["mask"].min() >= 0 and out["mask"].max() <= 1
    assert ((out["joint_scores"] >= 0) & (out["joint_scores"] <= 1)).all()
    seen = out["joints_3d"][..., :2] / out["joints_3d"][..., 2:] * out["f"][:, None, None] + 63.5
    np.testing.assert_allclose(out["projected"], seen, atol=0.05)


def test_folding_changes_no_answer():
    """Batch norm with lively statistics, sub-pixel convolutions with a bias for every sub-pixel."""
    torch.manual_seed(1)
    network = HandNetwork(CONFIG, HandLayer(load_asset())).eval()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.2)
            module.running_var.uniform_(0.5, 2.0)
    crops = torch.randint(0, 256, (2, 128, 128, 3), dtype=torch.uint8)
    with torch.no_grad():
        before = network(crops).last
        fold(network)
        after = network(crops).last
    assert not any(isinstance(m, torch.nn.BatchNorm2d | torch.nn.PixelShuffle) for m in network.modules())
    for name in ("heatmaps", "mask", "pof", "joints_2d"):
        torch.testing.assert_close(getattr(after, name), getattr(before, name), atol=1e-4, rtol=1e-4)


def test_one_crop_or_many_give_the_same(exported):
    crops = np.random.default_rng(1).integers(0, 256, (3, 128, 128, 3), dtype=np.uint8)
    network = open_network("estimator", exported.parent)
    together, alone = network.run(crops), network.run(crops[1:2])
    for name, value in together.items():
        np.testing.assert_allclose(value[1:2], alone[name], atol=1e-4)


def test_the_side_is_told_without_the_prior_of_training(trained, exported):
    """Four in five training crops show a right hand (`mirror_prob` 0.2): the head learns odds four times too high."""
    crops = np.random.default_rng(2).integers(0, 256, (3, 128, 128, 3), dtype=np.uint8)
    network, *_ = load_network("estimator", trained)
    with torch.no_grad():
        learnt = network.network(torch.from_numpy(crops)).last.right.exp().numpy()
    told = open_network("estimator", exported.parent).run(crops)["right"]
    np.testing.assert_allclose(told / (1 - told), learnt / 4, rtol=1e-3)


def test_a_checkpoint_of_something_else_is_refused(tmp_path):
    model = torch.nn.Linear(1, 1)
    path = tmp_path / checkpoint.NAME
    header = {"step": 1, "commit": "abc", "config": {"network": dataclasses.asdict(CONFIG)}}
    checkpoint.save(path, model, model, torch.optim.AdamW(model.parameters()), header)
    with pytest.raises(HandscopeError, match="not a checkpoint of the estimator"):
        export("estimator", path, tmp_path, {})
    assert not list(tmp_path.glob("*.onnx*"))


def test_rotation_vectors_equal_scipy():
    turns = np.random.default_rng(0).normal(0, 0.8, (2, 15, 3))
    turns[0, 0] = 0
    matrices = torch.tensor(Rotation.from_rotvec(turns.reshape(-1, 3)).as_matrix()).view(2, 15, 3, 3)
    np.testing.assert_allclose(rotation_vectors(matrices).numpy(), turns, atol=1e-6)
