"""Where a shard lies: a file of this machine, or an object of a store that fsspec reads (s3://, gs://, https://, ...).

Both are read at offsets. A store that does not answer is asked again a few times and then ends what is going on: it is
no damaged picture, and a run that went on with other pictures would not be the run that it says it is.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import IO, Any, TypeVar

from handscope.errors import HandscopeError, missing_extra
from handscope.files import write_file
from handscope.paths import reason

Span = tuple[int, int]
"""Offset and number of bytes."""
WAITS_S = (0.5, 2.0, 8.0)
"""Before a store is asked again."""
GAP = 65536
"""Bytes between members that are rather read than asked for one by one."""
_NO_USE = (FileNotFoundError, PermissionError, IsADirectoryError, NotImplementedError, ImportError, ValueError)
"""What asking again does not mend."""
Told = TypeVar("Told")


class StoreError(HandscopeError):
    """A store of shards cannot be read, whatever the pictures in it are."""


def is_url(path: Path | str) -> bool:
    """Whether fsspec is to read it."""
    return isinstance(path, str) and "://" in path


class FilePlace:
    """A shard in a file of this machine; one thread at a time moves the file's own place."""

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise HandscopeError(f"{path}: no such shard")
        self.path, self._lock = path, Lock()
        self._file: IO[bytes] | None = None

    def __str__(self) -> str:
        return str(self.path)

    @property
    def size(self) -> int:
        """Bytes."""
        return self.path.stat().st_size

    @property
    def stamp(self) -> list[int]:
        """Size and time of the last change, ns."""
        return [self.size, self.path.stat().st_mtime_ns]

    def open(self) -> IO[bytes]:
        """From its beginning on."""
        return self.path.open("rb")

    def read(self, spans: Iterable[Span]) -> list[bytes]:
        """The bytes of each span."""
        with self._lock:
            self._file = self._file or self.open()
            parts = []
            for offset, size in spans:
                self._file.seek(offset)
                parts.append(self._file.read(size))
        return parts

    def beside(self, suffix: str) -> bytes:
        """The small file beside it; OSError if there is none."""
        return self._beside(suffix).read_bytes()

    def write_beside(self, suffix: str, text: str) -> None:
        """Write that; in a read-only folder it is not written."""
        with suppress(HandscopeError):
            write_file(self._beside(suffix), text)

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _beside(self, suffix: str) -> Path:
        return self.path.with_name(self.path.name + suffix)


class StorePlace:
    """A shard in a store, read by ranges of bytes: one request for members that lie side by side."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._store, self._path = _opened(url)
        self._size = int(_asked(url, lambda: self._store.info(self._path))["size"] or 0)

    def __str__(self) -> str:
        return self.url

    @property
    def size(self) -> int:
        """Bytes."""
        return self._size

    @property
    def stamp(self) -> list[int]:
        """Its size alone: copies of a shard have other times."""
        return [self._size]

    def open(self) -> Any:
        """A file to read from its beginning on, in large pieces."""
        return _asked(self.url, lambda: self._store.open(self._path, "rb", block_size=2**22, cache_type="readahead"))

    def read(self, spans: Iterable[Span]) -> list[bytes]:
        """The bytes of each span; StoreError if they do not come."""
        wanted = list(spans)
        first, end = min(o for o, _ in wanted), max(o + s for o, s in wanted)
        if end - first > sum(size for _, size in wanted) + GAP:
            return [self._range(offset, offset + size) for offset, size in wanted]
        whole = self._range(first, end)
        return [whole[offset - first : offset - first + size] for offset, size in wanted]

    def beside(self, suffix: str) -> bytes:
        """The small file beside it; StoreError if there is none."""
        return bytes(_asked(self.url + suffix, lambda: self._store.cat_file(self._path + suffix)))

    def write_beside(self, suffix: str, text: str) -> None:
        """Write that; in a store that is not to be written, or not by us, it is not."""
        with suppress(Exception):
            self._store.pipe_file(self._path + suffix, text.encode())

    def close(self) -> None:
        """Nothing is held open."""

    def _range(self, start: int, end: int) -> bytes:
        if start == end:
            return b""
        found = bytes(_asked(self.url, lambda: self._store.cat_file(self._path, start=start, end=end)))
        if len(found) != end - start:
            raise StoreError(
                f"{self.url}: asked for {end - start} bytes from {start} on, got {len(found)}; shards need a store "
                "that serves ranges of bytes"
            )
        return found


Place = FilePlace | StorePlace


def place_of(path: Path | str) -> Place:
    """Where `path` says; HandscopeError if nothing is there."""
    if is_url(path):
        return StorePlace(str(path))
    return FilePlace(Path(path))


def find_shards(root: Path | str) -> list[Path | str]:
    """The shards of a folder, or of a URL: of one shard, of a pattern (`*`) or of what stands for a folder."""
    if not is_url(root):
        return sorted(Path(root).glob("*.tar"))
    url = str(root)
    store, path = _opened(url)
    if "*" not in path:
        if path.endswith(".tar"):
            return [url]
        path = path.rstrip("/") + "/*.tar"
    found: Sequence[str] = _asked(url, lambda: store.glob(path))
    before, chained, _ = url.rpartition("::")
    return sorted(before + chained + store.unstrip_protocol(one) for one in found)


def _opened(url: str) -> tuple[Any, str]:
    """The store and the path in it."""
    try:
        from fsspec.core import url_to_fs
    except ModuleNotFoundError as error:
        raise HandscopeError(missing_extra(f"{url}: to read it handscope", error.name, "train")) from error
    try:
        return url_to_fs(url)
    except (ImportError, ValueError) as error:
        raise StoreError(f"{url}: cannot be opened ({reason(error)})") from error


def _asked(url: str, ask: Callable[[], Told]) -> Told:
    """What a store answers; asked again where that may help, StoreError if it does not."""
    for wait in (*WAITS_S, None):
        try:
            return ask()
        except Exception as error:  # every store has its own
            if wait is None or isinstance(error, _NO_USE):
                why = f"cannot be read ({type(error).__name__}: {reason(error)})"
                raise StoreError(f"{url}: {'not found' if isinstance(error, FileNotFoundError) else why}") from error
            time.sleep(wait)
    raise AssertionError
