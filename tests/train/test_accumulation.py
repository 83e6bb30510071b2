"""Steps of several batches, and half precision: the gradient of all at the memory of one."""

import dataclasses

import pytest
import torch
from safetensors.torch import load_file

from handscope.hand.assets import load_asset
from handscope.hand.layer import HandLayer
from handscope.nn.network import HandNetwork
from handscope.train import checkpoint
from handscope.train.loop import LoopConfig, train
from line_task import CONFIG, LineTask
from toy_configs import TINY


def weights(path):
    return {name: value for name, value in load_file(path).items() if name.startswith("model")}


def test_four_batches_of_two_are_one_of_eight(tmp_path):
    """The same examples, the same steps, the same weights but for rounding."""
    whole, parts = LineTask(), LineTask()
    a = weights(train(whole, CONFIG, tmp_path / "whole", {}))
    b = weights(train(parts, dataclasses.replace(CONFIG, batch=2, accumulate=4), tmp_path / "parts", {}))
    assert whole.seen == parts.seen
    for name, value in a.items():
        torch.testing.assert_close(b[name], value, atol=1e-5, rtol=1e-4)


def test_an_interrupted_run_of_several_batches_a_step_goes_on_exactly(tmp_path):
    config = dataclasses.replace(CONFIG, batch=2, accumulate=4)
    whole = weights(train(LineTask(), config, tmp_path / "whole", {}))
    with pytest.raises(KeyboardInterrupt):
        train(LineTask(stop_at=173), config, tmp_path / "parts", {})
    assert checkpoint.load(tmp_path / "parts" / checkpoint.NAME).header["step"] == 21
    parts = weights(train(LineTask(), config, tmp_path / "parts", {}))
    assert all(torch.equal(parts[name], value) for name, value in whole.items())


def test_half_precision_learns_the_line_too(tmp_path):
    """Weights stay float32, and are other ones than without."""
    tasks = [LineTask(), LineTask()]
    whole, half = (
        weights(train(task, dataclasses.replace(CONFIG, precision=precision), tmp_path / precision, {}))
        for task, precision in zip(tasks, ("float32", "bfloat16"), strict=True)
    )
    assert all(value.dtype == torch.float32 for value in half.values())
    assert any(not torch.equal(half[name], value) for name, value in whole.items())
    x = torch.linspace(-1, 1, 21)[:, None]
    lines = [task.model(x).float() for task in tasks]
    torch.testing.assert_close(lines[1], lines[0], atol=0.05, rtol=0)


def test_a_hand_is_told_in_float32_whatever_the_convolutions_run_in():
    """Bones keep their length to a micrometre: rotations and the hand model are not in half precision."""
    torch.manual_seed(0)
    network = HandNetwork(TINY, HandLayer(load_asset())).eval()
    crops = torch.randint(0, 256, (2, TINY.crop, TINY.crop, 3), dtype=torch.uint8)
    with torch.no_grad():
        full = network(crops).last
        with torch.autocast("cpu", dtype=torch.bfloat16):
            half = network(crops).last
    for value in (half.heatmaps, half.mask, half.pof, half.joints_2d, half.mesh.joints_3d, half.mesh.theta):
        assert value.dtype == torch.float32
    assert not torch.equal(half.heatmaps, full.heatmaps)
    turns = half.mesh.theta
    torch.testing.assert_close(turns @ turns.mT, torch.eye(3).expand_as(turns), atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", ["steps", "batch", "accumulate"])
def test_nothing_of_a_step_is_refused(name):
    with pytest.raises(ValueError, match=f"{name} must be positive"):
        LoopConfig(**{name: 0})
