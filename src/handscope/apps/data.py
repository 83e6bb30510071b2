"""`handscope data`: the datasets by name, and a check that one on disk is what its reader takes it for."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import Progress, track
from rich.table import Table

from handscope.data.anatomy import Finding, findings
from handscope.data.catalog import DATASETS, open_dataset
from handscope.data.inventory import incomplete, told, unlike_published
from handscope.errors import HandscopeError
from handscope.files import write_file
from handscope.geometry.boxes import box_centre, longer_side, tight_box
from handscope.geometry.crops import Crop, crop_around
from handscope.skeleton import BONES, finger_of
from handscope.types import HandLabel, Sample, SampleSource
from handscope.viz import DARK, FINGER_COLOURS, SIDE_COLOURS

TILE = 280
SHOWN_ERRORS = 8
MASKS_KEPT = 2000
"""Masks are judged in so many pictures at most: all of a large set would not fit into memory."""
WHITE = (245, 245, 245)
KNOWN = {"2D": "joints_2d", "3D": "joints_3d", "mask": "mask", "model": "theta", "visibility": "visible"}


def parser() -> argparse.ArgumentParser:
    """Which dataset, where, and how much of it."""
    out = argparse.ArgumentParser(prog="handscope data", description="Datasets: what there is, and is mine in order?")
    commands = out.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="names, and where the data cards are")
    check = commands.add_parser(
        "check",
        help="read a dataset and judge its labels",
        description="Counts, files that are missing, cut short or unreadable, what is not as published, and laws of"
        " hands that a wrong joint order, unit, side or camera breaks."
        " Exit code 1 if anything is wrong.",
    )
    check.add_argument("name", help=", ".join(DATASETS))
    check.add_argument("folder", type=Path, metavar="DIR")
    check.add_argument(
        "--set", action="append", default=[], metavar="OPTION=VALUE", help="the reader's, such as split=evaluation"
    )
    check.add_argument("--limit", type=int, default=500, help="pictures to read, evenly spread (default 500; 0: all)")
    check.add_argument("--sheet", type=Path, metavar="PNG", help="contact sheet (default: NAME-check.png here)")
    check.add_argument("--tiles", type=int, default=24, help="pictures on the sheet (default 24; 0: no sheet)")
    return out


def main(arguments: Sequence[str]) -> int:
    """Run `handscope data`."""
    options = parser().parse_args(list(arguments))
    console = Console()
    if options.command == "list":
        for name, entry in DATASETS.items():
            console.print(f"{name:15}{entry.card}", highlight=False)
        return 0
    return check(options, console)


@dataclass
class Reading:
    """What was read of a dataset: samples without their pixels, tiles of the sheet, errors, counts."""

    samples: list[Sample] = field(default_factory=list)
    tiles: list[NDArray[np.uint8]] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)


def check(options: argparse.Namespace, console: Console) -> int:
    """Read, judge, draw, print; 0 if all is well."""
    if any("=" not in pair for pair in options.set):
        raise HandscopeError(f"--set takes OPTION=VALUE, got {' '.join(options.set)}")
    dataset = open_dataset(options.name, options.folder, dict(pair.split("=", 1) for pair in options.set))
    total = len(dataset)
    unlike = unlike_published(dataset)
    with Progress(console=Console(stderr=True), transient=True, disable=not console.is_terminal) as progress:
        bar = progress.add_task("looking for files", total=total)
        lacking = incomplete(dataset, progress=lambda done, of: progress.update(bar, completed=done, total=of))
    chosen = _spread(total, total if options.limit <= 0 else min(options.limit, total))
    reading = _read(dataset, chosen, options.tiles)
    say = partial(console.print, highlight=False, markup=False, soft_wrap=True)
    say(f"{options.name}: {total} pictures, {len(chosen)} read, {len(reading.errors)} of them unreadable")
    for sentence in unlike:
        say(f"  not as published: {sentence}", style="red")
    if lacking:
        say(
            f"  {len(lacking)} of {total} pictures have files that are missing or cut short: {told(lacking)}",
            style="red",
        )
    for error in reading.errors[:SHOWN_ERRORS]:
        say(f"  {error}", style="red")
    if len(reading.errors) > SHOWN_ERRORS:
        say(f"  and {len(reading.errors) - SHOWN_ERRORS} more")
    say(f"  {', '.join(f'{count} {what}' for what, count in reading.counts.items() if count)}")
    laws = findings(reading.samples)
    console.print(_table(laws))
    broken = [law for law in laws if not law.ok]
    for law in broken:
        say(f"WRONG? {law.name}: {law.value:.3g}. {law.hint}", style="red")
    if reading.tiles:
        sheet = options.sheet or Path(f"{options.name}-check.png")
        _save(sheet, reading.tiles)
        say(f"contact sheet: {sheet}")
    return 1 if broken or reading.errors or unlike or lacking or not reading.samples else 0


def _read(dataset: SampleSource, chosen: Sequence[int], tiles: int) -> Reading:
    reading = Reading()
    shown = {chosen[n] for n in _spread(len(chosen), tiles)}
    with_masks = {chosen[n] for n in _spread(len(chosen), MASKS_KEPT)}
    for i in track(chosen, "reading", console=Console(stderr=True), transient=True):
        try:
            sample = dataset[i]
        except HandscopeError as problem:
            reading.errors.append(str(problem))
            continue
        if i in shown:
            reading.tiles.append(tile(sample))
        reading.counts.update(_counts(sample))
        reading.samples.append(_without_pixels(sample, keep_masks=i in with_masks))
    return reading


def _spread(total: int, count: int) -> list[int]:
    """`count` indices spread evenly over `total`."""
    return np.unique(np.linspace(0, total - 1, count).round().astype(int)).tolist() if count > 0 and total else []


def _without_pixels(sample: Sample, *, keep_masks: bool) -> Sample:
    """The sample with an image that takes no memory: a view of one pixel in the same shape."""
    hands = sample.hands if keep_masks else tuple(replace(hand, mask=None) for hand in sample.hands)
    return replace(sample, image=np.broadcast_to(np.zeros(1, np.uint8), sample.image.shape), hands=hands)


def _counts(sample: Sample) -> dict[str, int]:
    """How many hands a picture has, and with what known; whether it has a camera."""
    counts = Counter({"hands": len(sample.hands)})
    for hand in sample.hands:
        counts[hand.handedness or "of unknown side"] += 1
        for what, key in KNOWN.items():
            counts[f"with {what}"] += getattr(hand, key) is not None
    counts["pictures with a camera"] += sample.K is not None
    return dict(counts)


def _table(laws: Sequence[Finding]) -> Table:
    table = Table("law", "value", "range", "over", "")
    for law in laws:
        verdict = "[green]ok" if law.ok else "[red]WRONG?"
        table.add_row(law.name, f"{law.value:.3g}", f"{law.low:.3g} to {law.high:.3g}", str(law.count), verdict)
    return table


def tile(sample: Sample) -> NDArray[np.uint8]:
    """The part of a picture around its hands, TILE px square, with masks, bones, joints and sides drawn in."""
    crop = _around(sample)
    canvas = np.array(crop.extract(sample.image, border=cv2.BORDER_CONSTANT), np.uint8)
    for hand in sample.hands:
        _draw(canvas, hand, crop)
    title = f"{sample.key[-34:]} {' '.join(hand.handedness or '?' for hand in sample.hands)}"
    for colour, width in ((DARK, 3), (WHITE, 1)):
        cv2.putText(canvas, title, (4, TILE - 6), cv2.FONT_HERSHEY_SIMPLEX, 0.36, colour, width, cv2.LINE_AA)
    return canvas


def _around(sample: Sample) -> Crop:
    """A square around the hands' boxes, half as large again; the whole picture without any."""
    height, width = sample.image.shape[:2]
    boxes = np.array([hand.box for hand in sample.hands if hand.box is not None]).reshape(-1, 4)
    centre, extent = np.array([(width - 1) / 2, (height - 1) / 2]), float(max(width, height))
    if len(boxes):
        together = tight_box(boxes.reshape(-1, 2))
        centre, extent = box_centre(together), min(extent, max(1.5 * float(longer_side(together)), 24.0))
    return crop_around(centre, extent, (0, -1), size=TILE)


def _draw(canvas: NDArray[np.uint8], hand: HandLabel, crop: Crop) -> None:
    colour = SIDE_COLOURS.get(hand.handedness or "", WHITE)
    if hand.mask is not None:
        inside = crop.extract(hand.mask, border=cv2.BORDER_CONSTANT) > 127
        canvas[inside] = (0.55 * canvas[inside] + 0.45 * np.array(colour)).astype(np.uint8)
    if hand.joints_2d is None or hand.joints_2d_known is None:
        return
    points = crop.apply(hand.joints_2d).clip(-4 * TILE, 4 * TILE).round().astype(int).tolist()
    known = hand.joints_2d_known
    for parent, child in BONES:
        if known[parent] and known[child]:
            cv2.line(canvas, points[parent], points[child], FINGER_COLOURS[finger_of(child)], 2, cv2.LINE_AA)
    for joint in np.flatnonzero(known):
        shade = FINGER_COLOURS[finger_of(int(joint))]
        hidden = hand.visible is not None and not hand.visible[joint]
        cv2.circle(canvas, points[joint], 4, DARK, cv2.FILLED, cv2.LINE_AA)
        cv2.circle(canvas, points[joint], 3, shade, 1 if hidden else cv2.FILLED, cv2.LINE_AA)


def _save(path: Path, tiles: Sequence[NDArray[np.uint8]]) -> None:
    """The tiles in rows of six, as a PNG."""
    columns = min(6, len(tiles))
    rows = -(-len(tiles) // columns)
    sheet = np.zeros((rows * TILE, columns * TILE, 3), np.uint8)
    for n, picture in enumerate(tiles):
        row, column = divmod(n, columns)
        sheet[row * TILE : (row + 1) * TILE, column * TILE : (column + 1) * TILE] = picture
    path.parent.mkdir(parents=True, exist_ok=True)
    write_file(path, cv2.imencode(".png", sheet[..., ::-1])[1].tobytes())
