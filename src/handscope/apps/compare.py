"""`handscope compare`: results of several methods in one table and one figure, with confidence intervals."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from handscope.errors import HandscopeError, printable
from handscope.evaluation import comparison
from handscope.evaluation.published import FORM, read_curve
from handscope.evaluation.report import plot
from handscope.files import write_file


def parser() -> argparse.ArgumentParser:
    """Which results, how sure, where to."""
    out = argparse.ArgumentParser(
        prog="handscope compare",
        description="Mean and AUC of several results and their differences, each with its 95 % intervals from a"
        " bootstrap over pictures, beside curves that others have published.",
    )
    out.add_argument("results", nargs="+", metavar="[LABEL=]DIR", help="folders that `handscope eval --out` wrote")
    out.add_argument("--out", type=Path, metavar="DIR", help="folder for compare.md and compare.png")
    out.add_argument(
        "--curve",
        action="append",
        default=[],
        metavar="CURVE",
        help=f"a published PCK curve, {FORM}: a file of one PCK a line (evenly from LOW to HIGH), or of threshold and"
        " PCK; repeat for more",
    )
    out.add_argument("--resamples", type=int, default=1000, help="draws of the bootstrap (default 1000)")
    out.add_argument("--seed", type=int, default=0, help="of the draws (default 0)")
    return out


def main(arguments: Sequence[str]) -> int:
    """Compare as the command line says, and print the table."""
    options = parser().parse_args(arguments)
    if options.resamples < 2:
        raise HandscopeError(f"--resamples must be 2 at least, got {options.resamples}")
    scored = []
    for text in options.results:
        label, _, folder = text.rpartition("=")
        scored.append(comparison.load_scored(Path(folder), label or None))
    names = comparison.common_variants(scored)
    curves = [read_curve(curve, names) for curve in options.curve]
    table = comparison.intervals(scored, resamples=options.resamples, seed=options.seed)
    text = comparison.as_markdown(scored, table, curves)
    if options.out is not None:
        options.out.mkdir(parents=True, exist_ok=True)
        write_file(options.out / "compare.md", text)
        if panels := comparison.panels(scored, list(table), curves):
            plot(panels, options.out / "compare.png")
    for line in text.splitlines():
        print(printable(line))
    return 0
