"""Thirty tiny pictures of toy hands, three of which are none, and settings of the stand-in networks."""

import pytest
from PIL import Image

from handscope.batch.annotator import Settings
from handscope.batch.reading import Patience
from toy_networks import blobs, paint


@pytest.fixture(scope="session")
def pictures(tmp_path_factory):
    """A folder: p0.png to p26.png, some of them deeper, and three broken files."""
    folder = tmp_path_factory.mktemp("pictures")
    (folder / "below").mkdir()
    for number in range(27):
        hands = [blobs((70 + number, 60), 40, 0.1 * number, "left" if number % 2 else "right")]
        place = folder / "below" if number >= 20 else folder
        Image.fromarray(paint(160, 120, hands if number % 9 else [])).save(place / f"p{number}.png")
    (folder / "text.png").write_bytes(b"no picture")
    (folder / "short.png").write_bytes((folder / "p1.png").read_bytes()[:300])
    (folder / "below" / "empty.jpg").write_bytes(b"")
    return folder


@pytest.fixture(scope="session")
def settings(toy_weights):
    return Settings(weights=str(toy_weights), batch=8, patience=Patience(attempts=3, wait_s=0.001))


@pytest.fixture
def memory():
    """fsspec's memory, emptied."""
    import fsspec

    system = fsspec.filesystem("memory")
    system.store.clear()
    system.pseudo_dirs[:] = [""]
    yield system
    system.store.clear()
