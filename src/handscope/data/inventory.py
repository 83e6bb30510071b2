"""What is wrong with a copy of a dataset: damaged, partly there, or of another version than the published ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

from handscope.data.files import glance
from handscope.errors import HandscopeError
from handscope.types import SampleSource

MOST_NAMED = 3
SKIP_DAMAGED = "go on with what is there of a dataset that is damaged, partly there or of another version"
Progress = Callable[[int, int], None]
"""Told how many of how many pictures are done."""


class DamagedError(HandscopeError):
    """A dataset that nobody asked to go on with."""


@runtime_checkable
class HasFiles(Protocol):
    """A reader that says which files picture i is read from."""

    def files(self, i: int, /) -> tuple[Path, ...]:
        """Those files."""
        ...


@runtime_checkable
class HasEditions(Protocol):
    """A reader that says, in a sentence each, how this copy differs from the published ones."""

    def unlike_published(self) -> list[str]:
        """Those sentences."""
        ...


def unlike_published(dataset: SampleSource) -> list[str]:
    """How this copy differs from the published ones, in a sentence each; nothing where its reader does not know."""
    return dataset.unlike_published() if isinstance(dataset, HasEditions) else []


def incomplete(dataset: SampleSource, limit: int | None = None, *, progress: Progress | None = None) -> list[str]:
    """What is wrong, in a sentence each, with those of the first `limit` pictures (all without) one of whose files is
    missing, empty or cut short. No picture is decoded: a hundred thousand take seconds.
    """
    if not isinstance(dataset, HasFiles):
        return []
    problems: list[str] = []
    total = len(dataset) if limit is None else min(limit, len(dataset))
    for i in range(total):
        wrong = (problem for path in dataset.files(i) if (problem := glance(path)) is not None)
        problems += [problem] if (problem := next(wrong, None)) is not None else []
        if progress is not None:
            progress(i + 1, total)
    return problems


def damaged(
    dataset: SampleSource, limit: int | None = None, *, start: int = 0, progress: Progress | None = None
) -> list[str]:
    """What is wrong, in a sentence each, with those of the first `limit` pictures (all without), from number `start`
    on, that cannot be read; each is read whole.
    """
    problems: list[str] = []
    total = len(dataset) if limit is None else min(limit, len(dataset))
    for i in range(start, total):
        try:
            dataset[i]
        except HandscopeError as problem:
            problems.append(str(problem))
        if progress is not None:
            progress(i + 1, total)
    return problems


def refuse(dataset: SampleSource, limit: int | None = None, *, progress: Progress | None = None) -> None:
    """DamagedError, in one sentence, if `unlike_published` or `incomplete` find anything."""
    unlike = unlike_published(dataset)
    if unlike:
        raise DamagedError(f"{told(unlike)}; --skip-damaged goes on with what is there")
    problems = incomplete(dataset, limit, progress=progress)
    if problems:
        raise DamagedError(refusal(problems, len(dataset) if limit is None else min(limit, len(dataset))))


def refusal(problems: Sequence[str], total: int) -> str:
    """One sentence on a dataset of which these of `total` pictures are unreadable: how many, the first, the remedy."""
    return (
        f"{len(problems)} of {total} pictures cannot be read ({told(problems)}); --skip-damaged goes on with the rest"
    )


def told(problems: Sequence[str]) -> str:
    """The first problems, and how many more there are."""
    more = f"; and {len(problems) - MOST_NAMED} more" if len(problems) > MOST_NAMED else ""
    return "; ".join(problems[:MOST_NAMED]) + more
