import dataclasses
import json
import time
from pathlib import Path

import pytest
import torch

from handscope.apps.cli import main as cli
from handscope.errors import HandscopeError
from handscope.hand.assets import load_asset
from handscope.hand.layer import HandLayer
from handscope.nn.network import HandNetwork, multiply_accumulates
from handscope.train import checkpoint
from handscope.train.estimator import EstimatorTask, build, narrowed
from handscope.train.export import exported
from handscope.train.recipe import from_arguments, from_dict, read_recipe
from handscope.train.renames import KEYS, dotted, renamed_config

RECIPES = Path(__file__).parents[2] / "recipes"
ALL = {
    "small": "estimator",
    "paper-4-stack": "estimator",
    "paper-2-stack": "estimator",
    "paper-1-stack": "estimator",
    "aligner": "aligner",
    "detector": "detector",
}


def recipe(name: str, *overrides: str):
    return from_arguments(["--config", str(RECIPES / f"{name}.yaml"), *overrides])


def gmac(name: str) -> float:
    """Measured on the meta device: shapes without numbers."""
    with torch.device("meta"):
        network = HandNetwork(recipe(name).network, HandLayer(load_asset()).to("meta"))
        return multiply_accumulates(network, recipe(name).network.crop) / 1e9


@pytest.mark.parametrize("name", ALL)
def test_every_recipe_is_read_and_survives_the_checkpoint(name):
    config = recipe(name, "--loop.steps", "7")
    assert config.loop.steps == 7 and config.kind == ALL[name]
    assert from_dict(json.loads(json.dumps(dataclasses.asdict(config)))) == config


def written(folder, **recipes: str):
    for name, text in recipes.items():
        (folder / f"{name}.yaml").write_text(text)
    return folder


def test_a_recipe_says_only_what_differs_from_its_base(tmp_path):
    """Mappings are merged key by key, lists and values replaced, over any number of bases, in any folder."""
    (tmp_path / "base").mkdir()
    written(tmp_path / "base", root="{loop: {steps: 3, batch: 5}, sources: [1, 2], out: a}", middle="base: root.yaml")
    written(tmp_path, leaf="{base: base/middle.yaml, loop: {steps: 4}, sources: [3]}")
    expected = {"loop": {"steps": 4, "batch": 5}, "sources": [3], "out": "a"}
    assert read_recipe(tmp_path / "leaf.yaml") == expected


def test_variants_of_the_paper_differ_in_what_they_say_alone():
    four, one = (dataclasses.asdict(recipe(f"paper-{k}-stack")) for k in (4, 1))
    for run in (four, one):
        del run["out"], run["network"]["stacks"], run["network"]["channels"], run["network"]["pyramid"]["channels"]
    assert four == one


OURS = ("coordinates", "joints_3d", "theta", "orientation", "beta", "focal", "right")


@pytest.mark.parametrize("stacks", [1, 2, 4])
def test_the_papers_recipes_teach_the_papers_terms_alone_on_every_block(stacks):
    run = recipe(f"paper-{stacks}-stack")
    assert all(run.objective.weight(name) == 0 for name in OURS) and not run.network.heads
    papers = ("heatmap", "pof", "mask", "bones", "joints_2d", "silhouette", "consistency_joints", "consistency_mask")
    assert all(run.objective.weight(name) > 0 for name in papers)
    assert run.objective.earlier_blocks == 1


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("base: leaf.yaml", r"cannot be its own base \(leaf.yaml -> leaf.yaml\)"),
        ("base: other.yaml", r"cannot be its own base \(leaf.yaml -> other.yaml -> leaf.yaml\)"),
        ("base: none.yaml", r"none.yaml: no such file \(a recipe, the base of leaf.yaml\)"),
        ("loop: [", "not a YAML file"),
        ("- loop", "a recipe is keys with values, found list"),
        ("kind: pilot", "kind must be one of estimator, aligner, detector, context, segmenter, got pilot"),
        ("{kind: aligner, sources: [], crop: {size: 64}}", "crop.size must be network.crop"),
    ],
)
def test_what_is_wrong_with_a_recipe_is_one_sentence(tmp_path, text, sentence):
    written(tmp_path, leaf=text, other="base: leaf.yaml")
    with pytest.raises(HandscopeError, match=sentence) as raised:
        from_arguments(["--config", str(tmp_path / "leaf.yaml")])
    assert "\n" not in str(raised.value)


LAUGHS = "\n".join(["l0: &l0 [lol]", *(f"l{k}: &l{k} [{', '.join([f'*l{k - 1}'] * 9)}]" for k in range(1, 10))])
"""Nine lines, a thousand million values."""
MERGES = "\n".join(
    ["m0: &m0 {a: 1}", *(f"m{k}: &m{k} {{<<: [{', '.join([f'*m{k - 1}'] * 9)}]}}" for k in range(1, 10))]
)


@pytest.mark.parametrize(
    "text",
    [LAUGHS, MERGES, "a: &a [*a]", "a: &a {b: *a}", "[" * 5000,
     "a: !!python/object/apply:os.system [true]", "\0", "a: *b",
     "? [a]\n: b", "{" * 3 + ": ", "&a", "!!int x", "x" * 2**21, "<<: 3"],
    ids=lambda text: " ".join(text[:12].split()),
)  # fmt: skip
def test_no_recipe_is_a_bomb(tmp_path, text):
    (tmp_path / "leaf.yaml").write_text(text)
    before = time.monotonic()
    with pytest.raises(HandscopeError, match=r"leaf\.yaml: ") as raised:
        read_recipe(tmp_path / "leaf.yaml")
    assert "\n" not in str(raised.value) and len(str(raised.value)) < 600 and time.monotonic() - before < 5


def test_aliases_that_repeat_a_little_are_read(tmp_path):
    written(tmp_path, leaf="{a: &a {b: [1, 2]}, c: *a, d: {<<: *a, e: 3}}")
    assert read_recipe(tmp_path / "leaf.yaml")["d"] == {"b": [1, 2], "e": 3}


def test_keys_of_0_4_0_are_told_with_their_new_names(tmp_path, capsys):
    written(tmp_path, old="{network: {first: lite}, loop: {rate: 1.0e-3, slow: 0.5}}")
    assert cli(["train", "--config", str(tmp_path / "old.yaml")]) == 2
    said = capsys.readouterr().err
    for change in ("network.first is now network.backbone", "loop.rate is now loop.lr", "loop.slow is now"):
        assert change in said
    assert cli(["train", "--start.anew=[stem]"]) == 2
    assert "start.anew is now start.reinitialise" in capsys.readouterr().err


def test_every_new_key_is_one_that_a_run_has():
    fields = set()
    for name in ("small", "aligner", "detector"):
        fields |= set(dotted(dataclasses.asdict(recipe(name))))
    assert set(KEYS.values()) <= fields and not set(KEYS) & fields


def test_a_checkpoint_of_0_4_0_says_what_to_do(tmp_path, capsys):
    path = tmp_path / "old.safetensors"
    weights = {"blocks.0.encoder.trunk.stem.bias": torch.zeros(1)}
    checkpoint.write(path, {"average": weights}, {"step": 1, "commit": "abc"})
    assert cli(["export", "estimator", str(path), "--out", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert "blocks.0.encoder.trunk.stem.bias is now blocks.0.encoder.backbone.stem.bias" in said
    assert "scripts/rename_checkpoint.py" in said and len(said.splitlines()) == 1


def test_a_renamed_configuration_is_read():
    config = {
        "network": {"first": "landmark", "glance": True, "crop": 224, "stride": 8},
        "crop": {"size": 224, "turn_deg": 16.0, "wrong_side": 0.1},
        "loop": {"rate": 0.5, "clip": 3.0},
        "start": {"trunk": "runs/init/landmark_backbone.safetensors", "anew": ["blocks.0.encoder.glance"]},
    }
    with pytest.raises(HandscopeError, match=r"crop\.turn_deg is now crop\.rotation_deg"):
        from_dict(config)
    run = from_dict(renamed_config(config))
    assert run.network.auxiliary and run.crop.rotation_deg == 16 and run.loop.max_grad_norm == 3
    assert run.start.backbone == "runs/init/landmark_backbone.safetensors"
    assert run.start.reinitialise == ["blocks.0.encoder.auxiliary"]


@pytest.mark.parametrize("name", ["small-0.4.0", "aligner-0.4.0", "detector-0.6.0"])
def test_committed_weights_fit_the_network_that_their_header_describes(name):
    kept = checkpoint.load(RECIPES / "weights" / f"{name}.safetensors")
    network, _ = exported(from_dict(kept.header["config"]))
    network.load_state_dict(kept.groups["average"])


def test_the_paper_stacks_cost_the_same():
    """Table 2 compares 4, 2 and 1 stacks of equal FLOPs."""
    costs = [gmac(f"paper-{k}-stack") for k in (4, 2, 1)]
    assert max(costs) < 1.01 * min(costs)
    assert costs == pytest.approx([71.9, 71.6, 71.5], abs=0.1)


def test_what_ships_is_a_cascade_with_everything_in_it():
    config = recipe("small").network
    assert config.stacks >= 2 and config.aggregate == "tam" and config.crop == 224
    assert gmac("small") < 0.55


def test_frozen_blocks_do_not_learn_and_a_backbone_needs_its_place():
    config = recipe("small", "--start.backbone", "null", "--start.frozen_blocks", "4")
    backbone = build(config.network, config.start).first_encoder.backbone
    assert not any(p.requires_grad for p in backbone.stem.parameters())
    assert not any(p.requires_grad for p in backbone.blocks[2].parameters())
    assert all(p.requires_grad for p in backbone.blocks[3].parameters())
    small = [f"--network.pyramid.{k}={v}" for k, v in (("channels", "[8,8,8,8]"), ("blocks", "[1,1,1,1]"))]
    paper = recipe("paper-1-stack", "--network.channels", "8", *small, "--start.backbone", "x.safetensors")
    with pytest.raises(HandscopeError, match="the network has none"):
        build(paper.network, paper.start)


def test_only_what_is_named_learns():
    """Statistics of batch norms stay too, and a part that is frozen stays frozen."""
    small = ["--network.channels", "8", "--network.regressor", "[8]", "--start.backbone", "null"]
    config = recipe("small", *small, "--start.only", "[heads.present]")
    network = build(config.network, config.start)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    crops = torch.randint(0, 256, (2, 224, 224, 3), dtype=torch.uint8)
    optimiser = torch.optim.SGD(network.parameters(), 0.1)
    network(crops).last.heads["present"].sum().backward()
    optimiser.step()
    moved = {name for name, value in network.state_dict().items() if not torch.equal(value, before[name])}
    assert moved == {"heads.present.weight", "heads.present.bias"}
    with pytest.raises(HandscopeError, match=r"start\.only: no weights that learn begin with heads\.nothing"):
        build(config.network, dataclasses.replace(config.start, only=["heads.nothing"]))


def test_no_shards_is_one_clear_sentence(tmp_path):
    sources = f'[{{"kind": "shards", "path": "{tmp_path}"}}]'
    config = recipe("small", "--start.backbone", "null", "--sources", sources, "--dev", "null")
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


def test_parts_that_are_reinitialised_need_no_place_in_the_checkpoint(tmp_path):
    small = ["--network.channels", "8", "--network.regressor", "[8]", "--start.backbone", "null"]
    before = recipe("small", *small, "--network.stride", "4", "--network.auxiliary", "false")
    network, path = build(before.network), tmp_path / "x.safetensors"
    checkpoint.save(path, network, network, torch.optim.AdamW(network.parameters()), {"step": 1})
    changed = ["stem", "blocks.0.encoder.low", "blocks.0.encoder.merge", "blocks.1.encoder.fuse", "heads.features"]
    start = ["--start.checkpoint", str(path), "--network.auxiliary", "false"]
    now = recipe("small", *small, *start, "--start.reinitialise", str(changed).replace("'", ""))
    given, kept = network.state_dict(), build(now.network, now.start).state_dict()
    torch.testing.assert_close(kept["blocks.1.pof.head.0.weight"], given["blocks.1.pof.head.0.weight"])
    assert "blocks.0.encoder.low.0.weight" in kept and "stem.0.0.weight" in given
    start_all = recipe("small", *small, *start)
    with pytest.raises(HandscopeError, match="in one of them only"):
        build(start_all.network, start_all.start)
