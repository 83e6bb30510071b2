"""The judge of presence as ONNX: equal to torch, with a card that says whose it is."""

import json
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from safetensors.torch import save_file

from handscope.nn.presence import CROP_PX, ExportedPresence, HandPresence
from handscope.train.pretrained import export_presence


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file as scripts/convert_landmark_backbone.py writes it, with weights at random."""
    torch.manual_seed(0)
    network = HandPresence()
    path = tmp_path_factory.mktemp("init") / "landmark.safetensors"
    tensors = network.backbone.state_dict() | {f"present.{k}": v for k, v in network.presence.state_dict().items()}
    save_file(tensors, path, {"source": "hand_landmark_full", "license": "Apache-2.0"})
    return path


def test_the_graph_says_what_the_network_says(weights: Path, tmp_path: Path) -> None:
    path = export_presence(weights, tmp_path, {"licence": "Apache-2.0"})
    crops = np.random.default_rng(0).integers(0, 256, (2, CROP_PX, CROP_PX, 3)).astype(np.uint8)
    (found,) = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"]).run(None, {"crop": crops})
    with torch.no_grad():
        (expected,) = ExportedPresence(HandPresence.load(weights).eval())(torch.from_numpy(crops))
    np.testing.assert_allclose(found, expected, atol=2e-3)  # weights are kept as float16


def test_the_card_says_whose_network_it_is(weights: Path, tmp_path: Path) -> None:
    card = json.loads(export_presence(weights, tmp_path, {"licence": "Apache-2.0"}).with_suffix(".json").read_text())
    assert card["origin"] == {"source": "hand_landmark_full", "license": "Apache-2.0"}
    assert max(card["onnx_against_torch"].values()) < 1e-4 and card["licence"] == "Apache-2.0"
