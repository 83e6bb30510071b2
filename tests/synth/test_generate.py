"""Sets of synthetic pictures: the same bytes however they are made."""

import json
from pathlib import Path
from shutil import copytree

import cv2
import numpy as np
import pytest

from handscope.data.shards import ShardReader, digest
from handscope.errors import HandscopeError
from handscope.synth import generate as module
from handscope.synth.backgrounds import find_sources, free_region
from handscope.synth.generate import generate
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


@pytest.mark.parametrize("harm", ["one bit", "cut short", "no tar", "no digest and cut short"])
def test_a_damaged_shard_is_made_again(reference: tuple[Path, list[str]], tmp_path: Path, harm: str) -> None:
    copytree(reference[0], tmp_path, dirs_exist_ok=True)
    whole, harmed = tmp_path / "train-000000.tar", tmp_path / "train-000001.tar"
    data = bytearray(harmed.read_bytes())
    if harm == "one bit":
        data[2000] ^= 1
    harmed.write_bytes(b"x" * 5000 if harm == "no tar" else data[:9000] if "cut" in harm else data)
    if "digest" in harm:
        harmed.with_name(f"{harmed.name}.sha256").unlink()
    before = whole.stat().st_mtime_ns
    assert make(tmp_path) == reference[1]
    assert whole.stat().st_mtime_ns == before


def test_shards_of_old_are_kept_if_all_can_be_read(reference: tuple[Path, list[str]], tmp_path: Path) -> None:
    """Those of 0.6.0 have no digest beside them."""
    copytree(reference[0], tmp_path, dirs_exist_ok=True)
    for path in tmp_path.glob("*.sha256"):
        path.unlink()
    before = {path: path.stat().st_mtime_ns for path in tmp_path.glob("*.tar")}
    assert make(tmp_path) == reference[1]
    assert before == {path: path.stat().st_mtime_ns for path in tmp_path.glob("*.tar")}
    assert len(list(tmp_path.glob("*.sha256"))) == 3


def test_two_runs_of_one_set_do_not_meet(reference: tuple[Path, list[str]], tmp_path: Path, monkeypatch) -> None:
    """The second one begins while the first one's second shard is half made."""

    def breaks_in(config: SynthConfig, seed: int, index: int):
        if index == 4 and not list(tmp_path.glob("*-000002.tar")):
            with monkeypatch.context() as patch:
                patch.setattr(module, "render_sample", render_sample)
                make(tmp_path)
        return render_sample(config, seed, index)

    monkeypatch.setattr(module, "render_sample", breaks_in)
    assert make(tmp_path) == reference[1] and not list(tmp_path.glob(".*"))


def test_of_two_sets_that_begin_at_once_one_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither sees the other's card when it looks; only one can write it."""
    monkeypatch.setattr(module, "writable_folder", lambda out: (module._claim(out, "train", CONFIG, 2, 3), out)[1])
    with pytest.raises(HandscopeError, match="another set"):
        make(tmp_path)


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
