"""The detector's task: hands scale with their pictures."""

import gzip
import json
from dataclasses import asdict, replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from handscope.data.shards import ShardWriter
from handscope.errors import HandscopeError
from handscope.infer.weights import open_network
from handscope.losses.detection import HandTable
from handscope.nn.detector import DetectorConfig, ExportedDetector, HandDetector
from handscope.train import checkpoint
from handscope.train.detector import DetectorBatch, DetectorRun, DetectorSources, open_canvases, resized
from handscope.train.export import export
from handscope.types import HandLabel, Sample

JOINTS = np.array([[30.0, 55], *[[30 + 6 * (f - 2), 50 - 8 * k] for f in range(5) for k in (1, 2, 3, 4)]])


@pytest.fixture
def sources(tmp_path: Path) -> DetectorSources:
    """One scene, four photographs, one of people, one background."""
    (tmp_path / "scenes").mkdir()
    image = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    hand = HandLabel(handedness="right", joints_2d=JOINTS, joints_2d_known=np.ones(21, bool))
    with ShardWriter(tmp_path / "scenes" / "train-000000.tar") as writer:
        writer.write(Sample(key="0", source="synth", image=image, hands=(hand,)))
    (tmp_path / "backgrounds").mkdir()
    cv2.imwrite(str(tmp_path / "backgrounds" / "0.jpg"), cv2.resize(image, (200, 160)))
    (tmp_path / "photos").mkdir()
    rows, labels = [], []
    for source in ("ti1k", "dwivedi", "subhih", "sign-digits"):
        file = f"photos/{source}.png"
        cv2.imwrite(str(tmp_path / file), image)
        rows.append({"file": file, "source": source, "width": 64, "height": 64, "boxes": [[10, 10, 50, 60]]})
        entry = {
            "box": [10, 10, 50, 60],
            "joints_2d": JOINTS.tolist(),
            "known": [True] * 21,
            "handedness": "left",
        }
        labels.append({"file": file, "split": "train", "hands": [entry]})
    (tmp_path / "photos" / "index.jsonl").write_text("\n".join(map(json.dumps, rows)))
    path = tmp_path / "labels.jsonl.gz"
    path.write_bytes(gzip.compress("\n".join(map(json.dumps, labels)).encode()))
    (tmp_path / "people").mkdir()
    cv2.imwrite(str(tmp_path / "people" / "0.png"), image)
    person = {"file": "0.png", "source": "x", "width": 64, "height": 64, "split": "train", "use": "train"}
    person |= {"hands": [{"box": [10, 10, 50, 60], "side": None, "by": "eye"}], "ignore": [], "crowd": False}
    (tmp_path / "people" / "index.jsonl").write_text(json.dumps(person))
    (tmp_path / "people" / "teachers.jsonl").write_text("")
    return DetectorSources(
        scenes=[str(tmp_path / "scenes")],
        data=str(tmp_path),
        labels=str(path),
        backgrounds=str(tmp_path / "backgrounds"),
    )


def test_every_source_is_used(sources: DetectorSources) -> None:
    mixture = open_canvases(DetectorRun(sources=sources))
    assert len(mixture.whole) == 6 and len(mixture.close) == 1
    assert sum(int(mixture[n]["present"].sum()) for n in range(10)) > 0


def test_hand_filled_shards_join_the_scenes(sources: DetectorSources) -> None:
    mixture = open_canvases(DetectorRun(sources=replace(sources, hands=sources.scenes[0])))
    assert len(mixture.whole) == 7


def test_no_scenes_is_one_sentence(sources: DetectorSources, tmp_path: Path) -> None:
    (tmp_path / "scenes" / "train-000000.tar").unlink()
    with pytest.raises(HandscopeError, match=r"no shards .* `handscope synth \[--scenes\]"):
        open_canvases(DetectorRun(sources=sources))


def test_sizes_must_fit_the_grid(sources: DetectorSources) -> None:
    with pytest.raises(ValueError, match="multiples of 32"):
        DetectorRun(sources=sources, sizes=[100])


def test_hands_shrink_with_their_pictures() -> None:
    flag = torch.ones(1, 1, dtype=torch.bool)
    hands = HandTable(
        present=flag,
        ignored=~flag,
        boxes=torch.tensor([[[-0.5, -0.5, 63.5, 63.5]]]),
        up=torch.tensor([[[0.0, -1.0]]]),
        crops=torch.tensor([[[31.5, 31.5, 40.0]]]),
        right=torch.ones(1, 1),
        box_known=flag,
        frame_known=flag,
        right_known=flag,
    )
    image, small = resized(DetectorBatch(torch.full((1, 64, 64, 3), 255, dtype=torch.uint8), hands), 32)
    assert image.shape == (1, 3, 32, 32) and float(image.min()) == pytest.approx(1)
    assert small.boxes[0, 0].tolist() == [-0.5, -0.5, 31.5, 31.5]
    assert small.crops[0, 0].tolist() == [15.5, 15.5, 20.0]
    torch.testing.assert_close(small.up, hands.up)


def test_the_exported_detector_is_the_one_that_was_trained(sources: DetectorSources, tmp_path: Path) -> None:
    """Widths are those of the checkpoint's own configuration; one graph serves pictures of any size."""
    config = DetectorConfig(width=16, blocks=1)
    run = DetectorRun(sources=sources, network=config)
    network = HandDetector(config)
    header = {"step": 2, "commit": "abc", "config": asdict(run)}
    checkpoint.write(tmp_path / "x.safetensors", {"average": network.state_dict()}, header)
    graph = open_network("detector", export("detector", tmp_path / "x.safetensors", tmp_path, {}).parent)
    assert graph.card["config"]["network"]["width"] == 16
    for shape in ((1, 96, 96, 3), (2, 64, 160, 3)):
        picture = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
        with torch.no_grad():
            expected = ExportedDetector(network.half().float().eval())(torch.from_numpy(picture))
        told = graph.run(picture)
        for name, value in zip(ExportedDetector.NAMES, expected, strict=True):
            np.testing.assert_allclose(told[name], value, rtol=2e-3, atol=5e-3)
        assert told["boxes"].shape == (shape[0], shape[1] * shape[2] // 64, 4)


def test_a_checkpoint_of_another_kind_is_refused(sources: DetectorSources, tmp_path: Path) -> None:
    header = {"step": 2, "commit": "abc", "config": asdict(DetectorRun(sources=sources))}
    checkpoint.write(tmp_path / "x.safetensors", {"average": HandDetector().state_dict()}, header)
    with pytest.raises(HandscopeError, match="not a checkpoint of the aligner but of the detector"):
        export("aligner", tmp_path / "x.safetensors", tmp_path, {})
