"""The aligner's task: it learns a batch by heart, starts from an estimator's backbone, and ships as ONNX."""

import dataclasses
import json

import cv2
import numpy as np
import pytest
import torch

from handscope.data.mixture import collate
from handscope.data.shards import ShardWriter
from handscope.data.transforms import CropConfig, PhotometricConfig
from handscope.evaluation.aligner_dev import AlignerDev
from handscope.infer.aligner import Aligner
from handscope.infer.weights import open_network
from handscope.nn.aligner import AlignerConfig, ExportedAligner, HandAligner
from handscope.train import checkpoint
from handscope.train.aligner import AlignerRun, AlignerTask
from handscope.train.export import TOLERANCE, export
from handscope.train.sources import SourceConfig
from handscope.train.start import StartConfig
from handscope.types import HandLabel, Sample

JOINTS = np.array([[60.0, 110], *[[60 + 12 * (f - 2), 100 - 16 * k] for f in range(5) for k in (1, 2, 3, 4)]])


@pytest.fixture
def run(tmp_path) -> AlignerRun:
    """Two painted hands in a shard, one of each side."""
    (tmp_path / "shards").mkdir()
    with ShardWriter(tmp_path / "shards" / "train-000000.tar") as writer:
        for side in ("right", "left"):
            image = np.full((128, 128, 3), 60, np.uint8)
            joints = JOINTS if side == "right" else [127, 0] - JOINTS * [1, -1]
            for k, (x, y) in enumerate(np.round(joints).astype(int)):
                cv2.circle(image, (int(x), int(y)), 3, (255 - 10 * k, 40 + 8 * k, 12 * k), -1)
            label = HandLabel(handedness=side, joints_2d=joints, joints_2d_known=np.ones(21, bool))
            writer.write(Sample(key=side, source="painted", image=image, hands=(label,)))
    source = SourceConfig(kind="shards", path=str(tmp_path / "shards"))
    photometric = dataclasses.replace(PhotometricConfig(), erase=0.0)
    return AlignerRun(sources=[source], network=AlignerConfig(present=True), photometric=photometric)


def test_a_batch_is_learnt_by_heart(run: AlignerRun) -> None:
    task = AlignerTask(run)
    batch = collate([task.data[n] for n in range(4)])
    assert set(batch.right.tolist()) == {0.0, 1.0}
    optimiser = torch.optim.Adam(task.model.parameters(), 1e-3)
    losses = []
    for step in range(100):
        loss, _ = task.loss(task.model, batch, step)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.25 * losses[0]
    assert ((task.model(batch.image).right > 0) == (batch.right > 0.5)).all()


def test_without_a_head_of_presence_joints_and_side_are_learnt(run: AlignerRun) -> None:
    task = AlignerTask(dataclasses.replace(run, network=AlignerConfig()))
    total, terms = task.loss(task.model, collate([task.data[n] for n in range(2)]), 0)
    assert set(terms) == {"auxiliary", "auxiliary_right"}
    torch.testing.assert_close(total, run.joints * terms["auxiliary"] + run.right * terms["auxiliary_right"])


def test_it_starts_from_the_backbone_of_an_estimator(run: AlignerRun, tmp_path) -> None:
    given = HandAligner()
    estimator = torch.nn.ModuleDict({"backbone": given.backbone, "heads": torch.nn.Linear(2, 2)})
    named = torch.nn.Module()
    named.blocks = torch.nn.ModuleList([torch.nn.ModuleDict({"encoder": estimator})])
    path = tmp_path / checkpoint.NAME
    header = {"step": 1, "config": {}, "commit": ""}
    checkpoint.save(path, named, named, torch.optim.AdamW(named.parameters()), header)
    network = AlignerTask(dataclasses.replace(run, start=StartConfig(checkpoint=str(path)))).network
    for name, value in given.backbone.state_dict().items():
        torch.testing.assert_close(network.backbone.state_dict()[name], value)


def test_crops_must_be_of_the_networks_size(run: AlignerRun) -> None:
    with pytest.raises(ValueError, match=r"crop\.size must be network\.crop"):
        dataclasses.replace(run, crop=CropConfig(size=64))


def test_what_ships_says_what_was_learnt(run: AlignerRun, tmp_path) -> None:
    network = AlignerTask(run).network
    with torch.no_grad():
        for layer in (network.auxiliary.joints, network.present):
            layer.weight.mul_(0.1)  # random features are larger than learnt ones
    path = tmp_path / checkpoint.NAME
    header = {"step": 3, "commit": "abc", "config": dataclasses.asdict(run)}
    checkpoint.save(path, network, network, torch.optim.AdamW(network.parameters()), header)
    graph = export("aligner", path, tmp_path / "weights", {"licence": "Apache-2.0"})
    card = json.loads(graph.with_suffix(".json").read_text())
    assert card["steps"] == 3 and max(card["onnx_against_torch"].values()) <= TOLERANCE
    crops = np.random.default_rng(0).integers(0, 256, (2, 96, 96, 3), dtype=np.uint8)
    told = Aligner(open_network("aligner", tmp_path / "weights")).network.run(crops)
    with torch.no_grad():
        joints, right, presence = ExportedAligner(network.half().float()).eval()(torch.from_numpy(crops))
    np.testing.assert_allclose(told["joints"], joints, atol=0.02)
    np.testing.assert_allclose(told["right"], right, atol=1e-3)
    np.testing.assert_allclose(told["presence"], presence, atol=1e-3)


def test_a_perfect_answer_scores_so(monkeypatch) -> None:
    """Rough crops of both sides; the truth in their pixels has no error."""
    label = HandLabel(handedness="left", joints_2d=JOINTS, joints_2d_known=np.ones(21, bool))
    unsure = dataclasses.replace(label, joints_2d_known=np.arange(21) > 0)
    image = np.zeros((128, 128, 3), np.uint8)
    samples = [Sample(key=str(i), source="x", image=image, hands=(label, unsure)) for i in range(4)]
    for source in ("JointsDev", "PhotoDataset"):
        monkeypatch.setattr(f"handscope.evaluation.aligner_dev.{source}", lambda *_, **__: samples)
    dev = AlignerDev("", None, CropConfig(size=96, mirror_prob=0.5), every=1)
    images, _, hands = dev.sets["photos"]
    assert images.shape == (4, 96, 96, 3) and len(hands) == 4
    answers = iter([(crop.apply(JOINTS), float(crop.mirrored)) for name in dev.sets for crop in dev.sets[name][1]])

    def perfect(seen):
        joints, right = zip(*[next(answers) for _ in seen], strict=True)
        return np.stack(joints), np.array(right)

    scores = dev.score(perfect)
    assert scores["photos/turn_deg"] < 1e-4 and scores["photos/centre"] < 1e-6 and scores["photos/log_extent"] < 1e-6
    assert scores["photos/handedness"] == 1
    poor = dev.score(lambda seen: (np.tile(JOINTS * 0.7, (len(seen), 1, 1)), np.full(len(seen), 0.5)))
    assert poor["photos/centre"] > 0.01
