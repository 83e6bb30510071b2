"""`handscope gestures learn | try`: gestures from examples, and what is told of pictures and videos."""

from __future__ import annotations

import argparse
import csv
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import track

from handscope.apps.analyse import model_of
from handscope.apps.options import add_looking, share
from handscope.errors import HandscopeError, ImageError, missing_extra, printable
from handscope.infer.frames import kind_of
from handscope.infer.gestures import GestureFilter, gesture_of
from handscope.infer.learned_gestures import GestureModel, features, learn, load_gestures
from handscope.infer.pipeline import Pipeline
from handscope.infer.results import FoundHand
from handscope.paths import as_path, is_file, list_folder
from handscope.types import Hand

FEWEST = 5
"""Examples that a class needs."""
SPANS = "spans.csv"
BUILT_IN = "built-in"
Example = tuple[str, FoundHand]


def parser() -> argparse.ArgumentParser:
    """What to do; then its own options."""
    out = argparse.ArgumentParser(prog="handscope gestures", description="Gestures: learn yours, try them.")
    kinds = out.add_subparsers(dest="kind", metavar="KIND", required=True)
    teach = kinds.add_parser(
        "learn",
        help="from a folder of examples",
        description="Learn gestures from FOLDER: a folder of pictures for each class (ten of each are a start), or "
        f"videos and {SPANS} with the columns video, start, end (seconds), gesture.",
    )
    teach.add_argument("folder", type=Path, metavar="FOLDER")
    teach.add_argument("--out", type=Path, required=True, metavar="JSON", help="the model to write")
    teach.add_argument("--turned", action="store_true", help="how the hand is turned counts too (thumb up and down)")
    teach.add_argument("--least", type=share, default=0.5, metavar="P", help="least probability (default: 0.5)")
    test = kinds.add_parser(
        "try",
        help="what is told of pictures and videos",
        description="Gestures in pictures and videos: a line for each hand of a picture, and for each gesture of a "
        "video. Of a folder of class folders, as for learning, also how often it is right.",
    )
    test.add_argument("model", help=f"a model's JSON, or {BUILT_IN}: the ten of handscope")
    test.add_argument("paths", nargs="+", metavar="PATH", help="pictures, videos, folders")
    for one in (teach, test):
        add_looking(one.add_argument_group("how to look"))
    return out


def main(arguments: Sequence[str]) -> int:
    """Do what the command line asks; the exit code."""
    options = parser().parse_args(arguments)
    model = model_of(options)
    return _learn(options, model) if options.kind == "learn" else _try(options, model)


def _learn(options: argparse.Namespace, model: Pipeline) -> int:
    try:
        import sklearn  # noqa: F401
    except ImportError as error:
        raise HandscopeError(missing_extra("`handscope gestures learn`", error.name, "gestures")) from error
    found = list(examples(options.folder, model))
    counts = Counter(name for name, _ in found)
    few = {name: count for name, count in counts.items() if count < FEWEST}
    if few:
        told = ", ".join(f"{name} {count}" for name, count in sorted(few.items()))
        raise HandscopeError(f"{options.folder}: a class needs {FEWEST} examples with a hand in them; found {told}")
    numbers = np.array([features(hand, options.turned) for _, hand in found]).reshape(len(found), -1)
    taught = learn(numbers, [name for name, _ in found], turned=options.turned, least=options.least)
    taught.save(options.out)
    told = [taught(hand)[0] for _, hand in found]
    right = np.mean([answer == name for answer, (name, _) in zip(told, found, strict=True)])
    named = ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))
    print(f"{options.out}: {named}; {right:.1%} of the examples themselves are told rightly")
    return 0


def examples(folder: Path, model: Pipeline) -> Iterator[Example]:
    """Every class and hand that a folder shows: the best hand of each picture, every frame's of a marked span.

    HandscopeError for a folder without classes; pictures that cannot be read or show no hand are remarked on.
    """
    if is_file(as_path(folder), HandscopeError):
        raise HandscopeError(f"{folder}: a file; give a folder with a folder of pictures for each gesture")
    if (folder / SPANS).is_file():
        yield from _marked(folder, model)
        return
    classes = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    if not classes:
        raise HandscopeError(f"{folder}: no folders in it; make one of pictures for each gesture, or {SPANS}")
    console = Console(stderr=True)
    jobs = [(one.name, file) for one in classes for file in list_folder(one, ImageError).files]
    without = 0
    for name, file in track(jobs, "looking", console=console, transient=True, disable=not console.is_terminal):
        try:
            hands = model(file)
        except HandscopeError as problem:
            print(f"handscope: {problem}", file=sys.stderr)
            continue
        without += not hands
        if hands:
            yield name, hands[0]
    if without:
        print(f"handscope: no hand found in {without} of {len(jobs)} pictures", file=sys.stderr)


def _marked(folder: Path, model: Pipeline) -> Iterator[Example]:
    """Hands of the spans that spans.csv marks."""
    wanted = ("video", "start", "end", "gesture")
    try:
        with (folder / SPANS).open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
        spans = [(row["video"], float(row["start"]), float(row["end"]), row["gesture"]) for row in rows]
    except (OSError, UnicodeDecodeError, csv.Error, KeyError, TypeError, ValueError) as problem:
        raise HandscopeError(f"{folder / SPANS}: expected the columns {', '.join(wanted)} ({problem})") from problem
    for video in dict.fromkeys(name for name, *_ in spans):
        own = [span for span in spans if span[0] == video]
        for frame in model.video(folder / video):
            for _, start, end, gesture in own:
                if frame.hands and start <= frame.time <= end:
                    yield gesture, frame.hands[0]


def _try(options: argparse.Namespace, model: Pipeline) -> int:
    taught = None if options.model == BUILT_IN else load_gestures(options.model)
    lost = 0
    for given in options.paths:
        path = as_path(given)
        try:
            if not is_file(path, HandscopeError):
                _score(path, model, taught)
            elif kind_of(path) == "video":
                _events(path, model, taught)
            else:
                for number, hand in enumerate(model(path)):
                    name, score = told(hand, taught)
                    print(f"{printable(str(path))}: hand {number} {hand.handedness}: {name or '-'} {score:.2f}")
        except HandscopeError as problem:
            lost += 1
            print(f"handscope: {problem}", file=sys.stderr)
    return 1 if lost else 0


def told(hand: Hand, taught: GestureModel | None) -> tuple[str | None, float]:
    """The gesture of a hand and its score, by what was taught or by the ten built in."""
    return gesture_of(hand) if taught is None else taught(hand)


def _score(folder: Path, model: Pipeline, taught: GestureModel | None) -> None:
    found = [(name, told(hand, taught)[0]) for name, hand in examples(folder, model)]
    for name in sorted({name for name, _ in found}):
        answers = Counter(answer or "-" for truth, answer in found if truth == name)
        count = sum(answers.values())
        others = ", ".join(f"{other} {n}" for other, n in answers.most_common() if other != name)
        print(f"{name}: {answers[name]} of {count} right" + (f"; told as {others}" if others else ""))
    right = sum(truth == answer for truth, answer in found)
    print(f"{printable(str(folder))}: {right} of {len(found)} right")


def _events(path: Path, model: Pipeline, taught: GestureModel | None) -> None:
    """A line for each gesture of each track, when it ends."""
    steady = GestureFilter()
    open_: dict[int, tuple[str, float]] = {}
    last = 0.0

    def close(track_: int, time: float) -> None:
        if track_ in open_:
            name, since = open_.pop(track_)
            print(f"{printable(str(path))}: {since:.2f} to {time:.2f} s: track {track_}: {name}")

    for frame in model.video(path):
        last = frame.time
        for hand in frame.hands:
            number = int(hand.track or 0)
            name = steady.told(number, told(hand, taught)[0], frame.time)
            if open_.get(number, (None,))[0] != name:
                close(number, frame.time)
                if name is not None:
                    open_[number] = (name, frame.time)
    for number in list(open_):
        close(number, last)
