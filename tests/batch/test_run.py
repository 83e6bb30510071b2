"""Every input has one row, the same however a run came to its end; what failed is tried again if that may help."""

import dataclasses

import pytest
from batch_runs import begin, png, rows_of, work_through

from handscope.batch import parts
from handscope.batch.annotator import Settings, windows
from handscope.batch.manifest import Item
from handscope.batch.reading import Patience, Reader
from handscope.batch.sources import items_of
from handscope.errors import HandscopeError
from handscope.infer.limits import DecodingLimits
from handscope.infer.pipeline import load


@pytest.fixture(scope="module")
def whole(pictures, settings, tmp_path_factory):
    run = begin(tmp_path_factory.mktemp("whole"), pictures, settings)
    assert work_through(run) == 4
    return run


def test_every_input_has_a_row_in_order_with_the_models_own_answer(whole, pictures, settings):
    rows = rows_of(whole)
    assert [row["index"] for row in rows] == list(range(30)) and whole.is_complete
    assert whole.tally.rows == 30 and whole.summary()["failed"] == {"damaged": 2, "not_a_picture": 1}
    for row in rows:
        if row["error_kind"]:
            assert row["error"].startswith(f"{row['uri']}: ") and not row["hands"]
    (hand,) = load(settings.weights, threads=1)(pictures / "p1.png")
    (told,) = rows[1]["hands"]
    assert told["handedness"] == hand.handedness
    assert told["kp2d"][8] == pytest.approx(hand.joints_2d[8].tolist(), abs=1e-3)


def test_a_run_that_was_resumed_has_the_rows_of_one_that_was_not(whole, pictures, settings, tmp_path):
    for left in (1, 2, 1):
        run = begin(tmp_path, pictures, settings)
        assert run.tally.rows == sum(counts["rows"] for _, counts in parts.tallies(run.store, list(run.done.values())))
        work_through(run, most=left)
    run = begin(tmp_path, pictures, settings)
    assert not list(run.works()) and rows_of(run) == rows_of(whole)
    assert run.summary() == whole.summary()


def test_parts_of_other_settings_are_not_mixed_with(whole, pictures, settings, tmp_path):
    work_through(begin(tmp_path, pictures, settings), most=1)
    with pytest.raises(HandscopeError, match="made with another min_score; give another --out"):
        begin(tmp_path, pictures, dataclasses.replace(settings, min_score=0.1))
    same = dataclasses.replace(settings, threads=2, patience=Patience())
    assert same.fingerprint() == settings.fingerprint()


def test_the_fingerprint_is_of_the_networks_not_of_their_folder(settings, tmp_path):
    import shutil

    shutil.copytree(settings.weights, tmp_path / "w")
    moved = dataclasses.replace(settings, weights=str(tmp_path / "w"))
    assert moved.fingerprint() == settings.fingerprint() != Settings().fingerprint()


def test_a_failure_that_was_mended_is_tried_again_and_no_other_row_changes(whole, pictures, settings, tmp_path):
    import os
    import shutil

    source = tmp_path / "in"
    shutil.copytree(pictures, source)
    (source / "below" / "p22.png").unlink()
    listed = sorted(item.address for item in items_of([str(source)], print))
    (tmp_path / "list.txt").write_text("\n".join([*listed, str(source / "below" / "p22.png")]))
    run = begin(tmp_path / "out", tmp_path / "list.txt", settings)
    work_through(run)
    before = rows_of(run)
    assert run.summary()["failed"] == {"damaged": 2, "not_a_picture": 1, "unreadable": 1}
    again = begin(tmp_path / "out", tmp_path / "list.txt", settings)
    assert [work.part.shard for work in again.works(retry_failed=True)] == [3]  # the others are final
    shutil.copy(pictures / "below" / "p22.png", source / "below")
    shutil.copy(pictures / "p1.png", source / "short.png")
    os.remove(listed[-1])
    work_through(again, retry_failed=True)
    assert again.summary()["failed"] == {"damaged": 1, "not_a_picture": 1}
    for old, new in zip(before, rows_of(again), strict=True):
        if old["error_kind"] == "unreadable" or old["uri"].endswith("short.png"):
            assert new["status"] == "ok" and new["hands"] and new["size"]
        else:
            assert old == new
    names = again.store.names("parts")
    assert [name for name in names if ".1." in name] and len(names) == again.manifest.shards
    assert begin(tmp_path / "out", tmp_path / "list.txt", settings).summary() == again.summary()


def test_a_file_that_changed_after_it_was_listed_is_told(pictures, settings, tmp_path):
    import shutil

    (tmp_path / "in").mkdir()
    for name in ("p1.png", "p2.png"):
        shutil.copy(pictures / name, tmp_path / "in")
    run = begin(tmp_path / "out", tmp_path / "in", settings)
    (tmp_path / "in" / "p2.png").write_bytes(png())
    work_through(run)
    assert [row["error_kind"] for row in rows_of(run)] == [None, "changed"]
    work_through(run, retry_failed=True)
    assert [row["error_kind"] for row in rows_of(run)] == [None, None]


def test_windows_depend_on_the_list_alone_and_large_files_are_alone():
    many = [Item(n, f"/{n}", size=2**26 if n == 5 else 10) for n in range(12)]
    assert [[item.index for item in window] for window in windows(many, 4)] == [
        [0, 1, 2, 3], [4], [5], [6, 7, 8, 9], [10, 11]
    ]  # fmt: skip


def test_what_may_pass_is_tried_again_and_what_does_not_is_not(memory, monkeypatch):
    memory.pipe_file("/s/a.png", png())
    waits, calls = [], []
    monkeypatch.setattr("handscope.batch.reading.time.sleep", waits.append)
    real = type(memory).cat_file

    def flaky(self, path, **more):
        calls.append(path)
        if len(calls) < 3:
            raise ConnectionError("reset by peer")
        return real(self, path, **more)

    monkeypatch.setattr(type(memory), "cat_file", flaky)
    item = Item(0, "memory://s/a.png", size=len(png()))
    reading = Reader(DecodingLimits(), Patience(attempts=4, wait_s=0.5)).read(item)
    assert reading.content == (png(), item.name) and reading.attempts == 3 and waits == [0.5, 1.0]
    calls.clear()
    reading = Reader(DecodingLimits(), Patience(attempts=2, wait_s=0.5)).read(item)
    assert reading.attempts == 2 and reading.content.kind == "unreadable"
    assert reading.content.message == "memory://s/a.png: cannot read it (reset by peer)"
    calls[:] = [0, 0, 0]
    gone = Reader(DecodingLimits(), Patience(attempts=5, wait_s=0.5)).read(Item(0, "memory://s/b.png"))
    assert (gone.attempts, gone.content.kind, gone.content.message) == (
        1,
        "unreadable",
        "memory://s/b.png: no such file",
    )


def test_from_address_to_address(memory, pictures, settings):
    for path in sorted(pictures.rglob("*.*")):
        memory.pipe_file(f"/set/{path.relative_to(pictures)}", path.read_bytes())
    run = begin("memory://results", "memory://set", settings)
    work_through(run)
    assert run.summary()["failed"] == {"damaged": 2, "not_a_picture": 1}
    failed = [row for row in rows_of(run) if row["error"]]
    assert all(row["error"].startswith(f"{row['uri']}: ") for row in failed)
    assert memory.exists("/results/manifest.parquet") and len(memory.ls("/results/parts")) == 4
    local = {row["uri"].rsplit("/", 1)[-1]: row["hands"] for row in rows_of(run)}
    assert local["p1.png"][0]["handedness"] == "left"


def test_a_part_that_is_none_is_one_sentence(pictures, settings, tmp_path):
    run = begin(tmp_path, pictures, settings)
    work_through(run, most=1)
    (tmp_path / run.done[0].name).write_bytes(b"PAR1")
    with pytest.raises(HandscopeError, match="not a part that can be read; delete it"):
        begin(tmp_path, pictures, settings)


def test_of_two_runs_at_once_the_first_part_stays(pictures, settings, tmp_path):
    one, two = (begin(tmp_path, pictures, settings) for _ in range(2))
    work_through(one, most=2)
    work_through(two)
    assert two.is_complete and two.tally.rows == 30 and len(two.store.names("parts")) == 4


def test_a_file_of_the_same_size_that_was_changed_is_told_by_its_time(pictures):
    import os

    path = pictures / "p1.png"
    about = path.stat()
    item = Item(0, str(path), None, None, about.st_size, str(about.st_mtime_ns))
    reader = Reader(DecodingLimits())
    assert reader.read(item).content == (path.read_bytes(), str(path))
    os.utime(path, ns=(about.st_atime_ns, about.st_mtime_ns + 1_000_000))
    try:
        assert reader.read(item).content.kind == "changed"
    finally:
        os.utime(path, ns=(about.st_atime_ns, about.st_mtime_ns))
