"""Files appear whole or not at all: each is written beside its place, put on the disk, and only then moved there.

A reader never sees half a file, and a failed or interrupted writer leaves the old one as it was. The file in the making
is called `.{name}.{process}.{number}.part`; one that a killed process left behind can be told by that.
"""

from __future__ import annotations

import itertools
import os
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from handscope.errors import HandscopeError
from handscope.paths import as_path

LEFTOVERS = ".*.*.*.part"
"""What files in the making are called, as a pattern for `Path.glob`."""
ABANDONED_S = 3600.0
"""One that nobody has written to for so long belongs to a writer that is dead."""
_numbers = itertools.count()


class NewFile:
    """A file in the making at `target`: write to `path`, then `finish()` gives it its name and `discard()` drops it.

    As a context it gives `path`, and does the one when the block ends well, the other when it does not:

        with NewFile("scores.npz") as path, path.open("wb") as file:
            numpy.savez(file, **arrays)

    The folder must exist. What goes wrong with the file is a HandscopeError that names `target`.
    """

    def __init__(self, target: str | Path) -> None:
        self.target = as_path(target)
        if not self.target.name or "\0" in str(self.target):
            raise HandscopeError(f"{str(target)!r}: not the name of a file")
        self.path = self.target.with_name(f".{self.target.name}.{os.getpid()}.{next(_numbers)}.part")

    def finish(self) -> Path:
        """Put what was written on the disk, then under its name, in place of an older file; the file's name."""
        try:
            with self.path.open("rb+") as file:
                os.fsync(file.fileno())
            os.replace(self.path, self.target)
        except OSError as error:
            self.discard()
            raise self._in_words(error) from error
        return self.target

    def discard(self) -> None:
        """Drop what was written so far, if anything."""
        with suppress(OSError):  # what cannot be there (its name is too long, its folder is none) is not there
            self.path.unlink(missing_ok=True)

    def __enter__(self) -> Path:
        return self.path

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.finish()
            return
        self.discard()
        if isinstance(error, OSError) and error.filename in (None, str(self.path)):  # others are not about this file
            raise self._in_words(error) from error

    def _in_words(self, error: OSError) -> HandscopeError:
        return HandscopeError(f"{self.target}: cannot write this file ({error.strerror or error})")


def write_file(path: str | Path, content: bytes | str) -> Path:
    """Write `content`, text as UTF-8, and return the path; HandscopeError if that is impossible."""
    with NewFile(path) as beside:
        beside.write_bytes(content.encode("utf-8", "backslashreplace") if isinstance(content, str) else content)
    return as_path(path)


def writable_folder(folder: str | Path) -> Path:
    """The folder, made if need be; HandscopeError unless files can be written into it."""
    folder = as_path(folder)
    probe = NewFile(folder / "write-test")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.path.write_bytes(b"")
    except OSError as error:
        told = f"{folder}: cannot write into this folder ({error.strerror or error}); name another"
        raise HandscopeError(told) from error
    probe.discard()
    return folder


def remove_leftovers(folder: Path) -> None:
    """Delete files in the making that no writer has touched for `ABANDONED_S`: those who began them were killed."""
    for path in folder.glob(LEFTOVERS):
        if path.is_file() and time.time() - path.stat().st_mtime > ABANDONED_S:
            path.unlink(missing_ok=True)
