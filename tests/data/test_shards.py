"""Shards give back what was written."""

import gzip
import hashlib
import json
import multiprocessing
import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest

from handscope.data.shards import ShardReader, ShardWriter, check_shard, from_members, to_members
from handscope.errors import HandscopeError
from handscope.types import HandLabel, Sample


def sample(i: int, *, hands: int = 1, masks: bool = True) -> Sample:
    rng = np.random.default_rng(i)
    image = np.repeat(np.repeat(rng.integers(0, 255, (6, 5, 3), np.uint8), 8, 0), 8, 1)
    labels = []
    for k in range(hands):
        mask = np.zeros((48, 40), np.uint8)
        mask[4 + 20 * k : 20 + 20 * k, 5:30] = 255
        labels.append(
            HandLabel(
                handedness="left" if k else "right",
                box=np.array([5.0, 4, 29, 19]),
                joints_2d=rng.uniform(0, 40, (21, 2)),
                joints_2d_known=rng.random(21) < 0.8,
                visible=rng.random(21) < 0.5,
                mask=mask if masks else None,
                theta=rng.standard_normal((15, 3)),
                hand_model="open",
            )
        )
    return Sample(key=f"s{i:04d}", source="test", image=image, hands=tuple(labels), K=np.eye(3), complete=bool(i % 2))


def write(path: Path, samples: list[Sample]) -> Path:
    with ShardWriter(path) as writer:
        for one in samples:
            writer.write(one)
    return path


def test_round_trip_keeps_labels_and_nearly_the_picture(tmp_path: Path) -> None:
    original = sample(3, hands=2)
    read = ShardReader([write(tmp_path / "a.tar", [original])])[0]
    assert (read.key, read.source, read.complete) == (original.key, original.source, original.complete)
    assert np.abs(read.image.astype(int) - original.image).mean() < 12
    for a, b in zip(original.hands, read.hands, strict=True):
        assert a.handedness == b.handedness
        np.testing.assert_allclose(a.joints_2d, b.joints_2d, atol=1e-5)
        np.testing.assert_allclose(a.theta, b.theta, atol=1e-5)
        np.testing.assert_array_equal(a.visible, b.visible)
        np.testing.assert_array_equal(a.joints_2d_known, b.joints_2d_known)
        np.testing.assert_array_equal(a.mask, b.mask)
        assert b.joints_3d is None and b.T is None and b.present is True


def test_what_is_no_hand_comes_back_as_none(tmp_path: Path) -> None:
    places = tuple(HandLabel(box=np.array([5.0, 4, 29, 19]), present=present) for present in (False, None))
    original = Sample(key="a", source="test", image=np.zeros((40, 40, 3), np.uint8), hands=places)
    (read,) = ShardReader([write(tmp_path / "a.tar", [original])])
    assert [hand.present for hand in read.hands] == [False, None]


@pytest.mark.parametrize("one", [sample(1, hands=0), sample(1, masks=False)])
def test_what_is_unknown_stays_unknown(tmp_path: Path, one: Sample) -> None:
    read = ShardReader([write(tmp_path / "a.tar", [one])])[0]
    assert len(read.hands) == len(one.hands)
    assert all(hand.mask is None for hand in read.hands)


def test_any_sample_of_any_shard_is_one_seek_away(tmp_path: Path) -> None:
    paths = [write(tmp_path / f"{k}.tar", [sample(10 * k + i) for i in range(4)]) for k in range(3)]
    reader = ShardReader(paths)
    assert [reader[i].key for i in (11, 0, 5)] == ["s0023", "s0000", "s0011"]
    assert reader.keys == [reader[i].key for i in range(12)]
    assert (tmp_path / "0.tar.index").is_file()
    np.testing.assert_array_equal(ShardReader(paths)[7].image, reader[7].image)  # now by the stored index
    with pytest.raises(IndexError):
        reader[12]


def test_a_changed_shard_is_indexed_anew(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tar", [sample(0)])
    assert len(ShardReader([path])) == 1
    write(path, [sample(0), sample(1)])
    assert ShardReader([path])[1].key == "s0001"


def _key(reader: ShardReader, i: int) -> str:
    return reader[i].key


def test_processes_read_for_themselves(tmp_path: Path) -> None:
    reader = ShardReader([write(tmp_path / "a.tar", [sample(i) for i in range(6)])])
    assert reader[0].key == "s0000"
    assert pickle.loads(pickle.dumps(reader))[4].key == "s0004"
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        assert pool.starmap(_key, [(reader, i) for i in range(6)]) == reader.keys


def test_a_failed_shard_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), ShardWriter(tmp_path / "a.tar") as writer:
        writer.write(sample(0))
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_missing_and_broken_shards_are_explained(tmp_path: Path) -> None:
    with pytest.raises(HandscopeError, match="no such shard"):
        ShardReader([tmp_path / "none.tar"])
    (tmp_path / "broken.tar").write_bytes(b"x" * 2000)
    with pytest.raises(HandscopeError, match="tar"):
        ShardReader([tmp_path / "broken.tar"])
    with pytest.raises(HandscopeError, match="no shards"):
        ShardReader([])


def test_shards_of_old_hold_the_open_hand():
    """Those of 0.5.0 do not say whose parameters they hold."""
    one = sample(1)
    members = dict(to_members(one))
    assert from_members("x", members).hands[0].hand_model == "open"
    entry = json.loads(members["json"])
    for hand in entry["hands"]:
        del hand["hand_model"]
    assert from_members("x", members | {"json": json.dumps(entry).encode()}).hands[0].hand_model == "open"


def test_shards_are_read_where_there_is_no_pread(tmp_path: Path, monkeypatch) -> None:
    path = write(tmp_path / "a.tar", [sample(i) for i in range(6)])
    monkeypatch.delattr("os.pread", raising=False)
    reader = ShardReader([path])
    with ThreadPoolExecutor(4) as pool:
        keys = list(pool.map(lambda i: reader[i % 6].key, range(60)))
    assert keys == [f"s{i % 6:04d}" for i in range(60)]
    assert pickle.loads(pickle.dumps(reader))[3].key == "s0003"


def test_a_digest_lies_beside_a_shard_as_sha256sum_checks_it(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tar", [sample(0)])
    assert (tmp_path / "a.tar.sha256").read_text() == f"{hashlib.sha256(path.read_bytes()).hexdigest()}  a.tar\n"
    check_shard(path)
    (tmp_path / "a.tar.sha256").write_text("0" * 64 + "  a.tar\n")
    with pytest.raises(HandscopeError, match=r"a\.tar: sha256 .* make the shard again"):
        check_shard(path)


DAMAGES = {
    "no picture": {"jpg": b"no picture"},
    "empty picture": {"jpg": b""},
    "no JSON": {"json": b"{"},
    "a list": {"json": b"[]"},
    "deep": {"json": b"[" * 100_000},
    "numbers cut": {"json": ("[[1, 2]]", "joints_2d")},
    "words": {"json": ("theta", "theta")},
    "side": {"json": ("up", "handedness")},
    "model": {"json": ([], "hand_model")},
    "mask of another size": {"mask.png": cv2.imencode(".png", np.zeros((3, 3), np.uint8))[1].tobytes()},
}


@pytest.mark.parametrize("name", DAMAGES)
def test_what_is_no_labelled_picture_is_one_sentence(name: str) -> None:
    members = dict(to_members(sample(0)))
    for suffix, harm in DAMAGES[name].items():
        if isinstance(harm, tuple):
            label = json.loads(members["json"])
            label["hands"][0][harm[1]] = harm[0]
            harm = json.dumps(label).encode()
        members[suffix] = harm
    with pytest.raises(HandscopeError, match="x: not a labelled picture") as told:
        from_members("x", members)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("kept", [b"{", b"[]", b'{"stamp": STAMP, "samples": {"s0000": {"jpg": [0, 1e99]}}}', b"\xff"])
def test_a_damaged_index_is_made_again(tmp_path: Path, kept: bytes) -> None:
    path = write(tmp_path / "a.tar", [sample(0)])
    stat = path.stat()
    stamp = json.dumps([stat.st_size, stat.st_mtime_ns]).encode()
    (tmp_path / "a.tar.index").write_bytes(kept.replace(b"STAMP", stamp))
    assert ShardReader([path])[0].key == "s0000"


def test_a_shard_cut_short_is_one_sentence(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tar", [sample(0), sample(1)])
    data = path.read_bytes()
    for end in (0, 100, 700, len(data) // 2, len(data) - 12_000):
        (tmp_path / "b.tar").write_bytes(data[:end])
        with pytest.raises(HandscopeError, match=r"b\.tar: .*make the shard again"):
            list(ShardReader([tmp_path / "b.tar"]))


def test_a_compressed_shard_is_none(tmp_path: Path) -> None:
    """A few bytes of it would unpack to any number."""
    (tmp_path / "a.tar").write_bytes(gzip.compress(write(tmp_path / "b.tar", [sample(0)]).read_bytes()))
    with pytest.raises(HandscopeError, match="not a readable tar"):
        ShardReader([tmp_path / "a.tar"])
