"""Pickles of other people, read as arrays and nothing else: any name off the allow-list ends the reading.

A pickle is a program; ours may build dicts, lists, numbers, strings and numpy arrays. MANO files, RHD's
annotations and HO-3D's meta files come this way and no other.
"""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

from handscope.errors import AssetError

ALLOWED = {
    ("_codecs", "encode"),
    ("copyreg", "_reconstructor"),
    ("copy_reg", "_reconstructor"),
    ("builtins", "object"),
    ("__builtin__", "object"),
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy.core.multiarray", "scalar"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "scalar"),
    ("numpy._core.numeric", "_frombuffer"),
    ("numpy.core.numeric", "_frombuffer"),
}
"""(module, name) of all that a pickle may call: what numpy arrays and scalars are made of, in old and new spelling."""

BROKEN = (
    pickle.UnpicklingError,
    AttributeError,
    EOFError,
    ImportError,
    IndexError,
    KeyError,
    MemoryError,
    TypeError,
    ValueError,
)
"""What reading a damaged or strange pickle may raise."""


class ArrayUnpickler(pickle.Unpickler):
    """Builds arrays and containers; a subclass may add harmless stand-ins for classes of its format."""

    def find_class(self, module: str, name: str) -> object:
        """The named callable if it is on the list."""
        if (module, name) in ALLOWED:
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"{module}.{name} does not belong in a file of arrays")


def load_arrays(path: Path, remedy: str) -> Any:
    """The content of a pickle of arrays, of Python 2 or 3; AssetError with `remedy` if it is anything else."""
    try:
        with open(path, "rb") as file:
            return ArrayUnpickler(file, encoding="latin1").load()
    except OSError as problem:
        raise AssetError(f"{path}: cannot be read ({problem.strerror}); {remedy}") from problem
    except BROKEN as problem:
        raise AssetError(f"{path}: not a pickle of arrays ({problem}); {remedy}") from problem
