"""Fixtures shared by the tests of inference and of the command line; one thread a test process."""

import os
from typing import Any

import beartype
import numpy.typing
import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before anything imports torch or OpenCV

# What jaxtyping's hook (pyproject: --jaxtyping-packages) checks annotations by, set before it sees the first one:
beartype.beartype = beartype.beartype(conf=beartype.BeartypeConf(is_pep484_tower=True))  # an int will do for a float
numpy.typing.ArrayLike = Any  # numpy's own is for static checkers: at run time a tuple of numbers is not one


@pytest.fixture(scope="session")
def toy_weights(tmp_path_factory):
    """A folder with the stand-in networks of `toy_networks`."""
    from toy_networks import save_networks

    return save_networks(tmp_path_factory.mktemp("weights"))


@pytest.fixture(scope="session")
def sets(tmp_path_factory):
    """Every dataset in its real format: name -> its folder, and the truth of its first five pictures."""
    from importlib import import_module

    from dataset_fixtures import NAMES

    made = {}
    for name in NAMES:
        root = tmp_path_factory.mktemp(name)
        made[name] = root, import_module(f"dataset_fixtures.{name}").write(root)
    return made
