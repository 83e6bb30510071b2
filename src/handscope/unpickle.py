"""Pickles of other people, read as arrays and nothing else: any name off the list ends the reading.

A pickle is a program. Ours may build dicts, lists, numbers, strings and numpy arrays, and calls nothing of numpy's own:
`numpy.dtype` with a state of its own choice gives a type of objects over raw bytes, which reads any address. So every
name that arrays are made by is a stand-in here that takes plain numbers and text only, in as many bytes as there are.
The reading is Python's own, not that of its C twin, which trusts the numbers it finds. MANO files, RHD's annotations
and HO-3D's meta files come this way and no other.
"""

from __future__ import annotations

import io
import pickle
import re
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from handscope.errors import AssetError
from handscope.paths import reason

PLAIN = re.compile(r"[<>|=]?([?bBhHiIlLqQefd]|[iu][1248]|f[248]|b1|[SU][0-9]{0,6})")
"""What types of numbers and text are called."""
KEYS = (str, bytes, int, float, type(None), np.generic)
"""What entries of a dict may be called."""
TEXT = frozenset(("latin1", "latin-1", "iso-8859-1", "utf-8", "utf8", "ascii"))

BROKEN = (
    pickle.UnpicklingError,
    AttributeError,
    EOFError,
    ImportError,
    IndexError,
    KeyError,
    MemoryError,
    OverflowError,
    RecursionError,
    TypeError,
    ValueError,
    struct.error,
)
"""What reading a damaged or strange pickle may raise."""


class StandIn:
    """What stands for a class of somebody else: only objects of such classes are given a state."""


class _Type(StandIn):
    """Stands for numpy.dtype: a plain type, whose state is its byte order."""

    def __init__(self, name: Any, align: Any = False, copy: Any = False) -> None:
        text = name.decode("latin1") if isinstance(name, bytes) else name
        if not isinstance(text, str) or not PLAIN.fullmatch(text):
            raise pickle.UnpicklingError(f"{str(name)[:40]!r} is no type of plain numbers or text")
        self.type = np.dtype(text)

    def __setstate__(self, state: Any) -> None:
        order, nothing = state[1], state[2:5]
        if order not in ("<", ">", "|", "=") or any(part is not None for part in nothing):
            raise pickle.UnpicklingError("a type of several fields does not belong in a file of arrays")
        if order in "<>":
            self.type = self.type.newbyteorder(order)


class _Array(np.ndarray, StandIn):
    """Stands for numpy.ndarray: made empty, and filled from bytes by its state."""

    def __setstate__(self, state: Any) -> None:
        _, shape, kind, by_columns, content = state
        filled = _filled(content, kind, shape, "F" if by_columns else "C")
        super().__setstate__((1, filled.shape, filled.dtype, False, filled.tobytes()))  # type: ignore[arg-type]


def _filled(content: Any, kind: Any, shape: Any, order: str) -> NDArray:
    """Numbers of that type and shape from as many bytes as they need."""
    if isinstance(content, str):  # bytes of Python 2
        content = content.encode("latin1")
    if not isinstance(kind, _Type) or not isinstance(content, bytes | bytearray) or order not in ("C", "F"):
        raise pickle.UnpicklingError("an array's state is not a type and bytes")
    sides = tuple(shape) if isinstance(shape, tuple | list) else (shape,)
    if not all(isinstance(side, int) and side >= 0 for side in sides):
        raise pickle.UnpicklingError(f"{sides!r} is no shape")
    return np.frombuffer(content, kind.type).reshape(sides, order=order)  # type: ignore[call-overload]


def _reconstruct(kind: Any, shape: Any, code: Any) -> _Array:
    if kind is not _Array:
        raise pickle.UnpicklingError("only plain arrays belong in a file of arrays")
    return np.ndarray.__new__(_Array, (0,), np.uint8)


def _scalar(kind: Any, content: Any = b"") -> np.generic:
    return _filled(content, kind, (1,), "C")[0]


def _from_buffer(content: Any, kind: Any, shape: Any, order: Any = "C") -> NDArray:
    return _filled(content, kind, shape, order).copy()


def _encode(text: Any, coding: Any = "latin1") -> bytes:
    if not isinstance(text, str) or coding not in TEXT:
        raise pickle.UnpicklingError(f"{str(coding)[:40]!r} is no coding of text")
    return text.encode(coding)


def _no_bytes() -> bytes:
    """How Python 3 says b"" in pickles that Python 2 shall read."""
    return b""


def _new(kind: Any, base: Any, state: Any) -> StandIn:
    """Stands for copyreg._reconstructor, by which old pickles make objects."""
    if not (isinstance(kind, type) and issubclass(kind, StandIn)) or base is not object or issubclass(kind, np.ndarray):
        raise pickle.UnpicklingError("objects of a class do not belong in a file of arrays")
    return kind.__new__(kind)


ALLOWED: dict[tuple[str, str], object] = {
    ("_codecs", "encode"): _encode,
    **{(module, "_reconstructor"): _new for module in ("copyreg", "copy_reg")},
    **{(module, "bytes"): _no_bytes for module in ("builtins", "__builtin__")},
    **{(module, "object"): object for module in ("builtins", "__builtin__")},
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _Type,
    **{(f"numpy.{core}.multiarray", "_reconstruct"): _reconstruct for core in ("core", "_core")},
    **{(f"numpy.{core}.multiarray", "scalar"): _scalar for core in ("core", "_core")},
    **{(f"numpy.{core}.numeric", "_frombuffer"): _from_buffer for core in ("core", "_core")},
}
"""What stands for each (module, name) that numpy arrays and scalars are made by, in old and new spelling."""
CALLED: tuple[object, ...] = (_encode, _no_bytes, _new, _Type, _reconstruct, _scalar, _from_buffer)


class ArrayUnpickler(pickle._Unpickler):
    """Builds arrays and containers; a subclass may add `StandIn`s for classes of its format."""

    dispatch: ClassVar[dict[int, Callable[[Any], None]]] = dict(pickle._Unpickler.dispatch)
    stack: list[Any]

    def find_class(self, module: str, name: str) -> object:
        """What stands for a name, if it is on the list."""
        if (module, name) not in ALLOWED:
            raise pickle.UnpicklingError(f"{module}.{name} does not belong in a file of arrays")
        return ALLOWED[module, name]

    def load_reduce(self) -> None:
        """A call: of a stand-in, and nothing else."""
        self._check_called(self.stack[-2])
        pickle._Unpickler.load_reduce(self)  # type: ignore[attr-defined]

    def load_newobj(self) -> None:
        """An object made anew: of a stand-in's class."""
        kind = self.stack[-2]
        if not (isinstance(kind, type) and issubclass(kind, StandIn) and not issubclass(kind, np.ndarray)):
            raise pickle.UnpicklingError("objects of a class do not belong in a file of arrays")
        self.stack[-2:] = [kind.__new__(kind)]

    def load_build(self) -> None:
        """An object's state: a stand-in's."""
        if not isinstance(self.stack[-2], StandIn):
            raise pickle.UnpicklingError("a state that belongs to nothing in a file of arrays")
        pickle._Unpickler.load_build(self)  # type: ignore[attr-defined]

    def load_setitem(self) -> None:
        """One entry of a dict."""
        self._set([self.stack.pop(-2), self.stack.pop()])

    def load_setitems(self) -> None:
        """Several entries of a dict."""
        self._set(self.pop_mark())  # type: ignore[attr-defined]

    def load_dict(self) -> None:
        """A dict made of all its entries."""
        items = self.pop_mark()  # type: ignore[attr-defined]
        self.append({})  # type: ignore[attr-defined]
        self._set(items)

    def _set(self, items: list[Any]) -> None:
        """Entries by plain keys: to hash a tuple of tuples of tuples ... takes a stack that C does not have."""
        if not isinstance(self.stack[-1], dict) or not all(isinstance(key, KEYS) for key in items[::2]):
            raise pickle.UnpicklingError("an entry that does not belong in a file of arrays")
        self.stack[-1].update(zip(items[::2], items[1::2], strict=True))

    def load_refused(self) -> None:
        """An instruction that files of arrays do not need."""
        raise pickle.UnpicklingError("an instruction that does not belong in a file of arrays")

    def _check_called(self, called: object) -> None:
        is_class = isinstance(called, type) and issubclass(called, StandIn) and not issubclass(called, np.ndarray)
        if not is_class and not any(called is known for known in CALLED):
            raise pickle.UnpicklingError("a call that does not belong in a file of arrays")


_INSTEAD: dict[bytes, Callable[[Any], None]] = {
    pickle.REDUCE: ArrayUnpickler.load_reduce,
    pickle.NEWOBJ: ArrayUnpickler.load_newobj,
    pickle.BUILD: ArrayUnpickler.load_build,
    pickle.SETITEM: ArrayUnpickler.load_setitem,
    pickle.SETITEMS: ArrayUnpickler.load_setitems,
    pickle.DICT: ArrayUnpickler.load_dict,
    **dict.fromkeys(
        (pickle.INST, pickle.OBJ, pickle.NEWOBJ_EX, pickle.PERSID, pickle.BINPERSID, pickle.EXT1, pickle.EXT2,
         pickle.EXT4, pickle.NEXT_BUFFER, pickle.READONLY_BUFFER, pickle.EMPTY_SET, pickle.ADDITEMS,
         pickle.FROZENSET),
        ArrayUnpickler.load_refused,
    ),
}  # fmt: skip
ArrayUnpickler.dispatch.update({code[0]: what for code, what in _INSTEAD.items()})


def load_arrays(path: Path, remedy: str) -> Any:
    """The content of a pickle of arrays, of Python 2 or 3; AssetError with `remedy` if it is anything else."""
    try:
        return ArrayUnpickler(io.BytesIO(path.read_bytes()), encoding="latin1").load()
    except OSError as problem:
        raise AssetError(f"{path}: cannot be read ({problem.strerror}); {remedy}") from problem
    except BROKEN as problem:
        raise AssetError(f"{path}: not a pickle of arrays ({reason(problem)[:200]}); {remedy}") from problem
