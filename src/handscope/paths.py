"""Paths as people have them: opened, named and walked here, so that one that is bad is one sentence and no more.

A path is a file's place and nothing else: colons and per cent signs are letters, bytes that are no UTF-8 are kept (as
Python's surrogateescape has them), `~` is the home folder.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from handscope.errors import HandscopeError

RESERVED = re.compile(r"^(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(\..*)?$", re.IGNORECASE)
"""What Windows does not let a file or folder be called."""
FORBIDDEN = re.compile(r'[<>:"/\\|?*\x00-\x1f]')
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
LONGEST = 150
"""Bytes of a name that is made: file systems take 255, and suffixes come behind it."""


def as_path(path: str | os.PathLike[str]) -> Path:
    """`path` with `~` and `~name` at its beginning as that home folder, if there is one. HandscopeError for what is no
    path.
    """
    try:
        name = os.fsdecode(path)
    except (TypeError, ValueError):
        raise HandscopeError(f"a path must be text or a Path, got a {type(path).__name__}") from None
    try:
        return Path(name).expanduser() if name.startswith("~") else Path(name)
    except RuntimeError:  # nobody of that name, or no home: a file may be called so
        return Path(name)


def as_text(path: str | os.PathLike[str]) -> str:
    r"""`path` as valid text for files and answers: a byte that is no UTF-8 becomes `\udcXX`, its number by Python's
    surrogateescape written out.
    """
    name = os.fspath(path)
    with suppress(UnicodeEncodeError):  # of text that this file system could not hold: it came from elsewhere
        name = os.fsencode(name).decode("utf-8", "surrogateescape")
    return name.encode("utf-8", "backslashreplace").decode("utf-8")


def as_cell(text: str) -> str:
    r"""`text` as a cell of a table that spreadsheets open: one that would be a formula there gets an apostrophe before
    it, which they take for "this is text". What would end a line or command a terminal is written out (`\x0d`).
    """
    text = CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", text)
    return f"'{text}" if text.startswith(("=", "+", "-", "@")) else text


def reason(error: BaseException) -> str:
    """What an error says, in one line."""
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return text.strip().rstrip(".").splitlines()[0] if text.strip() else type(error).__name__


def is_file(path: Path, problem: Callable[[str], Exception]) -> bool:
    """Whether a file lies there, False for a folder; `problem` of one sentence is raised for what is neither or cannot
    be looked at.
    """
    try:
        mode = path.stat().st_mode
    except FileNotFoundError as error:
        raise problem(f"{path}: no such file or folder") from error
    except (OSError, ValueError) as error:
        raise problem(f"{_short(path)}: cannot look at this path ({reason(error)})") from error
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise problem(f"{path}: neither a file nor a folder")
    return stat.S_ISREG(mode)


def read_bytes(path: Path, problem: Callable[[str], Exception]) -> bytes:
    """The bytes of a file; `problem` of one sentence is raised if they cannot be had. Nothing but a file is opened: a
    pipe would keep us waiting, a device never ends.
    """
    try:
        about = path.stat()
        if not (stat.S_ISREG(about.st_mode) or stat.S_ISDIR(about.st_mode)):
            raise problem(f"{path}: neither a file nor a folder")
        return path.read_bytes()
    except FileNotFoundError as error:
        raise problem(f"{path}: no such file") from error
    except (OSError, ValueError) as error:
        raise problem(f"{_short(path)}: cannot read this file ({reason(error)})") from error


def _short(path: Path) -> str:
    """A path as errors call it: of a name too long for any file its beginning."""
    text = str(path)
    return text if len(text) <= 400 else f"{text[:80]}... ({len(text)} letters)"


@dataclass(frozen=True)
class Listing:
    """What lies directly inside a folder, in natural order, hidden entries left out: `files`, how many `folders` (of
    them those that are no links: `inside`), and a sentence for each entry that cannot be looked at.
    """

    files: tuple[Path, ...]
    folders: int
    problems: tuple[str, ...]
    inside: tuple[Path, ...] = ()


def list_folder(folder: Path, problem: Callable[[str], Exception]) -> Listing:
    """The entries of `folder`; `problem` of one sentence is raised if it cannot be listed at all."""
    try:
        inside = sorted(folder.iterdir(), key=natural_key)
    except OSError as error:
        raise problem(f"{folder}: cannot list this folder ({reason(error)})") from error
    files, folders, below, problems = [], 0, [], []
    for path in inside:
        if path.name.startswith("."):
            continue
        try:
            mode = path.stat().st_mode
        except OSError as error:
            why = "a link that leads nowhere" if path.is_symlink() and isinstance(error, FileNotFoundError) else None
            problems.append(f"{path}: cannot look at this entry ({why or reason(error)})")
            continue
        if stat.S_ISDIR(mode):
            folders += 1
            below += [] if path.is_symlink() else [path]
        elif stat.S_ISREG(mode):
            files.append(path)
    return Listing(tuple(files), folders, tuple(problems), tuple(below))


def natural_key(path: Path) -> tuple[list[tuple[int, int, str]], str]:
    """Sorts names as people count: frame2 before frame10."""
    parts = re.split(r"([0-9]+)", path.name)
    return [(1, int(part), "") if part.isdecimal() else (0, 0, part) for part in parts if part], path.name


def safe_name(name: str) -> str:
    """`name` as a folder may be called on any system: no letters that some forbid, no reserved word, no blank or full
    stop at its end, not too long.
    """
    name = FORBIDDEN.sub("_", name).rstrip(" .") or "_"
    while len(name.encode("utf-8", "surrogatepass")) > LONGEST:
        name = name[:-1].rstrip(" .")
    return RESERVED.sub(r"\1_\2", name)
