"""`handscope PATH...`: read, run, write, and say what was found."""

from __future__ import annotations

import argparse
import io
import sys
from collections import Counter
from collections.abc import Collection, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.progress import track
from rich.table import Table

from handscope.apps.options import mesh_style
from handscope.apps.video import INTERRUPTED, analyse_video, open_clip
from handscope.errors import HandscopeError, ImageError, VideoError, printable
from handscope.files import writable_folder
from handscope.infer.cameras import CameraLike, parse_camera
from handscope.infer.decoding import Picture
from handscope.infer.frames import is_video, kind_of
from handscope.infer.inputs import SMALLEST_PX, prepare
from handscope.infer.limits import DecodingLimits, default_limits
from handscope.infer.outputs import FORMATS, Format, picture_formats, styled
from handscope.infer.pipeline import MANY_FILES, WORKERS, Pipeline, load
from handscope.infer.results import Hands
from handscope.infer.streaming import Task, decoded_ahead
from handscope.paths import as_path, is_file, list_folder, safe_name
from handscope.types import Hand

MOST_ROWS, MOST_NAMED = 40, 5


@dataclass(frozen=True)
class Result:
    """One picture's hands, where their files went, and remarks."""

    path: Path
    folder: Path
    hands: Sequence[Hand]
    notes: tuple[str, ...]


@dataclass
class Found:
    """What the paths on the command line are: pictures, videos, folders of frames; remarks on what is left out, and
    sentences about what cannot be looked at.
    """

    pictures: list[Path] = field(default_factory=list)
    videos: list[Path] = field(default_factory=list)
    frames: list[Path] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def count(self) -> int:
        """Of all that is analysed."""
        return len(self.pictures) + len(self.videos) + len(self.frames)


def analyse(options: argparse.Namespace) -> int:
    """Do what the command line asks; returns the exit code. Bad use raises before any work."""
    found = find(options.paths, options.frames, options.fps, recursive=options.recursive)
    K = camera_of(options)
    if options.box and (found.count > 1 or not found.pictures):
        raise HandscopeError(f"--box belongs to one picture, but {found.count} files were given")
    if options.no_files and (found.videos or found.frames):
        raise HandscopeError("--no-files is for pictures: of a video the files are all there is")
    limits = default_limits(options.max_megapixels, options.max_mib)
    out = Path(options.out) if options.no_files else writable_folder(options.out)
    model = model_of(options)

    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # file names need not be valid text
    console, errors = Console(), Console(stderr=True)
    for problem in found.problems:
        print(f"handscope: {printable(problem)}", file=sys.stderr)
    for note in (*found.notes, *model.models.notes):
        console.print(f"[yellow]note[/] {escape(printable(note))}", highlight=False, soft_wrap=True)
    names = output_names([*found.pictures, *found.videos, *found.frames])
    lost = len(found.problems)
    if found.pictures:
        lost += _analyse_pictures(found.pictures, names, out, model, options, K, limits, console, errors, lost)
    moving = [*found.videos, *found.frames]
    for path, name in zip(moving, names[len(found.pictures) :], strict=True):
        try:
            with open_clip(path, options.threads, options.fps if path in found.frames else None) as clip:
                if not analyse_video(clip, out / name, model, options, K, console, errors):
                    return INTERRUPTED
        except VideoError as error:
            lost += 1
            print(f"handscope: {error}", file=sys.stderr)
        except HandscopeError as error:
            if found.count == 1:
                raise
            lost += 1
            print(f"handscope: {printable(str(path))}: {error}", file=sys.stderr)
    return 1 if lost else 0


def _analyse_pictures(
    paths: Sequence[Path], names: Sequence[str], out: Path, model: Pipeline, options: argparse.Namespace, K: CameraLike,
    limits: DecodingLimits, console: Console, errors: Console, lost_before: int,
) -> int:  # fmt: skip
    """All files of all pictures; how many could not be read."""
    asked = picture_formats([name for name in FORMATS if getattr(options, name)])
    formats = [] if options.no_files else styled(asked, mesh_style(options))
    results, lost = [], 0
    jobs = list(zip(paths, names, strict=False))
    hidden = len(jobs) == 1 or not errors.is_terminal
    workers = WORKERS * (len(jobs) >= MANY_FILES)
    with closing(decoded_ahead(map(Task, paths), workers=workers, limits=limits)) as pictures:
        progress = track(jobs, "looking for hands", console=errors, transient=True, disable=hidden)
        for (path, name), (_, picture) in zip(progress, pictures, strict=True):
            try:
                if isinstance(picture, HandscopeError):
                    raise picture
                (hands,) = model.answer([prepare(picture, K, options.box)])
                results.append(write_results(picture, hands, formats, out / name))
            except HandscopeError as error:
                if len(paths) == 1 and not isinstance(error, ImageError):
                    raise
                lost += 1
                name = printable(str(path))
                told = str(error) if str(error).startswith(f"{name}:") else f"{name}: {error}"
                print(f"handscope: {told}", file=sys.stderr)
    _report(console, results, lost + lost_before, model.models.notes, files=not options.no_files)
    return lost


def find(paths: Sequence[str], frames: Sequence[str], fps: float | None, *, recursive: bool = False) -> Found:
    """Every picture, video and folder of frames once, in the order given; all that is wrong is said at once.
    `recursive` looks into the folders inside folders too, but not through links.
    """
    found, problems = Found(), []
    if frames and fps is None:
        raise HandscopeError("--frames needs --fps N, how many frames of it are a second")
    if fps is not None and not frames:
        raise HandscopeError("--fps belongs to --frames DIR, a folder of frames")
    for given in paths:
        path = as_path(given)
        try:
            if not is_file(path, ImageError):
                _look_into(path, found, recursive=recursive)
            else:
                (found.videos if is_video(path) else found.pictures).append(path)
        except ImageError as error:
            problems.append(str(error))
    for given in frames:
        path = as_path(given)
        if is_file(path, ImageError):
            problems.append(f"{path}: a file; --frames takes a folder of pictures")
        found.frames.append(path)
    if problems:
        raise HandscopeError(*problems)
    for name in ("pictures", "videos", "frames"):
        setattr(found, name, list(dict.fromkeys(getattr(found, name))))
    return found


def _look_into(folder: Path, found: Found, *, recursive: bool, top: bool = True) -> None:
    """The pictures and videos inside a folder, if `recursive` at any depth; what else there is is counted aloud."""
    listing = list_folder(folder, ImageError)
    others, before = [], found.count
    for file in listing.files:
        kind = kind_of(file)
        if kind is None:
            others.append(file.name)
        else:
            (found.pictures if kind == "picture" else found.videos).append(file)
    for below in listing.inside if recursive else ():
        _look_into(below, found, recursive=True, top=False)
    ignored = 0 if recursive else listing.folders
    deeper = f"; its {ignored} sub-folders are not searched: --recursive does, or name them too" if ignored else ""
    if found.count == before and not listing.problems and top:
        kinds = "no pictures in this folder (JPEG, PNG, WebP, TIFF, GIF, ...) and no videos"
        raise ImageError(f"{folder}: {kinds}{deeper}")
    found.problems += listing.problems
    if others or deeper:
        named = ", ".join(others[:MOST_NAMED]) + (", ..." if len(others) > MOST_NAMED else "")
        left_out = f"{len(others)} files left out that are neither pictures nor videos ({named})"
        found.notes.append(f"{folder}: {left_out if others else 'no file left out'}{deeper}")


def model_of(options: argparse.Namespace) -> Pipeline:
    """The networks as the options of `options.add_looking` say."""
    return load(
        options.weights,
        options.hand_model,
        options.threads,
        min_score=options.min_score,
        tiles=options.tiles,
        joint_convention=options.joint_convention,
        device=options.compute,
        effort=options.effort,
    )


def camera_of(options: argparse.Namespace) -> CameraLike:
    """What the command line says of the camera."""
    if options.K is None:
        if options.distortion is not None:
            raise HandscopeError("--distortion belongs to a camera: give --K too")
        return options.focal
    if options.focal is not None:
        raise HandscopeError("give either --K or --focal, not both")
    return parse_camera(options.K, options.distortion)


def output_names(paths: Sequence[Path]) -> list[str]:
    """A folder name for every picture: its stem; where stems clash, the parent folder's name goes before.

    Names are those that any system allows (`paths.safe_name`), and compared without case, as some file systems do; what
    still clashes is numbered.
    """
    stems = Counter(safe_name(path.stem).lower() for path in paths)
    taken: set[str] = set()
    names = []
    for path in paths:
        name = safe_name(path.stem)
        if stems[name.lower()] > 1:
            name = safe_name(f"{path.resolve().parent.name}-{path.stem}".lstrip("-"))
        unique, number = name, 2
        while unique.lower() in taken:
            unique, number = f"{name}-{number}", number + 1
        taken.add(unique.lower())
        names.append(unique)
    return names


def write_results(picture: Picture, hands: Hands, formats: Sequence[Format], folder: Path) -> Result:
    """All files of one picture, and away with those of an earlier run that had more hands."""
    height, width = picture.image.shape[:2]
    notes = hands.notes
    if min(height, width) < SMALLEST_PX:
        notes = (*notes, f"{width} x {height} px is too small to show a hand")
    try:
        if formats:
            folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise HandscopeError(f"{folder}: cannot make this folder ({error.strerror or error})") from error
    for row in formats:
        row.write(folder, hands.of_source(hands.source, notes), picture.image)
    return Result(Path(hands.source or ""), folder, hands, notes)


def _report(
    console: Console, results: Sequence[Result], failed: int, said: Collection[str], *, files: bool = True
) -> None:
    """A table of the hands, remarks that are not `said` already, and where the files are."""
    hands = sum(len(result.hands) for result in results)
    if hands:
        console.print(_table(results))
    for result in results:
        for note in result.notes:
            if note in said:
                continue
            console.print(
                f"[yellow]note[/] {escape(printable(str(result.path)))}: {escape(printable(note))}",
                highlight=False,
                soft_wrap=True,
            )
    empty = [result for result in results if not result.hands]
    if len(results) == 1 and empty:
        console.print(f"no hand found in {escape(printable(str(empty[0].path)))}", highlight=False)
    if results:
        pictures = f"{len(results)} picture{'s' * (len(results) > 1)}"
        place = results[0].folder if len(results) == 1 else results[0].folder.parent
        without = f", {len(empty)} without a hand" if empty and len(results) > 1 else ""
        lost = f", {failed} could not be read" if failed else ""
        count = f"{hands} hand{'s' * (hands != 1)}"
        console.print(
            f"{count} in {pictures}{without}{lost}"
            + (f"; files in {escape(printable(str(place)))}/" if files else "; no files written"),
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
        # only a picture's name gives way where the terminal is narrow
        name = heading == "picture"
        table.add_column(heading, justify=side, no_wrap=not name, overflow="fold", min_width=8 if name else None)  # type: ignore[arg-type]
    rows = [(result, hand) for result in results for hand in result.hands]
    for result, hand in rows[:MOST_ROWS]:
        colour = "dark_orange" if hand.handedness == "right" else "deep_sky_blue1"
        table.add_row(
            escape(printable(result.folder.name)),
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
