"""`handscope predict-dataset`: a model's answers for every labelled hand of a dataset, in one file to score often."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import Progress

from handscope.apps.options import add_compute, read_options
from handscope.data.catalog import DATASETS, open_dataset
from handscope.data.inventory import SKIP_DAMAGED, DamagedError, refuse
from handscope.errors import printable
from handscope.evaluation.predict import predict
from handscope.evaluation.predictions import save_freihand
from handscope.infer.pipeline import load
from handscope.types import SampleSource

ABOUT = "A model's answers for every labelled hand of a dataset, in one file to score often."


def parser() -> argparse.ArgumentParser:
    """Which dataset, which weights, where to."""
    out = argparse.ArgumentParser(prog="handscope predict-dataset", description=ABOUT)
    out.add_argument("name", help=", ".join(DATASETS))
    out.add_argument("folder", type=Path, metavar="DIR")
    out.add_argument("--out", type=Path, required=True, metavar="NPZ", help="file of predictions to write")
    out.add_argument("--set", action="append", default=[], metavar="OPTION=VALUE", help="the reader's own options")
    out.add_argument("--oracle-boxes", action="store_true", help="give the true boxes instead of detecting hands")
    out.add_argument("--vertices", action="store_true", help="keep meshes (needed for F-scores and surfaces)")
    out.add_argument("--masks", action="store_true", help="keep masks (needed for IoU)")
    out.add_argument("--limit", type=int, help="only the first so many pictures")
    out.add_argument("--skip-damaged", action="store_true", help=SKIP_DAMAGED)
    out.add_argument("--freihand", type=Path, metavar="ZIP", help="also FreiHAND's pred.json, or a .zip of it")
    out.add_argument("--weights", help="folder with estimator.onnx and the like")
    out.add_argument("--hand-model", type=Path, metavar="PKL", help="MANO_RIGHT.pkl: its joints and vertices")
    out.add_argument("--joint-convention", metavar="NAME", help="whose joints (default: anatomical; docs/joints.md)")
    out.add_argument("--threads", type=int, default=1, help="CPU threads (default: 1)")
    add_compute(out)
    return out


def main(arguments: Sequence[str]) -> int:
    """Predict as the command line says."""
    options = parser().parse_args(arguments)
    settings = read_options(options.set)
    dataset = open_dataset(options.name, options.folder, settings)
    console = Console(stderr=True)
    try:
        return _predict(options, settings, dataset, console)
    except DamagedError as problem:
        print(printable(f"handscope: {options.folder}: {problem}"), file=sys.stderr)
        return 1


def _predict(options: argparse.Namespace, settings: dict[str, str], dataset: SampleSource, console: Console) -> int:
    if not options.skip_damaged:
        with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
            bar = progress.add_task("looking for files", total=len(dataset))
            told = lambda done, total: progress.update(bar, completed=done, total=total)  # noqa: E731
            refuse(dataset, options.limit, progress=told)
    model = load(
        options.weights,
        hand_model=options.hand_model,
        threads=options.threads,
        joint_convention=options.joint_convention,
        device=options.compute,
    )
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        bar = progress.add_task("predicting", total=len(dataset))
        predictions = predict(
            dataset,
            model,
            oracle_boxes=options.oracle_boxes,
            vertices=options.vertices or options.freihand is not None,
            masks=options.masks,
            limit=options.limit,
            skip_damaged=options.skip_damaged,
            header={
                "dataset": options.name,
                "options": settings,
                "weights": model.cards,
                "hand_model": "open" if options.hand_model is None else "MANO",
                "joint_convention": options.joint_convention or "anatomical",
            },
            progress=lambda done, total: progress.update(bar, completed=done, total=total),
        )
    predictions.save(options.out)
    if options.freihand is not None:
        save_freihand(predictions, options.freihand)
    found, unreadable = int(predictions.found.sum()), predictions.header["unreadable"]
    labelled = len(predictions.keys) - unreadable
    print(printable(f"{options.out}: {labelled} labelled hands, {found} found, {unreadable} unreadable pictures"))
    if predictions.refit_residual_mm is not None:
        residual = float(np.nanmean(predictions.refit_residual_mm)) if found else float("nan")
        print(f"MANO's joints lie {residual:.2f} mm from those they were fitted to, on average")
    if unreadable:
        print("handscope: a row that was not found stands in for each unreadable picture", file=sys.stderr)
    return 0
