"""What pictures in work may take: the budget, the lane of costly pictures, masks; and bombs beside honest requests."""

import asyncio
import io
import random
import threading
import time
from concurrent.futures import Future

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("fastapi")
from fastapi.testclient import TestClient
from starlette.datastructures import UploadFile

from costly_files import jpeg_of_scans, png_of_one_colour, tiff_of_directories, tiff_of_overlapping_tags
from handscope.apps.service import work
from handscope.apps.service.api import Limits, create_app
from handscope.apps.service.batching import Batcher, Job
from handscope.apps.service.work import Budget, MasksTooLargeError, Work
from handscope.infer.decoding import Header, Picture
from handscope.infer.decoding_pool import DecodingPool
from handscope.infer.inputs import prepare
from handscope.infer.pipeline import load
from handscope.infer.results import Hands
from toy_networks import blobs, paint

HERE = "http://127.0.0.1"


def test_a_budget_is_never_overspent_serves_in_order_and_comes_back():
    async def run(seed: int) -> None:
        budget, rng, held, order = Budget(100), random.Random(seed), 0, []

        async def user(number: int, amount: int, impatient: bool) -> None:
            nonlocal held
            try:
                async with asyncio.timeout(0.001 if impatient else None), budget.hold(amount):
                    order.append(number)
                    held += min(amount, 100)
                    assert held <= 100
                    try:
                        await asyncio.sleep(rng.random() / 500)
                    finally:
                        held -= min(amount, 100)
            except TimeoutError:
                pass

        await asyncio.gather(*(user(n, rng.randint(0, 150), rng.random() < 0.3) for n in range(60)))
        assert held == 0 and order == sorted(order) and budget.waiting == 0
        async with asyncio.timeout(1), budget.hold(100):
            pass

    for seed in range(10):
        asyncio.run(run(seed))


def test_masks_of_an_answer_are_counted_as_pixels_times_hands(desk):
    written = []

    def encode(hands):
        written.append(hands.width)
        return b""

    class Many(Hands):
        def __len__(self):
            return 5

    fits, too_large = (Many(width=width, height=10_000) for width in (3000, 4000))
    asyncio.run(desk.written(fits, encode, True))
    with pytest.raises(MasksTooLargeError):
        asyncio.run(desk.written(too_large, encode, True))
    asyncio.run(desk.written(too_large, encode, False))
    assert written == [3000, 4000]


@pytest.fixture(scope="module")
def model(toy_weights):
    return load(toy_weights, threads=1)


@pytest.fixture
def client(model):
    limits = Limits(max_pixels=40_000_000, decoding_s=1, timeout_s=20)
    with TestClient(create_app(model, limits), HERE, raise_server_exceptions=False) as client:
        yield client


def post(client, data, **options):
    return client.post("/v1/hands", files={"image": ("a", data, "application/octet-stream")}, params=options)


def test_bombs_are_refused_in_one_sentence_and_the_next_request_is_answered(client, picture):
    bombs = {
        "scans": (jpeg_of_scans(3000), 413, "too_costly"),
        "directories": (tiff_of_directories(20_000), 200, None),
        "tags": (tiff_of_overlapping_tags(4000, 2**20), 422, "damaged"),
        "pixels": (png_of_one_colour(7000, 7000), 413, "too_many_pixels"),
    }
    for name, (data, status, code) in bombs.items():
        answer = post(client, data)
        assert answer.status_code == status, name
        if code is not None:
            error = answer.json()["error"]
            assert error["code"] == code and "\n" not in error["message"] and error["message"].startswith("a: "), name
        assert post(client, picture).status_code == 200
    # as many scans and pixels as are let in: a fast machine is done with them in the seconds allowed, a slow one not
    assert post(client, jpeg_of_scans(100, 6300)).status_code in (200, 413)
    assert post(client, picture).status_code == 200


@pytest.fixture(scope="module")
def picture():
    buffer = io.BytesIO()
    Image.fromarray(paint(320, 240, [blobs((180, 120), 70, 0.4, "left")])).save(buffer, "PNG")
    return buffer.getvalue()


def test_costly_pictures_go_one_at_a_time_few_wait_and_none_holds_the_others_up(monkeypatch, desk):
    """40 megapixels are costly, 1 is not."""
    decoding: dict[str, Future[Picture]] = {}

    def inspect(self, data, name):
        header = Future()
        header.set_result(Header("JPEG", 40 if name.startswith("costly") else 1, 1_000_000))
        return header

    def decode(self, data, name):
        decoding[name] = Future()
        return decoding[name]

    monkeypatch.setattr(DecodingPool, "inspect", inspect)
    monkeypatch.setattr(DecodingPool, "decode", decode)

    def finish(name):
        decoding.pop(name).set_result(Picture(None, np.zeros((20, 20, 3), np.uint8)))

    async def run():
        def ask(name):
            upload = UploadFile(io.BytesIO(b"..."), size=3, filename=name)
            return asyncio.create_task(desk.hands_of(upload, name, None, lambda header: None))

        costly = [ask(f"costly {number}") for number in range(3)]
        await asyncio.sleep(0.01)
        with pytest.raises(work.BusyError):
            await ask("costly 3")
        plain = ask("plain")
        await begun(2)
        assert "plain" in decoding
        finish("plain")
        assert (await plain).source == "plain"
        for _ in costly:
            await begun(1)
            (name,) = decoding
            finish(name)
        await asyncio.gather(*costly)

    async def begun(count):
        """So many are being decoded, and after a while still no more."""
        for _ in range(1000):
            if len(decoding) == count:
                break
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.02)
        assert len(decoding) == count

    asyncio.run(run())


def test_who_has_waited_too_long_for_the_networks_is_told_so():
    go, begun = threading.Event(), threading.Event()

    def answer(inputs):
        begun.set()
        assert go.wait(20)
        return [Hands(width=given.size[0], height=given.size[1]) for given in inputs]

    batcher = Batcher(answer, size=1, max_pixels=10**6)
    given = prepare(np.zeros((20, 20, 3), np.uint8))
    first = batcher.submit(Job(given))
    assert begun.wait(20)
    late, patient = batcher.submit(Job(given, time.monotonic())), batcher.submit(Job(given, time.monotonic() + 20))
    go.set()
    with pytest.raises(work.BusyError):
        late.result(20)
    assert len(first.result(20)) == len(patient.result(20)) == 0
    batcher.close()


@pytest.fixture
def desk():
    def answer(inputs):
        return [Hands(width=given.size[0], height=given.size[1]) for given in inputs]

    batcher = Batcher(answer, size=8, max_pixels=10**6)
    with DecodingPool(1) as decoders:
        yield Work(decoders, batcher, 40_000_000, wait_s=20.0)
    batcher.close()
