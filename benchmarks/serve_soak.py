"""`handscope serve` under load and attack, on this machine's own address: python benchmarks/serve_soak.py

Starts the service, then: random requests by schemathesis (real pictures among them) that must meet no server error;
what must be refused, bombs included; slow clients beside honest ones; many requests at the same moment, each answered
or refused with 429 or 503; a storm, one request in ten a bomb; and thousands of requests, large pictures among them,
with the memory of the service and its processes. Prints what came of it; exits with 1 if something broke.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import socket
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import httpx
import numpy as np
import psutil
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from PIL import Image
from schemathesis import checks

sys.path.append(str(Path(__file__).parents[1] / "tests"))
from costly_files import jpeg_of_scans, png_of_one_colour, tiff_of_directories, tiff_of_overlapping_tags

SAMPLES = Path(__file__).parents[1] / "samples/rendered"
CHECKS = [
    checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
]


def main() -> int:
    """Run everything; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=2000, help="of schemathesis")
    parser.add_argument("--at-once", type=int, default=200)
    parser.add_argument("--requests", type=int, default=5000)
    parser.add_argument("--only", choices=["storm", "many", "slow"], help="this part alone")
    parser.add_argument("--storm", type=int, default=300, help="requests at once, one in ten a bomb")
    options = parser.parse_args()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "handscope.apps.cli", "serve", "--port", str(port), "--threads", "1", "--quiet"]
    server = subprocess.Popen(command)
    url = f"http://127.0.0.1:{port}"
    try:
        wait_until_up(url, server)
        parts = {
            "random": lambda: random_requests(url, options.cases),
            "refused": lambda: asyncio.run(refused(url)),
            "slow": lambda: asyncio.run(slow(url, port)),
            "at once": lambda: asyncio.run(at_once(url, options.at_once)),
            "storm": lambda: asyncio.run(storm(url, options.storm)),
            "many": lambda: asyncio.run(many(url, server.pid, options.requests)),
        }
        fine = [part() for name, part in parts.items() if options.only in (None, name)]
    finally:
        server.terminate()
        server.wait(30)
    return 0 if all(fine) else 1


def wait_until_up(url: str, server: subprocess.Popen[bytes]) -> None:
    for _ in range(300):
        try:
            if httpx.get(f"{url}/v1/health").status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.2)
        if server.poll() is not None:
            break
    raise SystemExit("the service did not start")


def pictures() -> list[bytes]:
    """Three samples with hands, 320 px wide, and six pictures of one colour or noise."""
    made = []
    for path in sorted(SAMPLES.glob("*.jpg"))[:3]:
        image = Image.open(path)
        made.append(jpeg(image.resize((320, round(320 * image.height / image.width)))))
    rng = np.random.default_rng(0)
    for side in (64, 200, 640):
        made.append(jpeg(Image.new("RGB", (side, side), (90, 120, 60))))
        made.append(jpeg(Image.fromarray(rng.integers(0, 256, (side, side, 3), dtype=np.uint8))))
    return made


def jpeg(image: Image.Image) -> bytes:
    return encoded(image, "JPEG", quality=85)


def encoded(image: Image.Image, kind: str, **how) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **how)
    return buffer.getvalue()


def random_requests(url: str, count: int) -> bool:
    """schemathesis: `count` cases for `POST /v1/hands`, and what there is to ask of the rest."""
    schema = schemathesis.openapi.from_url(f"{url}/openapi.json")
    operations = [found.ok() for found in schema.get_all_operations()]
    statuses: Counter[str] = Counter()
    real = [None, *pictures()[2:5]]
    start = time.perf_counter()
    for operation in operations:
        share = count if operation.method == "post" else count // 10

        @given(case=operation.as_strategy(), picture=st.sampled_from(real))
        @settings(
            max_examples=share,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        def run(case: schemathesis.Case, picture: bytes | None) -> None:
            if picture is not None and isinstance(case.body, dict):
                case.body["image"] = picture
            answer = case.call()
            statuses[f"{case.method} {answer.status_code}"] += 1
            case.validate_response(answer, checks=CHECKS)

        try:
            run()
        except (Exception, BaseExceptionGroup) as problem:
            print(f"schemathesis on {operation.method} {operation.path}: {problem}")
            statuses["failed checks 500"] += 1
    spent = time.perf_counter() - start
    print(
        f"schemathesis: {sum(statuses.values())} cases in {spent:.0f} s: {dict(sorted(statuses.items()))}", flush=True
    )
    return not any(name.endswith("500") for name in statuses)


async def post(client: httpx.AsyncClient, data: bytes, media_type: str = "image/jpeg") -> int:
    part = ("a.jpg", data, media_type or "application/octet-stream")
    try:
        return (await client.post("/v1/hands", files={"image": part})).status_code
    except httpx.TransportError as error:
        print(f"no answer: {error!r}")
        return 0


BOMBS = {
    "JPEG of 3,000 scans": (jpeg_of_scans(3000), {413}),
    "JPEG of 100 scans, 40 Mpx": (jpeg_of_scans(100, 6324), {200, 413}),  # about as long as is allowed
    "TIFF of 100,000 directories": (tiff_of_directories(100_000), {200}),
    "TIFF of overlapping tags": (tiff_of_overlapping_tags(4000, 2**20), {422}),
    "PNG of 40 Mpx": (png_of_one_colour(8000, 5000), {200}),
    "PNG of 900 Mpx": (png_of_one_colour(30_000, 30_000), {413}),
}
"""Small files that cost much, and what they are answered."""


async def refused(url: str) -> bool:
    """Bombs, a wrong label, a cut file, a large file."""
    whole = pictures()[0]
    fine = True
    async with httpx.AsyncClient(base_url=url, timeout=60) as client:
        for name, (data, expected) in BOMBS.items():
            start = time.perf_counter()
            status = await post(client, data, "")
            print(f"{name}, {len(data) / 2**10:.0f} KiB: {status} in {time.perf_counter() - start:.2f} s", flush=True)
            fine &= status in expected
        found = {
            "wrong label": await post(client, whole, "image/png"),
            "cut": await post(client, whole[: len(whole) // 2]),
            "text": await post(client, b"no picture"),
            "30 MiB": await post(client, bytes(30 * 2**20)),
        }
    print(f"refused: {found}", flush=True)
    return fine and list(found.values()) == [415, 422, 415, 413]


async def slow(url: str, port: int) -> bool:
    """64 bodies that trickle and 64 half headers: how long honest requests take beside them, and when they are gone."""
    start = time.perf_counter()
    body = b"POST /v1/hands HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n"
    body += b"Content-Type: multipart/form-data; boundary=x\r\n\r\n--x\r\n"
    halves = [await asyncio.open_connection("127.0.0.1", port) for _ in range(128)]
    for number, (_, writer) in enumerate(halves):
        writer.write(body if number % 2 else b"POST /v1/hands HT")

    async def trickle() -> None:
        while True:
            for number, (_, writer) in enumerate(halves):
                if number % 2 and not writer.is_closing():
                    writer.write(b"x")
            await asyncio.sleep(0.5)

    async def end(reader: asyncio.StreamReader) -> float:
        with suppress(ConnectionError):
            await reader.read()
        return time.perf_counter() - start

    trickling = asyncio.create_task(trickle())
    cut = [asyncio.create_task(end(reader)) for reader, _ in halves]
    data, took = pictures()[0], []
    async with httpx.AsyncClient(base_url=url, timeout=60) as client:
        for _ in range(20):
            before = time.perf_counter()
            status = await post(client, data)
            took.append(time.perf_counter() - before if status == 200 else 99.0)
    ends = await asyncio.gather(*cut)
    trickling.cancel()
    for _, writer in halves:
        writer.close()
    bodies, headers = max(ends[1::2]), max(ends[::2])
    told = f"trickling bodies cut after {bodies:.1f} s at the latest, half headers after {headers:.1f} s"
    print(f"64 of each beside 20 honest requests, the slowest of which took {max(took):.2f} s; {told}", flush=True)
    return max(took) < 2 and max(ends) < 15


async def storm(url: str, count: int) -> bool:
    """`count` connections at the same moment, every tenth a bomb, every fifteenth of 12 megapixels; then one more."""
    small, bombs = pictures()[0], [data for data, _ in BOMBS.values()]
    photo = jpeg(Image.open(sorted(SAMPLES.glob("*.jpg"))[0]).resize((4000, 3000)))
    limits = httpx.Limits(max_connections=count, max_keepalive_connections=count)
    times: list[tuple[int, float]] = []
    of_bombs: Counter[int] = Counter()
    async with httpx.AsyncClient(base_url=url, timeout=120, limits=limits) as client:

        async def one(number: int) -> None:
            if number % 10 == 0:
                of_bombs[await post(client, bombs[number // 10 % len(bombs)], "")] += 1
                return
            before = time.perf_counter()
            status = await post(client, photo if number % 15 == 7 else small)
            times.append((status, time.perf_counter() - before))

        await asyncio.gather(*map(one, range(count)))
        before = time.perf_counter()
        after = await post(client, small)
        next_s = time.perf_counter() - before
    statuses, worst = Counter(status for status, _ in times), max(seconds for _, seconds in times)
    slowest = {status: f"{max(s for kind, s in times if kind == status):.1f} s" for status in sorted(statuses)}
    told = f"honest {dict(sorted(statuses.items()))}, the slowest {slowest}; bombs {dict(sorted(of_bombs.items()))}"
    print(f"storm of {count}: {told}; the next request {after} in {next_s:.2f} s", flush=True)
    return set(statuses) <= {200, 429} and worst < 10 and after == 200 and next_s < 2


async def at_once(url: str, count: int) -> bool:
    """`count` connections at the same moment."""
    data = pictures()[0]
    limits = httpx.Limits(max_connections=count, max_keepalive_connections=count)
    start = time.perf_counter()
    async with httpx.AsyncClient(base_url=url, timeout=120, limits=limits) as client:
        statuses = Counter(await asyncio.gather(*(post(client, data) for _ in range(count))))
    spent = time.perf_counter() - start
    print(f"{count} at once: {dict(sorted(statuses.items()))} in {spent:.1f} s", flush=True)
    return set(statuses) <= {200, 429, 503} and statuses[200] > 0


def taken(process: int) -> int:
    """Bytes that the service and the processes below it hold, what they share counted once."""
    total = 0
    service = psutil.Process(process)
    for one in (service, *service.children(recursive=True)):
        with suppress(psutil.NoSuchProcess):
            total += one.memory_full_info().pss
    return total


async def many(url: str, process: int, count: int) -> bool:
    """`count` requests, eight at a time, in ten parts, one in forty large or costly; memory must stay below 1.5 GB, and
    after each part must not go on growing.
    """
    data, statuses, memory = pictures(), Counter(), [taken(process)]
    rng = np.random.default_rng(0)
    noise = Image.fromarray(
        np.kron(rng.integers(0, 256, (50, 80, 4), dtype=np.uint8), np.ones((100, 100, 1), np.uint8))
    )
    large = [data for data, _ in BOMBS.values()]
    large += [jpeg(noise.convert("RGB")), encoded(noise, "PNG"), encoded(noise.convert("RGB"), "WEBP", method=0)]
    large += [jpeg(Image.open(path).resize((4000, 3000))) for path in sorted(SAMPLES.glob("*.jpg"))[:3]]
    large += [jpeg(Image.open(SAMPLES / "two-hands.jpg").resize((7200, 5400)))]
    peak, done = memory[0], False

    async def watch() -> None:
        nonlocal peak
        while not done:
            peak = max(peak, await asyncio.to_thread(taken, process))
            await asyncio.sleep(0.05)

    start = time.perf_counter()
    watching = asyncio.create_task(watch())
    async with httpx.AsyncClient(base_url=url, timeout=120) as client:
        for part in range(10):
            numbers = iter(range(part * count // 10, (part + 1) * count // 10))

            async def work(numbers=numbers) -> None:
                for number in numbers:
                    costly = number % 40 == 0
                    sent = large[number // 40 % len(large)] if costly else data[number % len(data)]
                    status = await post(client, sent, "" if costly else "image/jpeg")
                    statuses[f"large {status}" if costly else str(status)] += 1

            await asyncio.gather(*(work() for _ in range(8)))
            memory.append(taken(process))
    done = True
    await watching
    spent = time.perf_counter() - start
    told = " ".join(f"{value / 2**20:.0f}" for value in memory)
    print(f"{count} requests: {dict(sorted(statuses.items()))} in {spent:.0f} s")
    print(f"memory, service and processes, MiB: {told} before and after each tenth, {peak / 2**20:.0f} at the peak")
    others = set(statuses) - {"200", "429", "large 200", "large 413", "large 422", "large 429"}
    return not others and memory[-1] < 1.05 * memory[7] and peak < 1.5e9


if __name__ == "__main__":
    sys.exit(main())
