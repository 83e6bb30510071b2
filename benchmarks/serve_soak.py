"""`handscope serve` under load, on this machine's own address: python benchmarks/serve_soak.py

Starts the service, then: random requests by schemathesis (real pictures among them) that must meet no server error;
many requests at the same moment, each answered or refused with 429 or 503; thousands of requests with the service's
memory before, between and after; and what must be refused. Prints a table; exits with 1 if something broke.
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
from pathlib import Path

import httpx
import numpy as np
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from PIL import Image
from schemathesis import checks

from handscope.apps.service.metrics import resident_bytes

SAMPLES = Path(__file__).parents[1] / "samples"
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
    options = parser.parse_args()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "handscope.apps.cli", "serve", "--port", str(port), "--threads", "1", "--quiet"]
    server = subprocess.Popen(command)
    url = f"http://127.0.0.1:{port}"
    try:
        wait_until_up(url, server)
        fine = [
            random_requests(url, options.cases),
            asyncio.run(refused(url)),
            asyncio.run(at_once(url, options.at_once)),
            asyncio.run(many(url, server.pid, options.requests)),
        ]
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
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=85)
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
    try:
        return (await client.post("/v1/hands", files={"image": ("a.jpg", data, media_type)})).status_code
    except httpx.TransportError as error:
        print(f"no answer: {error!r}")
        return 0


async def refused(url: str) -> bool:
    """A decompression bomb, a wrong label, a cut file, a large file."""
    whole = pictures()[0]
    bomb = io.BytesIO()
    Image.new("1", (30_000, 30_000)).save(bomb, "PNG")  # 900 million pixels in 110 KB
    async with httpx.AsyncClient(base_url=url, timeout=60) as client:
        found = {
            "bomb": await post(client, bomb.getvalue(), "image/png"),
            "wrong label": await post(client, whole, "image/png"),
            "cut": await post(client, whole[: len(whole) // 2]),
            "text": await post(client, b"no picture"),
            "30 MiB": await post(client, bytes(30 * 2**20)),
        }
    print(f"refused: {found}", flush=True)
    return list(found.values()) == [413, 415, 422, 415, 413]


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


async def many(url: str, process: int, count: int) -> bool:
    """`count` requests, eight at a time, in ten parts; memory after each must not go on growing."""
    data, statuses, memory = pictures(), Counter(), [resident_bytes(process) or 0]
    start = time.perf_counter()
    async with httpx.AsyncClient(base_url=url, timeout=120) as client:
        for part in range(10):
            numbers = iter(range(part * count // 10, (part + 1) * count // 10))

            async def work(numbers=numbers) -> None:
                for number in numbers:
                    statuses[await post(client, data[number % len(data)])] += 1

            await asyncio.gather(*(work() for _ in range(8)))
            memory.append(resident_bytes(process) or 0)
    spent = time.perf_counter() - start
    told = " ".join(f"{value / 2**20:.0f}" for value in memory)
    print(f"{count} requests: {dict(statuses)} in {spent:.0f} s; memory before and after each tenth, MiB: {told}")
    return set(statuses) == {200} and memory[-1] < 1.05 * memory[2]


if __name__ == "__main__":
    sys.exit(main())
