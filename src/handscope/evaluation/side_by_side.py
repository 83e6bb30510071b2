"""Figures of several models in one Markdown table: a row a set and measure, a column a model."""

from __future__ import annotations

from collections.abc import Mapping

Cells = Mapping[str, Mapping[str, str]]
"""What a model's column says, by set and measure."""


def side_by_side(columns: Mapping[str, Cells]) -> str:
    """The columns by the models' names, sets and measures in the order they first come; "-" where one says nothing."""
    lines = [f"| set | measure | {' | '.join(columns)} |", "|---|---|" + "---|" * len(columns)]
    for group in dict.fromkeys(group for column in columns.values() for group in column):
        found = [column.get(group, {}) for column in columns.values()]
        for i, measure in enumerate(dict.fromkeys(measure for cells in found for measure in cells)):
            told = " | ".join(cells.get(measure, "-") for cells in found)
            lines.append(f"| {'' if i else group} | {measure} | {told} |")
    return "\n".join(lines)
