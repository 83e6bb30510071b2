"""`handscope CLIP.mp4` and `handscope camera`: frames in, files out as they come, and Ctrl-C at any time."""

from __future__ import annotations

import argparse
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from types import FrameType

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from handscope.apps.options import mesh_style, option_of
from handscope.apps.preview import Preview
from handscope.apps.recording import Recording
from handscope.errors import HandscopeError, printable
from handscope.infer.cameras import CameraLike
from handscope.infer.frames import Lost
from handscope.infer.outputs import FORMATS, styled, video_formats
from handscope.infer.pipeline import Pipeline
from handscope.infer.tracking import TrackingConfig
from handscope.infer.video import FrameFolder, VideoFrame, VideoReader
from handscope.paths import reason
from handscope.viz import draw

INTERRUPTED = 130
"""The exit code of a command that was stopped."""
LATE_S = 0.1
"""A picture that begins so much later than the sound is remarked on."""


@dataclass
class Seen:
    """What went by: frames, and for each track its frames, sides and first and last second."""

    frames: int = 0
    stopped: bool = False
    sides: dict[int, Counter[str]] = field(default_factory=dict)
    spans: dict[int, tuple[float, float]] = field(default_factory=dict)
    notes: dict[str, None] = field(default_factory=dict)

    def add(self, frame: VideoFrame) -> None:
        """Count one more frame."""
        self.frames += 1
        self.notes |= dict.fromkeys(frame.hands.notes)
        for hand in frame.hands:
            number = int(hand.track or 0)
            self.sides.setdefault(number, Counter())[hand.handedness] += 1
            self.spans[number] = (self.spans.get(number, (frame.time, 0.0))[0], frame.time)


class Interrupt:
    """Ctrl-C (or a polite kill) sets `asked`, so that work ends between two frames; the second one ends it at once."""

    def __init__(self) -> None:
        self.asked = False

    def __call__(self, number: int, frame: FrameType | None) -> None:
        """A signal has come."""
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True


@contextmanager
def interruptible() -> Iterator[Interrupt]:
    """Signals go to an `Interrupt` for as long as this lasts; in other threads than the main one nothing changes."""
    interrupt = Interrupt()
    if threading.current_thread() is not threading.main_thread():
        yield interrupt
        return
    before = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield interrupt
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def open_clip(path: Path, threads: int | None, fps: float | None) -> VideoReader | FrameFolder:
    """A video, or with `fps` a folder of frames."""
    return VideoReader(path, threads=threads) if fps is None else FrameFolder(path, fps)


def analyse_video(
    reader: VideoReader | FrameFolder, folder: Path, model: Pipeline, options: argparse.Namespace, K: CameraLike,
    console: Console, errors: Console,
) -> bool:  # fmt: skip
    """All files of one video, as the `options` of `handscope` say; False if someone stopped it before its end."""
    asked = [name for name in FORMATS if getattr(options, name)]
    config = TrackingConfig(smoothing=None) if options.no_smoothing else None
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[fps]}"), TimeRemainingColumn())
    progress = Progress(
        TextColumn("{task.description}"), *columns, console=errors, transient=True, disable=not errors.is_terminal
    )
    with interruptible() as interrupt, progress:
        task = progress.add_task(escape(printable(reader.path.name)), total=reader.count or None, fps="")
        frames = model.video(reader, K=K, config=config)
        first = next(frames)  # a video without frames leaves no files
        files = Recording(folder, styled(video_formats(asked), mesh_style(options)), rate=reader.rate)
        seen = run(
            chain([first], frames), files, interrupt, on_frame=lambda _: _advance(progress, task), lost=reader.lost
        )
    report(console, seen, folder, broken=reader.broken)
    said = model.models.notes  # of every answer: told once
    for note in (note for note in dict.fromkeys([*reader.notes, *seen.notes]) if note not in said):
        console.print(
            f"[yellow]note[/] {escape(printable(str(reader.path)))}: {escape(printable(note))}",
            highlight=False,
            soft_wrap=True,
        )
    if reader.start > LATE_S:
        told = f"its picture begins {reader.start:.2f} s after its sound; times are a player's, from the sound on"
        console.print(f"[yellow]note[/] {escape(printable(str(reader.path)))}: {told}", highlight=False, soft_wrap=True)
    left_out = [option_of(name) for name in asked if not FORMATS[name].of_videos]
    if left_out:
        console.print(f"[yellow]note[/] {', '.join(left_out)}: for pictures only, not written", highlight=False)
    return not seen.stopped


def _advance(progress: Progress, task: TaskID) -> None:
    speed = progress.tasks[task].speed
    progress.update(task, advance=1, fps=f"{speed:.1f} frames/s" if speed else "")


def run(
    frames: Iterator[VideoFrame], files: Recording | None, interrupt: Interrupt, *,
    on_frame: Callable[[VideoFrame], None] = lambda frame: None, preview: Preview | None = None,
    seconds: float | None = None, lost: Sequence[Lost] = (), whole: bool = False,
) -> Seen:  # fmt: skip
    """Write frame after frame until they end, `seconds` have passed or someone interrupts; then close the `files`, or,
    if the video was wanted `whole` and did not come to its end, drop them.

    `lost` grows while frames are read: those that could not be, whose place is kept in the files.
    """
    seen = Seen()
    skipped, problem, ended = 0, None, False
    painting = preview is not None or (files is not None and files.is_painted)
    try:
        for frame in frames:
            skipped = _skip(lost, skipped, files)
            painted = draw(frame.image, frame.hands) if painting else frame.image
            if files is not None:
                files.write(frame, painted)
            if preview is not None:
                preview.show(painted)
            seen.add(frame)
            on_frame(frame)
            if interrupt.asked or (seconds is not None and frame.time >= seconds):
                seen.stopped = interrupt.asked
                break
        _skip(lost, skipped, files)
        ended = not seen.stopped
    except OSError as error:  # of the disk: readers tell of theirs in words
        problem = error
    finally:
        try:
            if files is not None and (ended or not whole):
                files.close()
            elif files is not None:
                files.discard()
        except OSError as error:
            problem = problem or error
    if problem is not None:
        told = f"the results cannot be written ({reason(problem)}); make room or name another --out"
        raise HandscopeError(told) from problem
    return seen


def _skip(lost: Sequence[Lost], done: int, files: Recording | None) -> int:
    """Tell the files of frames that were lost since the last time; how many are told now."""
    if files is not None:
        for one in lost[done:]:
            files.skip(one)
    return len(lost)


def report(console: Console, seen: Seen, place: Path | None, *, broken: int = 0) -> None:
    """One line for each track and one for the whole."""
    for number, sides in sorted(seen.sides.items()):
        start, end = seen.spans[number]
        side, count = sides.most_common(1)[0]
        console.print(
            f"track {number}: {side}, {sum(sides.values())} frames, {start:.2f} to {end:.2f} s"
            + (f", {sum(sides.values()) - count} of them as the other side" if len(sides) > 1 else ""),
            highlight=False,
        )
    lost = f", {broken} could not be decoded" if broken else ""
    files = f"; files in {escape(printable(str(place)))}/" if place is not None else ""
    stopped = "stopped after " if seen.stopped else ""
    console.print(
        f"{stopped}{seen.frames} frames, {len(seen.sides)} hand{'s' * (len(seen.sides) != 1)}{lost}{files}",
        highlight=False, soft_wrap=True,
    )  # fmt: skip
