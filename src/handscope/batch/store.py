"""Where results go: a folder, or a place behind an address. A file is there whole or not at all, and of several writers
of one name one is first.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir
from typing import Any, Protocol, runtime_checkable

from handscope.batch.addresses import address_of, file_system, is_remote, local_path
from handscope.errors import HandscopeError
from handscope.files import LEFTOVERS, NewFile, remove_leftovers, writable_folder
from handscope.paths import reason


@runtime_checkable
class Store(Protocol):
    """Files by names such as "parts/000001.parquet", below one folder or address."""

    address: str

    def names(self, folder: str = "") -> list[str]:
        """Of the files directly inside a folder of it, sorted; none if there is no such folder."""
        ...

    def exists(self, name: str) -> bool:
        """Whether there is a file of that name."""
        ...

    def open(self, name: str) -> Any:
        """The file of bytes, for reading, a context; HandscopeError if there is none."""
        ...

    def put_once(self, name: str, local: Path) -> bool:
        """Put a local file there unless one of that name is there; whether this call did it."""
        ...

    def put(self, name: str, content: bytes) -> None:
        """Put a file there, in place of an older one."""
        ...

    def remove(self, name: str) -> None:
        """Take a file away, if it is there."""
        ...


def open_store(address: str, *, to_read: bool = False) -> Store:
    """The store at a path or an address; a folder is made if need be, but not `to_read`. HandscopeError for a web
    server, which takes no files.
    """
    if not to_read and address.lower().startswith(("http://", "https://")):
        raise HandscopeError(f"{address}: a web server takes no results; give a folder, or s3://, gs:// or az://")
    return RemoteStore(address) if is_remote(address) else FolderStore(local_path(address), to_read=to_read)


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder for a file that is to be put into a store."""
    try:
        with TemporaryDirectory(prefix="handscope-") as held:
            yield Path(held)
    except OSError as error:
        told = f"cannot write a file of this run there ({reason(error)}); TMPDIR names another folder"
        raise HandscopeError(f"{gettempdir()}: {told}") from error


class FolderStore:
    """A folder of this machine."""

    def __init__(self, folder: Path, *, to_read: bool = False) -> None:
        self.address = address_of(folder)
        if to_read:
            self.folder = folder
            return
        self.folder = writable_folder(folder)
        for below in (self.folder, *(path for path in self.folder.iterdir() if path.is_dir())):
            remove_leftovers(below)

    def names(self, folder: str = "") -> list[str]:
        """See `Store`."""
        place = self.folder / folder
        if not place.is_dir():
            return []
        hidden = {path.name for path in place.glob(LEFTOVERS)}
        return sorted(path.name for path in place.iterdir() if path.is_file() and path.name not in hidden)

    def exists(self, name: str) -> bool:
        """See `Store`."""
        return (self.folder / name).is_file()

    def open(self, name: str) -> Any:
        """See `Store`."""
        try:
            return (self.folder / name).open("rb")
        except OSError as error:
            raise HandscopeError(f"{self.folder / name}: cannot read this file ({reason(error)})") from error

    def put_once(self, name: str, local: Path) -> bool:
        """See `Store`."""
        target = self.folder / name
        writable_folder(target.parent)
        file = NewFile(target)
        try:
            shutil.copyfile(local, file.path)
        except OSError as error:
            file.discard()
            raise HandscopeError(f"{target}: cannot write this file ({reason(error)})") from error
        return file.finish_first()

    def put(self, name: str, content: bytes) -> None:
        """See `Store`."""
        with NewFile(self.folder / name) as path:
            path.write_bytes(content)

    def remove(self, name: str) -> None:
        """See `Store`."""
        (self.folder / name).unlink(missing_ok=True)


class RemoteStore:
    """A place behind an address. Objects appear whole there by nature; `put_once` asks the store itself to keep an
    older one where its package can (S3, Google), else it looks first.
    """

    def __init__(self, address: str) -> None:
        self.address = address.rstrip("/")
        self._system, self._root = file_system(self.address)
        with self._in_words(""):
            self._system.exists(self._root)

    def names(self, folder: str = "") -> list[str]:
        """See `Store`."""
        place = self._place(folder)
        with self._in_words(folder):
            self._system.invalidate_cache()
            try:
                listed = self._system.ls(place, detail=True)
            except FileNotFoundError:
                return []
        return sorted(str(one["name"]).rsplit("/", 1)[-1] for one in listed if one["type"] == "file")

    def exists(self, name: str) -> bool:
        """See `Store`."""
        with self._in_words(name):
            self._system.invalidate_cache()
            return bool(self._system.exists(self._place(name)))

    def open(self, name: str) -> Any:
        """See `Store`."""
        with self._in_words(name):
            return self._system.open(self._place(name), "rb")

    def put_once(self, name: str, local: Path) -> bool:
        """See `Store`."""
        if self.exists(name):
            return False
        with self._in_words(name):
            try:
                self._system.put_file(str(local), self._place(name), mode="create")
            except FileExistsError:
                return False
            except TypeError:  # a package that knows no such mode
                self._system.put_file(str(local), self._place(name))
        return True

    def put(self, name: str, content: bytes) -> None:
        """See `Store`."""
        with self._in_words(name):
            self._system.pipe_file(self._place(name), content)

    def remove(self, name: str) -> None:
        """See `Store`."""
        if self.exists(name):
            with self._in_words(name):
                self._system.rm_file(self._place(name))

    def _place(self, name: str) -> str:
        return f"{self._root}/{name}" if name else self._root

    @contextmanager
    def _in_words(self, name: str) -> Iterator[Any]:
        try:
            yield
        except (FileExistsError, TypeError, HandscopeError):
            raise
        except Exception as error:  # every store's package has errors of its own
            place = f"{self.address}/{name}" if name else self.address
            told = type(error).__name__ if reason(error) == type(error).__name__ else reason(error)
            raise HandscopeError(f"{place}: cannot be reached ({told})") from error
