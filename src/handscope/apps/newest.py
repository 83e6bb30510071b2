"""The newest of something for everybody who waits for it: who is slow misses what came between."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Generic, TypeVar

Value = TypeVar("Value")
PATIENCE_S = 1.0
"""How often who waits looks whether there will be anything."""


class Newest(Generic[Value]):
    """`put` another value, and `end` it; whoever iterates over it gets the newest whenever there is a new one."""

    def __init__(self) -> None:
        self._news = threading.Condition()
        self._value: Value | None = None
        self._number, self._open = 0, True

    @property
    def value(self) -> Value | None:
        """The newest; None before the first."""
        return self._value

    def put(self, value: Value) -> None:
        """Another one, for all."""
        with self._news:
            self._value, self._number = value, self._number + 1
            self._news.notify_all()

    def end(self) -> None:
        """There will be no more."""
        with self._news:
            self._open = False
            self._news.notify_all()

    def __iter__(self) -> Iterator[Value]:
        seen = 0
        while self._open:
            with self._news:
                if self._number == seen:
                    self._news.wait(PATIENCE_S)
                new, seen, value = self._number > seen, self._number, self._value
            if new and value is not None:
                yield value
