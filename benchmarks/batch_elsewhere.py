"""`handscope batch` beyond one process's disk: python benchmarks/batch_elsewhere.py DIR [--take N] [MEASURE...]

Each measure runs the command with the tests' stand-in networks on pictures of benchmarks/batch.py, kills it or what it
works with in the middle, gives the same command again where it was killed, and holds the rows against those of the
local engine on the same files.

- daft: Daft embedded, the command ended by `kill -9` when half of its parts are there.
- ray: a Ray cluster of this machine, a head without CPUs and two workers in processes of their own (`ray start`), one
  of which is ended with all below it by `kill -9` when half of the parts are there. The command is given once.
- s3, az, gs: a server of such a store on a port of this machine is both source and place for results, by the local
  engine (killed) and by Daft. They want moto[server] and s3fs; Azurite (`npm install azurite`, its folder .bin on the
  PATH) and adlfs; gcp-storage-emulator and gcsfs.
- http: a server of files is the source, by its pages that list folders and by a list of addresses; a place for results
  it cannot be, which must be one sentence. It wants aiohttp.

Prints a table; exits with 1 if rows are others.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psutil
import pyarrow.parquet

from batch import HANDSCOPE, fresh, pictures, toys
from clips import toy_frames, write_video
from handscope.batch.addresses import file_system
from handscope.batch.rows import VARYING

WAIT_S = 300
"""For servers and clusters to be there."""
ACCOUNT, KEY = "nobody", "bm90aGluZw=="
"""What Azurite is told to let in."""
OF_PLACE = ("index", "uri", "stamp", "error", *VARYING)
"""Columns that say where a file lies."""


class Bench:
    """The pictures, the words that every command has, and what a run says."""

    def __init__(self, folder: Path, source: Path, options: argparse.Namespace) -> None:
        self.folder, self.source = folder, source
        self.files = sorted(source.rglob("*.jpg"))[: options.take]
        self.list = folder / f"first-{len(self.files)}.txt"
        self.list.write_text("\n".join(map(str, self.files)))
        self.words = ["--shard-rows", str(options.shard_rows), "--weights", str(toys(folder))]
        self.environment = os.environ | {"OMP_NUM_THREADS": "1"}
        self.whole = fresh(folder / "elsewhere-local")
        self.seconds = self.run(self.list, self.whole)
        self.rows = rows_at(str(self.whole))

    def start(self, source: object, out: object, *more: str) -> subprocess.Popen[str]:
        """The command."""
        return subprocess.Popen(
            [*HANDSCOPE, "batch", str(source), "--out", str(out), *self.words, *more], env=self.environment, text=True,
            start_new_session=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

    def run(self, source: object, out: object, *more: str) -> float:
        """Seconds of the command; some rows fail in every run here."""
        began = time.perf_counter()
        end(self.start(source, out, *more))
        return time.perf_counter() - began

    def killed(self, source: object, out: str, *more: str) -> float:
        """Seconds of a command that is killed in its middle, and of the same one after it."""
        began = time.perf_counter()
        process = self.start(source, out, *more)
        if self.wait_for_half(process, out):
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
        else:
            raise SystemExit(f"{out}: the command ended before it could be killed: {process.communicate()[0][-1000:]}")
        end(self.start(source, out, *more))
        return time.perf_counter() - began

    def wait_for_half(self, process: subprocess.Popen[str], out: str) -> bool:
        """Wait until half of the parts are there; whether the command is still at work."""
        half = len(parts_at(str(self.whole))) // 2
        while process.poll() is None and len(parts_at(out)) < half:
            time.sleep(0.2)
        return process.poll() is None


def end(process: subprocess.Popen[str]) -> None:
    said = process.communicate()[0]
    if process.returncode not in (0, 1):
        raise SystemExit(f"exit code {process.returncode}: {said[-2000:]}")


def parts_at(out: str) -> list[str]:
    """The parts of a folder or an address."""
    system, place = (file_system(out)) if "://" in out else file_system_of_disk(out)
    system.invalidate_cache()
    return sorted(name for name in system.glob(f"{place}/parts/*.parquet") if not Path(name).name.startswith("."))


def file_system_of_disk(out: str) -> tuple[Any, str]:
    import fsspec

    return fsspec.filesystem("file"), out


def rows_at(out: str) -> list[dict[str, Any]]:
    """All rows of a folder or an address, in order of their parts."""
    system = file_system(out)[0] if "://" in out else file_system_of_disk(out)[0]
    tables = [pyarrow.parquet.read_table(io.BytesIO(system.cat_file(part))) for part in parts_at(out)]
    return [row for table in tables for row in table.to_pylist()]


def compared(bench: Bench, out: str, without: tuple[str, ...] = VARYING) -> str:
    """What is wrong with the rows of a run."""

    found = rows_at(out)
    if [row["index"] for row in found] != list(range(len(bench.files))):
        return f"{len(found)} rows, not each once"
    others = sum(told_of(one, without) != told_of(two, without) for one, two in zip(bench.rows, found, strict=True))
    return f"{others} rows are others" if others else ""


def told_of(row: dict[str, Any], without: tuple[str, ...]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in without}


def daft(bench: Bench) -> Iterator[tuple[str, float, str]]:
    """Rows of the table: what, seconds, what is wrong."""
    out = str(fresh(bench.folder / "elsewhere-daft"))
    seconds = bench.killed(bench.list, out, "--engine", "daft")
    yield "Daft embedded, killed once", seconds, compared(bench, out)


def ray(bench: Bench) -> Iterator[tuple[str, float, str]]:
    """As `daft`."""
    out = str(fresh(bench.folder / "elsewhere-ray"))
    with cluster(bench.environment) as (address, workers):
        began = time.perf_counter()
        process = bench.start(bench.list, out, "--engine", "daft", "--ray", address)
        if not bench.wait_for_half(process, out):
            raise SystemExit(f"the command ended before a worker could be killed: {process.communicate()[0][-2000:]}")
        kill_family(workers[0])
        end(process)
        seconds = time.perf_counter() - began
    yield "a Ray cluster, one of two workers killed", seconds, compared(bench, out)


@contextmanager
def cluster(environment: dict[str, str]) -> Iterator[tuple[str, list[subprocess.Popen[bytes]]]]:
    """A head and two workers; their address, and the workers' processes. The environment is told what Ray needs."""
    address = f"127.0.0.1:{free_port()}"
    folder = tempfile.mkdtemp(prefix="hs")  # names of sockets must be short
    small = ["--object-store-memory", str(100 * 2**20), "--disable-usage-stats", "--block"]
    head = ["--head", "--node-ip-address", "127.0.0.1", "--port", address.rpartition(":")[2], "--num-cpus", "0",
            "--include-dashboard", "false", "--temp-dir", folder]  # fmt: skip
    worker = ["--address", address, "--node-ip-address", "127.0.0.1", "--num-cpus", "1"]
    environment |= {"RAY_raylet_start_wait_time_s": str(WAIT_S), "RAY_AUTH_MODE": "disabled"}
    started: list[subprocess.Popen[bytes]] = []
    try:
        for words in (head, worker, worker):
            with (Path(folder) / f"said-{len(started)}").open("w") as said:
                process = subprocess.Popen(
                    [sys.executable, "-m", "ray.scripts.scripts", "start", *words, *small], env=environment,
                    stdin=subprocess.DEVNULL, stdout=said, stderr=said, start_new_session=True,
                )  # fmt: skip
            started.append(process)
            until = time.monotonic() + WAIT_S
            while "--block" not in Path(said.name).read_text() and time.monotonic() < until:
                if process.poll() is not None:
                    raise SystemExit(f"no Ray: {Path(said.name).read_text()[-2000:]}")
                time.sleep(0.2)
        yield address, started[1:]
    finally:
        for process in reversed(started):
            kill_family(process)
        shutil.rmtree(folder, ignore_errors=True)


def kill_family(process: subprocess.Popen[bytes]) -> None:
    """End a process and all below it, as when a machine is lost."""
    if process.poll() is None:
        above = psutil.Process(process.pid)
        for one in [*above.children(recursive=True), above]:
            with ExitStack() as gone:
                gone.push(lambda kind, error, trace: kind is psutil.NoSuchProcess)
                one.kill()
        process.wait()


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@contextmanager
def server(command: list[str], port: int, environment: dict[str, str]) -> Iterator[None]:
    """A server's process, once it listens; what it has on disk goes with it."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder, (Path(folder) / "said").open("w") as said:
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=said, stderr=said,
            start_new_session=True,
        )  # fmt: skip
        try:
            until = time.monotonic() + WAIT_S
            while True:
                with socket.socket() as one:
                    if one.connect_ex(("127.0.0.1", port)) == 0:
                        break
                if process.poll() is not None or time.monotonic() > until:
                    raise SystemExit(f"{command[0]} does not start: {Path(said.name).read_text()[-2000:]}")
                time.sleep(0.2)
            yield
        finally:
            kill_family(process)


def in_store(bench: Bench, name: str, command: list[str], port: int, told: dict[str, str], bucket: str,
             make: Callable[[Any, str], object]) -> Iterator[tuple[str, float, str]]:  # fmt: skip
    """From a store into it, by both engines."""
    os.environ |= told
    bench.environment |= told
    with server(command, port, bench.environment):
        system, place = file_system(f"{bucket}/in")
        make(system, place.split("/", 1)[0])
        for path in bench.files:
            system.pipe_file(f"{place}/{path.relative_to(bench.source)}", path.read_bytes())
        seconds = bench.killed(f"{bucket}/in", f"{bucket}/out")
        yield f"{name}, local, killed once", seconds, compared(bench, f"{bucket}/out", OF_PLACE)
        seconds = bench.run(f"{bucket}/in", f"{bucket}/daft", "--engine", "daft")
        yield f"{name}, Daft", seconds, compared(bench, f"{bucket}/daft", OF_PLACE)


def s3(bench: Bench) -> Iterator[tuple[str, float, str]]:
    """As `daft`."""
    port = free_port()
    told = {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}", "AWS_ACCESS_KEY_ID": "nobody",
        "AWS_SECRET_ACCESS_KEY": "nothing", "AWS_DEFAULT_REGION": "us-east-1",
    }  # fmt: skip
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    yield from in_store(bench, "s3://", command, port, told, "s3://bucket", lambda system, name: system.mkdir(name))


def az(bench: Bench) -> Iterator[tuple[str, float, str]]:
    """As `daft`."""
    port = free_port()
    told = {
        "AZURE_STORAGE_CONNECTION_STRING": f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={KEY};"
        f"BlobEndpoint=http://127.0.0.1:{port}/{ACCOUNT};",
        "AZURITE_ACCOUNTS": f"{ACCOUNT}:{KEY}",
    }
    command = ["azurite-blob", "--silent", "--skipApiVersionCheck", "--disableTelemetry", "--blobHost", "127.0.0.1",
               "--blobPort", str(port)]  # fmt: skip
    yield from in_store(bench, "az://", command, port, told, "az://bucket", lambda system, name: system.mkdir(name))


def gs(bench: Bench) -> Iterator[tuple[str, float, str]]:
    """As `daft`."""
    port = free_port()
    told = {"STORAGE_EMULATOR_HOST": f"http://127.0.0.1:{port}", "GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT": "false"}
    command = [sys.executable, "-m", "gcp_storage_emulator", "start", "--host", "127.0.0.1", "--port", str(port),
               "--in-memory"]  # fmt: skip
    yield from in_store(bench, "gs://", command, port, told, "gs://bucket", lambda system, name: system.mkdir(name))


def http(bench: Bench) -> Iterator[tuple[str, float, str]]:
    """As `daft`."""
    with tempfile.TemporaryDirectory() as held, served(Path(held)) as address:
        for path in bench.files:
            place = Path(held) / "in" / path.relative_to(bench.source)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, place)
        names = [f"{address}/in/{path.relative_to(bench.source)}" for path in bench.files]
        (Path(held) / "list.txt").write_text("\n".join(names))
        for what, source in (("pages that list folders", "in"), ("a list of addresses", "list.txt")):
            out = str(fresh(bench.folder / "elsewhere-http"))
            seconds = bench.killed(f"{address}/{source}", out)
            wrong = compared(bench, out, (*OF_PLACE, "size"))  # nobody asks for the size of each
            yield f"http://, {what}, killed once", seconds, wrong
        film = write_video(Path(held) / "clip.mp4", toy_frames(30))
        outs = [str(fresh(bench.folder / f"elsewhere-{name}")) for name in ("film", "http")]
        seconds = [bench.run(*pair) for pair in zip((film, f"{address}/clip.mp4"), outs, strict=True)][1]
        one, two = ([told_of(row, OF_PLACE) for row in rows_at(out)] for out in outs)
        yield "http://, a video", seconds, "" if one == two and len(one) == 30 else "other rows"
        refused = bench.start(f"{address}/in", f"{address}/out")
        sound = len(refused.communicate()[0].splitlines()) == 1 and refused.returncode == 2
        yield "http:// as place for results is refused", 0.0, "" if sound else "it is not"


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The address of a server of a folder's files, with pages that list it, parts of files and etags."""
    from aiohttp import web

    async def told(request: web.Request) -> web.StreamResponse:
        place = folder / request.match_info["name"]
        if not place.is_dir():
            return web.FileResponse(place) if place.is_file() else web.Response(status=404)
        names = [f"{one.name}/" if one.is_dir() else one.name for one in sorted(place.iterdir())]
        links = "".join(f'<a href="{name}">{name}</a>' for name in ("../", *names))
        return web.Response(text=f"<html><a href='/'>up</a>{links}</html>", content_type="text/html")

    loop, port = asyncio.new_event_loop(), free_port()
    application = web.Application()
    application.router.add_get("/{name:.*}", told)
    runner = web.AppRunner(application, access_log=None)
    loop.run_until_complete(runner.setup())
    loop.run_until_complete(web.TCPSite(runner, "127.0.0.1", port).start())
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()


MEASURES: dict[str, Callable[[Bench], Iterator[tuple[str, float, str]]]] = {
    "daft": daft, "ray": ray, "s3": s3, "az": az, "gs": gs, "http": http
}  # fmt: skip


def main() -> int:
    out = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    out.add_argument("folder", type=Path, metavar="DIR")
    out.add_argument("measures", nargs="*", metavar="MEASURE", help=f"of {', '.join(MEASURES)}; all by default")
    out.add_argument("--count", type=int, default=4000, help="pictures that are made if there are none")
    out.add_argument("--take", type=int, metavar="N", help="of them")
    out.add_argument("--shard-rows", type=int, default=64)
    options = out.parse_args()
    folder = options.folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    bench = Bench(folder, pictures(folder, options.count), options)
    print("| run | rows | seconds | what is wrong |\n|---|---:|---:|---|", flush=True)
    print(f"| local | {len(bench.rows)} | {bench.seconds:.0f} | |", flush=True)
    failed = False
    for name in options.measures or [*MEASURES]:
        for what, seconds, wrong in MEASURES[name](bench):
            print(f"| {what} | {len(bench.rows)} | {seconds:.0f} | {wrong or 'nothing'} |", flush=True)
            failed |= bool(wrong)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
