"""`handscope batch`: the same words go on; how it ended is an exit code, a line and a summary."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest
from PIL import Image
from pyarrow import parquet

from handscope.apps.cli import main
from handscope.hand.assets import load_asset
from toy_networks import blobs, paint

SEVERAL = 6


@pytest.fixture
def folder(tmp_path, toy_weights):
    """Six pictures and one that is none; results go to `out`."""
    source = tmp_path / "in"
    source.mkdir()
    for number in range(SEVERAL):
        picture = paint(160, 120, [blobs((80, 60), 40, 0.1 * number, "left")])
        Image.fromarray(picture).save(source / f"p{number}.png")
    (source / "bad.png").write_bytes(b"no picture")
    return tmp_path


def words(folder, weights, *more):
    given = ["batch", str(folder / "in"), "--out", str(folder / "out"), "--weights", str(weights), "--processes", "1"]
    return [*given, *more]


def rows(folder):
    tables = [parquet.read_table(path) for path in sorted((folder / "out" / "parts").glob("*.parquet"))]
    return [row for table in tables for row in table.to_pylist()]


def test_a_folder_becomes_rows_a_summary_and_an_exit_code(folder, toy_weights, capsys):
    assert main(words(folder, toy_weights, "--shard-rows", "4", "--mesh")) == 1
    told = capsys.readouterr().out
    assert told == f"7 rows, 6 hands, 1 failed (not_a_picture 1); {folder / 'out'}\n"
    summary = json.loads((folder / "out" / "summary.json").read_text())
    assert (summary["rows"], summary["ok"], summary["failed"]) == (7, 6, {"not_a_picture": 1})
    assert summary["complete"] and summary["exit_code"] == 1 and summary["rows_of_this_run"] == 7
    assert len(list((folder / "out" / "parts").iterdir())) == 2
    assert [row["status"] for row in rows(folder)] == ["failed", *["ok"] * 6]
    assert len(rows(folder)[1]["hands"][0]["vertices"]) == len(load_asset().template)
    before = {path: path.stat().st_mtime_ns for path in (folder / "out" / "parts").iterdir()}
    assert main(words(folder, toy_weights, "--mesh", "--max-failed", "20%")) == 0
    assert before == {path: path.stat().st_mtime_ns for path in (folder / "out" / "parts").iterdir()}
    shutil.copy(folder / "in" / "p1.png", folder / "in" / "bad.png")
    assert main(words(folder, toy_weights, "--mesh", "--retry-failed")) == 0
    assert capsys.readouterr().out.endswith(f"7 rows, 7 hands; {folder / 'out'}\n")
    assert [row["status"] for row in rows(folder)] == ["ok"] * 7


def test_more_failures_than_are_allowed_end_the_run(folder, toy_weights, capsys):
    assert main(words(folder, toy_weights, "--max-failed", "0", "--shard-rows", "2")) == 3
    assert "1 rows failed, more than --max-failed allows (0)" in capsys.readouterr().err
    assert not json.loads((folder / "out" / "summary.json").read_text())["complete"]


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (["--shard-rows", "3"], "has parts of 512 rows, not 3"),
        (["--tiles", "2"], "holds parts made with another tiles; give another --out"),
        (["--focal", "300", "--K", "exif"], "give either --K or --focal"),
        (["--distortion", "0,0,0,0"], "give --K too"),
        (["--K", "1,2"], "a camera is FX,FY,CX,CY"),
        (["--out", "ftp://x/y"], "not an address"),
        (["--compute", "abacus"], "device must be one of"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(folder, toy_weights, capsys, more, told):
    if "parts" in told:
        from handscope.batch.annotator import Settings
        from handscope.batch.local import work_locally
        from handscope.batch.manifest import freeze
        from handscope.batch.run import Run, Watch
        from handscope.batch.sources import absolute, items_of
        from handscope.batch.store import open_store

        store, sources = open_store(str(folder / "out")), absolute([str(folder / "in")])
        run = Run(store, freeze(store, items_of(sources, print), sources), Settings(weights=str(toy_weights)))
        work_locally(run, run.works(), Watch(), processes=0)
    assert main(words(folder, toy_weights, *more)) == 2
    said = capsys.readouterr().err
    assert said.startswith("handscope: ") and told in said and said.count("\n") == 1


def test_a_run_that_is_stopped_says_so_and_goes_on(folder, toy_weights):
    for number in range(SEVERAL, 80):
        shutil.copy(folder / "in" / f"p{number % SEVERAL}.png", folder / "in" / f"p{number}.png")
    given = [sys.executable, "-m", "handscope.apps.cli", *words(folder, toy_weights, "--shard-rows", "8")]
    process = subprocess.Popen(given, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    until = time.monotonic() + 60
    while not list((folder / "out").glob("parts/0*.parquet")) and time.monotonic() < until:
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGINT)
    out, said = process.communicate(timeout=60)
    assert process.returncode == 130 and "the same command goes on" in said, said
    assert 0 < len(rows(folder)) < 81 and " of 81 rows" in out
    assert main(words(folder, toy_weights)) == 1
    assert [row["index"] for row in rows(folder)] == list(range(81))
