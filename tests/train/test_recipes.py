import dataclasses
from pathlib import Path

import pytest
import torch

from handscope.errors import HandscopeError
from handscope.hand.assets import load_asset
from handscope.hand.layer import HandLayer
from handscope.nn.network import HandNetwork, multiply_accumulates
from handscope.train import checkpoint
from handscope.train.estimator import EstimatorTask, build, narrowed
from handscope.train.recipe import from_arguments, from_dict

RECIPES = Path(__file__).parents[2] / "recipes"
ESTIMATORS = ["small", "paper-4-stack", "paper-2-stack", "paper-1-stack"]


def recipe(name: str, *overrides: str):
    return from_arguments(["--config", str(RECIPES / f"{name}.yaml"), *overrides])


def gmac(name: str) -> float:
    """Measured on the meta device: shapes without numbers."""
    with torch.device("meta"):
        network = HandNetwork(recipe(name).network, HandLayer(load_asset()).to("meta"))
        return multiply_accumulates(network, recipe(name).network.crop) / 1e9


@pytest.mark.parametrize("name", ESTIMATORS)
def test_every_recipe_is_read_and_survives_the_checkpoint(name):
    config = recipe(name, "--loop.steps", "7")
    assert config.loop.steps == 7
    assert from_dict(dataclasses.asdict(config)) == config


def test_the_paper_stacks_cost_the_same():
    """Table 2 compares 4, 2 and 1 stacks of equal FLOPs."""
    costs = [gmac(f"paper-{k}-stack") for k in (4, 2, 1)]
    assert max(costs) < 1.01 * min(costs)
    assert costs == pytest.approx([71.9, 71.6, 71.5], abs=0.1)


def test_what_ships_is_a_cascade_with_everything_in_it():
    config = recipe("small").network
    assert config.stacks >= 2 and config.aggregate == "tam" and config.crop == 224
    assert gmac("small") < 0.55


def test_frozen_blocks_do_not_learn_and_a_trunk_needs_its_place():
    config = recipe("small", "--start.trunk", "null", "--start.frozen_blocks", "4")
    trunk = build(config.network, config.start).blocks[0].encoder.trunk
    assert not any(p.requires_grad for p in trunk.stem.parameters())
    assert not any(p.requires_grad for p in trunk.blocks[2].parameters())
    assert all(p.requires_grad for p in trunk.blocks[3].parameters())
    small = [f"--network.pyramid.{k}={v}" for k, v in (("channels", "[8,8,8,8]"), ("blocks", "[1,1,1,1]"))]
    paper = recipe("paper-1-stack", "--network.channels", "8", *small, "--start.trunk", "x.safetensors")
    with pytest.raises(HandscopeError, match="no trunk"):
        build(paper.network, paper.start)


def test_no_shards_is_one_clear_sentence(tmp_path):
    sources = f'[{{"kind": "shards", "path": "{tmp_path}"}}]'
    config = recipe("small", "--start.trunk", "null", "--sources", sources, "--dev", "null")
    with pytest.raises(HandscopeError, match="handscope synth"):
        EstimatorTask(config)


def test_a_narrower_network_starts_from_the_first_channels_of_a_wider_one():
    wide = {"a": torch.arange(12.0).view(3, 4), "b": torch.arange(3.0)}
    cut = narrowed(wide, {"a": torch.zeros(2, 3), "b": torch.zeros(3)})
    assert cut["a"].tolist() == [[0, 1, 2], [4, 5, 6]] and cut["b"].tolist() == [0, 1, 2]
    with pytest.raises(HandscopeError, match=r"a is \(3, 4\), too small for this network's \(4, 4\)"):
        narrowed(wide, {"a": torch.zeros(4, 4), "b": torch.zeros(3)})
    with pytest.raises(HandscopeError, match="b is in one of them only"):
        narrowed(wide, {"a": wide["a"], "c": wide["b"]})


def test_parts_that_start_anew_need_no_place_in_the_checkpoint(tmp_path):
    small = ["--network.channels", "8", "--network.regressor", "[8]", "--start.trunk", "null"]
    before = recipe("small", *small, "--network.stride", "4", "--network.glance", "false")
    network, path = build(before.network), tmp_path / "x.safetensors"
    checkpoint.save(path, network, network, torch.optim.AdamW(network.parameters()), {"step": 1})
    changed = ["stem", "blocks.0.encoder.low", "blocks.0.encoder.merge", "blocks.1.encoder.fuse", "heads.features"]
    start = ["--start.checkpoint", str(path), "--network.glance", "false"]
    now = recipe("small", *small, *start, "--start.anew", str(changed).replace("'", ""))
    given, kept = network.state_dict(), build(now.network, now.start).state_dict()
    torch.testing.assert_close(kept["blocks.1.pof.head.0.weight"], given["blocks.1.pof.head.0.weight"])
    assert "blocks.0.encoder.low.0.weight" in kept and "stem.0.0.weight" in given
    start_all = recipe("small", *small, *start)
    with pytest.raises(HandscopeError, match="in one of them only"):
        build(start_all.network, start_all.start)
