"""Which pictures of a dataset cannot be read: a set that is damaged, partly there or of another version."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from handscope.errors import HandscopeError
from handscope.types import SampleSource

MOST_NAMED = 3
SKIP_DAMAGED = "leave out what cannot be read, instead of refusing the dataset"


def damaged(
    dataset: SampleSource, limit: int | None = None, *, progress: Callable[[int, int], None] = lambda done, total: None
) -> list[str]:
    """What is wrong, in a sentence each, with those of the first `limit` pictures (all without) that are unreadable.

    `progress` is told how many of how many were read.
    """
    problems: list[str] = []
    total = len(dataset) if limit is None else min(limit, len(dataset))
    for i in range(total):
        try:
            dataset[i]
        except HandscopeError as problem:
            problems.append(str(problem))
        progress(i + 1, total)
    return problems


def refusal(problems: Sequence[str], total: int) -> str:
    """One sentence on a dataset of which these of `total` pictures are unreadable: how many, the first, the remedy."""
    more = f"; and {len(problems) - MOST_NAMED} more" if len(problems) > MOST_NAMED else ""
    first = "; ".join(problems[:MOST_NAMED])
    return f"{len(problems)} of {total} pictures cannot be read ({first}{more}); --skip-damaged goes on with the rest"
