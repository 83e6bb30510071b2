"""Every kind of file that hands are written to, in one table: for the command line, videos, the page and the service.

A format is a row of `FORMATS`. What it does to a picture's hands (`encode`), to one hand (`encode_hand`) and to a
video's frames (`record`) is None where it has nothing to give. This module imports no numpy, so that `--help` is
instant.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from handscope.files import write_file

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from handscope.infer.formats import MeshStyle
    from handscope.infer.results import FoundHand, Hands
    from handscope.infer.video_files import FrameWriter

LEGIBLE_PX = 640
"""Overlays of smaller pictures are enlarged about to this."""


@dataclass(frozen=True, kw_only=True)
class Format:
    """A kind of file. `name` is its option (`--mano-npz` for "mano_npz"), `help` one line about it.

    Of a picture it writes `stem.suffix` by `encode` (or by `paint`, which wants the picture RGB (H, W, 3) too), or
    `stem-0.suffix` and so on, one a hand, by `encode_hand`; of a video what `record` (folder, frames a second) opens,
    under names that match the pattern `recorded`.
    The service answers in it under the name `served_as` as `media_type`, if at all; `needs` is the extra whose packages
    videos want.
    """

    name: str
    help: str
    stem: str = ""
    suffix: str = ""
    encode: Callable[[Hands], bytes | str] | None = None
    paint: Callable[[Hands, NDArray[np.uint8]], bytes] | None = None
    encode_hand: Callable[[FoundHand], bytes | str] | None = None
    record: Callable[[Path, float], FrameWriter] | None = None
    recorded: str = ""
    served_as: str | None = None
    media_type: str = "application/octet-stream"
    needs: str | None = None
    package: str | None = None
    """What must be installed beside the light runtime, by the name it is imported under."""
    by_default: tuple[str, ...] = ()
    """Of what it is written unless formats are chosen: "picture", "video"."""

    of_mano: bool = False
    """Whether hands must be told in MANO for it."""

    @property
    def is_installed(self) -> bool:
        """Whether what it needs is there."""
        return self.package is None or find_spec(self.package) is not None

    @property
    def of_pictures(self) -> bool:
        """Whether pictures are written in it."""
        return not (self.encode is None and self.paint is None and self.encode_hand is None)

    @property
    def of_videos(self) -> bool:
        """Whether videos are written in it."""
        return self.record is not None

    def write(self, folder: Path, hands: Hands, image: NDArray[np.uint8]) -> None:
        """The files of one picture in `folder`, and away with those of an earlier run that had more hands."""
        if self.encode is not None:
            write_file(folder / f"{self.stem}.{self.suffix}", self.encode(hands))
        if self.paint is not None:
            write_file(folder / f"{self.stem}.{self.suffix}", self.paint(hands, image))
        if self.encode_hand is not None:
            for number, hand in enumerate(hands):
                write_file(folder / f"{self.stem}-{number}.{self.suffix}", self.encode_hand(hand))
            for old in folder.glob(f"{self.stem}-*.{self.suffix}"):
                number = re.fullmatch(rf"{self.stem}-(\d+)\.{self.suffix}", old.name)
                if number and int(number[1]) >= len(hands):
                    old.unlink()


def _record_overlay(folder: Path, rate: float) -> FrameWriter:
    from handscope.infer.video_files import OverlayWriter

    return OverlayWriter(folder / "overlay.mp4", rate=rate)


def _record_lines(folder: Path, rate: float) -> FrameWriter:
    from handscope.infer.video_files import LinesWriter

    return LinesWriter(folder / "hands.jsonl")


def _record_table(folder: Path, rate: float) -> FrameWriter:
    from handscope.infer.video_files import TableWriter

    return TableWriter(folder / "hands.parquet")


def _record_glb(folder: Path, rate: float, style: MeshStyle | None = None) -> FrameWriter:
    from handscope.infer.formats import MeshStyle, to_glb_animation
    from handscope.infer.video_files import TrackWriter

    return TrackWriter(folder, "glb", partial(to_glb_animation, style=style or MeshStyle()))


def _record_bvh(folder: Path, rate: float, style: MeshStyle | None = None) -> FrameWriter:
    from handscope.infer.formats import MeshStyle, to_bvh
    from handscope.infer.video_files import TrackWriter

    return TrackWriter(folder, "bvh", partial(to_bvh, fps=rate, style=style or MeshStyle()))


def _record_usd(folder: Path, rate: float, style: MeshStyle | None = None) -> FrameWriter:
    from handscope.infer.formats import MeshStyle, to_usd_animation
    from handscope.infer.video_files import TrackWriter

    return TrackWriter(folder, "usda", partial(to_usd_animation, fps=rate, style=style or MeshStyle()))


def _record_tidy(folder: Path, rate: float) -> FrameWriter:
    from handscope.infer.tidy_files import TidyTableWriter

    return TidyTableWriter(folder / "table.parquet")


def _record_tidy_csv(folder: Path, rate: float) -> FrameWriter:
    from handscope.infer.tidy_files import TidyCsvWriter

    return TidyCsvWriter(folder / "table.csv")


def _record_pose(folder: Path, rate: float) -> FrameWriter:
    from handscope.infer.corpus_files import PoseWriter

    return PoseWriter(folder / "hands.pose", rate=rate)


def _record_lerobot(folder: Path, rate: float) -> FrameWriter:
    from handscope.infer.corpus_files import LeRobotWriter

    return LeRobotWriter(folder / "lerobot.parquet")


_ROWS = (
    Format(
        name="overlay",
        help="overlay.png (or .mp4): skeleton, mesh, mask and box, drawn in",
        stem="overlay",
        suffix="png",
        paint=lambda hands, image: hands.to_overlay(image, min_side=LEGIBLE_PX),
        record=_record_overlay,
        recorded="overlay.mp4",
        needs="video",
        by_default=("picture", "video"),
    ),
    Format(
        name="json",
        help="result.json (hands.jsonl): everything but mesh and mask",
        stem="result",
        suffix="json",
        encode=lambda hands: hands.to_json(),
        record=_record_lines,
        recorded="hands.jsonl",
        served_as="json",
        media_type="application/json",
        by_default=("picture", "video"),
    ),
    Format(
        name="glb",
        help="hand-0.glb, ...: meshes for any 3D viewer (moving)",
        stem="hand",
        suffix="glb",
        encode_hand=lambda hand: hand.to_glb(),
        record=_record_glb,
        recorded="hand-[0-9]*.glb",
        by_default=("picture",),
    ),
    Format(
        name="scene",
        help="hands.glb: the meshes of all hands of a picture in one scene",
        stem="hands",
        suffix="glb",
        encode=lambda hands: hands.to_glb(),
        served_as="glb",
        media_type="model/gltf-binary",
    ),
    Format(
        name="obj",
        help="hand-0.obj, ...: the same as Wavefront OBJ",
        stem="hand",
        suffix="obj",
        encode_hand=lambda hand: hand.to_obj(),
    ),
    Format(
        name="ply",
        help="hand-0.ply, ...: the same as PLY",
        stem="hand",
        suffix="ply",
        encode_hand=lambda hand: hand.to_ply(),
    ),
    Format(
        name="stl",
        help="hand-0.stl, ...: closed at the wrist, millimetres, for 3D printers",
        stem="hand",
        suffix="stl",
        encode_hand=lambda hand: hand.to_stl(),
    ),
    Format(
        name="bvh",
        help="hand-0.bvh, ...: the skeleton's pose (motion), for animation programs",
        stem="hand",
        suffix="bvh",
        encode_hand=lambda hand: hand.to_bvh(),
        record=_record_bvh,
        recorded="hand-[0-9]*.bvh",
    ),
    Format(
        name="usd",
        help="hands.usda: all hands with skeletons (extra [usd]; moving: hand-0.usda, ...)",
        stem="hands",
        suffix="usda",
        encode=lambda hands: hands.to_usd(),
        record=_record_usd,
        recorded="hand-[0-9]*.usda",
        package="pxr",
    ),
    Format(
        name="openxr",
        help="openxr-0.csv, ...: OpenXR's 26 joints with their axes and radii",
        stem="openxr",
        suffix="csv",
        encode_hand=lambda hand: hand.to_openxr_csv(),
    ),
    Format(
        name="mask",
        help="mask-0.png, ...: 255 where the hand is visible",
        stem="mask",
        suffix="png",
        encode_hand=lambda hand: hand.to_mask(),
    ),
    Format(
        name="npz",
        help="hands.npz: every array, for numpy.load",
        stem="hands",
        suffix="npz",
        encode=lambda hands: hands.to_npz(),
        served_as="npz",
    ),
    Format(
        name="mano_npz",
        help="mano-0.npz, ...: pose, betas and trans as users of smplx expect them",
        stem="mano",
        suffix="npz",
        encode_hand=lambda hand: hand.to_mano_npz(),
    ),
    Format(
        name="smplx",
        help="smplx.npz: hand poses and wrists for SMPL-X and SMPL-H (with --hand-model)",
        stem="smplx",
        suffix="npz",
        encode=lambda hands: hands.to_smplx_npz(),
        of_mano=True,
    ),
    Format(
        name="csv",
        help="hands.csv: one row for each hand and joint",
        stem="hands",
        suffix="csv",
        encode=lambda hands: hands.to_csv(),
        served_as="csv",
        media_type="text/csv; charset=utf-8",
    ),
    Format(
        name="coco",
        help="coco.json: COCO-WholeBody's hand keypoints",
        stem="coco",
        suffix="json",
        encode=lambda hands: hands.to_coco(),
        served_as="coco",
        media_type="application/json",
    ),
    Format(
        name="track_hands",
        help="track_hands.json: the column of daft-physical-ai",
        stem="track_hands",
        suffix="json",
        encode=lambda hands: hands.to_track_hands(),
    ),
    Format(
        name="dex",
        help="dex-0.npy, ...: 21 x 3 joints as dex-retargeting takes them",
        stem="dex",
        suffix="npy",
        encode_hand=lambda hand: hand.to_dex(),
    ),
    Format(
        name="parquet",
        help="hands.parquet: one row for each hand and frame",
        record=_record_table,
        recorded="hands.parquet",
        needs="video",
        by_default=("video",),
    ),
    Format(
        name="table",
        help="table.parquet: a row a hand a frame, a named column a number, gaps marked",
        record=_record_tidy,
        recorded="table.parquet",
        needs="video",
    ),
    Format(
        name="table_csv",
        help="table.csv: the same in text",
        record=_record_tidy_csv,
        recorded="table.csv",
        needs="video",
    ),
    Format(
        name="pose",
        help="hands.pose: for pose-format, as sign-language research has it",
        record=_record_pose,
        recorded="hands.pose",
        needs="pose",
    ),
    Format(
        name="lerobot",
        help="lerobot.parquet: a row a frame, columns as LeRobot's",
        record=_record_lerobot,
        recorded="lerobot.parquet",
        needs="video",
    ),
)
FORMATS = {row.name: row for row in _ROWS}
_STYLED: dict[str, Callable[[MeshStyle], dict[str, Any]]] = {
    "glb": lambda style: {
        "encode_hand": lambda hand: hand.to_glb(style),
        "record": partial(_record_glb, style=style),
    },
    "scene": lambda style: {"encode": lambda hands: hands.to_glb(style)},
    "bvh": lambda style: {"record": partial(_record_bvh, style=style)},
    "usd": lambda style: {
        "encode": lambda hands: hands.to_usd(style),
        "record": partial(_record_usd, style=style),
    },
}
"""What a style changes of a row."""


def styled(rows: Sequence[Format], style: MeshStyle) -> list[Format]:
    """The rows with meshes and motions written in this style."""
    return [replace(row, **_STYLED[row.name](style)) if row.name in _STYLED else row for row in rows]


def picture_formats(names: Collection[str] = ()) -> list[Format]:
    """Those of these names that pictures are written in; if there are none, those by default."""
    wanted = [row for row in _ROWS if row.name in names and row.of_pictures]
    return wanted or [row for row in _ROWS if "picture" in row.by_default]


def video_formats(names: Collection[str] = ()) -> list[Format]:
    """Those of these names that videos are written in; if there are none, those by default."""
    wanted = [row for row in _ROWS if row.name in names and row.of_videos]
    return wanted or [row for row in _ROWS if "video" in row.by_default]


def is_recorded(name: str) -> bool:
    """Whether a video's results may hold a file of this name."""
    return any(row.recorded and fnmatchcase(name, row.recorded) for row in _ROWS)
