"""Fixtures shared by the tests of inference and of the command line; one thread a test process."""

import os

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before anything imports torch or OpenCV


@pytest.fixture(scope="session")
def toy_weights(tmp_path_factory):
    """A folder with the stand-in networks of `toy_networks`."""
    from toy_networks import save_networks

    return save_networks(tmp_path_factory.mktemp("weights"))
