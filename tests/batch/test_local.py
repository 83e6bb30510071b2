"""Processes that fill the cores: the rows are those of one process, and a process that dies costs a picture at most."""

import dataclasses
import os
import signal
import threading

import psutil
import pytest
from batch_runs import begin, rows_of
from fatal import FatalSettings
from slow import WatchedSettings

from handscope.batch import annotator
from handscope.batch.local import cores, work_locally
from handscope.batch.rows import KILLED
from handscope.batch.run import Watch
from handscope.errors import HandscopeError
from handscope.infer.decoding_pool import DecodingPool


@pytest.fixture(scope="module")
def whole(pictures, settings, tmp_path_factory):
    run = begin(tmp_path_factory.mktemp("whole"), pictures, settings)
    work_locally(run, run.works(), Watch(), processes=0)
    return run


def test_the_rows_of_two_processes_are_those_of_one(whole, pictures, settings, tmp_path):
    run = begin(tmp_path, pictures, settings)
    told = []
    work_locally(run, run.works(), Watch(on_rows=told.append), processes=2)
    assert rows_of(run) == rows_of(whole) and run.is_complete
    assert sum(counts["rows"] for counts in told) == 30 and run.summary() == whole.summary()
    assert not [one for one in psutil.Process().children(recursive=True) if "spawn_main" in " ".join(one.cmdline())]


def test_a_process_with_no_shard_left_takes_half_of_what_another_has_not_begun(whole, pictures, settings, tmp_path):
    """One shard, windows of a picture: three processes read it, each of them more than a window, none twice."""
    seen = tmp_path / "seen"
    seen.mkdir()
    watched = WatchedSettings(weights=settings.weights, batch=1, memory=str(seen))
    run = begin(tmp_path / "out", pictures, watched, rows=30)
    told = []
    work_locally(run, run.works(), Watch(on_rows=told.append), processes=3)
    assert run.is_complete and sum(counts["rows"] for counts in told) == 30
    assert [row["index"] for row in rows_of(run)] == list(range(30))
    assert [row["status"] for row in rows_of(run)] == [row["status"] for row in rows_of(whole)]
    by_process = [len(path.read_text().splitlines()) for path in seen.iterdir()]
    assert len(by_process) == 3 and min(by_process) > 1 and sum(by_process) <= 30 + 5


def test_a_picture_that_kills_processes_costs_one_row(pictures, settings, tmp_path):
    (tmp_path / "my.txt").write_text("\n".join(str(pictures / f"p{number}.png") for number in (1, 2, 5)))
    run = begin(
        tmp_path / "out", tmp_path / "my.txt", FatalSettings(weights=settings.weights, batch=8, deadly=("p2.png",))
    )
    work_locally(run, run.works(), Watch(), processes=1)
    one, killed, two = rows_of(run)
    assert killed["error_kind"] == KILLED and not killed["hands"]
    assert killed["error"].startswith(f"{killed['uri']}: 2 processes ended with exit code 3")
    assert len(one["hands"]) == len(two["hands"]) == 1


def test_a_process_that_dies_of_nothing_costs_no_row_and_changes_none(whole, pictures, settings, tmp_path):
    """Once over a window, and over another one twice, so that its pictures are read alone in between."""
    once = FatalSettings(weights=settings.weights, batch=8, once=("p3.png", "p10.png", "p11.png"), memory=str(tmp_path))
    run = begin(tmp_path / "out", pictures, once)
    work_locally(run, run.works(), Watch(), processes=1)
    assert rows_of(run) == rows_of(whole)
    assert {*once.once} <= set(os.listdir(tmp_path))


@pytest.mark.parametrize("most", [0, 160 * 120 * 8])
def test_what_is_decoded_ahead_is_what_is_decoded_in_its_turn(whole, pictures, settings, tmp_path, monkeypatch, most):
    """None of the pictures, which have 160 x 120 pixels and stand in windows of eight, and all of them."""
    decoded = []
    small = DecodingPool.decode_small
    monkeypatch.setattr(annotator, "AHEAD_PIXELS", most)
    monkeypatch.setattr(
        DecodingPool, "decode_small", lambda pool, *told: decoded.append(small(pool, *told)) or decoded[-1]
    )
    run = begin(tmp_path, pictures, settings)
    work_locally(run, run.works(), Watch(), processes=0)
    assert rows_of(run) == rows_of(whole)
    assert {one.result() is None for one in decoded if one.exception() is None} == {most == 0}


@pytest.mark.slow
def test_a_worker_that_is_killed_is_replaced(whole, pictures, settings, tmp_path):
    run = begin(tmp_path, pictures, settings)

    def kill(counts):
        if not killed:
            killed.append(1)
            for child in psutil.Process().children():
                if "spawn_main" in " ".join(child.cmdline()):
                    os.kill(child.pid, signal.SIGKILL)

    killed: list[int] = []
    work_locally(run, run.works(), Watch(on_rows=kill), processes=2)
    assert killed and rows_of(run) == rows_of(whole)


def test_a_run_that_is_told_to_stop_leaves_whole_parts_and_goes_on_later(whole, pictures, settings, tmp_path):
    stop = threading.Event()
    run = begin(tmp_path, pictures, settings)
    work_locally(run, run.works(), Watch(lambda counts: stop.set(), stop.is_set), processes=1)
    assert not run.is_complete
    again = begin(tmp_path, pictures, settings)
    assert again.tally.rows == run.tally.rows < 30
    work_locally(again, again.works(), Watch(), processes=1)
    assert rows_of(again) == rows_of(whole)


def test_failures_that_may_pass_are_tried_again_by_processes_too(pictures, settings, tmp_path):
    (tmp_path / "my.txt").write_text("\n".join([str(pictures / "p1.png"), str(tmp_path / "late.png")]))
    run = begin(tmp_path / "out", tmp_path / "my.txt", settings)
    work_locally(run, run.works(), Watch(), processes=1)
    assert run.summary()["failed"] == {"unreadable": 1}
    (tmp_path / "late.png").write_bytes((pictures / "p2.png").read_bytes())
    work_locally(run, run.works(retry_failed=True), Watch(), processes=1)
    assert run.summary()["failed"] == {} and run.tally.rows == run.tally.hands == 2


def test_networks_that_cannot_be_opened_are_one_sentence(pictures, settings, tmp_path):
    run = begin(tmp_path, pictures, settings)
    run.settings = dataclasses.replace(settings, weights=str(tmp_path / "none"))
    with pytest.raises(HandscopeError, match="no such folder of weights"):
        work_locally(run, run.works(), Watch(), processes=1)
    run.settings = FatalSettings(weights=settings.weights, starts=False)
    with pytest.raises(HandscopeError, match=r"do not start \(exit code 5\)"):
        work_locally(run, run.works(), Watch(), processes=1)


def test_cores_are_those_that_this_process_may_use():
    assert 1 <= cores() <= (os.cpu_count() or 1)
