"""The service: what it answers, what it refuses, and that many at once get an answer or a clear refusal."""

import asyncio
import io
import itertools
import json
import re
import socket
import struct
import sys
import threading
import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import jsonschema
import numpy as np
import pytest
from PIL import Image

from handscope.infer import formats
from handscope.infer.pipeline import Pipeline, load
from handscope.infer.results import Hands
from toy_networks import blobs, paint, toy_joints

pytest.importorskip("fastapi")
from fastapi.testclient import TestClient

from handscope.apps.access import Access
from handscope.apps.cli import main
from handscope.apps.service.admission import Admission
from handscope.apps.service.api import Limits, create_app
from handscope.apps.service.batching import Batcher
from handscope.apps.service.metrics import Metrics

LEFT = blobs((180, 120), 70, 0.4, "left")
HERE = "http://127.0.0.1"
LIMITS = Limits(max_bytes=200_000, max_pixels=1_000_000, timeout_s=20)


@pytest.fixture(scope="module")
def model(toy_weights):
    return load(toy_weights, threads=1)


@pytest.fixture(scope="module")
def picture():
    return encoded(Image.fromarray(paint(320, 240, [LEFT])), "PNG")


@pytest.fixture(scope="module")
def client(model):
    with TestClient(create_app(model, LIMITS), HERE, raise_server_exceptions=False) as client:
        yield client


def encoded(image: Image.Image, kind: str) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind)
    return buffer.getvalue()


def post(client, data, name="photo.png", media_type="image/png", **options):
    return client.post("/v1/hands", files={"image": (name, data, media_type)}, params=options)


def test_the_answer_is_the_models(client, model, picture):
    answer = post(client, picture, "folder/photo.png")
    assert answer.status_code == 200 and answer.headers["content-type"] == "application/json"
    content = answer.json()
    jsonschema.validate(content, formats.schema())
    (hand,) = content["hands"]
    assert hand["handedness"] == "left" and content["image"]["source"] == "photo.png"
    np.testing.assert_allclose(hand["joints_2d"], toy_joints(*LEFT), atol=1.0)


def test_options_do_what_they_say(client, picture):
    assert post(client, picture, min_score=1).json()["hands"] == []
    near, far = (post(client, picture, focal=f).json()["hands"][0] for f in (600, 1200))
    assert far["K"] == [[1200, 0, 159.5], [0, 1200, 119.5], [0, 0, 1]]
    depth, further = (np.mean(hand["joints_3d"], axis=0)[2] for hand in (near, far))
    assert further == pytest.approx(2 * depth, rel=0.03)
    starts = {"csv": b"source,", "coco": b'{"images"', "glb": b"glTF", "npz": b"PK"}
    for format, start in starts.items():
        assert post(client, picture, format=format).content.startswith(start)


def test_joints_are_told_in_the_convention_that_is_asked_for(client, model, toy_weights, picture):
    def told(asked, **options):
        return post(asked, picture, **options).json()["hands"][0]

    (hand,) = model(Image.open(io.BytesIO(picture)))
    moved = told(client, joint_convention="freihand")
    assert moved["joint_convention"] == "freihand" and told(client)["joint_convention"] == "anatomical"
    np.testing.assert_allclose(moved["joints_3d"], hand.in_convention("freihand").joints_3d, atol=1e-5)
    with TestClient(create_app(load(toy_weights, threads=1, joint_convention="rhd"), LIMITS), HERE) as started:
        assert told(started)["joint_convention"] == "rhd"
        back = told(started, joint_convention="anatomical")
        np.testing.assert_allclose(back["joints_3d"], hand.joints_3d, atol=1e-5)
    for wrong in ("mano", "theirs"):
        answer = post(client, picture, joint_convention=wrong)
        assert (answer.status_code, answer.json()["error"]["code"]) == (422, "invalid")


@pytest.mark.parametrize("path", ["/", "/docs"])
def test_pages_for_people_need_nothing_from_elsewhere(client, path):
    answer = client.get(path)
    assert answer.status_code == 200 and answer.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "//" not in re.sub(r"http://HOST:PORT|application/\S+", "", answer.text) and "<script" not in answer.text
    for word in {"/": ("multipart/form-data", "/docs"), "/docs": ("POST /v1/hands", "joint_convention", "503")}[path]:
        assert word in answer.text


def test_the_start_pages_form_is_answered(client, picture):
    text = client.get("/").text
    action = re.search(r'action="(/v1/hands[^"]*)"', text)[1]
    answer = client.post(action, files={"image": ("a.png", picture, "image/png")}, headers={"Origin": HERE})
    assert answer.status_code == 200 and len(answer.json()["hands"]) == 1


def bomb() -> bytes:
    """A PNG of a few bytes that claims 60,000 x 60,000 pixels."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 60000, 60000, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"0")) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


NOISE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8))
REFUSED = {
    "empty": (b"", "image/png", 422, "damaged"),
    "text": (b"no picture at all", "text/plain", 415, "not_a_picture"),
    "text called PNG": (b"no picture at all", "image/png", 415, "not_a_picture"),
    "ZIP called PNG": (b"PK\x03\x04" + bytes(99), "image/png", 415, "not_a_picture"),
    "JPEG called PNG": (encoded(NOISE, "JPEG"), "image/png", 415, "mislabelled"),
    "PNG called text": (encoded(NOISE, "PNG"), "text/html", 415, "mislabelled"),
    "cut PNG": (encoded(NOISE, "PNG")[:3000], "image/png", 422, "damaged"),
    "cut JPEG": (encoded(NOISE, "JPEG")[:1500], "image/jpeg", 422, "damaged"),
    "bomb": (bomb(), "image/png", 413, "too_many_pixels"),
    "large picture": (encoded(Image.new("L", (1001, 1000)), "PNG"), "image/png", 413, "too_many_pixels"),
    "large file": (bytes(400_000), "image/png", 413, "too_large"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_refused_is_told_in_one_sentence(client, kind):
    data, media_type, status, code = REFUSED[kind]
    answer = post(client, data, media_type=media_type)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    message = answer.json()["error"]["message"]
    assert message and "\n" not in message and "Traceback" not in message


def test_a_large_body_of_unknown_length_is_stopped(client):
    def parts():
        yield b'--x\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\n'
        for _ in range(50):
            yield bytes(100_000)

    answer = client.post("/v1/hands", content=parts(), headers={"content-type": "multipart/form-data; boundary=x"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_large")


@pytest.mark.parametrize("options", [{"min_score": 2}, {"focal": 0}, {"focal": "nan"}, {"format": "pdf"}])
def test_wrong_options_name_themselves(client, picture, options):
    answer = post(client, picture, **options)
    assert answer.status_code == 422 and answer.json()["error"]["message"].startswith(next(iter(options)))


def test_strange_forms_are_refused(client):
    kind = "multipart/form-data; boundary=x"
    for content, headers in (
        (b"", {}),
        (b"{}", {"content-type": "application/json"}),
        (b"garbage", {"content-type": kind}),
        (b'--x\r\nContent-Disposition: form-data; name="image"\r\n\r\nno file\r\n--x--\r\n', {"content-type": kind}),
        (b"--x\r\n\r\n\r\n--x--\r\n", {"content-type": f"{kind}; charset=utf-7"}),
    ):
        answer = client.post("/v1/hands", content=content, headers=headers)
        assert answer.status_code in (400, 422) and answer.json()["error"]["message"]
    assert client.get("/v1/hands").status_code == 405 and client.get("/none").json()["error"]


@pytest.mark.parametrize("label", [None, "", "application/octet-stream", "image/png; charset=x", "IMAGE/PNG"])
def test_labels_that_fit_or_say_nothing_pass(client, picture, label):
    part = b'--x\r\nContent-Disposition: form-data; name="image"; filename="\xff/a"\r\n'
    if label is not None:
        part += f"Content-Type: {label}\r\n".encode()
    content = part + b"\r\n" + picture + b"\r\n--x--\r\n"
    answer = client.post("/v1/hands", content=content, headers={"content-type": "multipart/form-data; boundary=x"})
    assert answer.status_code == 200 and answer.json()["image"]["source"] == "a"


def test_health_version_metrics_and_no_foreign_page(client, picture):
    assert client.get("/v1/health").json() == {"status": "ok"}
    assert client.get("/v1/version").json()["estimator"] == "toy"
    post(client, picture)
    text = client.get("/metrics").text
    assert 'handscope_requests_total{status="200"}' in text and "handscope_requests_in_flight 0" in text
    assert client.get("/redoc").status_code == 404
    document = client.get("/openapi.json").json()
    assert "#/$defs" not in json.dumps(document)
    assert {"200", "408", "413", "415", "422", "429", "503"} <= set(document["paths"]["/v1/hands"]["post"]["responses"])


class Held:
    """A model that waits for `go`, remembers how many pictures came at once, and fails on pictures 7 px wide."""

    __class__ = Pipeline  # stands in for one where types are checked

    def __init__(self):
        self.go, self.busy, self.sizes = threading.Event(), threading.Event(), []

    def answer(self, inputs):
        self.sizes.append(len(inputs))
        self.busy.set()
        assert self.go.wait(20)
        if any(given.size[0] == 7 for given in inputs):
            raise RuntimeError("seven")
        return [Hands(width=given.size[0], height=given.size[1]) for given in inputs]


def small(width: int) -> bytes:
    return encoded(Image.new("RGB", (width, 5)), "PNG")


def test_concurrent_requests_share_a_batch_and_a_bad_one_spoils_no_other(monkeypatch):
    held, submit, queued = Held(), Batcher.submit, threading.Semaphore(0)

    def counted(self, job):
        answer = submit(self, job)
        queued.release()
        return answer

    monkeypatch.setattr(Batcher, "submit", counted)
    with (
        TestClient(create_app(held, LIMITS), HERE, raise_server_exceptions=False) as client,
        ThreadPoolExecutor(6) as pool,
    ):
        first = pool.submit(post, client, small(3))
        assert held.busy.wait(20)
        widths = (4, 7, 5, 6)
        others = [pool.submit(post, client, small(width)) for width in widths]
        for _ in range(1 + len(widths)):  # a request is in flight before it is in the queue
            assert queued.acquire(timeout=20)
        assert "handscope_requests_in_flight 5" in client.get("/metrics").text
        held.go.set()
        assert first.result().json()["image"]["width"] == 3
        statuses = [other.result().status_code for other in others]
        assert statuses == [200, 500, 200, 200] and others[2].result().json()["image"]["width"] == 5
        assert held.sizes == [1, 4, 1, 1, 1, 1]  # four at once, then each alone for the bad one's sake
        assert post(client, small(9)).status_code == 200


def test_more_than_may_wait_get_429():
    held = Held()
    limits = Limits(capacity=3, timeout_s=20)
    with TestClient(create_app(held, limits), HERE) as client, ThreadPoolExecutor(12) as pool:
        jobs = [pool.submit(post, client, small(3)) for _ in range(12)]
        assert held.busy.wait(20)
        while sum(job.done() for job in jobs) < 9:
            pass
        held.go.set()
        answers = [job.result() for job in jobs]
    refused = [answer for answer in answers if answer.status_code == 429]
    assert len(refused) == 9 and all(answer.status_code == 200 for answer in answers if answer not in refused)
    assert all(answer.headers["retry-after"] == "1" and answer.json()["error"]["code"] == "busy" for answer in refused)


def test_no_answer_in_time_is_503():
    held = Held()
    with TestClient(create_app(held, Limits(timeout_s=0.2)), HERE) as client:
        first, second = post(client, small(3)), post(client, small(4))
        assert first.status_code == second.status_code == 503
        assert first.headers["retry-after"] == "1" and first.json()["error"]["code"] == "timeout"
        held.go.set()
        assert post(client, small(3)).status_code == 200
    assert sum(held.sizes) == 2  # whoever gave up while waiting is not looked at


def test_a_body_that_drips_is_408():
    async def application(scope, receive, send):
        while (await receive()).get("more_body"):
            pass

    async def drip():
        await asyncio.sleep(0.05)
        return {"type": "http.request", "body": b"x", "more_body": True}

    sent, metrics = [], Metrics()

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "path": "/x", "method": "POST", "headers": []}
    gate = Admission(application, path="/x", capacity=1, wait_s=5.0, max_bytes=100, timeout_s=0.2, metrics=metrics)
    asyncio.run(gate(scope, drip, send))
    assert sent[0]["status"] == 408 and json.loads(sent[1]["body"])["error"]["code"] == "too_slow"
    assert metrics.in_flight == 0


@pytest.mark.parametrize(
    ("option", "words"),
    [
        (["--queue", "0"], "capacity must be positive"),
        (["--host", "192.0.2.1"], "cannot listen at 192.0.2.1:8000"),
        (["--allow-host", "http://a.example"], "without scheme and port, got 'http://a.example'"),
        (["--token", "two words"], "printable ASCII"),
        (["--token", ""], "printable ASCII"),
    ],
)
def test_what_cannot_be_served_gives_one_sentence(option, words, capsys):
    assert main(["serve", *option]) == 2
    told = capsys.readouterr().err
    assert words in told and told.count("\n") == 1


def test_a_port_in_use_is_named(capsys):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["serve", "--port", str(port)]) == 2
    assert f"cannot listen at 127.0.0.1:{port}" in capsys.readouterr().err


def test_missing_packages_are_named(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    assert main(["serve"]) == 2
    assert "pip install '.[serve]'" in capsys.readouterr().err


def test_random_requests_find_no_server_error(model, picture):
    """A short run of schemathesis, every other picture a real one; benchmarks/serve_soak.py has the long run."""
    schemathesis = pytest.importorskip("schemathesis")
    from hypothesis import HealthCheck, Phase, given, settings
    from schemathesis import checks

    chosen = [
        checks.not_a_server_error,
        checks.status_code_conformance,
        checks.content_type_conformance,
        checks.response_schema_conformance,
    ]
    patient = replace(LIMITS, wait_s=60, decoding_s=30, timeout_s=60)  # beside other tests nothing is shed
    app = create_app(model, patient, Access(allowed_hosts=["testserver"]))  # schemathesis calls it that
    schema = schemathesis.openapi.from_asgi("/openapi.json", app)
    seen, turn = set(), itertools.count()
    for operation in (found.ok() for found in schema.get_all_operations()):

        @given(case=operation.as_strategy())
        @settings(
            max_examples=6,
            deadline=None,
            derandomize=True,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        def run(case):
            if case.path == "/v1/hands" and next(turn) % 2:
                case.body = {"image": picture}
            answer = case.call()
            case.validate_response(answer, checks=chosen)
            seen.add((case.path, answer.status_code))

        run()
    assert {(path, 200) for path in ("/v1/hands", "/v1/health", "/v1/version", "/metrics")} <= seen, seen
