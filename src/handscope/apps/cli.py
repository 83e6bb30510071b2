"""The command `handscope`: pictures in, files out; and a door to the commands of the training side.

Only argparse is imported here, so that `--help` is instant; everything else is imported when it is needed.
Exit codes: 0 all went well, 1 some pictures failed, 2 the command itself cannot be done as asked.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Sequence
from importlib import import_module

from handscope import __version__
from handscope.apps.options import add_camera, add_looking, numbers, option_of, positive
from handscope.errors import HandscopeError, missing_extra
from handscope.infer.outputs import FORMATS, Format, picture_formats, video_formats

COMMANDS = {
    "batch": ("handscope.apps.batch", "pictures by the million, in parts that resume; one row an input"),
    "collect": ("handscope.apps.collect", "one file of what batch made: COCO, CSV, JSON lines, Parquet"),
    "corpus": ("handscope.apps.corpus", "folders of videos: every one's files, and one table of all"),
    "gestures": ("handscope.apps.gestures", "learn gestures from examples; what is told of pictures and videos"),
    "gallery": ("handscope.apps.gallery", "a page of hands: skeleton, mesh, mask, from the side and from above"),
    "robot": ("handscope.apps.robot", "a robot hand's joint angles from a video or a camera, by dex-retargeting"),
    "camera": ("handscope.apps.camera", "hands before a camera, with a preview in the browser"),
    "web": ("handscope.apps.web", "a page for pictures and the webcam"),
    "serve": ("handscope.apps.serve", "an HTTP service: POST /v1/hands"),
    "synth": ("handscope.apps.synth", "draw labelled pictures of hands into shards"),
    "train": ("handscope.train.command", "train the network by a recipe; resumes by itself"),
    "ablate": ("handscope.apps.ablate", "a grid of training runs, its tables, and what they confirm"),
    "export": ("handscope.apps.export", "turn a checkpoint into the ONNX files that `--weights` takes"),
    "data": ("handscope.apps.data", "check a dataset on disk: counts, damage, joint order, unit, side, camera"),
    "predict-dataset": ("handscope.apps.predict", "keep a model's answers for every hand of a dataset"),
    "eval": ("handscope.apps.evaluate", "score such answers under the protocols of the field"),
    "compare": ("handscope.apps.compare", "several results in one table, with confidence intervals"),
    "bench": ("handscope.apps.bench", "measure accuracy on labelled photographs"),
}
"""Name, module with `main(arguments)`, and one line of help."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # numpy's matrices are small here: its threads only spin
    try:
        if arguments and arguments[0] in COMMANDS:
            return _run_command(arguments[0], arguments[1:])
        options = parser().parse_args(_keep_negatives(arguments))
        if not options.paths and not options.frames:
            parser().print_help(sys.stderr)
            return 2
        from handscope.apps.analyse import analyse

        return analyse(options)
    except HandscopeError as error:
        for sentence in str(error).splitlines():
            print(f"handscope: {sentence}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("handscope: stopped", file=sys.stderr)
        return 130


def _run_command(name: str, arguments: list[str]) -> int:
    try:
        return import_module(COMMANDS[name][0]).main(arguments) or 0
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] == "handscope":
            raise
        raise HandscopeError(missing_extra(f"`handscope {name}`", error.name, "train")) from error


def parser() -> argparse.ArgumentParser:
    """The options of `handscope PATH...`."""
    commands = "\n".join(f"  {name:17}{text}" for name, (_, text) in COMMANDS.items())
    result = argparse.ArgumentParser(
        prog="handscope",
        usage="handscope [options] PATH...\n       handscope COMMAND ...",
        description="Hands in pictures and videos: 2D joints, mask, 3D joints, mesh, camera, side and confidence.",
        epilog=f"commands (each has its own --help; a picture of that name is ./NAME):\n{commands}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = result.add_argument
    add("paths", nargs="*", metavar="PATH", help="pictures, videos, and folders of them")
    add("--version", action="version", version=f"handscope {__version__}")
    add("--out", default="out", metavar="DIR", help="results go to DIR/PICTURE-NAME/ (default: out)")
    add("--no-files", action="store_true", help="print what is found, write nothing (pictures)")
    add("--recursive", action="store_true", help="look into the folders inside folders too")
    of_pictures, of_videos = (f"(default: {_options(rows)})" for rows in (picture_formats(), video_formats()))
    files = result.add_argument_group(f"what to write {of_pictures}")
    video = result.add_argument_group(f"videos {of_videos}")
    for row in FORMATS.values():
        wants = f" (extra [{row.needs}])" if row.needs and not row.of_pictures else ""
        group = files if row.of_pictures else video
        group.add_argument(option_of(row.name), action="store_true", help=row.help + wants)
    video.add_argument("--frames", action="append", default=[], metavar="DIR", help="a folder of frames as a video")
    video.add_argument("--fps", type=positive(float), metavar="N", help="frames a second of --frames")
    video.add_argument("--no-smoothing", action="store_true", help="every frame's own answer, unfiltered")
    style = result.add_argument_group("how 3D programs get it (--glb, --scene, --usd, --bvh)")
    style.add_argument("--skin", action="store_true", help="a map of skin instead of colours by finger")
    style.add_argument("--bones", metavar="KIND", default="fingers", help="fingers (along them, default), or mano")
    style.add_argument("--frame-rate", type=positive(float), metavar="N", help="keys at whole frames of N a second")
    known = result.add_argument_group("what you know of the picture")
    known.add_argument(
        "--box",
        action="append",
        type=numbers(4),
        metavar="X0,Y0,X1,Y1",
        help="a box tight around a hand, in pixels, instead of the detector; repeat for more hands",
    )
    add_camera(known)
    how = result.add_argument_group("how to look")
    add_looking(how)
    for name, unit, size in (("--max-megapixels", "million pixels", 100), ("--max-mib", "MiB of a file", 512)):
        how.add_argument(name, type=positive(float), metavar="N", help=f"decode up to N {unit} (default: {size})")
    return result


def _options(formats: Sequence[Format]) -> str:
    return " ".join(option_of(row.name) for row in formats)


SIGNED = ("--box", "--K", "--distortion")
"""Options whose numbers may be negative."""


def _keep_negatives(arguments: list[str]) -> list[str]:
    """`--box -1,2,3,4` as `--box=-1,2,3,4`: argparse takes a value that begins with a minus for an option."""
    joined: list[str] = []
    for argument in arguments:
        if joined and joined[-1] in SIGNED and re.match(r"-[0-9.]", argument):
            joined[-1] += f"={argument}"
        else:
            joined.append(argument)
    return joined


if __name__ == "__main__":
    sys.exit(main())
