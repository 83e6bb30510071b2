"""One run in a process of its own: `python -m handscope.ablation.one FOLDER`.

FOLDER/run.json says what to train and to score on. It goes on from the folder's checkpoint, and ends with the parent:
when its standard input closes it keeps its last step, as on SIGTERM. A second process waits for the folder.
"""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from handscope.ablation.study import RUN
from handscope.data.dev_sets import JointsDev, MasksDev
from handscope.errors import HandscopeError
from handscope.evaluation.columns import COLUMNS, CropSet
from handscope.files import NewFile
from handscope.hand.assets import load_asset
from handscope.train import checkpoint
from handscope.train.command import TASKS
from handscope.train.estimator import EstimatorRun
from handscope.train.loop import train
from handscope.train.recipe import Run, from_dict
from handscope.train.sources import SourceConfig, open_source
from handscope.types import Batch, SampleSource

STOPPED = 130


def main(folder: Path) -> int:
    """Train, then score; the exit code."""
    content = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    cv2.setNumThreads(1)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        with _alone(folder):
            if content["device"] == "cuda" and not torch.cuda.is_available():
                raise HandscopeError("--device cuda: torch sees no CUDA device here")
            recipe = content["recipe"]
            start = recipe.get("start", {}).get("checkpoint")
            if start and str(start).startswith(RUN):
                other = folder.parent / str(start).removeprefix(RUN) / checkpoint.NAME
                recipe["start"]["checkpoint"] = str(other)
            run = from_dict({**recipe, "out": str(folder)})
            trained(run, folder)
            if content["scores"]:
                score(run, folder, content)
    except HandscopeError as problem:
        print(f"handscope: {problem}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return STOPPED
    return 0


def trained(run: Run, folder: Path) -> None:
    """Train to the last step, unless that is done."""
    path = folder / checkpoint.NAME
    if path.exists() and int(checkpoint.load(path).header["step"]) >= run.loop.steps:
        return
    train(TASKS[run.kind](run), run.loop, folder, dataclasses.asdict(run))


def score(run: Run, folder: Path, content: dict[str, Any]) -> None:
    """Every block on every set, by hand: arrays SET/BLOCK/COLUMN (n,), curves and keys, in one file."""
    path = folder / content["scores"]
    if path.exists():
        return
    model = TASKS[run.kind](run).model.eval()
    model.load_state_dict(checkpoint.load(folder / checkpoint.NAME).groups["average"])
    model.to("cuda" if torch.cuda.is_available() else "cpu")
    device = next(model.parameters()).device
    hand = getattr(model, "hand", None)
    name = load_asset(run.hand_model).name if isinstance(run, EstimatorRun) else "open"
    arrays: dict[str, Any] = {}

    def answer(batch: Batch) -> Any:
        return model(batch.image.to(device))

    for source, options in content["evaluate"].items():
        samples = opened(options)
        crops = CropSet(samples, run.crop, hand_model=name, limit=content["hands"])  # type: ignore[union-attr]
        arrays[f"{source}/keys"] = crops.keys
        for k, block in enumerate(crops.score(answer, hand), 1):
            for column in COLUMNS:
                arrays[f"{source}/{k}/{column}"] = block.values[column].astype(np.float32)
                arrays[f"{source}/{k}/{column}/curve"] = block.curves[column].astype(np.float32)
    with NewFile(path) as beside, beside.open("wb") as file:
        np.savez_compressed(file, **arrays)


EVALUATION_ONLY = {"joints-dev": JointsDev, "masks-dev": MasksDev}
"""Kinds of sets that a study may score on and no recipe may train on."""


def opened(options: dict[str, Any]) -> SampleSource:
    """A set to score on."""
    kind = options.get("kind")
    if kind in EVALUATION_ONLY:
        return EVALUATION_ONLY[kind](options["path"])
    return open_source(SourceConfig(**options))


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """For as long as this lasts no other process works in the folder."""
    try:
        import fcntl
    except ModuleNotFoundError:  # Windows: runs end with their parent there too, a moment later
        yield
        return
    with (folder / "lock").open("w", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _end_with_parent() -> None:
    while os.read(sys.stdin.fileno(), 1 << 16):  # unbuffered: nobody holds a lock when the process ends
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
