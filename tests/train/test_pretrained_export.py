"""Networks of others as ONNX: one graph for pictures of any size, equal to torch, with a card that says whose it is."""

import json
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from handscope.nn.palm import ExportedPalms, PalmNetwork
from handscope.train.pretrained import Bend, export_pretrained

WEIGHTS = Path(__file__).parents[2] / "recipes" / "weights" / "palm-0.10.21.safetensors"


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export_pretrained("palm", WEIGHTS, tmp_path_factory.mktemp("weights"), {"licence": "Apache-2.0"})


@pytest.mark.parametrize("shape", [(1, 192, 192), (2, 64, 320), (1, 256, 192)])
def test_one_graph_serves_every_size(exported: Path, shape: tuple[int, int, int]) -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (*shape, 3)).astype(np.uint8)
    session = onnxruntime.InferenceSession(exported, providers=["CPUExecutionProvider"])
    found = session.run(None, {"image": pictures})
    with torch.no_grad():
        expected = ExportedPalms(PalmNetwork.load(WEIGHTS).eval())(torch.from_numpy(pictures))
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-3)


def test_the_card_says_whose_network_it_is(exported: Path) -> None:
    card = json.loads(exported.with_suffix(".json").read_text())
    assert "palm_detection_full" in card["origin"]["source"] and card["origin"]["license"] == "Apache-2.0"
    assert max(card["onnx_against_torch"].values()) < 1e-3 and card["licence"] == "Apache-2.0"


def test_a_prelu_in_two_parts_is_the_same() -> None:
    """Slopes of any sign and size, as the palm network has them."""
    original = torch.nn.PReLU(3)
    original.weight.data = torch.tensor([-4.5, 0.2, 12.0])
    x = torch.randn(2, 3, 5, 4)
    torch.testing.assert_close(Bend(original)(x), original(x))
