"""`handscope PATH...`: read, run, write, and say what was found."""

from __future__ import annotations

import argparse
import io
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.markup import escape
from rich.progress import track
from rich.table import Table

from handscope.apps.video import INTERRUPTED, analyse_video
from handscope.errors import HandscopeError, ImageError, VideoError
from handscope.files import writable_folder
from handscope.geometry.camera import intrinsics_of_focal
from handscope.infer.images import Picture, find_pictures, read_picture
from handscope.infer.inputs import SMALLEST_PX, check_intrinsics
from handscope.infer.outputs import FORMATS, Format, picture_formats
from handscope.infer.pipeline import load
from handscope.infer.results import Hands
from handscope.infer.video import is_video
from handscope.types import Hand

MOST_ROWS = 40


@dataclass(frozen=True)
class Result:
    """One picture's hands, where their files went, and remarks."""

    path: Path
    folder: Path
    hands: Sequence[Hand]
    notes: tuple[str, ...]


def analyse(options: argparse.Namespace) -> int:
    """Do what the command line asks; returns the exit code. Bad use raises before any work."""
    videos = [Path(path) for path in dict.fromkeys(options.paths) if is_video(path)]
    paths = _find_all([path for path in options.paths if not is_video(path)])
    K = _intrinsics(options)
    if options.box and (len(paths) > 1 or videos):
        raise HandscopeError(f"--box belongs to one picture, but {len(paths) + len(videos)} files were given")
    out = writable_folder(options.out)
    formats = picture_formats([name for name in FORMATS if getattr(options, name)])
    model = load(options.weights, options.hand_model, options.threads, min_score=options.min_score, tiles=options.tiles)

    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # file names need not be valid text
    console, errors = Console(), Console(stderr=True)
    results, failed = [], 0
    names = output_names([*paths, *videos])
    jobs = list(zip(paths, names, strict=False))
    hidden = len(jobs) == 1 or not errors.is_terminal
    for path, name in track(jobs, "looking for hands", console=errors, transient=True, disable=hidden):
        try:
            picture = read_picture(path)
            hands = model(picture.image, _for_picture(K, picture.image), options.box)
        except ImageError as error:
            failed += 1
            print(f"handscope: {error}", file=sys.stderr)
            continue
        results.append(write_results(picture, hands, formats, out / name))
    if paths:
        _report(console, results, failed)
    for path, name in zip(videos, names[len(paths) :], strict=True):
        try:
            if not analyse_video(path, out / name, model, options, K, console, errors):
                return INTERRUPTED
        except VideoError as error:
            failed += 1
            print(f"handscope: {error}", file=sys.stderr)
    return 1 if failed else 0


def _find_all(paths: Sequence[str]) -> list[Path]:
    """Every picture once, in the order given; all that is wrong is said at once."""
    found: dict[Path, None] = {}
    problems = []
    for path in paths:
        try:
            found.update(dict.fromkeys(find_pictures(path)))
        except ImageError as error:
            problems.append(str(error))
    if problems:
        raise HandscopeError("\nhandscope: ".join(problems))
    return list(found)


def _intrinsics(options: argparse.Namespace) -> NDArray[np.float64] | float | None:
    """K (3, 3), or a focal length for a principal point at the centre, or None if the camera is unknown."""
    if options.K is None:
        return options.focal
    if options.focal is not None:
        raise HandscopeError("give either --K or --focal, not both")
    if len(options.K) == 9:
        return check_intrinsics(np.reshape(options.K, (3, 3)))
    fx, fy, cx, cy = options.K
    return check_intrinsics([[fx, 0, cx], [0, fy, cy], [0, 0, 1]])


def _for_picture(K: NDArray[np.float64] | float | None, image: NDArray[np.uint8]) -> NDArray[np.float64] | None:
    if K is None or isinstance(K, np.ndarray):
        return K
    height, width = image.shape[:2]
    return intrinsics_of_focal(K, width, height)


def output_names(paths: Sequence[Path]) -> list[str]:
    """A folder name for every picture: its stem; where stems clash, the parent folder's name goes before.

    Names are compared without case, as some file systems do; what still clashes is numbered.
    """
    stems = Counter(path.stem.lower() for path in paths)
    taken: set[str] = set()
    names = []
    for path in paths:
        name = path.stem
        if stems[name.lower()] > 1:
            name = f"{path.resolve().parent.name}-{path.stem}".lstrip("-")
        unique, number = name, 2
        while unique.lower() in taken:
            unique, number = f"{name}-{number}", number + 1
        taken.add(unique.lower())
        names.append(unique)
    return names


def write_results(picture: Picture, hands: Hands, formats: Sequence[Format], folder: Path) -> Result:
    """All files of one picture, and away with those of an earlier run that had more hands."""
    height, width = picture.image.shape[:2]
    notes = picture.notes
    if min(height, width) < SMALLEST_PX:
        notes = (*notes, f"{width} x {height} px is too small to show a hand")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise HandscopeError(f"{folder}: cannot make this folder ({error.strerror or error})") from error
    for row in formats:
        row.write(folder, hands.of_source(str(picture.path), notes), picture.image)
    return Result(picture.path, folder, hands, notes)


def _report(console: Console, results: Sequence[Result], failed: int) -> None:
    """A table of the hands, remarks, and where the files are."""
    hands = sum(len(result.hands) for result in results)
    if hands:
        console.print(_table(results))
    for result in results:
        for note in result.notes:
            console.print(f"[yellow]note[/] {escape(str(result.path))}: {note}", highlight=False)
    empty = [result for result in results if not result.hands]
    if len(results) == 1 and empty:
        console.print(f"no hand found in {escape(str(empty[0].path))}", highlight=False)
    if results:
        pictures = f"{len(results)} picture{'s' * (len(results) > 1)}"
        place = results[0].folder if len(results) == 1 else results[0].folder.parent
        without = f", {len(empty)} without a hand" if empty and len(results) > 1 else ""
        lost = f", {failed} could not be read" if failed else ""
        count = f"{hands} hand{'s' * (hands != 1)}"
        console.print(
            f"{count} in {pictures}{without}{lost}; files in {escape(str(place))}/",
            highlight=False,
            soft_wrap=True,
        )


def _table(results: Sequence[Result]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading, side in (
        ("picture", "left"),
        ("hand", "left"),
        ("score", "right"),
        ("x0,y0,x1,y1 (px)", "left"),
        ("away (m)", "right"),
        ("mask (px)", "right"),
        ("sure joints", "right"),
    ):
        table.add_column(heading, justify=side, no_wrap=True)  # type: ignore[arg-type]
    rows = [(result, hand) for result in results for hand in result.hands]
    for result, hand in rows[:MOST_ROWS]:
        colour = "dark_orange" if hand.handedness == "right" else "deep_sky_blue1"
        table.add_row(
            escape(result.folder.name),
            f"[{colour}]{hand.handedness}[/]",
            f"{hand.score:.2f}",
            "{:.0f},{:.0f},{:.0f},{:.0f}".format(*hand.box),
            f"{hand.T[2]:.2f}",
            f"{hand.cropped_mask.area()}",
            f"{int((hand.joint_scores > 0.5).sum())}/21",
        )
    if len(rows) > MOST_ROWS:
        table.add_row(f"... and {len(rows) - MOST_ROWS} more")
    return table
