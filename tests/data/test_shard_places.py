"""Shards in a store that fsspec reads are those of a folder, at a request a sample."""

import pickle
from pathlib import Path

import fsspec
import numpy as np
import pytest

from handscope.data.catalog import open_dataset, open_shards
from handscope.data.mixture import CropMixture, Source
from handscope.data.shard_places import StoreError
from handscope.data.shards import ShardReader, ShardWriter, read_index
from handscope.data.transforms import CropConfig
from handscope.errors import HandscopeError
from handscope.types import HandLabel, Sample


def sample(i: int) -> Sample:
    rng = np.random.default_rng(i)
    image = np.repeat(np.repeat(rng.integers(0, 255, (6, 5, 3), np.uint8), 8, 0), 8, 1)
    hand = HandLabel(handedness="right", joints_2d=rng.uniform(0, 40, (21, 2)))
    return Sample(key=f"s{i:04d}", source="test", image=image, hands=(hand,))


def write(path: Path, samples: list[Sample]) -> Path:
    with ShardWriter(path) as writer:
        for one in samples:
            writer.write(one)
    return path


@pytest.fixture
def store(tmp_path):
    """A store in memory with two shards of four samples, and the folder that they were copied from."""
    memory = fsspec.filesystem("memory")
    memory.store.clear()
    for number in range(2):
        path = write(tmp_path / f"train-{number}.tar", [sample(4 * number + i) for i in range(4)])
        memory.pipe_file(f"/bucket/set/{path.name}", path.read_bytes())
    yield memory
    memory.store.clear()


@pytest.mark.parametrize(
    "url", ["memory://bucket/set", "memory://bucket/set/train-*.tar", "simplecache::memory://bucket/set"]
)
def test_shards_in_a_store_are_those_of_the_folder(tmp_path: Path, store, url: str) -> None:
    ours, theirs = open_shards(url), open_shards(tmp_path)
    assert ours.keys == theirs.keys
    for i in (5, 0, 7):
        np.testing.assert_array_equal(ours[i].image, theirs[i].image)
    assert len(open_shards("memory://bucket/set/train-1.tar")) == 4
    assert len(open_dataset("shards", url)) == 8
    again = pickle.loads(pickle.dumps(ours))
    np.testing.assert_array_equal(again[3].image, theirs[3].image)


def test_a_sample_of_a_store_is_one_request_by_the_index_beside_it(tmp_path: Path, store, monkeypatch) -> None:
    read_index(tmp_path / "train-0.tar")
    store.pipe_file("/bucket/set/train-0.tar.index", (tmp_path / "train-0.tar.index").read_bytes())
    asked = []
    answer = type(store).cat_file

    def cat_file(self, path, start=None, end=None, **options):
        asked.append((path, start, end))
        return answer(self, path, start=start, end=end, **options)

    monkeypatch.setattr(type(store), "cat_file", cat_file)
    reader = ShardReader(["memory://bucket/set/train-0.tar"])
    assert asked == [("/bucket/set/train-0.tar.index", None, None)]
    asked.clear()
    assert reader[2].key == "s0002"
    ((_, start, end),) = asked
    assert end - start < (tmp_path / "train-0.tar").stat().st_size / 2
    assert not store.exists("/bucket/set/train-1.tar.index")
    ShardReader(["memory://bucket/set/train-1.tar"])
    assert store.exists("/bucket/set/train-1.tar.index")


def test_a_store_that_fails_for_a_moment_costs_nothing_and_one_that_is_gone_ends_the_run(store, monkeypatch) -> None:
    reader, failures = open_shards("memory://bucket/set"), iter([OSError("busy"), TimeoutError()])
    answer = type(store).cat_file
    monkeypatch.setattr("handscope.data.shard_places.WAITS_S", (0.0, 0.0, 0.0))

    def cat_file(self, *given, **options):
        if failure := next(failures, None):
            raise failure
        return answer(self, *given, **options)

    monkeypatch.setattr(type(store), "cat_file", cat_file)
    assert reader[1].key == "s0001"
    failures = iter([OSError("busy")] * 99)
    mixture = CropMixture([Source(name="a", samples=reader, weight=1.0)], CropConfig(size=64), None, seed=0)
    with pytest.raises(StoreError, match=r"^memory:///bucket/set/train-\d\.tar: cannot be read \(OSError: busy\)$"):
        mixture[0]
    assert mixture.skipped == 0


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("memory://bucket/none", "no shards"),
        ("memory://bucket/none.tar", "not found"),
        ("nostore://bucket/set", "cannot be opened"),
        ("memory://bucket/set/short.tar", "no picture or label|not a readable tar file"),
    ],
)
def test_what_a_store_lacks_is_one_sentence(store, url: str, sentence: str) -> None:
    store.pipe_file("/bucket/set/short.tar", store.cat_file("/bucket/set/train-0.tar")[:9000])
    with pytest.raises(HandscopeError, match=sentence) as told:
        open_shards(url)
    assert "\n" not in str(told.value)
