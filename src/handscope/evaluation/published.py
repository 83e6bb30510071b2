"""Curves that others have published, as text: one PCK a line over a range, or thresholds and PCK in two columns."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from handscope.errors import HandscopeError
from handscope.evaluation.curves import area_under
from handscope.evaluation.variants import VARIANTS, Variant

Floats = NDArray[np.float64]
RANGE = re.compile(r"@([0-9.]+):([0-9.]+)$")
FORM = "[VARIANT:]LABEL=FILE[@LOW:HIGH]"


@dataclass(frozen=True)
class PublishedCurve:
    """Shares of correct keypoints (t,) at thresholds (t,) in the variant's unit, by somebody else."""

    label: str
    variant: Variant
    at: Floats
    shares: Floats

    @property
    def auc(self) -> float:
        """The area under the curve over the variant's own thresholds, read between points where those lie between."""
        assert self.variant.at is not None
        return area_under(np.interp(self.variant.at.values, self.at, self.shares), self.variant.at)


def read_curve(text: str, variants: list[str]) -> PublishedCurve:
    """A curve as the command line names it: `[VARIANT:]LABEL=FILE[@LOW:HIGH]`.

    The variant may be left out if only one of `variants` is compared. A file of one column has a PCK a line, evenly
    from LOW to HIGH; without a range there must be one for each threshold of the variant.
    """
    label, equals, file = text.partition("=")
    if not equals or not label.strip():
        raise HandscopeError(f"--curve takes {FORM}, got {text!r}")
    before, colon, after = label.partition(":")
    name, label = (before, after) if colon and before in VARIANTS else ("", label)
    if not name and len(variants) != 1:
        raise HandscopeError(f"--curve {text!r}: which of {', '.join(variants)} is it of? Give {FORM}")
    name = name or variants[0]
    variant = VARIANTS[name]
    if name not in variants or variant.at is None:
        raise HandscopeError(f"--curve {text!r}: {name} has no curve here; there are {', '.join(variants)}")
    span = RANGE.search(file)
    path = Path(file[: span.start()] if span else file)
    rows = _rows(path)
    at = rows[:, 0] if rows.shape[1] == 2 else _even(path, len(rows), variant, span)
    shares = rows[:, -1]
    _check(path, at, shares, variant)
    return PublishedCurve(label.strip(), variant, at, shares)


def _rows(path: Path) -> Floats:
    """The numbers (t, 1 or 2) of a file; blank lines and what follows "#" do not count, commas are blanks."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as problem:
        raise HandscopeError(
            f"{path}: no text that can be read ({problem}); give a file of one PCK a line"
        ) from problem
    parts = [line.partition("#")[0].replace(",", " ").split() for line in lines]
    rows = [part for part in parts if part]
    if len(rows) < 2 or {len(row) for row in rows} not in ({1}, {2}):
        raise HandscopeError(f"{path}: expected two lines or more of one PCK, or of threshold and PCK")
    try:
        return np.array(rows, np.float64)
    except ValueError as problem:
        raise HandscopeError(f"{path}: expected numbers ({problem})") from problem


def _even(path: Path, count: int, variant: Variant, span: re.Match[str] | None) -> Floats:
    assert variant.at is not None
    if span is not None:
        try:
            return np.linspace(float(span[1]), float(span[2]), count)
        except ValueError as problem:
            raise HandscopeError(f"{path}: expected a range @LOW:HIGH, found {span[0]}") from problem
    values = variant.at.values
    if count != len(values):
        raise HandscopeError(
            f"{path}: {count} values, but {variant.name} has {len(values)} thresholds, {variant.at}; name the range "
            f"that the file spans, as {path.name}@0:{values[-1]:g}"
        )
    return values


def _check(path: Path, at: Floats, shares: Floats, variant: Variant) -> None:
    assert variant.at is not None
    first, last = variant.at.values[[0, -1]]
    if not np.isfinite(shares).all() or shares.min() < 0 or shares.max() > 1:
        raise HandscopeError(f"{path}: expected shares from 0 to 1, found {shares.min():g} to {shares.max():g}")
    if (np.diff(at) <= 0).any():
        raise HandscopeError(f"{path}: expected thresholds that rise from line to line; give the threshold first")
    if at[0] > first + 1e-9 or at[-1] < last - 1e-9:
        raise HandscopeError(
            f"{path}: covers {at[0]:g} to {at[-1]:g}, but {variant.name} needs {first:g} to {last:g} ({variant.unit})"
        )
