"""Sets of synthetic pictures: the same bytes however they are made."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from handscope.data.shards import ShardReader
from handscope.errors import HandscopeError
from handscope.synth import generate as module
from handscope.synth.backgrounds import find_sources, free_region
from handscope.synth.generate import digest, generate
from handscope.synth.scene import SynthConfig, render_sample

CONFIG = SynthConfig(size=64)


def make(out: Path, **options: object) -> list[str]:
    paths = generate(CONFIG, count=7, seed=1, out=out, per_shard=3, quiet=True, **options)
    return [digest(p) for p in paths]


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    folder = tmp_path_factory.mktemp("reference")
    return folder, make(folder)


def test_samples_come_back_in_order(reference: tuple[Path, list[str]]) -> None:
    reader = ShardReader(sorted(reference[0].glob("*.tar")))
    assert len(reader) == 7
    sample, made = reader[5], render_sample(CONFIG, 1, 5)
    assert sample.key == made.key
    np.testing.assert_allclose(sample.hands[0].joints_2d, made.hands[0].joints_2d, atol=1e-5)
    assert ((sample.hands[0].mask > 127) == (made.hands[0].mask > 127)).mean() > 0.999


def test_interrupted_work_is_taken_up_again(
    reference: tuple[Path, list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(config: SynthConfig, seed: int, index: int):
        if index == 4:
            raise KeyboardInterrupt
        return render_sample(config, seed, index)

    monkeypatch.setattr(module, "render_sample", breaks)
    with pytest.raises(KeyboardInterrupt):
        make(tmp_path)
    assert [p.name for p in sorted(tmp_path.glob("*.tar"))] == ["train-000000.tar"]
    first = (tmp_path / "train-000000.tar").stat().st_mtime_ns
    monkeypatch.undo()
    assert make(tmp_path) == reference[1]
    assert (tmp_path / "train-000000.tar").stat().st_mtime_ns == first


def test_two_workers_write_the_same_files(reference: tuple[Path, list[str]], tmp_path: Path) -> None:
    assert make(tmp_path, workers=2) == reference[1]


def test_another_set_is_not_mixed_in(reference: tuple[Path, list[str]]) -> None:
    with pytest.raises(HandscopeError, match="another set"):
        generate(CONFIG, count=7, seed=2, out=reference[0], per_shard=3, quiet=True)


def test_a_file_in_the_way_is_explained(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(HandscopeError, match="cannot write into this folder"):
        generate(CONFIG, count=1, seed=0, out=tmp_path / "file", quiet=True)


def test_photographs_are_shown_outside_their_hands(tmp_path: Path) -> None:
    image = np.zeros((120, 200, 3), np.uint8)
    image[30:90, 60:120] = 255  # the hand
    cv2.imwrite(str(tmp_path / "photo.png"), image)
    entry = {"file": "photo.png", "width": 200, "height": 120, "boxes": [[60, 30, 120, 90]]}
    (tmp_path / "index.jsonl").write_text(json.dumps(entry) + "\n")
    sources = find_sources((), str(tmp_path / "index.jsonl"))
    assert [s.path.name for s in sources] == ["photo.png"]
    boxes = np.array(sources[0].boxes)
    rng = np.random.default_rng(0)
    regions = [free_region(rng, 200, 120, boxes, 1.0, 0.25) for _ in range(100)]
    found = [r for r in regions if r is not None]
    assert len(found) > 60
    assert all(image[y0:y1, x0:x1].max() == 0 for x0, y0, x1, y1 in found)
