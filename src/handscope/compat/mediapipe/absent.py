"""What MediaPipe has beside hands, said in one sentence instead of an empty name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NoReturn


def hands_only(module: str, there: Sequence[str]) -> Callable[[str], NoReturn]:
    """A module's `__getattr__` that says what is `there`."""

    def absent(name: str) -> NoReturn:
        raise AttributeError(
            f"{module} has no {name!r}: handscope stands in for MediaPipe's hands only ({', '.join(there)})"
        )

    return absent
