"""Daft, embedded and on a Ray cluster, and a store of S3: the rows are those of one process here.

Wants the extras [daft,ray,s3] and moto's server: `make test-engines`.
"""

import dataclasses
import io
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from batch_runs import begin, rows_of
from fatal import FatalSettings

import handscope
from handscope.apps.cli import main
from handscope.batch.annotator import Settings
from handscope.batch.local import work_locally
from handscope.batch.rows import KILLED, hand_type
from handscope.batch.run import Watch
from handscope.batch.sources import items_of
from handscope.data.shard_places import find_shards
from handscope.data.shards import ShardReader, ShardWriter
from handscope.errors import HandscopeError
from handscope.infer.pipeline import load
from handscope.types import Sample

daft = pytest.importorskip("daft", reason="the extra [daft]")
from handscope.batch.daft_engine import hands_dtype, track_hands, work_with_daft  # noqa: E402

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]
PLACES = [Path(handscope.__file__).parents[1], *Path(__file__).parents[:2]]
"""What other processes find our modules in."""
DAFT = ["--engine", "daft", "--processes", "1"]
PEERS_HAND = {
    "handedness": daft.DataType.string(),
    "confidence": daft.DataType.float32(),
    "kp2d": daft.DataType.list(daft.DataType.list(daft.DataType.float32())),
    "kp3d": daft.DataType.list(daft.DataType.list(daft.DataType.float32())),
}
"""daft-physical-ai 0.3.0's `hands.schema.HAND_DTYPE`."""


def others():
    """The environment of other processes."""
    return os.environ | {"PYTHONPATH": os.pathsep.join(map(str, PLACES))}


@pytest.fixture(scope="module", autouse=True)
def found_by_workers():
    """Daft starts its workers with the environment alone, and settings of these tests are of modules of theirs."""
    environment = pytest.MonkeyPatch()
    environment.setenv("PYTHONPATH", others()["PYTHONPATH"])
    yield
    environment.undo()


@pytest.fixture(scope="module")
def whole(pictures, settings, tmp_path_factory):
    run = begin(tmp_path_factory.mktemp("whole"), pictures, settings)
    work_locally(run, run.works(), Watch(), processes=0)
    return run


def test_the_rows_of_daft_are_those_of_one_process(whole, pictures, settings, tmp_path):
    run, told = begin(tmp_path, pictures, settings), []
    work_with_daft(run, run.works(), Watch(on_rows=told.append), workers=2)
    assert rows_of(run) == rows_of(whole) and run.summary() == whole.summary()
    assert sum(counts["rows"] for counts in told) == 30


def test_a_picture_that_kills_processes_costs_daft_one_row(whole, pictures, settings, tmp_path):
    deadly = FatalSettings(weights=settings.weights, batch=8, deadly=("p5.png",))
    run = begin(tmp_path, pictures, deadly)
    work_with_daft(run, run.works(), Watch(), workers=2)
    assert run.is_complete and run.tally.failed[KILLED] == 1
    assert [row["status"] for row in rows_of(run)] == [
        "failed" if row["uri"].endswith("/p5.png") else row["status"] for row in rows_of(whole)
    ]


def test_daft_that_is_told_to_stop_leaves_whole_parts_and_goes_on_later(whole, pictures, settings, tmp_path):
    stop, run = threading.Event(), begin(tmp_path, pictures, settings)
    work_with_daft(run, run.works(), Watch(lambda counts: stop.set(), stop.is_set), workers=1)
    assert 0 < run.tally.rows < 30
    again = begin(tmp_path, pictures, settings)
    assert again.tally.rows == run.tally.rows
    work_with_daft(again, again.works(), Watch(), workers=1)
    assert rows_of(again) == rows_of(whole)


def test_ctrl_c_ends_the_command_with_its_exit_code_and_the_same_command_goes_on(pictures, settings, tmp_path):
    words = ["batch", str(pictures), "--out", str(tmp_path), "--weights", settings.weights, "--shard-rows", "8", *DAFT]
    slow = "import handscope.apps.batch; from slow import SlowSettings; handscope.apps.batch.Settings = SlowSettings"
    command = [sys.executable, "-c", f"{slow}; from handscope.apps.cli import main; raise SystemExit(main({words}))"]
    started = subprocess.Popen(
        command, env=others(), start_new_session=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    until = time.monotonic() + 150
    while not list(tmp_path.glob("parts/*.parquet")) and time.monotonic() < until:
        time.sleep(0.1)
    os.killpg(started.pid, signal.SIGINT)
    told, said = started.communicate(timeout=30)
    assert started.returncode == 130 and "stopped; the same command goes on" in said and " of 30 rows" in told
    assert main(words) == 1
    plain = Settings(weights=settings.weights)
    once = begin(tmp_path / "once", pictures, plain)
    work_locally(once, once.works(), Watch(), processes=0)
    assert rows_of(begin(tmp_path, pictures, plain)) == rows_of(once)


def test_networks_that_daft_cannot_open_are_one_sentence(pictures, settings, tmp_path):
    run = begin(tmp_path, pictures, settings)
    run.settings = dataclasses.replace(settings, weights=str(tmp_path / "none"))
    with pytest.raises(HandscopeError, match="no such folder of weights"):
        work_with_daft(run, run.works(), Watch(), workers=1)
    assert not run.done


def test_the_column_is_a_superset_of_that_of_daft_physical_ai():
    ours = {field.name: field.dtype for field in _fields(hands_dtype())}
    assert {name: ours[name] for name in PEERS_HAND} == PEERS_HAND
    assert list(ours) == [hand_type()[k].name for k in range(hand_type().num_fields)]
    assert len(ours) > len(PEERS_HAND)


def _fields(lists):
    struct = daft.from_pydict({"x": [[]]}).select(daft.col("x").cast(lists)).explode("x").select(daft.col("x").unnest())
    return list(struct.schema())


def test_the_hands_of_a_column_are_those_of_the_model(pictures, settings):
    names = [pictures / f"p{number}.png" for number in range(4)] + [pictures / "text.png"]
    table = daft.from_pydict({"bytes": [name.read_bytes() for name in names] + [None]})
    found = table.select(track_hands(daft.col("bytes"), settings, workers=1).alias("hands")).to_pydict()["hands"]
    expected = load(settings.weights)([str(name) for name in names[:4]])
    assert found[4:] == [None, None] and [len(hands) for hands in found[:4]] == [len(hands) for hands in expected]
    images = table.limit(4).select(daft.functions.decode_image(daft.col("bytes"), mode="RGB").alias("image"))
    again = images.select(track_hands(daft.col("image"), settings, workers=1).alias("hands")).to_pydict()["hands"]
    for told in (found, again):
        for hands, theirs in zip(told, expected, strict=False):
            for hand, their in zip(hands, theirs, strict=True):
                np.testing.assert_allclose(hand["kp2d"], their.joints_2d, atol=1e-2)
                np.testing.assert_allclose(hand["kp3d"], their.joints_3d, atol=1e-4)


def test_a_cluster_that_loses_a_machine_makes_the_same_rows(whole, pictures, settings, tmp_path):
    pytest.importorskip("ray", reason="the extra [ray]")
    told = {"weights": settings.weights, "pictures": str(pictures), "out": str(tmp_path / "out")}
    ray_folder = tempfile.mkdtemp(prefix="hs")  # names of sockets must be short
    said = tmp_path / "said"
    with said.open("w") as file:
        subprocess.run(
            [sys.executable, "ray_run.py", json.dumps(told)],
            cwd=Path(__file__).parent,
            env=others() | {"RAY_TMPDIR": ray_folder},
            stdout=file,
            stderr=subprocess.STDOUT,
            timeout=170,
            check=False,
        )
    text = said.read_text()
    (line,) = [line for line in text.splitlines() if line.startswith("TOLD ")] or [text[-3000:]]
    answer = json.loads(line.removeprefix("TOLD "))
    assert answer["complete"] and answer["rows"] == [3] * 10 and answer["is_dead"]
    assert answer["hands"] == [*(len(load(settings.weights)(name)) for name in answer["names"][:3]), None]
    run = begin(tmp_path / "out", pictures, settings)
    ours = rows_of(run)
    assert [row["index"] for row in ours] == list(range(30))
    assert ours == rows_of(begin_again(tmp_path / "again", pictures, settings))


def begin_again(out, pictures, settings):
    """The same list by one process: windows are cut within a shard, so shards must be the same."""
    run = begin(out, pictures, settings, rows=3)
    work_locally(run, run.works(), Watch(), processes=0)
    return run


@pytest.fixture(scope="module")
def s3(pictures):
    """A bucket of moto's server at a port of this machine, with the pictures in it."""
    server = pytest.importorskip("moto.server", reason="moto[server]")
    pytest.importorskip("s3fs", reason="the extra [s3]")
    import fsspec

    started = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    started.start()
    host, port = started.get_host_and_port()
    environment = pytest.MonkeyPatch()
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "nobody",
        "AWS_SECRET_ACCESS_KEY": "nothing",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        environment.setenv(name, value)
    system = fsspec.filesystem("s3", skip_instance_cache=True)
    system.mkdir("bucket")
    for path in pictures.rglob("*.*"):
        system.pipe_file(f"bucket/in/{path.relative_to(pictures)}", path.read_bytes())
    yield system
    environment.undo()
    started.stop()


def test_from_s3_to_s3_the_rows_are_those_of_the_folder(whole, pictures, settings, s3):
    def told(run):
        return [{k: v for k, v in row.items() if k not in ("uri", "stamp", "error", "index")} for row in rows_of(run)]

    local, engine = (begin(f"s3://bucket/{name}", "s3://bucket/in", settings) for name in ("local", "daft"))
    work_locally(local, local.works(), Watch(), processes=2)
    work_with_daft(engine, engine.works(), Watch(), workers=2)
    assert rows_of(local) == rows_of(engine) and engine.is_complete
    names = [row["uri"].removeprefix("s3://bucket/in/") for row in rows_of(local)]
    assert names == [row["uri"].removeprefix(f"{pictures}/") for row in rows_of(whole)]
    assert told(local) == told(whole)
    assert all(row["stamp"] for row in rows_of(local))


class Pages(SimpleHTTPRequestHandler):
    """Files of a folder, and pages that list what lies in it and ways out of it."""

    def list_directory(self, path):
        names = [f"{one.name}/" if one.is_dir() else one.name for one in sorted(Path(path).iterdir())]
        links = "".join(f'<a href="{name}">{name}</a>' for name in ("/", "../", "/in-other/p1.png", *names))
        content = f"<html>{links}</html>".encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        return io.BytesIO(content)

    def log_message(self, *told):
        """Nothing."""


def test_from_the_pages_of_a_web_server_the_rows_are_those_of_the_folder(whole, pictures, settings, tmp_path):
    pytest.importorskip("aiohttp", reason="the extra [http]")
    (tmp_path / "web").mkdir()
    (tmp_path / "web" / "in").symlink_to(pictures)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Pages, directory=str(tmp_path / "web")))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}"
    try:
        run = begin(tmp_path / "out", f"{address}/in", settings)
        work_locally(run, run.works(), Watch(), processes=0)
        names = [row["uri"].removeprefix(f"{address}/in/") for row in rows_of(run)]
        assert names == [row["uri"].removeprefix(f"{pictures}/") for row in rows_of(whole)]
        assert [row["hands"] for row in rows_of(run)] == [row["hands"] for row in rows_of(whole)]
        (item,) = items_of([f"{address}/in/p1.png"], print)
        assert item.size == (pictures / "p1.png").stat().st_size and item.stamp
    finally:
        server.shutdown()
        server.server_close()


def test_shards_of_training_are_read_from_s3_at_a_request_a_sample(s3, tmp_path, caplog):
    samples = [
        Sample(key=f"s{number}", source="test", image=np.full((48, 40, 3), 9 * number, np.uint8), hands=())
        for number in range(5)
    ]
    with ShardWriter(tmp_path / "a.tar") as writer:
        for sample in samples:
            writer.write(sample)
    s3.put_file(str(tmp_path / "a.tar"), "bucket/set/a.tar")
    reader = ShardReader(find_shards("s3://bucket/set"))
    assert reader.keys == [sample.key for sample in samples] and s3.exists("bucket/set/a.tar.index")
    again = ShardReader(find_shards("s3://bucket/set"))
    caplog.clear()
    np.testing.assert_allclose(again[3].image, samples[3].image, atol=2)
    assert [record.getMessage().count("GET /bucket/set/a.tar HTTP") for record in caplog.records] == [1]
    assert "206" in caplog.records[0].getMessage()  # a part of it
