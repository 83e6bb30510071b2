"""Many pictures: told in order, a bad one in its place, memory bounded by pixels, nothing left when it ends early."""

import gc
import itertools
import time
import tracemalloc
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image

import handscope
from costly_files import jpeg_of_scans, png_of_one_colour
from handscope.errors import HandscopeError
from handscope.infer import streaming
from handscope.infer.decoding import Picture
from handscope.infer.limits import DecodingLimits
from handscope.infer.pipeline import MANY_FILES, load
from handscope.infer.results import Hands
from handscope.infer.streaming import Failure, Task, decoded_ahead, stream
from toy_networks import blobs, paint


@pytest.fixture(scope="module")
def model(toy_weights):
    return load(toy_weights, threads=1)


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "photo.png"
    Image.fromarray(paint(320, 240, [blobs((180, 120), 70, 0.4, "left")])).save(path)
    return path


@pytest.fixture
def bad(tmp_path, photo):
    """Sources that fail, by the kind of failure."""
    content = {
        "not_a_picture": b"text",
        "damaged": photo.read_bytes()[:500],
        "too_many_pixels": png_of_one_colour(2000, 2000),
        "too_costly": jpeg_of_scans(101, 16),
    }
    made: dict = {"unreadable": tmp_path / "none.png"}
    for kind, data in content.items():
        made[kind] = tmp_path / kind
        made[kind].write_bytes(data)
    return made


LIMITS = DecodingLimits(max_pixels=1_000_000, seconds=20)


@pytest.mark.parametrize("workers", [0, 2])
def test_every_source_has_its_answer_or_its_failure_in_its_place(model, photo, bad, workers):
    array = np.asarray(Image.open(photo))
    sources = [photo, *bad.values(), array, str(photo), Image.open(photo), np.zeros(3)]
    told = list(model.stream(iter(sources), workers=workers, limits=LIMITS, batch=3))
    assert len(told) == len(sources)
    for source, answer in zip(sources, told, strict=True):
        if isinstance(answer, Failure):
            assert answer.source is source and "\n" not in answer.message
        else:
            (hand,) = answer
            assert hand.handedness == "left" and (answer.width, answer.height) == (320, 240)
    kinds = [answer.kind if isinstance(answer, Failure) else None for answer in told]
    assert kinds == [None, *bad, None, None, None, "damaged"]
    assert told[0].source == told[-3].source == str(photo)
    for path, answer in zip(bad.values(), told[1:], strict=False):
        assert answer.message.startswith(f"{path}: ")


def test_a_camera_that_is_not_the_pictures_is_a_failure(model, photo):
    (told,) = model.stream([photo], K=handscope.Camera(np.diag([500.0, 500, 1]), (77, 33)), workers=0)
    assert isinstance(told, Failure) and told.kind == "invalid"


def test_a_long_list_is_a_short_one_told_many_times_and_a_bad_picture_loses_nothing(model, photo, bad):
    paths = [photo, bad["damaged"], *[photo] * MANY_FILES]
    answers = model(paths)
    (first,) = model([photo])
    assert "damaged" in answers.pop(1).problem
    for answer in answers:
        np.testing.assert_allclose(answer[0].joints_3d, first[0].joints_3d, atol=1e-4)
    with pytest.raises(HandscopeError, match="damaged or cut short"):
        model([photo, bad["damaged"]], strict=True)


def test_a_picture_that_breaks_the_networks_spoils_no_other():
    def answer(inputs):
        if any(given.size[0] == 7 for given in inputs):
            raise RuntimeError("seven")
        return [Hands(width=given.size[0], height=given.size[1]) for given in inputs]

    tasks = [Task(np.zeros((5, width, 3), np.uint8)) for width in (6, 7, 8)]
    told = list(stream(answer, tasks, workers=0, batch=3))
    assert (told[0].width, told[2].width) == (6, 8)
    assert (told[1].kind, told[1].message) == ("internal", "RuntimeError: seven")


def test_memory_is_bounded_by_pixels_not_by_pictures(tmp_path, monkeypatch):
    """Pictures of a megapixel, 3 MB each: as many as may be ahead, and never one more, however slow the reader is."""
    monkeypatch.setattr(streaming, "AHEAD_PIXELS", 4_000_000)
    path = tmp_path / "a.png"
    path.write_bytes(png_of_one_colour(1000, 1000))
    tracemalloc.start()
    for number, (_, picture) in enumerate(decoded_ahead([Task(path)] * 40, workers=2)):
        assert isinstance(picture, Picture)
        time.sleep(0.7 if number in (1, 2) else 0)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < (4 + 2) * 3_000_000 + 2_000_000


def test_a_picture_larger_than_all_that_may_be_ahead_passes(tmp_path, monkeypatch):
    monkeypatch.setattr(streaming, "AHEAD_PIXELS", 10_000)
    paths = []
    for number, side in enumerate((10, 500, 20, 600, 30)):
        paths.append(tmp_path / f"{number}.png")
        paths[-1].write_bytes(png_of_one_colour(side, side))
    sizes = [picture.size[0] for _, picture in decoded_ahead(map(Task, paths), workers=2)]
    assert sizes == [10, 500, 20, 600, 30]


def test_a_source_without_end_is_taken_as_needed_and_nothing_stays_when_it_is_left(model, photo):
    taken = itertools.count()
    endless = (photo for _ in iter(lambda: next(taken), None))
    before = set(psutil.Process().children())
    answers = model.stream(endless, workers=2)
    for _ in range(10):
        assert len(next(answers)) == 1
    assert next(taken) <= 10 + streaming.AHEAD + 8
    assert set(psutil.Process().children()) - before
    answers.close()
    assert not set(psutil.Process().children()) - before


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_no_process_stays_when_it_is_interrupted(model, photo, error):
    def sources():
        for _ in range(40):
            yield photo
        raise error

    before = set(psutil.Process().children())
    with pytest.raises(error):
        list(model.stream(sources(), workers=2))
    gc.collect()
    assert not set(psutil.Process().children()) - before


def test_a_failing_process_costs_one_picture(model, photo, tmp_path):
    bomb = tmp_path / "bomb.jpg"
    bomb.write_bytes(jpeg_of_scans(20_000))
    limits = DecodingLimits(max_scans=10**6, seconds=1)
    told = list(model.stream([photo, bomb, photo], limits=limits))
    assert [type(answer) for answer in told] == [Hands, Failure, Hands] and told[1].kind == "too_costly"


def test_wrong_numbers_are_said_at_once(model):
    for wrong in ({"workers": -1}, {"batch": 0}):
        with pytest.raises(HandscopeError, match="workers must be 0 or more"):
            model.stream([Path("a")], **wrong)
