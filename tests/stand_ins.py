"""Stand-ins for objects that tests need a few attributes of, where their types are checked."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TypeVar

Whole = TypeVar("Whole")


def stand_in(kind: type[Whole], **attributes: object) -> Whole:
    """Something that passes for a `kind` (as `unittest.mock` does it) and has these attributes alone."""
    passing = type(f"StandIn{kind.__name__}", (SimpleNamespace,), {"__class__": kind})
    return passing(**attributes)
