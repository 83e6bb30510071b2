"""What `import handscope` offers: all of it, documented, nothing else, and without torch."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from types import ModuleType

import pytest

import handscope

ERRORS = {name for name, value in vars(handscope.errors).items() if isinstance(value, type)}


def test_dir_is_all_and_all_is_sorted() -> None:
    assert dir(handscope) == sorted(handscope.__all__)
    assert handscope.__all__ == sorted(handscope.__all__)


@pytest.mark.parametrize("name", handscope.__all__)
def test_every_name_is_there_and_says_what_it_is(name: str) -> None:
    value = getattr(handscope, name)
    if isinstance(value, str):
        return  # __version__
    assert value.__doc__ and value.__doc__.strip()
    if not isinstance(value, ModuleType):
        assert getattr(import_module(value.__module__), name) is value


def test_every_error_is_at_the_door() -> None:
    assert set(handscope.__all__) >= ERRORS
    assert all(issubclass(getattr(handscope, name), handscope.HandscopeError) for name in ERRORS)


def test_what_is_not_there_is_said_in_one_sentence() -> None:
    with pytest.raises(AttributeError, match=r"module 'handscope' has no attribute 'Hnads'; it has AssetError, .*load"):
        _ = handscope.Hnads  # type: ignore[attr-defined]


def test_the_whole_door_needs_no_torch_and_the_import_alone_no_numpy() -> None:
    program = (
        "import sys, handscope; assert 'numpy' not in sys.modules;"
        "[getattr(handscope, name) for name in handscope.__all__];"
        "assert not {'torch', 'numba', 'warp', 'scipy'} & set(sys.modules), sys.modules"
    )
    assert subprocess.run([sys.executable, "-c", program], timeout=120).returncode == 0
