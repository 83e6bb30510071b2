"""A recipe may take pictures from any dataset of the catalog: pictures on disk to a loss with gradients."""

import json
from dataclasses import asdict

import pytest
import torch

from handscope.data.mixture import CropMixture, Source, collate
from handscope.data.transforms import CropConfig
from handscope.errors import HandscopeError
from handscope.hand.assets import load_asset
from handscope.hand.layer import HandLayer
from handscope.losses.objective import ObjectiveConfig, objective
from handscope.nn.network import HandNetwork
from handscope.train.checkpoint import BEST, load
from handscope.train.estimator import EstimatorTask
from handscope.train.loop import train
from handscope.train.recipe import from_dict
from handscope.train.sources import SourceConfig, open_source
from toy_configs import TINY


@pytest.mark.parametrize(
    ("name", "options"), [("freihand", {"variant": "gs"}), ("rhd", {"root_joint": "wrist"}), ("cmu", {"part": "synth"})]
)
def test_a_dataset_feeds_one_training_step(sets, name: str, options: dict[str, str]) -> None:
    source = SourceConfig(kind="dataset", name=name, path=str(sets[name][0]), options=options)
    samples = open_source(source)
    mixture = CropMixture([Source(name=name, samples=samples, weight=1.0)], CropConfig(size=64, mask_size=32), None, 0)
    batch = collate([mixture[n] for n in range(2)])
    network = HandNetwork(TINY, HandLayer(load_asset()))
    total, terms = objective(network(batch.image), batch, network.hand.silhouette_faces, ObjectiveConfig(), 0)
    total.backward()
    assert torch.isfinite(total) and terms["coordinates"] > 0
    assert any(p.grad is not None and p.grad.abs().sum() > 0 for p in network.parameters())


def test_freihand_validates_and_the_best_of_its_curve_is_kept(sets, tmp_path) -> None:
    """A stranger's data set as `dev`: a figure for each column that it labels, and the best checkpoint beside."""
    root = str(sets["freihand"][0])
    source = {"kind": "dataset", "name": "freihand", "path": root, "options": {"variant": "gs"}}
    run = from_dict(
        {
            "network": asdict(TINY),
            "crop": {"size": 64, "mask_size": 32},
            "loop": {"steps": 4, "batch": 2, "warmup_steps": 1, "validate_minutes": 0.0, "log_every": 1},
            "sources": [source],
            "dev": source,
            "out": str(tmp_path),
        }
    )
    train(EstimatorTask(run), run.loop, tmp_path, asdict(run))
    rows = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    curve = [row for row in rows if "validation/joints_2d" in row]
    assert len(curve) == 5 and {"validation/mask", "validation/mask_mesh", "validation/joints_3d"} <= set(curve[0])
    assert "validation/mesh" not in curve[0]  # its parameters are MANO's: no true mesh of ours
    best = load(tmp_path / BEST).header
    assert best["merit"] == pytest.approx(max(row["validation/merit"] for row in curve), abs=1e-4)


def test_a_source_says_what_it_lacks(tmp_path) -> None:
    with pytest.raises(ValueError, match="needs a name"):
        SourceConfig(kind="dataset", path=str(tmp_path))
    with pytest.raises(ValueError, match="only that kind"):
        SourceConfig(kind="shards", name="rhd", path=str(tmp_path))
    with pytest.raises(HandscopeError, match="no dataset is called"):
        open_source(SourceConfig(kind="dataset", name="rdh", path=str(tmp_path)))
