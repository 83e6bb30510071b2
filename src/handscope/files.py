"""Files appear whole or not at all: each is written beside its place, put on the disk, and only then moved there.

A reader never sees half a file, and a failed or interrupted writer leaves the old one as it was. The file in the making
is called `.{name}.{machine}-{process}.{number}.part`; one that a killed process left behind is told by that, and
removed by whoever next writes into the folder. Files that belong to one run come together (`NewFiles`).
"""

from __future__ import annotations

import hashlib
import itertools
import os
import platform
import re
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from types import TracebackType

from handscope.errors import HandscopeError
from handscope.paths import as_path

LEFTOVERS = ".*.*.*.part"
"""What files in the making are called, as a pattern for `Path.glob`."""
ABANDONED_S = 3600.0
"""One of another machine that nobody has written to for so long belongs to a writer that is dead."""
_NAMED = re.compile(r"\..+\.(?:([0-9a-f]{8})-)?([0-9]+)\.[0-9]+\.part", re.DOTALL)
_numbers = itertools.count()
_swept: set[Path] = set()


@cache
def _machine() -> str:
    """Eight letters for where a process number means something: this host, and this container of it."""
    with suppress(OSError):
        return hashlib.sha256(f"{platform.node()} {os.stat('/proc/self/ns/pid').st_ino}".encode()).hexdigest()[:8]
    return hashlib.sha256(platform.node().encode()).hexdigest()[:8]


def _beside(target: Path) -> Path:
    """Where what shall be `target` is made; what killed processes left in that folder goes, once a process."""
    if target.parent not in _swept:
        _swept.add(target.parent)
        remove_leftovers(target.parent)
    return target.with_name(f".{target.name}.{_machine()}-{os.getpid()}.{next(_numbers)}.part")


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
        self.path = _beside(self.target)

    def finish(self) -> Path:
        """Put what was written on the disk, then under its name, in place of an older file; the file's name."""
        with self._in_words():
            _to_disk(self.path)
            os.replace(self.path, self.target)
        return self.target

    def finish_first(self) -> bool:
        """The same, unless there is a file of that name by now: then it stays, and what was written is dropped. Whether
        this one was first; of several writers one is.
        """
        with self._in_words():
            _to_disk(self.path)
            try:
                os.link(self.path, self.target)
            except FileExistsError:
                return False
            except OSError:  # a file system without hard links
                if self.target.exists():
                    return False
                os.replace(self.path, self.target)
            finally:
                self.discard()
        return True

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
            raise _told(self.target, error) from error

    @contextmanager
    def _in_words(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self.discard()
            raise _told(self.target, error) from error


class NewFiles:
    """Files of one run in the making, for `folder`: write them into the folder `path`, by the names they shall have.

    `finish()` puts them in place together, and away with what else `is_ours` says by its name that such runs leave: at
    no time do files of two runs lie side by side. `discard()` drops them all, and the older ones stay.
    """

    def __init__(self, folder: Path, is_ours: Callable[[str], bool]) -> None:
        self.folder, self._is_ours = folder, is_ours
        self.path = _beside(folder / "run")
        try:
            self.path.mkdir()
        except OSError as error:
            raise _told(folder, error) from error

    def finish(self) -> list[Path]:
        """All of them on the disk, then the older ones away, then the new ones in place; if there is no new one nothing
        changes. Their names.
        """
        try:
            made = sorted(path for path in self.path.iterdir() if not path.name.startswith("."))
            new = [path for path in made if path.stat().st_size]
            for path in new:
                _to_disk(path)
            for old in self.folder.iterdir() if new else ():
                if self._is_ours(old.name) and old.is_file():
                    old.unlink()
            done = [path.replace(self.folder / path.name) for path in new]
            self.discard()
        except OSError as error:
            self.discard()
            raise _told(self.folder, error) from error
        return done

    def discard(self) -> None:
        """Drop what was written so far."""
        shutil.rmtree(self.path, ignore_errors=True)


def _to_disk(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _told(target: Path, error: OSError) -> HandscopeError:
    return HandscopeError(f"{target}: cannot write this file ({error.strerror or error})")


def write_file(path: str | Path, content: bytes | str) -> Path:
    """Write `content`, text as UTF-8, and return the path; HandscopeError if that is impossible."""
    with NewFile(path) as beside:
        beside.write_bytes(_encoded(content))
    return as_path(path)


def write_first(path: str | Path, content: bytes | str) -> bool:
    """Write `content` unless there is a file of that name; whether this call wrote it."""
    file = NewFile(path)
    with file._in_words():
        file.path.write_bytes(_encoded(content))
    return file.finish_first()


def _encoded(content: bytes | str) -> bytes:
    return content.encode("utf-8", "backslashreplace") if isinstance(content, str) else content


def writable_folder(folder: str | Path) -> Path:
    """The folder, made if need be; HandscopeError unless files can be written into it."""
    folder = as_path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = NewFile(folder / "write-test")
        probe.path.write_bytes(b"")
    except OSError as error:
        told = f"{folder}: cannot write into this folder ({error.strerror or error}); name another"
        raise HandscopeError(told) from error
    probe.discard()
    return folder


def remove_leftovers(folder: Path) -> None:
    """Delete files in the making whose writers were killed: there is no such process on this machine, or it is another
    machine's (or nobody knows whose) and nobody has touched them for `ABANDONED_S`.
    """
    with suppress(OSError):  # a folder that cannot be listed has none
        for path in folder.glob(LEFTOVERS):
            named = _NAMED.fullmatch(path.name)
            if named is None or path.is_symlink() or not _is_abandoned(path, named[1], int(named[2])):
                continue
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)


def _is_abandoned(path: Path, machine: str | None, process: int) -> bool:
    if machine == _machine() and os.name == "posix":
        return not _is_alive(process)
    return time.time() - path.stat().st_mtime > ABANDONED_S


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except PermissionError:
        return True
    except (ProcessLookupError, OverflowError):
        return False
    return True
