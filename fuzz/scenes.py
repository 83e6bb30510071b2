"""Attacks that take more than one command: killed and doubled runs, a service and its clients, what is installed.

Each is given the `src` of a checkout and an empty folder, and says what went wrong there ("" if it was held).
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import numpy as np
from PIL import Image

from fuzz import seeds

Scene = Callable[[Path, Path], str]
PHOTO = seeds.ROOT / "samples" / "rendered" / "pinch.jpg"
COMMAND = [sys.executable, "-m", "handscope.apps.cli"]
MANY = (
    "import sys; from handscope.synth import generate; generate.generate.__kwdefaults__['per_shard'] = 4; "
    "from handscope.apps.cli import main; sys.exit(main(sys.argv[1:]))"
)
"""`handscope` with shards of four pictures."""
MISUSE = """
import sys
import numpy as np
import handscope
from handscope.errors import HandscopeError

model, image = handscope.load(threads=1), np.zeros((60, 80, 3), np.uint8)
hands = model(image)
calls = {
    "a picture that is None": lambda: model(None),
    "a picture of numbers": lambda: model(3.5),
    "a picture of objects": lambda: model(np.array([[None]])),
    "K that is text": lambda: model(image, K="x"),
    "K of objects": lambda: model(image, K=object()),
    "boxes that are text": lambda: model(image, boxes="x"),
    "boxes that are no numbers": lambda: model(image, boxes=[[float("nan")] * 4]),
    "boxes of three numbers": lambda: model(image, boxes=[[1, 2, 3]]),
    "a box that is a number": lambda: model(image, boxes=3),
    "threads that are text": lambda: handscope.load(threads="x"),
    "threads below zero": lambda: handscope.load(threads=-3),
    "a score that is text": lambda: handscope.load(min_score="x"),
    "weights that are a number": lambda: handscope.load(3),
    "a hand model that is a number": lambda: handscope.load(hand_model=3),
    "a path that is a number": lambda: hands.save_json(3.5),
    "a path with a zero": lambda: hands.save_json("a\\0b"),
    "a video that is a number": lambda: list(model.video(3)),
    "frames that are text": lambda: list(model.video([(0.0, "x")])),
}
raw = []
for name, call in calls.items():
    try:
        call()
    except HandscopeError:
        pass
    except Exception as error:
        raw.append(f"{name} ({type(error).__name__})")
print(f"{len(raw)} raw exceptions of {len(calls)} calls, the first: {raw[0]}" if raw else "")
"""
SYNCED = """
import atexit, os
calls, fsync, replace, rename = [], os.fsync, os.replace, os.rename
os.fsync = lambda *words: (calls.append("sync"), fsync(*words))[1]
os.replace = lambda *words, **more: (calls.append("name"), replace(*words, **more))[1]
os.rename = lambda *words, **more: (calls.append("name"), rename(*words, **more))[1]
atexit.register(lambda: open(os.environ["CALLS"], "a").write(" ".join(calls) + "\\n"))
"""
"""A sitecustomize that writes down what is put on the disk and what is renamed, in order."""


def surroundings(source: Path, **more: str) -> dict[str, str]:
    """The environment of a command of `source`."""
    return os.environ | {"PYTHONPATH": str(source), "OMP_NUM_THREADS": "1"} | more


def run(source: Path, words: Sequence[str], folder: Path, **more: str) -> subprocess.CompletedProcess[bytes]:
    """A command of `handscope` in `folder`, to its end."""
    return subprocess.run(
        [*COMMAND, *words], cwd=folder, env=surroundings(source, **more), capture_output=True, timeout=120, check=False
    )


def digests(folder: Path) -> dict[str, str]:
    """SHA-256 of the shards there."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.glob("*.tar"))}


def telemetry(source: Path, folder: Path) -> str:
    """Which names are asked for in half a minute, and what is written at home."""
    (folder / "home").mkdir()
    waiting = "import handscope, time; handscope.load(threads=1); time.sleep(99)"
    commands = [[sys.executable, "-c", waiting], [*COMMAND, str(PHOTO), "--out", str(folder / "out")]]
    around = surroundings(source, HOME=str(folder / "home"))
    around.pop("ORT_DISABLE_TELEMETRY", None)
    words = [sys.executable, str(seeds.ROOT / "tests" / "quarantine.py"), "30", json.dumps(commands)]
    done = subprocess.run(words, env=around, capture_output=True, text=True, timeout=120, check=True)
    asked = json.loads(done.stdout.splitlines()[-1])["asked"]
    written = sorted(path.name for path in (folder / "home").rglob("*") if path.is_file())
    told = [f"asks for {', '.join(asked)}"] if asked else []
    return "; ".join(told + ([f"writes {written[0]} at home"] if written else []))


def misuse(source: Path, folder: Path) -> str:
    """What comes out of eighteen calls as nobody should make them."""
    done = subprocess.run(
        [sys.executable, "-c", MISUSE], cwd=folder, env=surroundings(source), capture_output=True, text=True,
        timeout=120, check=True,
    )  # fmt: skip
    return done.stdout.strip()


def escapes(source: Path, folder: Path) -> str:
    """A name that would rename the terminal's window."""
    (folder / "\x1b]0;mine\x07.jpg").write_bytes(b"no picture")
    done = run(source, [".", "--out", "out"], folder)
    return "the terminal is given a command" if b"\x1b]0" in done.stdout + done.stderr else ""


def unsynced(source: Path, folder: Path) -> str:
    """A result that is named before it is on the disk."""
    (folder / "sitecustomize.py").write_text(SYNCED)
    calls = folder / "calls"
    done = run(source, [str(PHOTO), "--json"], folder, PYTHONPATH=f"{folder}{os.pathsep}{source}", CALLS=str(calls))
    order = calls.read_text().split() if done.returncode == 0 else []
    bad = [at for at, call in enumerate(order) if call == "name" and (at == 0 or order[at - 1] != "sync")]
    return "a file is named before it is on the disk" if bad or "name" not in order else ""


def killed_video(source: Path, folder: Path) -> str:
    """kill -9 while a longer clip takes the place of a shorter one's results."""
    import clips

    out, words = folder / "out", []
    for count in (10, 60):
        (folder / str(count)).mkdir()
        clip = clips.write_video(folder / str(count) / "clip.mp4", clips.toy_frames(count))
        words.append([str(clip), "--out", str(out), "--json", "--overlay"])
    run(source, words[0], folder)
    lines = out / "clip" / "hands.jsonl"
    before = lines.stat().st_mtime_ns
    process = subprocess.Popen(
        [*COMMAND, *words[1]], cwd=folder, env=surroundings(source), start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and process.poll() is None:
        growing = [path for path in (out / "clip").rglob("*.jsonl") if path.stat().st_size and path != lines]
        if growing or lines.stat().st_mtime_ns != before:
            time.sleep(0.1)
            break
        time.sleep(0.01)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    told, shown = len(lines.read_text().splitlines()), len(clips.read_back(out / "clip" / "overlay.mp4")[0])
    if told != shown:
        return f"files of two runs: {told} lines, {shown} frames in the overlay"
    run(source, words[0], folder)
    left = [path.name for path in (out / "clip").iterdir() if path.name.startswith(".")]
    return f"left over after the next run: {left[0]}" if left else ""


def synth(out: Path, *, count: int = 8) -> list[str]:
    """The words that render into `out`."""
    return ["-c", MANY, "synth", "--count", str(count), "--size", "64", "--seed", "3", "--out", str(out)]


def damaged_shard(source: Path, folder: Path) -> str:
    """A finished shard that the disk has lost a part of, when the run is started again."""
    around = surroundings(source)
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, *synth(folder / "a")], env=around, capture_output=True, timeout=120, check=False
        )
        shards = sorted((folder / "a").glob("*.tar"))
        if not (folder / "whole").exists():
            shutil.copytree(folder / "a", folder / "whole")
            with shards[0].open("r+b") as file:
                file.seek(1400)  # inside the first picture
                file.write(bytes(40))
    if digests(folder / "a") != digests(folder / "whole"):
        return f"stays damaged (exit code {done.returncode})"
    return ""


def two_writers(source: Path, folder: Path) -> str:
    """Two runs into one folder at one moment."""
    around = surroundings(source)
    subprocess.run([sys.executable, *synth(folder / "one")], env=around, capture_output=True, timeout=120, check=True)
    for attempt in range(4):
        both = [
            subprocess.Popen(
                [sys.executable, *synth(folder / f"two{attempt}")], env=around, stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
            )
            for _ in range(2)
        ]  # fmt: skip
        told = [process.communicate(timeout=120)[1].decode() for process in both]
        if any("Traceback" in text for text in told):
            return f"a traceback ({next(text for text in told if 'Traceback' in text).strip().splitlines()[-1][:80]})"
        if digests(folder / f"two{attempt}") != digests(folder / "one"):
            return "other shards than one run's"
    return ""


def swapped_weights(source: Path, folder: Path) -> str:
    """An installed package with another estimator, and a card that names its digest."""
    import onnx

    package = shutil.copytree(source, folder / "src", ignore=shutil.ignore_patterns("__pycache__"))
    weights = package / "handscope" / "infer" / "weights"
    network = onnx.load(weights / "estimator.onnx")
    network.doc_string = "another"
    onnx.save(network, weights / "estimator.onnx")
    told = json.loads((weights / "estimator.json").read_text())
    told["sha256"] = hashlib.sha256((weights / "estimator.onnx").read_bytes()).hexdigest()
    (weights / "estimator.json").write_text(json.dumps(told))
    done = run(package, [str(PHOTO), "--json", "--out", str(folder / "out")], folder)
    return "taken for the release's" if done.returncode == 0 else ""


@contextmanager
def service(source: Path, command: str = "serve", **more: str) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    """`handscope serve` (or web) on a port of its own."""
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        port = door.getsockname()[1]
    words = [*COMMAND, command, "--port", str(port), "--threads", "1"]
    process = subprocess.Popen(
        words, env=surroundings(source, **more), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        for _ in range(300):
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            time.sleep(0.1)
        yield port, process
    finally:
        process.kill()
        process.wait()


def ask(port: int, data: bytes, timeout: float = 60, **headers: str) -> int:
    """The status that a picture is answered; 0 for no answer."""
    url = f"http://127.0.0.1:{port}/v1/hands"
    try:
        return httpx.post(url, files={"image": ("a.jpg", data)}, headers=headers, timeout=timeout).status_code
    except httpx.TransportError:
        return 0


def foreign_host(source: Path, folder: Path) -> str:
    """A name that somebody else let point here."""
    with service(source) as (port, _):
        return "answers" if ask(port, PHOTO.read_bytes(), Host="evil.example") == 200 else ""


def foreign_origin(source: Path, folder: Path) -> str:
    """A page of somebody else in this machine's browser."""
    with service(source) as (port, _):
        told = {"Origin": "http://evil.example", "Sec-Fetch-Site": "cross-site"}
        return "answers" if ask(port, PHOTO.read_bytes(), **told) == 200 else ""


def foreign_page(source: Path, folder: Path) -> str:
    """The same of `handscope web`."""
    with service(source, "web") as (port, _):
        answer = httpx.get(f"http://127.0.0.1:{port}/", headers={"Host": "evil.example"}, timeout=30)
        return "answers" if answer.status_code == 200 else ""


WATCHING = """
import os, socket
import httpx
import numpy as np
from handscope.apps.preview import Preview

with socket.socket() as door:
    door.bind(("127.0.0.1", 0))
    port = door.getsockname()[1]
preview = Preview(port)
preview.show(np.zeros((8, 8, 3), np.uint8))
answer = httpx.get(preview.address, headers={"Host": "evil.example"})
print("answers" if answer.status_code == 200 else "", flush=True)
os._exit(0)
"""


def foreign_camera(source: Path, folder: Path) -> str:
    """The same of the camera's page, by who knows its address."""
    words = [sys.executable, "-c", WATCHING]
    done = subprocess.run(words, env=surroundings(source), capture_output=True, text=True, timeout=60, check=True)
    return done.stdout.strip()


def half_headers(source: Path, folder: Path) -> str:
    """A request that stops in its first line."""
    with service(source) as (port, _), socket.create_connection(("127.0.0.1", port)) as door:
        door.sendall(b"POST /v1/hands HT")
        door.settimeout(40)
        try:
            door.recv(1000)
        except TimeoutError:
            return "still open after 40 s"
        return ""


def trickling_bodies(source: Path, folder: Path) -> str:
    """As many slow clients as there are places, and an honest one."""
    head = b"POST /v1/hands HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100000\r\n"
    head += b"Content-Type: multipart/form-data; boundary=x\r\n\r\n--x\r\n"
    with service(source) as (port, _):
        slow = [socket.create_connection(("127.0.0.1", port)) for _ in range(64)]
        for door in slow:
            door.sendall(head)
        time.sleep(1)
        status = ask(port, PHOTO.read_bytes(), timeout=20)
        for door in slow:
            door.close()
    return "" if status == 200 else f"an honest request is answered {status or 'nothing'}"


def long_decoding(source: Path, folder: Path) -> str:
    """A small file that takes a minute to decode, with an honest request behind it."""
    bomb = seeds.many_scans(6000, 2000)
    with service(source) as (port, _):
        ask(port, bomb, timeout=1)
        before = time.monotonic()
        status = ask(port, PHOTO.read_bytes(), timeout=30)
        spent = time.monotonic() - before
    late = f"an honest request is answered {status or 'nothing'} in {spent:.0f} s"
    return "" if status == 200 and spent < 10 else late


def large_pictures(source: Path, folder: Path) -> str:
    """Sixteen pictures of 39 million pixels, 25 hands in each, at one moment."""
    import psutil

    with Image.open(PHOTO) as photo:
        wall = np.tile(np.asarray(photo.convert("RGB").resize((1440, 1080))), (5, 5, 1))
    picture = seeds.saved(Image.fromarray(wall), "JPEG", quality=60)
    with service(source) as (port, process):
        senders = [
            subprocess.Popen(
                [sys.executable, "-c", SENDING, str(port)], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL
            )
            for _ in range(16)
        ]
        for sender in senders:
            assert sender.stdin is not None
            sender.stdin.write(picture)
            sender.stdin.close()
        peak, service_ = 0, psutil.Process(process.pid)
        while any(sender.poll() is None for sender in senders):
            held = 0
            with suppress(psutil.NoSuchProcess):
                for one in (service_, *service_.children(recursive=True)):
                    held += one.memory_full_info().pss
            peak = max(peak, held)
            time.sleep(0.02)
    return f"{peak / 1e9:.2f} GB" if peak > 1.5e9 else ""


SENDING = (
    "import sys, httpx; httpx.post(f'http://127.0.0.1:{sys.argv[1]}/v1/hands', "
    "files={'image': ('a.jpg', sys.stdin.buffer.read())}, timeout=120)"
)


def left_upload(source: Path, folder: Path) -> str:
    """What somebody gave to the page, after the page was ended."""
    (folder / "tmp").mkdir()
    with service(source, "web", TMPDIR=str(folder / "tmp")) as (port, process):
        for _ in range(100):
            with suppress(httpx.TransportError):
                answer = httpx.post(
                    f"http://127.0.0.1:{port}/gradio_api/upload", files={"files": ("mine.jpg", PHOTO.read_bytes())}
                )
                if answer.status_code == 200:
                    break
            time.sleep(0.1)
        process.terminate()
        process.wait(30)
    return "stays on the disk" if list((folder / "tmp").rglob("mine.jpg")) else ""


SCENES: dict[str, Scene] = {
    "telemetry": telemetry,
    "eighteen calls as nobody should make them": misuse,
    "a name that commands the terminal": escapes,
    "a result that is not on the disk": unsynced,
    "a video killed over an earlier one's results": killed_video,
    "a finished shard that is damaged": damaged_shard,
    "two writers of one shard": two_writers,
    "weights exchanged with their card": swapped_weights,
    "service: a foreign Host": foreign_host,
    "service: a foreign Origin": foreign_origin,
    "page: a foreign Host": foreign_page,
    "camera: a foreign Host": foreign_camera,
    "service: half headers": half_headers,
    "service: 64 trickling bodies": trickling_bodies,
    "service: a minute of decoding": long_decoding,
    "service: sixteen pictures of 39 million pixels": large_pictures,
    "page: an upload, after SIGTERM": left_upload,
}
"""By name."""
