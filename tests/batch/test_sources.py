"""What is named as a source, as items: all of it, once, in an order that depends on the sources alone."""

import os

import pyarrow as pa
import pytest
from batch_runs import png
from pyarrow import parquet

from clips import toy_frames, write_video
from handscope.batch.addresses import address_of, local_path
from handscope.batch.manifest import Item, Manifest, freeze
from handscope.batch.reading import Reader
from handscope.batch.sources import absolute, items_of, stamp_of
from handscope.batch.store import open_store
from handscope.errors import HandscopeError
from handscope.infer.decoding import Picture
from handscope.infer.limits import DecodingLimits
from handscope.infer.video import VideoReader


def items(*sources, notes=None):
    told = [] if notes is None else notes
    return list(items_of(absolute([str(source) for source in sources]), told.append))


def test_a_folder_is_all_pictures_in_it_and_below_in_natural_order(pictures):
    found = items(pictures)
    names = [item.address.removeprefix(f"{pictures}/") for item in found]
    above = [*[f"p{n}.png" for n in range(20)], "short.png", "text.png"]
    assert names == [*above, "below/empty.jpg", *[f"below/p{n}.png" for n in range(20, 27)]]
    assert [item.index for item in found] == list(range(30))
    about = (pictures / "p3.png").stat()
    assert found[3][2:] == (None, None, about.st_size, str(about.st_mtime_ns))


def test_sources_that_overlap_give_every_picture_once(pictures):
    found = items(pictures / "below", pictures / "p2.png", f"{pictures}/p1?.png", pictures)
    assert [item.address.rsplit("/", 1)[-1] for item in found[8:12]] == ["p2.png", "p10.png", "p11.png", "p12.png"]
    assert len(found) == len({item.name for item in found}) == 30
    assert [item.index for item in found] == list(range(30))


def test_a_list_names_files_as_seen_from_its_folder_also_those_that_are_not_there(pictures, tmp_path):
    (tmp_path / "my.txt").write_text(f"{pictures / 'p1.png'}\n\n  near.png \nmemory://a/b.png\n")
    (tmp_path / "near.png").write_bytes(png())
    found = items(tmp_path / "my.txt")
    assert [item.name for item in found] == [
        str(pictures / "p1.png"), str(tmp_path / "near.png"), "memory://a/b.png"
    ]  # fmt: skip
    assert [item.size for item in found] == [(pictures / "p1.png").stat().st_size, len(png()), None]


@pytest.mark.parametrize("nested", [False, True])
def test_a_table_of_bytes_is_a_picture_a_row_in_any_order(tmp_path, nested):
    contents = [png(number) for number in range(40)]
    column = [{"bytes": one, "path": "x"} for one in contents] if nested else contents
    table = pa.table({"image" if nested else "bytes": column, "other": [0] * 40})
    parquet.write_table(table, tmp_path / "t.parquet", row_group_size=7)
    found = items(tmp_path / "t.parquet")
    assert [(item.name, item.time) for item in found] == [(f"{tmp_path / 't.parquet'}#{n}", None) for n in range(40)]
    reader = Reader(DecodingLimits())
    for number in (0, 1, 2, 30, 31, 5, 39, 20):
        assert reader.read(found[number]).content == (contents[number], found[number].name)
    reader.close()


def test_a_table_of_addresses_names_files_and_one_of_neither_is_told(pictures, tmp_path):
    parquet.write_table(pa.table({"url": [str(pictures / "p4.png"), "q.png"]}), tmp_path / "t.parquet")
    assert [item.address for item in items(tmp_path / "t.parquet")] == [
        str(pictures / "p4.png"), str(tmp_path / "q.png")
    ]  # fmt: skip
    parquet.write_table(pa.table({"label": [1]}), tmp_path / "u.parquet")
    with pytest.raises(HandscopeError, match=r"u\.parquet: has no column url or bytes \(it has label\)"):
        items(tmp_path / "u.parquet")


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_the_frames_of_a_video_are_those_of_the_reader_by_number_and_time_in_any_order(tmp_path, suffix):
    clip = write_video(tmp_path / f"clip{suffix}", toy_frames(30), gop=8)
    found = items(tmp_path)
    with VideoReader(clip) as reader:
        shown = list(reader)
    assert [item.frame for item in found] == [index for index, _, _ in shown]
    assert [item.time for item in found] == pytest.approx([time for _, time, _ in shown], abs=2e-6)
    reader = Reader(DecodingLimits())
    for number in (0, 1, 2, 20, 21, 3, 29, 10):
        picture = reader.read(found[number]).content
        assert isinstance(picture, Picture) and (picture.image == shown[number][2]).all(), number
    reader.close()


def test_below_an_address_everything_is_found_as_in_a_folder(memory):
    for name in ("p10.png", "p2.png", "deep/er/p1.jpg", "notes.md", ".hidden.png"):
        memory.pipe_file(f"/set/{name}", png())
    found = items("memory://set")
    assert [item.address for item in found] == [
        "memory://set/p2.png", "memory://set/p10.png", "memory://set/deep/er/p1.jpg"
    ]  # fmt: skip
    assert all(item.size == len(png()) and item.stamp for item in found)
    assert [item.address for item in items("memory://set/p1*.png")] == ["memory://set/p10.png"]
    assert [(item.size, item.stamp) for item in found] == [stamp_of(item.address) for item in found]


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("/nowhere/a.png", "no such file or folder"),
        ("/nowhere/*.png", "no file has such a name"),
        ("memory://nowhere", "no such file or folder"),
        ("ftp://host/a", "not an address that is read"),
        ("simplecache::memory://a", "no such file"),
    ],
)
def test_a_source_that_is_not_there_is_one_sentence(memory, source, told):
    with pytest.raises(HandscopeError, match=told) as problem:
        items(source)
    assert "\n" not in str(problem.value)


def test_a_name_that_is_no_text_has_an_address_that_leads_back():
    path = os.fsdecode(b"/tmp/\xff 100%.png")
    assert address_of(path) == "file:///tmp/%FF%20100%25.png"
    assert str(local_path(address_of(path))) == path
    assert address_of("/tmp/100%.png") == "/tmp/100%.png"


def test_a_list_is_frozen_once_and_has_the_same_shards_for_everybody(pictures, tmp_path):
    store, sources = open_store(str(tmp_path / "out")), absolute([str(pictures)])
    first = freeze(store, items_of(sources, print), sources, shard_rows=8)
    again = freeze(store, iter([Item(0, "never asked")]), sources, shard_rows=3)
    assert (first.count, first.shards, again.shard_rows) == (30, 4, 8)
    told = [item for number in range(4) for item in again.shard(number)]
    assert told == items(pictures) and [len(again.shard(number)) for number in range(4)] == [8, 8, 8, 6]
    with pytest.raises(HandscopeError, match="holds results of other sources"):
        freeze(store, [], ["/elsewhere"])


def test_shards_are_whole_where_row_groups_of_the_list_end(tmp_path, monkeypatch):
    monkeypatch.setattr("handscope.batch.manifest.ROW_GROUP", 5)
    many = [Item(n, f"/{n}.png") for n in range(23)]
    manifest = freeze(open_store(str(tmp_path)), iter(many), ["x"], shard_rows=7)
    assert [manifest.shard(n) for n in range(4)] == [many[:7], many[7:14], many[14:21], many[21:]]


def test_no_pictures_at_all_leave_no_list(tmp_path):
    store = open_store(str(tmp_path))
    with pytest.raises(HandscopeError, match="no pictures"):
        freeze(store, [], ["x"])
    assert store.names() == []
    (tmp_path / "manifest.parquet").write_bytes(b"PAR1")
    with pytest.raises(HandscopeError, match="not a list"):
        Manifest(store)


def test_a_store_that_fails_while_it_is_listed_is_one_sentence(memory, monkeypatch):
    memory.pipe_file("/set/deep/a.png", png())

    def broken(self, path, detail=True, **more):
        raise RuntimeError("SlowDown\nplease")

    monkeypatch.setattr(type(memory), "ls", broken)
    with pytest.raises(HandscopeError, match=r"memory://set: cannot be listed \(SlowDown\)"):
        items("memory://set")


def test_a_full_disk_is_one_sentence(tmp_path, monkeypatch):
    def full(*given, **more):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("handscope.batch.manifest._groups", full)
    with pytest.raises(HandscopeError, match="No space left on device"):
        freeze(open_store(str(tmp_path)), [Item(0, "/a.png")], ["x"])


def test_a_frame_further_back_is_decoded_from_the_key_frame_before_it(tmp_path, monkeypatch):
    from handscope.batch.videos import _Film

    write_video(tmp_path / "clip.mp4", toy_frames(30), gop=8)
    found, reader = items(tmp_path), Reader(DecodingLimits())
    reader.read(found[29])
    steps, real = [], _Film._step
    monkeypatch.setattr(_Film, "_step", lambda self: (steps.append(1), real(self))[1])
    assert isinstance(reader.read(found[18]).content, Picture) and len(steps) <= 4
    reader.close()
