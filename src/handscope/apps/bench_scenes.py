"""`handscope bench scenes`: people's photographs, clips of people signing and rendered scenes, beside MediaPipe if
asked for.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from handscope import __version__
from handscope.apps.bench_pictures import Bars
from handscope.errors import HandscopeError

if TYPE_CHECKING:
    from handscope.data.scenes import LabelledClip
    from handscope.evaluation.peer import MediaPipe
    from handscope.evaluation.scenes import Column
    from handscope.infer.pipeline import Pipeline
    from handscope.types import Hand

DESCRIPTION = """Which hands are found in photographs of people, in clips of people signing, tracked, and in rendered
scenes that are made on the spot (touching hands, held things, gloves; no data needed); with --peer mediapipe, beside
MediaPipe Hands (photographs: up to ten hands at its score of 0.5; clips: its video mode as it comes)."""
MOST_HANDS, LEAST_SCORE = 10, 0.5
"""MediaPipe's settings for photographs; in clips it tracks two hands, as it comes."""


def add_scenes(kinds: argparse._SubParsersAction, epilog: str) -> argparse.ArgumentParser:
    """The options that are this benchmark's own."""
    scenes = kinds.add_parser(
        "scenes",
        help="people's photographs, clips and rendered scenes: which hands are found",
        description=DESCRIPTION,
        epilog=epilog,
    )
    add = scenes.add_argument
    add("--data", type=Path, metavar="DIR", help="folder with people and videos; without it, rendered scenes alone")
    add("--peer", choices=["mediapipe"], help="score this one too")
    add("--peer-python", type=Path, metavar="FILE", help="Python of an environment that has it")
    add("--only", choices=["people", "clips", "rendered"], help="one of the sets")
    add("--rendered", type=int, default=1000, metavar="N", help="so many rendered scenes (default: 1000; 0: none)")
    return scenes


def bench_scenes(options: argparse.Namespace) -> int:
    """Print the table, and write it if asked for."""
    from handscope.data.scenes import People, labelled_clips
    from handscope.evaluation import scenes
    from handscope.evaluation.real import spread
    from handscope.files import write_file
    from handscope.infer.pipeline import load

    if options.peer_python is not None and options.peer is None:
        raise HandscopeError("--peer-python needs --peer mediapipe")
    if options.data is None and options.only in ("people", "clips"):
        raise HandscopeError(f"--only {options.only} needs --data, the folder that holds people and videos")
    if options.rendered < 0:
        raise HandscopeError(f"--rendered must not be negative, got {options.rendered}")
    wanted = {options.only} if options.only else {"people", "clips", "rendered"}
    people = People(options.data) if options.data and "people" in wanted else None
    chosen = [] if people is None else spread(len(people), options.limit)
    clips = labelled_clips(options.data) if options.data and "clips" in wanted else []
    rendered = options.rendered if "rendered" in wanted else 0
    with ExitStack() as stack:
        columns = [_own(load(options.weights, threads=options.threads, device=options.compute))]
        if options.peer is not None:
            columns.append(_peer(stack, options.peer_python))
        show = stack.enter_context(Bars())
        results = {column.name: scenes.bench(people, clips, column, chosen=chosen, progress=show) for column in columns}
        if rendered:
            from handscope.synth.scene_set import scene_set

            told = scenes.bench_rendered(
                scene_set(rendered), columns, lambda done: show("rendered scenes", done, rendered)
            )
            results = {name: sets | {"rendered scenes": told[name]} for name, sets in results.items()}
    table = scenes.report(results)
    if options.out is not None:
        options.out.mkdir(parents=True, exist_ok=True)
        write_file(options.out / "scenes.json", json.dumps(scenes.as_json(results), indent=1) + "\n")
        write_file(options.out / "scenes.md", table + "\n")
    print(table)
    return 0


def _own(model: Pipeline) -> Column:
    from handscope.evaluation.scenes import Column

    def track(clip: LabelledClip) -> Iterator[list[Hand]]:
        return (list(frame.hands) for frame in model.video(clip.path))

    return Column(f"handscope {__version__}", model, track)


def _peer(stack: ExitStack, python: Path | None) -> Column:
    """MediaPipe in two processes, one for photographs and one for clips."""
    from handscope.evaluation import peer
    from handscope.evaluation.scenes import Column
    from handscope.infer.video import VideoReader

    print("starting MediaPipe", file=sys.stderr)
    found = peer.find_python(python)
    still = ("--most-hands", str(MOST_HANDS), "--least-score", str(LEAST_SCORE))
    moving = ("--video", "--most-hands", "2", "--least-score", str(LEAST_SCORE))
    pictures: MediaPipe = stack.enter_context(peer.MediaPipe(found, options=still))
    video: MediaPipe = stack.enter_context(peer.MediaPipe(found, options=moving))

    def track(clip: LabelledClip) -> Iterator[list[Hand]]:
        video.begin_video()
        with VideoReader(clip.path, threads=1) as frames:
            for _, _, picture in frames:
                yield video(picture)

    return Column(f"MediaPipe {pictures.version}", pictures, track)
