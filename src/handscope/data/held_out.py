"""Which photographs never train anything: a tenth of each source, by room or person (held_out.json).

A file belongs to it if the last number in its name lies in the source's range, ends included.
"""

from __future__ import annotations

import json
import re
from functools import cache
from importlib import resources
from pathlib import PurePosixPath


@cache
def ranges() -> dict[str, tuple[int, int]]:
    """First and last number of the held-out files of each source."""
    text = (resources.files("handscope.data") / "held_out.json").read_text(encoding="utf-8")
    return {source: (entry["files"][0], entry["files"][1]) for source, entry in json.loads(text).items()}


def is_held_out(source: str, file: str) -> bool:
    """Whether photograph `file` of `source` (ti1k, dwivedi, subhih or sign-digits) is held out."""
    numbers = re.findall(r"\d+", PurePosixPath(file).stem)
    if source not in ranges() or not numbers:
        return False
    first, last = ranges()[source]
    return first <= int(numbers[-1]) <= last
