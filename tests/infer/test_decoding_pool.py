"""Decoding in processes of their own: what they answer, what one picture can cost, and that none of them stays."""

import io
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import CancelledError
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image

from costly_files import jpeg_of_scans, png_of_one_colour
from handscope.errors import HandscopeError, ImageError
from handscope.infer.decoding import NotAPictureError, TooCostlyError, TooManyPixelsError, decode_picture
from handscope.infer.decoding_pool import DecodingPool
from handscope.infer.limits import DecodingLimits
from tiff_files import tiff

LIMITS = DecodingLimits(max_pixels=1_000_000, seconds=20, memory=2**30)


@pytest.fixture(scope="module")
def pool():
    with DecodingPool(2, LIMITS) as pool:
        yield pool


@pytest.fixture
def processes():
    """The processes below this one that began after this."""
    before = set(psutil.Process().children())
    return lambda: [process for process in psutil.Process().children() if process not in before]


def jpeg() -> bytes:
    buffer, exif = io.BytesIO(), Image.Exif()
    exif[0x0112] = 6
    noise = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    Image.fromarray(noise).save(buffer, "JPEG", exif=exif)
    return buffer.getvalue()


PICTURES = {
    "turned JPEG": jpeg(),
    "TIFF of two": tiff(np.zeros((4, 5, 3), np.uint8), np.full((9, 8, 3), 700, np.uint16)),
    "one pixel": png_of_one_colour(1, 1),
}


@pytest.mark.parametrize("kind", PICTURES)
def test_a_picture_is_what_it_is_in_this_process(pool, tmp_path, kind):
    data, path = PICTURES[kind], tmp_path / "caf\udce9"
    path.write_bytes(data)
    here = decode_picture(data, path)
    for there in (pool.decode(data, path).result(), pool.decode(path).result()):
        np.testing.assert_array_equal(there.image, here.image)
        assert (there.path, there.notes, there.orientation, there.focal) == (
            path, here.notes, here.orientation, here.focal,
        )  # fmt: skip
        assert there.image.flags.writeable


def test_errors_are_those_of_this_process(pool, tmp_path):
    for data, error in (
        (b"", ImageError),
        (b"no picture", NotAPictureError),
        (jpeg()[:900], ImageError),
        (png_of_one_colour(1001, 1000), TooManyPixelsError),
    ):
        with pytest.raises(ImageError) as here:
            decode_picture(data, "a", limits=LIMITS)
        with pytest.raises(ImageError) as there:
            pool.decode(data, "a").result()
        assert type(here.value) is type(there.value) is error and str(here.value) == str(there.value)
    with pytest.raises(ImageError, match="no such file"):
        pool.decode(tmp_path / "none.jpg").result()


def test_small_is_what_the_header_says(pool):
    """Two pictures in a file are as large as the larger one, though the other is what others might take."""
    assert pool.decode_small(jpeg(), 40 * 60, "a").result().size == (40, 60)
    assert pool.decode_small(jpeg(), 40 * 60 - 1, "a").result() is None
    assert pool.decode_small(PICTURES["TIFF of two"], 71, "a").result() is None
    with pytest.raises(NotAPictureError):
        pool.decode_small(b"no picture", 1, "a").result()


def test_a_picture_that_takes_too_long_costs_itself_only():
    limits = DecodingLimits(max_scans=10**6, seconds=1)
    with DecodingPool(1, limits) as pool:
        before, long, after = (pool.decode(data, "a") for data in (jpeg(), jpeg_of_scans(20_000), jpeg()))
        start = time.monotonic()
        with pytest.raises(TooCostlyError, match="takes more than 1 s"):
            long.result()
        assert time.monotonic() - start < 6
        assert before.result().size == after.result().size == (40, 60)


def test_memory_that_does_not_suffice_is_one_sentence():
    if sys.platform != "linux":
        pytest.skip("this system limits no memory")
    with DecodingPool(1, DecodingLimits(memory=32 * 2**20)) as pool:
        with pytest.raises(TooCostlyError, match="not enough memory"):
            pool.decode(png_of_one_colour(6000, 6000), "a").result()
        assert pool.decode(jpeg(), "a").result().size == (40, 60)


def test_a_process_that_dies_costs_one_picture(processes):
    with DecodingPool(1, DecodingLimits(max_scans=10**6, seconds=60)) as pool:
        pool.start()
        for number, words in ((signal.SIGKILL, "ended from outside"), (signal.SIGSEGV, "broke down")):
            dies = pool.decode(jpeg_of_scans(20_000), "a.jpg")
            while not dies.running():
                time.sleep(0.01)
            time.sleep(0.3)
            (victim,) = processes()
            victim.send_signal(number)
            with pytest.raises(ImageError, match=words):
                dies.result(10)
            assert pool.decode(jpeg(), "a").result().size == (40, 60)
    assert not processes()


def test_threads_share_it(pool):
    sizes = {}

    def ask(width):
        sizes[width] = [pool.decode(png_of_one_colour(width, 3), "a").result().size for _ in range(5)]

    threads = [threading.Thread(target=ask, args=(width,)) for width in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sizes == {width: [(width, 3)] * 5 for width in range(1, 9)}


def test_closing_takes_back_what_waits(processes):
    pool = DecodingPool(1, DecodingLimits(max_scans=10**6, seconds=60))
    runs, waits = (pool.decode(jpeg_of_scans(20_000), "a") for _ in range(2))
    while not processes():
        time.sleep(0.01)
    start = time.monotonic()
    pool.close()
    assert time.monotonic() - start < 10 and not processes()
    with pytest.raises(HandscopeError):
        runs.result(1)
    with pytest.raises(CancelledError):
        waits.result(1)
    with pytest.raises(HandscopeError, match="closed"):
        pool.decode(jpeg(), "a")


def test_it_is_of_no_use_in_a_forked_process(pool, monkeypatch):
    monkeypatch.setattr(os, "getpid", lambda: 1)
    with pytest.raises(HandscopeError, match="forked"):
        pool.decode(jpeg(), "a")


SCRIPT = """
import sys, time
from handscope.infer.decoding_pool import DecodingPool
pool = DecodingPool(2)
futures = [pool.decode(sys.argv[1]) for _ in range(2)]
print(*[future.result().size for future in futures], flush=True)
if len(sys.argv) > 2:
    later = [pool.decode(sys.argv[1]) for _ in range(2000)]
    time.sleep(60)
"""
"""No `if __name__ == "__main__"`, and the pool is never closed."""


def started(tmp_path: Path, *more: str) -> subprocess.Popen:
    (tmp_path / "a.jpg").write_bytes(jpeg())
    (tmp_path / "numpy.py").write_text("raise SystemExit('the current folder was searched')")
    (tmp_path / "script.txt").write_text(SCRIPT)
    environment = {**os.environ, "HANDSCOPE_TOKEN": "secret"}
    run = "import sys; exec(open(sys.argv.pop(1)).read())"
    command = [sys.executable, "-P", "-c", run, "script.txt", "a.jpg", *more]
    return subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def test_a_plain_script_may_use_it_and_forget_it(tmp_path):
    out, err = started(tmp_path).communicate(timeout=120)
    assert out.split() == [b"(40,", b"60)"] * 2 and err == b""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_no_process_stays_when_its_parent_ends(tmp_path, number):
    parent = started(tmp_path, "wait")
    assert parent.stdout.readline()
    children = psutil.Process(parent.pid).children()
    assert len(children) == 2 and all("HANDSCOPE_TOKEN" not in child.environ() for child in children)
    parent.send_signal(number)
    parent.communicate(timeout=120)
    _, alive = psutil.wait_procs(children, timeout=60)
    assert not alive


def test_it_imports_no_networks():
    told = "import sys, handscope.infer.decoding_worker; print({'torch', 'onnxruntime'} & set(sys.modules))"
    assert subprocess.check_output([sys.executable, "-c", told], text=True).strip() == "set()"
