"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Sequence

from handscope.errors import HandscopeError


def option_of(name: str) -> str:
    """The option on the command line of what is called `name` in Python."""
    return "--" + name.replace("_", "-")


def read_options(pairs: Sequence[str]) -> dict[str, str]:
    """What was given as `--set OPTION=VALUE`, for a dataset's reader."""
    for pair in pairs:
        if "=" not in pair:
            raise HandscopeError(f"--set takes OPTION=VALUE, got {pair!r}")
    return dict(pair.split("=", 1) for pair in pairs)
