"""`handscope corpus PATH...`: folders of videos, every one's files where it lies in the tree, and one table of all.

A video is done when its table is in place, so the same command goes on where an earlier one ended, whatever ended it.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import re
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from handscope import __version__
from handscope.apps.analyse import camera_of, model_of
from handscope.apps.options import add_camera, add_looking, option_of
from handscope.apps.recording import Recording
from handscope.apps.video import INTERRUPTED, Interrupt, interruptible, run
from handscope.errors import HandscopeError, VideoError, printable
from handscope.files import NewFile, writable_folder
from handscope.infer.cameras import CameraLike
from handscope.infer.frames import VideoReader, kind_of
from handscope.infer.outputs import FORMATS, Format
from handscope.infer.pipeline import Pipeline
from handscope.infer.tidy import KEYS, NUMBERS
from handscope.infer.tidy_files import RUN, TidyTableWriter, in_text
from handscope.infer.tracking import TrackingConfig
from handscope.paths import as_cell, as_path, as_text, is_file, list_folder, safe_name

TABLE = "table.parquet"
MOST_NAMED = 3


@dataclass(frozen=True)
class Clip:
    """A video: where it is, its name in the corpus (its path under the common folder), the folder of its files, and
    what the pattern reads from its name.
    """

    path: Path
    name: str
    folder: Path
    fields: dict[str, str]

    def stamp(self) -> dict[str, int]:
        """What tells that the video has not changed."""
        about = self.path.stat()
        return {"size": about.st_size, "mtime_ns": about.st_mtime_ns}


def parser() -> argparse.ArgumentParser:
    """Which videos, what of each, and how to look."""
    out = argparse.ArgumentParser(
        prog="handscope corpus",
        description="Every video under some folders: its own files, in the same tree, and one tidy table of all "
        "(corpus.parquet): a row a hand a frame, a named column a number.",
        epilog="Run it again to go on; what is done is not done again, and nothing is overwritten without --overwrite.",
    )
    add = out.add_argument
    add("paths", nargs="+", metavar="PATH", help="folders, searched to the bottom, and videos")
    add("--out", required=True, metavar="DIR", help="results: DIR/TREE/VIDEO/ and DIR/corpus.parquet")
    add(
        "--pattern",
        metavar="PATTERN",
        help="columns from the names, such as '{participant}/{trial}': of the path under the common folder, without "
        "its suffix",
    )
    add("--csv", action="store_true", help="corpus.csv too")
    add("--overwrite", action="store_true", help="make anew what was made by other settings, or from other videos")
    add("--no-smoothing", action="store_true", help="every frame's own answer, unfiltered")
    files = out.add_argument_group("files of each video, beside table.parquet")
    for row in FORMATS.values():
        if row.of_videos and row.name != "table":
            files.add_argument(option_of(row.name), action="store_true", help=row.help)
    add_camera(out.add_argument_group("what you know of the camera"))
    add_looking(out.add_argument_group("how to look"))
    return out


def main(arguments: Sequence[str]) -> int:
    """Do what the command line asks; the exit code."""
    options = parser().parse_args(arguments)
    out = as_path(options.out)
    clips = find(options.paths, out, options.pattern)
    K = camera_of(options)
    model = model_of(options)
    settings = settings_of(options, model)
    waiting = [clip for clip in clips if options.overwrite or not is_done(clip, settings)]
    writable_folder(out)
    console = Console(stderr=True)
    lost, stopped = 0, False
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[name]}"), TimeRemainingColumn())
    progress = Progress(TextColumn("videos"), *columns, console=console, disable=not console.is_terminal)
    with interruptible() as interrupt, progress:
        task = progress.add_task("videos", total=len(clips), completed=len(clips) - len(waiting), name="")
        for clip in waiting:
            progress.update(task, name=printable(clip.name))
            try:
                stopped = not look_through(clip, model, options, K, settings, interrupt)
            except HandscopeError as problem:
                lost += 1
                print(f"handscope: {_about(clip, problem)}", file=sys.stderr)
            if stopped:
                break
            progress.advance(task)
    done = [clip for clip in clips if (clip.folder / TABLE).is_file()]
    if stopped:
        print(f"stopped: {len(done)} of {len(clips)} videos are done; run it again to go on", file=sys.stderr)
        return INTERRUPTED
    rows = write_tables(done, out, text=options.csv)
    print(f"{len(done)} of {len(clips)} videos, {rows} rows; {printable(str(out / 'corpus.parquet'))}")
    return 1 if lost else 0


def _about(clip: Clip, problem: HandscopeError) -> str:
    told, path = str(problem), printable(str(clip.path))
    return told if told.startswith(path) else f"{path}: {told}"


def find(paths: Sequence[str], out: Path, pattern: str | None) -> list[Clip]:
    """Every video once, in natural order. HandscopeError if there is none, or one whose name the pattern does not fit.

    What lies in `out` is not looked for.
    """
    found: dict[Path, None] = {}
    tops: list[Path] = []
    for given in paths:
        path = as_path(given)
        if is_file(path, VideoError):
            tops.append(path.resolve().parent)
            found[path.resolve()] = None
        else:
            tops.append(path.resolve())
            found |= dict.fromkeys(video.resolve() for video in videos_under(path, out.resolve()))
    if not found:
        raise HandscopeError(f"no videos in {', '.join(map(str, paths))}")
    root = Path(os.path.commonpath(tops))
    names = [path.relative_to(root) for path in found]
    fields = [read_name(name, pattern) for name in names]
    unfit = [as_text(name) for name, read in zip(names, fields, strict=True) if read is None]
    if unfit:
        named = ", ".join(unfit[:MOST_NAMED]) + (", ..." if len(unfit) > MOST_NAMED else "")
        raise HandscopeError(f"--pattern {pattern!r} does not fit {len(unfit)} of {len(names)} videos: {named}")
    folders = folders_of(names)
    return [
        Clip(path, as_text(name), out / folder, read or {})
        for path, name, folder, read in zip(found, names, folders, fields, strict=True)
    ]


def videos_under(folder: Path, out: Path) -> Iterator[Path]:
    """The videos in a folder and all below it; links to folders are not followed."""
    if folder.resolve() == out:
        return
    listing = list_folder(folder, VideoError)
    yield from (path for path in listing.files if kind_of(path) == "video")
    for below in listing.inside:
        yield from videos_under(below, out)


def read_name(name: Path, pattern: str | None) -> dict[str, str] | None:
    """What the pattern reads from a path without its suffix; None if it does not fit."""
    if pattern is None:
        return {}
    parts = re.split(r"\{(\w+)\}", pattern)
    fields = parts[1::2]
    taken = {"video", *KEYS, *[column.name for column in NUMBERS]}
    if odd := [f for f in fields if not f.isidentifier() or f in taken or fields.count(f) > 1]:
        raise HandscopeError(f"--pattern {pattern!r}: {odd[0]!r} is no name for a column, or taken by another")
    text = "".join(f"(?P<{part}>[^/]+?)" if k % 2 else re.escape(part) for k, part in enumerate(parts))
    found = re.fullmatch(text, as_text(name.with_suffix("")).replace(os.sep, "/"))
    return None if found is None else found.groupdict()


def folders_of(names: Sequence[Path]) -> list[Path]:
    """Where each video's files go, as deep in the tree as it lies; no two in one folder, on no system."""
    alike = Counter(name.with_suffix("") for name in names)
    taken: set[str] = set()
    folders = []
    for name in names:
        parent = Path(*[safe_name(part) for part in name.parent.parts])
        stem = safe_name(name.stem if alike[name.with_suffix("")] == 1 else name.name)
        unique, number = parent / stem, 2
        while str(unique).lower() in taken:
            unique, number = parent / f"{stem}-{number}", number + 1
        taken.add(str(unique).lower())
        folders.append(unique)
    return folders


def settings_of(options: argparse.Namespace, model: Pipeline) -> dict[str, Any]:
    """What results depend on, beside the video."""
    chosen = ("no_smoothing", "K", "distortion", "focal", "joint_convention", "min_score", "tiles", "effort")
    told = {name: getattr(options, name) for name in chosen}
    told |= {"hand_model": None if options.hand_model is None else Path(options.hand_model).name}
    told |= {"formats": [name for name, row in FORMATS.items() if row.of_videos and getattr(options, name, False)]}
    return told | {"version": __version__, "networks": {name: card.get("sha256") for name, card in model.cards.items()}}


def is_done(clip: Clip, settings: dict[str, Any]) -> bool:
    """Whether the video's files are there. HandscopeError if they are of other settings or of another video."""
    path = clip.folder / TABLE
    if not path.is_file():
        return False
    from pyarrow import ArrowException, parquet

    try:
        run = json.loads((parquet.read_schema(path).metadata or {})[RUN.encode()])
    except (ArrowException, OSError, KeyError, ValueError):
        run = {}
    stamp = clip.stamp()
    if run == {"source": stamp, "settings": settings}:
        return True
    why = "by other settings" if run.get("source") == stamp else "from another video, or not by this command"
    raise HandscopeError(f"{clip.folder}: made {why}; --overwrite makes it anew, or give another --out")


def look_through(
    clip: Clip, model: Pipeline, options: argparse.Namespace, K: CameraLike, settings: dict[str, Any],
    interrupt: Interrupt,
) -> bool:  # fmt: skip
    """All files of one video; False, and no files, if someone stopped it before its end."""
    run_ = json.dumps({"source": clip.stamp(), "settings": settings})
    config = TrackingConfig(smoothing=None) if options.no_smoothing else None
    table = replace(FORMATS["table"], record=lambda folder, rate: TidyTableWriter(folder / TABLE, run_))
    formats: list[Format] = [FORMATS[name] for name in settings["formats"]]
    with VideoReader(clip.path, threads=options.threads) as reader:
        frames = model.video(reader, K=K, config=config)
        first = next(frames)
        files = Recording(clip.folder, [*formats, table], rate=reader.rate)
        seen = run(chain([first], frames), files, interrupt, lost=reader.lost, whole=True)
    return not seen.stopped


def write_tables(clips: Sequence[Clip], out: Path, *, text: bool) -> int:
    """corpus.parquet, and corpus.csv if that is wanted, of the videos' own tables; the number of rows."""
    import pyarrow as pa
    from pyarrow import parquet

    if not clips:
        return 0
    names = ["video", *clips[0].fields]
    count, writer = 0, None
    with NewFile(out / "corpus.parquet") as path, path.open("wb") as content:
        for clip in clips:
            for batch in _batches(clip):
                told = [pa.array([value] * len(batch), pa.string()) for value in (clip.name, *clip.fields.values())]
                fields = [*[pa.field(name, pa.string()) for name in names], *batch.schema]
                schema = pa.schema(fields, metadata={"handscope": batch.schema.metadata[b"handscope"]})
                writer = writer or parquet.ParquetWriter(content, schema, compression="zstd")
                writer.write_batch(pa.record_batch([*told, *batch.columns], schema=schema))
                count += len(batch)
        if writer is not None:
            writer.close()
    if text:
        with NewFile(out / "corpus.csv") as path, path.open("w", encoding="utf-8", newline="") as content:
            lines = csv.writer(content, lineterminator="\n")
            lines.writerow([*names, *KEYS, *[column.name for column in NUMBERS]])
            for clip in clips:
                told = [as_cell(value) for value in (clip.name, *clip.fields.values())]
                for batch in _batches(clip):
                    lines.writerows([*told, *in_text(list(row.values()))] for row in batch.to_pylist())
    return count


def _batches(clip: Clip) -> Iterator[Any]:
    """A video's table, a row group at a time; of one without hands an empty batch."""
    from pyarrow import parquet

    with parquet.ParquetFile(clip.folder / TABLE) as file:
        yield from file.iter_batches()
