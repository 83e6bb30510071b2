"""`handscope train`: any network by its recipe, dotted overrides, resume unless told otherwise."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2

from handscope.errors import HandscopeError
from handscope.train.aligner import AlignerTask
from handscope.train.context import ContextTask
from handscope.train.detector import DetectorTask
from handscope.train.estimator import EstimatorTask
from handscope.train.loop import Task, train
from handscope.train.recipe import from_arguments
from handscope.train.segmenter import SegmenterTask

TASKS: dict[str, Callable[[Any], Task]] = {
    "estimator": EstimatorTask,
    "aligner": AlignerTask,
    "detector": DetectorTask,
    "context": ContextTask,
    "segmenter": SegmenterTask,
}
"""What each kind of run does."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Train as the command line says; `--restart` ignores a checkpoint in `out`."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    cv2.setNumThreads(1)  # before any picture is read: OpenCV's threads do not survive the fork of workers
    run = from_arguments([word for word in words if word != "--restart"])
    resume = "--restart" not in words
    print(train(TASKS[run.kind](run), run.loop, Path(run.out), dataclasses.asdict(run), resume=resume))


if __name__ == "__main__":  # torchrun's entrance
    try:
        main()
    except HandscopeError as problem:
        sys.exit(f"handscope train: {problem}")
