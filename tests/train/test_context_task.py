"""Training the context network: it learns what lies round a hand, is told by average precision, and ships as ONNX."""

import json

import numpy as np
import onnxruntime
import pytest
import torch

from handscope.data.looks import LARGER, Look, write_looks
from handscope.evaluation.metrics import average_precision
from handscope.nn.context import CROP_PX, HandContext
from handscope.train.context import ContextRun, ContextTask
from handscope.train.export import export
from handscope.train.loop import LoopConfig, train

BIG = round(CROP_PX * LARGER)


@pytest.fixture(scope="module")
def looks(tmp_path_factory):
    """Where it is bright, all of it, there is a hand."""
    rng = np.random.default_rng(0)
    path = tmp_path_factory.mktemp("looks") / "looks.npz"
    made = []
    for i in range(12):
        crop = rng.integers(0, 60, (BIG, BIG, 3)) + 180 * (i % 2)
        made.append(Look(crop.astype(np.uint8), bool(i % 2), "made up"))
    write_looks(path, made)
    return path


def test_a_run_learns_and_its_network_ships(looks, tmp_path):
    loop = LoopConfig(steps=6, batch=4, lr=3e-3, warmup_steps=1, ema_decay=0.5)
    run = ContextRun(looks=str(looks), held_out=str(looks), loop=loop, frozen=14, out=str(tmp_path / "run"))
    task = ContextTask(run)
    frozen = task.network.backbone.stem.weight.detach().clone()
    path = train(task, loop, tmp_path / "run", {"kind": "context", "looks": str(looks)})
    torch.testing.assert_close(task.network.backbone.stem.weight.detach(), frozen)
    rows = [json.loads(line) for line in (tmp_path / "run/log.jsonl").read_text().splitlines()]
    assert any("average_precision" in json.dumps(row) for row in rows)
    file = export("context", path, tmp_path / "out", {"licence": "Apache-2.0"})
    crops = np.random.default_rng(1).integers(0, 256, (2, CROP_PX, CROP_PX, 3)).astype(np.uint8)
    (said,) = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"]).run(None, {"crop": crops})
    assert said.shape == (2,) and ((said >= 0) & (said <= 1)).all()
    assert json.loads((tmp_path / "out/context.json").read_text())["name"] == "context"


def test_average_precision_is_that_of_the_order():
    right = np.array([True, False, True, False])
    assert average_precision(np.array([4.0, 3, 2, 1]), right, 2) == pytest.approx((1 + 2 / 3) / 2)
    assert average_precision(np.array([4.0, 1, 3, 2]), right, 2) == 1
    assert average_precision(np.zeros(2), np.zeros(2, bool), 0) == 0


def test_context_reads_the_middle_beside_the_mean():
    """What changes in the middle changes its mean by more than the whole's."""
    network = HandContext().eval()
    plain = torch.full((1, CROP_PX, CROP_PX, 3), 90, dtype=torch.uint8)
    marked = plain.clone()
    marked[:, 96:128, 96:128] = 250
    with torch.no_grad():
        moved = (network.features(marked) - network.features(plain)).abs()
    channels = network.backbone.channels[-1]
    assert moved.shape == (1, 2 * channels) and moved[:, channels:].mean() > 2 * moved[:, :channels].mean() > 0
