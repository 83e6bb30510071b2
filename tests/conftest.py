"""Fixtures shared by the tests of inference and of the command line."""

import pytest


@pytest.fixture(scope="session")
def toy_weights(tmp_path_factory):
    """A folder with the stand-in networks of `toy_networks`."""
    from toy_networks import save_networks

    return save_networks(tmp_path_factory.mktemp("weights"))
