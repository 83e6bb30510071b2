"""Options that several commands share."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from handscope.errors import HandscopeError

if TYPE_CHECKING:
    from handscope.infer.formats import MeshStyle


def option_of(name: str) -> str:
    """The option on the command line of what is called `name` in Python."""
    return "--" + name.replace("_", "-")


def mesh_style(options: argparse.Namespace) -> MeshStyle:
    """How meshes are written, as --bones, --skin and --frame-rate say."""
    from handscope.infer.formats import MeshStyle

    return MeshStyle(bones=options.bones, skin=options.skin, frame_rate=options.frame_rate)


def read_options(pairs: Sequence[str]) -> dict[str, str]:
    """What was given as `--set OPTION=VALUE`, for a dataset's reader."""
    for pair in pairs:
        if "=" not in pair:
            raise HandscopeError(f"--set takes OPTION=VALUE, got {pair!r}")
    return dict(pair.split("=", 1) for pair in pairs)


def add_camera(group: argparse._ArgumentGroup) -> None:
    """What the caller knows of the camera: K, distortion, focal."""
    group.add_argument(
        "--K",
        metavar="FX,FY,CX,CY[@WxH]",
        help="the camera's intrinsics, in pixels of pictures of W x H: smaller and turned ones follow; or exif",
    )
    group.add_argument("--distortion", metavar="K1,K2,P1,P2,K3", help="of its lens: OpenCV's 4, 5 or 8 numbers")
    group.add_argument("--focal", type=positive(float), metavar="PX", help="only its focal length, in pixels")


def add_looking(group: argparse._ArgumentGroup, *, device_is_taken: bool = False) -> None:
    """How to look: what `handscope.load` takes; `device_is_taken` where --device is the command's own."""
    add = group.add_argument
    add("--weights", metavar="DIR", help="folder with estimator.onnx and the like")
    add("--hand-model", metavar="FILE", help="MANO_RIGHT.pkl: tell hands in MANO's vertices and parameters")
    add(
        "--joint-convention",
        metavar="NAME",
        help="whose joints: anatomical (default), freihand, rhd, stb, interhand, mediapipe; mano with --hand-model",
    )
    add("--min-score", type=share, metavar="P", help="least score of a hand, 0 to 1 (default: 0.6)")
    add("--tiles", type=positive(int), default=1, metavar="N", help="also search at N times the size (small hands)")
    add("--effort", choices=("full", "quick"), default="full", help="quick: fewer looks, for millions of pictures")
    add("--threads", type=positive(int), metavar="N", help="CPU threads of a network (default: 1)")
    add_compute(group, device_is_taken=device_is_taken)


def add_compute(group: argparse._ActionsContainer, *, device_is_taken: bool = False) -> None:
    """Where the networks run: --compute, and --device where that is not the command's own."""
    group.add_argument(
        "--compute",
        *() if device_is_taken else ("--device",),
        default="cpu",
        metavar="NAME",
        help="where networks run: cpu (default), cuda, coreml, directml, migraphx (docs/devices.md)",
    )


def numbers(count: int) -> Callable[[str], list[float]]:
    """A type of `count` numbers separated by commas."""

    def parse(text: str) -> list[float]:
        try:
            values = [float(part) for part in text.replace(" ", ",").split(",") if part]
        except ValueError:
            values = []
        if len(values) != count:
            raise argparse.ArgumentTypeError(f"expected {count} numbers separated by commas, found {text!r}")
        return values

    return parse


def positive(kind: type) -> Callable[[str], Any]:
    """A type of finite numbers above zero."""

    def parse(text: str) -> Any:
        try:
            value = kind(text)
        except ValueError:
            value = 0
        if not 0 < value < float("inf"):
            raise argparse.ArgumentTypeError(f"expected a positive {kind.__name__}, found {text!r}")
        return value

    return parse


def share(text: str) -> float:
    """A number from 0 to 1."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"expected a number from 0 to 1, found {text!r}")
    return value
