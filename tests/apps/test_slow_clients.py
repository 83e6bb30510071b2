"""Clients that send or read slowly: real servers on loopback, and nobody else waits for them."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager

import numpy as np
import psutil
import pytest

from handscope.apps import slow_clients
from handscope.apps.preview import Preview
from handscope.apps.service import admission
from handscope.apps.service.admission import Admission
from handscope.apps.service.metrics import Metrics
from handscope.apps.slow_clients import SteadyBodies, http_protocol

uvicorn = pytest.importorskip("uvicorn")


@contextmanager
def served(app):
    """The port where uvicorn serves `app`."""
    config = uvicorn.Config(app, port=0, http=http_protocol(), log_level="critical", lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = server.force_exit = True
        thread.join()


@contextmanager
def previewed(image=None):
    preview = Preview(0)
    try:
        preview.show(np.zeros((8, 8, 3), np.uint8) if image is None else image)
        yield preview
    finally:
        preview.close()


async def echo(scope, receive, send):
    """Answers with the number of bytes that came."""
    count, more = 0, True
    while more:
        message = await receive()
        count, more = count + len(message.get("body", b"")), message.get("more_body", False)
    await answer(send, str(count).encode())


async def answer(send, content: bytes) -> None:
    length = (b"content-length", str(len(content)).encode())
    await send({"type": "http.response.start", "status": 200, "headers": [length]})
    await send({"type": "http.response.body", "body": content})


def connected(port: int, data: bytes) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port), timeout=20)
    connection.sendall(data)
    return connection


def everything(connection: socket.socket) -> bytes:
    """What comes until the other side ends it."""
    parts = []
    with connection:
        try:
            while part := connection.recv(65536):
                parts.append(part)
        except ConnectionResetError:
            pass
    return b"".join(parts)


def until(connection: socket.socket, ending: bytes) -> bool:
    """Whether what comes, of a connection that stays, ends so."""
    told = b""
    while not told.endswith(ending) and (part := connection.recv(65536)):
        told += part
    return told.endswith(ending)


def post(body: bytes, length: int | None = None) -> bytes:
    return b"POST /x HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % (length or len(body)) + body


ONCE = b"POST /x HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 3\r\n\r\nabc"


def test_half_a_header_is_cut_whenever_it_comes(monkeypatch):
    monkeypatch.setattr(slow_clients, "HEADER_S", 0.4)
    with served(echo) as port:
        whole = connected(port, post(b"abc"))
        assert until(whole, b"3")  # a connection that is kept
        halves = [connected(port, part) for part in (b"", b"POST /x HT", b"POST /x HTTP/1.1\r\nHost: loc")]
        whole.sendall(b"POST /x HT")
        start = time.monotonic()
        for half in (*halves, whole):
            half.settimeout(5)
            assert everything(half) == b""
        assert 0.2 < time.monotonic() - start < 3
        assert everything(connected(port, ONCE)).endswith(b"3")


def test_a_header_that_drips_is_cut(monkeypatch):
    monkeypatch.setattr(slow_clients, "HEADER_S", 0.5)
    with served(echo) as port, previewed() as preview:
        for door in (port, int(preview.address.rsplit(":", 1)[1].split("/")[0])):
            drips = connected(door, b"GET / HTTP/1.1\r\n")
            start = time.monotonic()
            with pytest.raises(OSError):
                while time.monotonic() - start < 10:
                    drips.sendall(b"X-A: b\r\n")
                    time.sleep(0.05)
            assert time.monotonic() - start < 3
            drips.close()


def test_a_body_below_the_least_rate_is_408_and_one_above_passes(monkeypatch):
    monkeypatch.setattr(slow_clients, "GRACE_S", 0.2)
    monkeypatch.setattr(slow_clients, "LEAST_RATE", 1000)
    with served(SteadyBodies(echo)) as port:
        slow = connected(port, post(b"x" * 100, 10_000))  # 0.3 s, and then nothing
        told = everything(slow)
        assert told.startswith(b"HTTP/1.1 408") and b"too_slow" in told
        steady = connected(port, post(b"", 2000))
        for _ in range(20):
            time.sleep(0.03)
            steady.sendall(b"x" * 100)
        assert until(steady, b"2000")
        steady.close()


def test_who_takes_nothing_of_a_long_answer_is_cut(monkeypatch):
    monkeypatch.setattr(slow_clients, "HEADER_S", 0.3)
    monkeypatch.setattr(slow_clients, "LEAST_RATE", 10**9)
    ended = threading.Event()

    async def long(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(100):
            await send({"type": "http.response.body", "body": bytes(2**20), "more_body": True})
        ended.set()

    with served(long) as port:
        lazy = connected(port, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert ended.wait(10)
        lazy.close()


def gate(app, **limits) -> Admission:
    limits = {"capacity": 4, "wait_s": 5.0, "max_bytes": 10_000, "timeout_s": 20.0} | limits
    return Admission(app, path="/x", metrics=Metrics(), **limits)


def test_trickling_bodies_take_nobodys_place():
    with served(gate(echo, capacity=64)) as port:
        trickling = [connected(port, post(b"x", 5000)) for _ in range(64)]
        start = time.monotonic()
        assert all(everything(connected(port, ONCE)).endswith(b"3") for _ in range(20))
        assert time.monotonic() - start < 2
        for one in trickling:
            one.close()


def test_when_all_places_of_arriving_bodies_are_taken_the_slowest_makes_room(monkeypatch):
    monkeypatch.setattr(admission, "GRACE_S", 0.3)
    with served(gate(echo, capacity=1)) as port:
        held = [connected(port, post(b"x" * (number + 1), 5000)) for number in range(admission.ARRIVING)]
        time.sleep(0.1)
        early = everything(connected(port, ONCE))  # all of them have hardly begun
        assert early.startswith(b"HTTP/1.1 429") and b"arriving" in early
        time.sleep(0.4)
        assert everything(connected(port, ONCE)).endswith(b"3")
        assert held[0].recv(12) == b"HTTP/1.1 408"
        held[0].close()
        for one in held[1:]:
            one.setblocking(False)
            with pytest.raises(BlockingIOError):
                one.recv(1)
            one.close()


def test_who_reads_its_answer_slowly_takes_nobodys_place():
    async def long(scope, receive, send):
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(30):  # more than fits between the two
            await send({"type": "http.response.body", "body": bytes(2**20), "more_body": True})

    with served(gate(long, capacity=1)) as port:
        first, second = (connected(port, post(b"abc")) for _ in range(2))
        for one in (first, second):
            assert one.recv(12) == b"HTTP/1.1 200"
        first.close()
        second.close()


def test_more_than_may_be_answered_are_429_when_their_bodies_are_there():
    go, begun = threading.Event(), threading.Semaphore(0)

    async def waits(scope, receive, send):
        await receive()
        begun.release()
        while not go.is_set():
            await asyncio.sleep(0.01)
        await answer(send, b"3")

    with served(gate(waits, capacity=2)) as port:
        held = [connected(port, ONCE) for _ in range(2)]
        assert begun.acquire(timeout=5) and begun.acquire(timeout=5)
        refused = everything(connected(port, ONCE))
        assert refused.startswith(b"HTTP/1.1 429") and b"retry-after: 1" in refused
        go.set()
        assert all(everything(one).endswith(b"3") for one in held)


def test_on_a_slow_machine_fewer_are_let_in():
    door = gate(echo, capacity=64, wait_s=2.0)
    bodies = [object() for _ in range(6)]
    assert [door.arrived(body) is None for body in bodies[:3]] == [True] * 3  # nothing is known yet
    door.metrics.count_batch(100, 0, 100 * 0.5)
    assert [door.arrived(body) is None for body in bodies[3:]] == [True, True, False]


def test_who_is_refused_while_sending_still_hears_why():
    with served(gate(echo)) as port:
        connection = socket.create_connection(("127.0.0.1", port), timeout=20)
        connection.sendall(post(b"", 30 * 2**20))
        for _ in range(30):  # as clients do that write all before they read
            connection.sendall(bytes(2**20))
        assert everything(connection).startswith(b"HTTP/1.1 413")


def test_half_headers_do_not_lock_the_preview(monkeypatch):
    monkeypatch.setattr(slow_clients, "MOST_CONNECTIONS", 8)
    with previewed() as preview:
        port, token = preview.address.split(":")[2].split("/")[:2]
        halves = [connected(int(port), b"GET / HT") for _ in range(12)]
        ask = f"GET /{token}/frame.jpg HTTP/1.0\r\nHost: localhost\r\n\r\n".encode()
        start = time.monotonic()
        assert b"200 OK" in everything(connected(int(port), ask))
        assert time.monotonic() - start < 3
        for one in halves:
            one.close()


@pytest.mark.slow
@pytest.mark.parametrize("command", ["serve", "web"])
def test_uploads_and_processes_vanish_at_sigterm(command, toy_weights, tmp_path):
    """A whole upload to the page, half of one to the service: neither is there afterwards."""
    if command == "web":
        pytest.importorskip("gradio")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder = tmp_path / "temporary"
    folder.mkdir()
    run = [sys.executable, "-m", "handscope.apps.cli", command, "--port", str(port), "--weights", str(toy_weights)]
    environment = {**os.environ, "TMPDIR": str(folder)}
    server = subprocess.Popen(run, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while True:
            assert server.poll() is None
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        part = b'--b\r\nContent-Disposition: form-data; name="%b"; filename="a.png"\r\n\r\n'
        field, path = (b"image", b"/v1/hands") if command == "serve" else (b"files", b"/gradio_api/upload")
        body = part % field + b"x" * 3 * 2**20
        end = b"\r\n--b--\r\n" if command == "web" else b""
        length = len(body) + len(end) + 10 * (command == "serve")
        header = b"POST %b HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=b\r\n" % path
        upload = connected(port, header + b"Content-Length: %d\r\n\r\n" % length + body + end)
        if command == "web":
            assert until(upload, b'a.png"]') and list(folder.rglob("a.png"))
        children = psutil.Process(server.pid).children(recursive=True)
        assert command == "web" or children
        server.send_signal(signal.SIGTERM)
        server.wait(30)
        upload.close()
        _, alive = psutil.wait_procs(children, timeout=5)
        assert not alive and list(folder.rglob("*")) == []
    finally:
        server.kill()
        server.wait()
