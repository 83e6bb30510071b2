"""Who may ask: real servers on loopback, asked as browsers and programs do, and as a rebound page would."""

import http.client
import socket
import subprocess
import sys
import threading
import time
from urllib.parse import urlsplit

import numpy as np
import pytest

from handscope.apps.access import Access
from handscope.apps.preview import Preview
from handscope.errors import HandscopeError
from handscope.infer.pipeline import load

REFUSED = {
    "rebound name": (421, {"Host": "evil.example:{port}"}),
    "name that only begins well": (421, {"Host": "localhost.evil.example:{port}"}),
    "user before the host": (421, {"Host": "localhost@evil.example"}),
    "address not listened at": (421, {"Host": "192.0.2.7:{port}"}),
    "foreign origin": (403, {"Origin": "http://evil.example"}),
    "another port's page": (403, {"Origin": "http://127.0.0.1:1"}),
    "origin of a sandbox": (403, {"Origin": "null"}),
    "foreign picture tag": (403, {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": "image"}),
    "foreign frame": (403, {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": "iframe"}),
    "same site, another port": (403, {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Dest": "empty"}),
}
LET_IN = {
    "program": {},
    "localhost": {"Host": "localhost:{port}", "Origin": "http://localhost:{port}", "Sec-Fetch-Site": "same-origin"},
    "IPv6": {"Host": "[::1]:{port}", "Origin": "http://[::1]:{port}"},
    "typed address": {"Sec-Fetch-Site": "none", "Sec-Fetch-Dest": "document"},
    "proxy": {"Host": "hands.example", "Origin": "https://hands.example", "Sec-Fetch-Site": "same-origin"},
}


def ask(port, path, headers, method="GET", body=None):
    """Status and the beginning of the body; Host is 127.0.0.1:port unless told."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    headers = {name: value.format(port=port) for name, value in headers.items()}
    try:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return answer.status, answer.read(40)
    finally:
        connection.close()


def serve(app):
    """A real server of `app` on loopback: itself, its thread and its port."""
    uvicorn = pytest.importorskip("uvicorn")
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.01)
    return server, thread, listening.getsockname()[1]


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(scope="module", params=["service", "page", "preview"])
def asked(request, toy_weights):
    """Port and path of each of the three."""
    if request.param == "preview":
        preview = Preview(0, ["hands.example"])
        preview.show(np.zeros((8, 8, 3), np.uint8))
        address = urlsplit(preview.address)
        yield address.port, f"{address.path}frame.jpg"
        preview.close()
        return
    access = Access(allowed_hosts=["hands.example"])
    if request.param == "service":
        pytest.importorskip("fastapi")
        from handscope.apps.service.api import create_app

        server, thread, port = serve(create_app(load(toy_weights, threads=1), access=access))
        yield port, "/v1/health"
        server.should_exit = True
        thread.join(20)
        return
    pytest.importorskip("gradio")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    options = ["web", "--weights", str(toy_weights), "--port", str(port), "--allow-host", "hands.example"]
    page = subprocess.Popen([sys.executable, "-m", "handscope.apps.cli", *options], stdout=subprocess.DEVNULL)
    try:
        while not listens(port):
            assert page.poll() is None
            time.sleep(0.2)
        yield port, "/config"
    finally:
        page.terminate()
        page.wait(30)


@pytest.mark.parametrize(("status", "headers"), REFUSED.values(), ids=REFUSED)
def test_foreign_pages_are_refused(asked, status, headers):
    assert ask(*asked, headers)[0] == status


@pytest.mark.parametrize("headers", LET_IN.values(), ids=LET_IN)
def test_whoever_belongs_here_is_let_in(asked, headers):
    assert ask(*asked, headers)[0] == 200


def test_a_link_may_open_the_page_but_nothing_else(asked):
    port, path = asked
    followed = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    start = path.removesuffix("frame.jpg") if path.endswith("frame.jpg") else "/"
    assert ask(port, start, followed)[0] in (200, 404)  # the service has no page
    assert ask(port, start, followed, "POST", b"x")[0] in (403, 501)  # the preview knows GET alone
    assert ask(port, path, followed)[0] == 403


def test_without_its_token_the_preview_shows_nothing():
    preview, other = Preview(0), Preview(0)
    try:
        preview.show(np.zeros((8, 8, 3), np.uint8))
        port, own = urlsplit(preview.address).port, urlsplit(preview.address).path
        foreign = urlsplit(other.address).path
        assert own != foreign and len(own) > 20
        assert ask(port, own, {})[0] == ask(port, f"{own}stream", {})[0] == 200
        for start in ("/", "//", foreign, own[:-2] + "/", "/%C3%A9/"):
            for page in ("", "stream", "frame.jpg", "else"):
                status, said = ask(port, start + page, {})
                assert status == 403 and not said.startswith(b"\xff\xd8")
    finally:
        preview.close()
        other.close()


def test_a_service_with_a_token_answers_those_who_bear_it(toy_weights):
    pytest.importorskip("fastapi")
    from handscope.apps.service.api import create_app

    server, thread, port = serve(create_app(load(toy_weights, threads=1), access=Access(token="s3cret")))
    try:
        for path in ("/v1/health", "/v1/version", "/metrics", "/openapi.json"):
            assert ask(port, path, {"Authorization": "Bearer s3cret"})[0] == 200
            for wrong in ("Bearer s3cre", "Bearer s3crets", "Basic s3cret", "Bearer", "s3cret", "Bearer \xe9"):
                assert ask(port, path, {"Authorization": wrong})[0] == 401
            assert ask(port, path, {})[0] == 401
        assert ask(port, "/v1/hands", {}, "POST", bytes(2**22))[0] == 401  # told, however much is being sent
    finally:
        server.should_exit = True
        thread.join(20)


def test_where_all_addresses_are_listened_at_any_address_may_be_asked_but_no_name():
    for everywhere in ("0.0.0.0", "::", ""):
        access = Access(everywhere)
        for host in ("192.0.2.7:8000", "[2001:db8::1]:8000", "localhost"):
            assert access.refusal("GET", "/", [("Host", host)]) is None
        assert access.refusal("GET", "/", [("Host", "rebound.example")])[0] == 421
    named = Access("Box.Example")
    assert named.refusal("GET", "/", [("host", "box.example:80"), ("origin", "http://box.example")]) is None


def test_a_request_calls_one_host():
    for headers in ([], [("Host", "localhost"), ("Host", "evil.example")], [("Host", "")]):
        assert Access().refusal("GET", "/", headers)[0] == 421


@pytest.mark.parametrize("name", ["", "http://a.example", "a.example:80", "a/b", "a b", "*@b"])
def test_names_that_are_none_give_one_sentence(name):
    with pytest.raises(HandscopeError, match="without scheme and port"):
        Access(allowed_hosts=[name])
