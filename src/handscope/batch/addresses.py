"""Where files are: paths of this machine, and addresses (`s3://bucket/key`) that fsspec's packages open.

A file has one text: an absolute path, or an address. A path that is no UTF-8 is written as file:// with its bytes
quoted, so that tables can hold it.
"""

from __future__ import annotations

import os
import re
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote_to_bytes

from handscope.errors import HandscopeError, missing_extra
from handscope.paths import as_path

SCHEMES = {
    "s3": "s3", "s3a": "s3", "gs": "gs", "gcs": "gs", "az": "az", "abfs": "az", "abfss": "az", "memory": None,
    "http": "http", "https": "http",
}  # fmt: skip
"""What addresses may begin with, and the extra that brings the package; fsspec knows more that read other files."""
MEMORY = "memory://"
"""Addresses of this process alone."""
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_FILE = "file://"


def is_remote(address: str) -> bool:
    """Whether it is an address, not a path of this machine."""
    return bool(_SCHEME.match(address)) and not address.lower().startswith(_FILE)


def address_of(path: str | os.PathLike[str]) -> str:
    """The text of a path of this machine."""
    name = os.path.abspath(path)
    try:
        name.encode()
    except UnicodeEncodeError:
        return _FILE + quote(os.fsencode(name))
    return name


def local_path(address: str) -> Path:
    """The path of a text that `is_remote` says no to."""
    if address.lower().startswith(_FILE):
        return Path(os.fsdecode(unquote_to_bytes(address[len(_FILE) :])))
    return as_path(address)


def file_system(address: str) -> tuple[Any, str]:
    """fsspec's file system of an address, and the path there. HandscopeError for one that nobody here can open."""
    found = _SCHEME.match(address)
    scheme = found[1].lower() if found else ""
    if scheme not in SCHEMES or "::" in address:
        known = ", ".join(f"{name}://" for name in SCHEMES)
        raise HandscopeError(f"{address}: not an address that is read; those begin with {known}")
    system = _opened(scheme)
    return system, system._strip_protocol(address)


@cache
def _opened(scheme: str) -> Any:
    try:
        import fsspec
    except ImportError as error:
        raise HandscopeError(missing_extra(f"{scheme}://", error.name, "batch")) from error
    try:
        return fsspec.filesystem(scheme)
    except ImportError as error:
        package = error.name or re.sub(r"(?i)^.*install (\w+).*$", r"\1", str(error).splitlines()[0])
        raise HandscopeError(missing_extra(f"{scheme}://", package, SCHEMES[scheme] or "batch")) from error
    except Exception as error:  # credentials that it cannot make sense of, and whatever else its packages raise
        raise HandscopeError(f"{scheme}://: cannot be opened ({type(error).__name__}: {error})") from error
