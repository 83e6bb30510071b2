"""What people name as sources, as the items that it holds: pictures, folders to the bottom, patterns, videos (every
frame), lists in text, tables with a column of addresses or of pictures' bytes; on this machine or behind an address.

Order: as named; inside folders files before folders, in natural order. Every picture comes once.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any

from handscope.batch.addresses import address_of, file_system, is_remote, local_path
from handscope.batch.manifest import Item, arrow
from handscope.batch.videos import frame_times
from handscope.errors import HandscopeError, ImageError
from handscope.infer.decoding import suffixes as picture_suffixes
from handscope.infer.frames import is_video, kind_of, video_suffixes
from handscope.infer.images import looks_like_picture
from handscope.paths import as_path, is_file, list_folder, natural_key, reason

LISTS = frozenset((".txt", ".lst", ".list"))
TABLES = frozenset((".parquet", ".pq"))
ADDRESS_COLUMNS = ("url", "uri", "path", "file", "address")
CONTENT_COLUMNS = ("bytes", "image_bytes", "image")
"""What columns of tables are called; an `image` may be a struct with `bytes`, as Hugging Face has it."""
STAMPS = (
    "ETag", "etag", "generation", "md5Hash", "LastModified", "Last-Modified", "last_modified", "mtime", "updated",
    "created",
)  # fmt: skip
"""Where stores say that a file is another one now; the first that a store tells."""
PATTERN = frozenset("*?[")

Note = Callable[[str], None]


def absolute(sources: Sequence[str]) -> list[str]:
    """The sources by names that mean the same from any folder."""
    return [source.rstrip("/") if is_remote(source) else address_of(local_path(source)) for source in sources]


def items_of(sources: Sequence[str], note: Note) -> Iterator[Item]:
    """Every item of the sources, in order. HandscopeError for a source that cannot be had at all; `note` hears of what
    is left out.
    """
    seen: set[int] | None = set() if len(sources) > 1 or any(_suffix(source) in LISTS for source in sources) else None
    index = 0
    for source in sources:
        for item in _in_words(source, _of_source(source, note)):
            if seen is not None:
                digest = hashlib.blake2b(item.name.encode(), digest_size=8).digest()
                key = int.from_bytes(digest, "big")
                if key in seen:
                    continue
                seen.add(key)
            yield item._replace(index=index)
            index += 1


def _in_words(source: str, found: Iterator[Item]) -> Iterator[Item]:
    """The items; what goes wrong with files and stores on the way is one sentence."""
    try:
        yield from found
    except HandscopeError:
        raise
    except Exception as error:  # every store's package has errors of its own
        if not is_remote(source) and not isinstance(error, OSError | ValueError):
            raise
        raise HandscopeError(f"{source}: cannot be listed ({reason(error)})") from error


def _of_source(source: str, note: Note) -> Iterator[Item]:
    if is_remote(source):
        yield from _of_address(source, note)
        return
    path = local_path(source)
    if PATTERN & set(str(path)) and not path.exists():
        yield from _of_pattern(path, note)
    elif is_file(path, ImageError):
        yield from _of_file(path, note, named=True)
    else:
        before = 0
        for item in _of_folder(path, note):
            before += 1
            yield item
        if not before:
            raise HandscopeError(f"{path}: no pictures in this folder nor below it, and no videos")


def _of_pattern(pattern: Path, note: Note) -> Iterator[Item]:
    anchor = Path(pattern.anchor or ".")
    parts = pattern.parts[1:] if pattern.anchor else pattern.parts
    found = sorted(anchor.glob(os.path.join(*parts)), key=lambda path: [natural_key(Path(p)) for p in path.parts])
    if not found:
        raise HandscopeError(f"{pattern}: no file has such a name")
    for path in found:
        if path.is_dir():
            yield from _of_folder(path, note)
        else:
            yield from _of_file(path, note, named=False)


def _of_folder(folder: Path, note: Note) -> Iterator[Item]:
    """The pictures and videos in a folder and all below it; links to folders are not followed."""
    listing = list_folder(folder, ImageError)
    for problem in listing.problems:
        note(problem)
    for path in listing.files:
        if kind_of(path) is not None:
            yield from _of_file(path, note, named=False)
    for below in listing.inside:
        try:
            yield from _of_folder(below, note)
        except ImageError as error:  # a folder that may not be listed
            note(str(error))


def _of_file(path: Path, note: Note, *, named: bool) -> Iterator[Item]:
    """A file; `named` by somebody it may be a list or a table, and is a picture if it is nothing else."""
    suffix = path.suffix.lower()
    if suffix in LISTS and not looks_like_picture(path):
        yield from _of_list(address_of(path), path.read_text("utf-8", "surrogateescape").splitlines(), note)
    elif suffix in TABLES:
        yield from _of_table(address_of(path), *_stamp_of(path))
    elif is_video(path):
        yield from _of_video(Item(0, address_of(path), None, None, *_stamp_of(path)), note, named=named)
    else:
        yield Item(0, address_of(path), None, None, *_stamp_of(path))


def _stamp_of(path: Path) -> tuple[int | None, str]:
    """Size and stamp of a file of this machine."""
    try:
        about = path.stat()
    except OSError:
        return None, ""
    return about.st_size, str(about.st_mtime_ns)


def stamp_of(address: str) -> tuple[int | None, str]:
    """Size and stamp of a file as it is now; None and "" if nobody says."""
    if not is_remote(address):
        return _stamp_of(local_path(address))
    system, place = file_system(address)
    try:
        system.invalidate_cache()
        return told_stamp(system.info(place))
    except Exception:  # every store's package has errors of its own
        return None, ""


def told_stamp(about: dict[str, Any]) -> tuple[int | None, str]:
    """Size and stamp as a store tells them."""
    size = about.get("size")
    stamp = next((about[name] for name in STAMPS if about.get(name)), "")
    if isinstance(stamp, datetime):
        stamp = stamp.timestamp()
    return None if size is None else int(size), str(stamp).strip('"')


def _of_video(file: Item, note: Note, *, named: bool) -> Iterator[Item]:
    """Every frame of a video."""
    try:
        times = frame_times(file.address)
    except HandscopeError as error:
        if named:
            raise
        note(str(error))
        return
    for number, time in enumerate(times):
        yield file._replace(frame=number, time=time)


def _of_address(address: str, note: Note) -> Iterator[Item]:
    """What lies behind an address: a file, a pattern, or all below it."""
    system, place = file_system(address)
    scheme = address.split("://", 1)[0]
    try:
        system.invalidate_cache()
        if PATTERN & set(place) and not system.exists(place):
            found = system.glob(place, detail=True)
            entries = sorted(found.values(), key=lambda about: natural_key(Path(about["name"])))
            if not entries:
                raise HandscopeError(f"{address}: no file has such a name")
        else:
            about = {**system.info(place), "name": place}
            entries = [about | {"type": "directory"} if _is_page(about) else about]
    except FileNotFoundError as error:
        raise HandscopeError(f"{address}: no such file or folder") from error
    count = 0
    for about in entries:
        for item in _of_entry(system, scheme, about, note, named=len(entries) == 1):
            count += 1
            yield item
    if not count:
        raise HandscopeError(f"{address}: no pictures there nor below, and no videos")


def _is_page(about: dict[str, Any]) -> bool:
    """Whether a web server answers with a page, which lists a folder."""
    return str(about.get("mimetype", "")).startswith("text/html")


def _of_entry(system: Any, scheme: str, about: dict[str, Any], note: Note, *, named: bool) -> Iterator[Item]:
    if about["type"] == "directory":
        yield from _of_prefix(system, scheme, about["name"], note)
        return
    address = f"{scheme}://{str(about['name']).lstrip('/')}" if scheme not in ("http", "https") else about["name"]
    size, stamp = told_stamp(about)
    suffix = _suffix(address)
    if named and suffix in LISTS:
        yield from _of_list(address, system.cat_file(about["name"]).decode("utf-8", "replace").splitlines(), note)
    elif named and suffix in TABLES:
        yield from _of_table(address, size, stamp)
    elif suffix in video_suffixes() and suffix not in picture_suffixes():
        yield from _of_video(Item(0, address, None, None, size, stamp), note, named=named)
    elif named or suffix in picture_suffixes():
        yield Item(0, address, None, None, size, stamp)


def _of_prefix(system: Any, scheme: str, place: str, note: Note) -> Iterator[Item]:
    """The pictures and videos below a place of a store, as their names tell; what a page links to elsewhere is not."""
    listed = [one for one in system.ls(place, detail=True) if _is_below(one["name"], place)]
    listed.sort(key=lambda one: (one["type"] == "directory", natural_key(Path(one["name"].rstrip("/")))))
    for about in listed:
        if not PurePosixPath(about["name"]).name.startswith("."):
            yield from _of_entry(system, scheme, about, note, named=False)


def _is_below(name: str, place: str) -> bool:
    """Whether a name is in a place, and not the place itself nor on a way out of it."""
    folder = f"{place.rstrip('/')}/"
    return name.startswith(folder) and name.strip("/") != folder.strip("/") and "/../" not in f"{name}/"


def _of_list(address: str, lines: Sequence[str], note: Note) -> Iterator[Item]:
    """A path or address a line, as seen from the list's folder; of addresses nobody is asked for size and stamp."""
    folder = address.rsplit("/", 1)[0] if is_remote(address) else str(local_path(address).parent)
    for line in filter(None, map(str.strip, lines)):
        yield from _of_mention(line, folder, note)


def _of_mention(text: str, folder: str, note: Note) -> Iterator[Item]:
    """A file that a list or table names; one that is not there is an item all the same."""
    if is_remote(text) or is_remote(folder):
        given = text if is_remote(text) else f"{folder}/{text}"
        item = Item(0, given)
        videos = _suffix(given) in video_suffixes() and _suffix(given) not in picture_suffixes()
        yield from _of_video(item, note, named=False) if videos else [item]
        return
    path = Path(folder) / (local_path(text) if text.lower().startswith("file://") else as_path(text))
    item = Item(0, address_of(path), None, None, *_stamp_of(path))
    yield from _of_video(item, note, named=False) if is_video(path) else [item]


def _of_table(address: str, size: int | None, stamp: str) -> Iterator[Item]:
    """The rows of a table; `frame` is the number of a row that holds a picture itself."""
    file = open_table(address)
    try:
        column, _ = column_of(file, address)
        if column in ADDRESS_COLUMNS:
            folder = address.rsplit("/", 1)[0]
            for batch in file.iter_batches(columns=[column]):
                for text in batch.column(0).to_pylist():
                    yield from _of_mention(str(text or ""), folder, lambda _: None)
        else:
            yield from (Item(0, address, row, None, size, stamp) for row in range(file.metadata.num_rows))
    finally:
        file.close(force=True)


def open_table(address: str) -> Any:
    """The Parquet file there, to be closed by force; HandscopeError if it is none."""
    pa, parquet = arrow()
    if is_remote(address):
        system, place = file_system(address)
        content = system.open(place, "rb")
    else:
        content = local_path(address).open("rb")
    try:
        return parquet.ParquetFile(content)
    except pa.ArrowException as error:
        content.close()
        raise HandscopeError(f"{address}: not a Parquet file that can be read ({reason(error)})") from error


def column_of(file: Any, address: str) -> tuple[str, str | None]:
    """The column that holds addresses or pictures, and the field of it if it is a struct."""
    pa, _ = arrow()
    schema = file.schema_arrow
    for name in (*ADDRESS_COLUMNS, *CONTENT_COLUMNS):
        if name in schema.names:
            kind = schema.field(name).type
            inside = pa.types.is_struct(kind) and kind.get_field_index("bytes") >= 0
            return name, "bytes" if inside else None
    wanted = " or ".join((ADDRESS_COLUMNS[0], CONTENT_COLUMNS[0]))
    found = ", ".join(schema.names[:8])
    raise HandscopeError(f"{address}: has no column {wanted} (it has {found}); rename the one that holds the pictures")


def _suffix(name: str) -> str:
    return PurePosixPath(name.split("?", 1)[0]).suffix.lower()
