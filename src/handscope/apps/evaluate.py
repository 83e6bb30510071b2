"""`handscope eval`: a file of predictions against the labels of a dataset, under the protocols of the field."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from handscope.apps.options import read_options
from handscope.data.catalog import open_dataset
from handscope.data.inventory import SKIP_DAMAGED, refusal, told, unlike_published
from handscope.errors import HandscopeError, printable
from handscope.evaluation.foreign import in_order_of, load_answers
from handscope.evaluation.report import as_markdown, write_report
from handscope.evaluation.scoring import evaluate
from handscope.evaluation.truth import read_truth
from handscope.evaluation.variants import PROTOCOLS, VARIANTS

ABOUT = "A file of predictions against the labels of a dataset, under the protocols of the field."
HELP = "what `handscope predict-dataset` wrote, FreiHAND's pred.json or .zip, or anybody's .csv or .npz"
MOST_TOLD = 5
"""Sentences about single pictures; the rest is counted."""


def parser() -> argparse.ArgumentParser:
    """Which predictions, what truth, which protocols, where to."""
    out = argparse.ArgumentParser(prog="handscope eval", description=ABOUT)
    out.add_argument("predictions", type=Path, metavar="FILE", help=HELP)
    out.add_argument(
        "--protocol",
        action="append",
        metavar="NAME",
        help=f"{', '.join(PROTOCOLS)}, or one variant; repeat for more (default: that of the dataset)",
    )
    out.add_argument("--truth", nargs=2, required=True, metavar=("NAME", "DIR"), help="a dataset and its folder")
    out.add_argument("--set", action="append", default=[], metavar="OPTION=VALUE", help="the reader's own options")
    out.add_argument("--skip-damaged", action="store_true", help=SKIP_DAMAGED)
    out.add_argument("--out", type=Path, metavar="DIR", help="folder for scores.{csv,json,md}, pck.png, values.npz")
    return out


def main(arguments: Sequence[str]) -> int:
    """Score as the command line says, and print the table."""
    options = parser().parse_args(arguments)
    name, folder = options.truth
    variants = chosen(options.protocol or [name if name in PROTOCOLS else "2d"])
    answers = load_answers(options.predictions)
    dataset = open_dataset(name, folder, read_options(options.set))
    unlike = unlike_published(dataset)
    if unlike and not options.skip_damaged:
        sentence = f"{folder}: {told(unlike)}; --skip-damaged goes on with what is there"
        print(printable(f"handscope: {sentence}"), file=sys.stderr)
        return 1
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        bar = progress.add_task("reading the truth", total=len(dataset))
        truth = read_truth(
            dataset,
            limit=answers.header.get("limit"),
            progress=lambda done, total: progress.update(bar, completed=done, total=total),
        )
    if truth.unreadable and not options.skip_damaged:
        total = min(answers.header.get("limit") or len(dataset), len(dataset))
        print(printable(f"handscope: {folder}: {refusal(truth.unreadable, total)}"), file=sys.stderr)
        return 1
    predictions = in_order_of(answers, truth)
    results, refused = evaluate([VARIANTS[v] for v in variants], predictions, truth)
    if options.out is not None:
        write_report(options.out, results, refused, predictions.header | {"truth": name})
    print(as_markdown(results, refused), end="")
    for sentence in unlike:
        print(printable(f"handscope: scored all the same: {sentence}"), file=sys.stderr)
    for sentence in truth.unreadable[:MOST_TOLD]:
        print(printable(f"handscope: not scored: {sentence}"), file=sys.stderr)
    lost = max(len(truth.unreadable), int(predictions.header.get("unreadable", 0)))
    if lost:
        print(
            f"handscope: {lost} of {len(dataset)} pictures could not be read, their hands are missing", file=sys.stderr
        )
    return 0 if results and (options.skip_damaged or not lost) else 1


def chosen(names: Sequence[str]) -> list[str]:
    """Variants of the protocols `names`, each once."""
    variants: list[str] = []
    for name in names:
        if name not in PROTOCOLS and name not in VARIANTS:
            known = ", ".join([*PROTOCOLS, *(v for v in VARIANTS if v not in PROTOCOLS)])
            raise HandscopeError(f"no protocol or variant is called {name!r}; there are {known}")
        variants += [v for v in PROTOCOLS.get(name, (name,)) if v not in variants]
    return variants
