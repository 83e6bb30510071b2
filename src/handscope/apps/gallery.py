"""`handscope gallery FOLDER --out DIR`: a page as the paper's Figures 4, 6 and 9: every hand of some pictures as it is
seen, its skeleton, mesh and mask, and the mesh from the side and from above; MediaPipe beside where it runs.
"""

from __future__ import annotations

import argparse
import html
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track

from handscope.apps.analyse import model_of
from handscope.apps.options import add_looking, positive
from handscope.errors import HandscopeError, ImageError, printable
from handscope.evaluation.peer import MediaPipe, find_python
from handscope.files import writable_folder, write_file
from handscope.geometry.boxes import box_centre, longer_side
from handscope.geometry.camera import intrinsics_of_focal
from handscope.geometry.crops import crop_around
from handscope.geometry.masks import CroppedMask
from handscope.infer.frames import kind_of
from handscope.infer.images import read_picture
from handscope.paths import as_path, is_file, list_folder
from handscope.types import Hand
from handscope.viz import draw_mesh, draw_skeleton, line_width

Image = NDArray[np.uint8]
TILE = 224
WIDER = 1.5
"""Of a hand's box, what a tile shows."""
PAPER = 250
DISTANCE_M, FOCAL = 0.6, 2.3
"""Of the camera that looks at the mesh from the side and from above, metres and tile sides."""
SIDEWAYS = np.array([[0.0, 0, -1], [0, 1, 0], [1, 0, 0]])
FROM_ABOVE = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
"""Turn the camera frame so that the camera looks from its right, and from above."""


def parser() -> argparse.ArgumentParser:
    """Which pictures, where to."""
    out = argparse.ArgumentParser(
        prog="handscope gallery",
        description="A page of hands: the picture, skeleton, mesh, mask, and the mesh from the side and from above.",
    )
    add = out.add_argument
    add("paths", nargs="+", metavar="PATH", help="pictures and folders of them")
    add("--out", required=True, metavar="DIR", help="the page: DIR/index.html and its pictures")
    add("--most", type=positive(int), default=200, metavar="N", help="hands at most (default: 200)")
    add("--peer", choices=["mediapipe"], help="its skeletons in a column beside")
    add("--peer-python", type=Path, metavar="FILE", help="Python of an environment that has it")
    add_looking(out.add_argument_group("how to look"))
    return out


def main(arguments: Sequence[str]) -> int:
    """Make the page; the exit code."""
    options = parser().parse_args(arguments)
    pictures = pictures_of(options.paths)
    out = writable_folder(options.out)
    model = model_of(options)
    console, lost, rows = Console(stderr=True), 0, []
    with ExitStack() as stack:
        peer: Callable[[Image], Sequence[Hand]] | None = None
        if options.peer is not None:
            peer = stack.enter_context(MediaPipe(find_python(options.peer_python)))
        for path in track(pictures, "pictures", console=console, transient=True, disable=not console.is_terminal):
            try:
                picture = read_picture(path)
                hands = model(picture.image)
            except HandscopeError as problem:
                lost += 1
                print(f"handscope: {problem}", file=sys.stderr)
                continue
            others = skeletons(picture.image, [] if peer is None else peer(picture.image))
            for number, hand in enumerate(hands[: options.most - len(rows)]):
                tiles = tiles_of(picture.image, hand)
                if peer is not None:
                    tiles["MediaPipe"] = seen(others, hand)
                rows.append((path, number, hand, _saved(tiles, out, f"{len(rows):04d}")))
    write_file(out / "index.html", page(rows))
    print(f"{len(rows)} hands of {len(pictures) - lost} pictures: {printable(str(out / 'index.html'))}")
    return 1 if lost else 0


def pictures_of(paths: Sequence[str]) -> list[Path]:
    """The pictures that are named, and those directly in folders. HandscopeError if there are none."""
    found: list[Path] = []
    for given in paths:
        path = as_path(given)
        inside = [path] if is_file(path, ImageError) else list_folder(path, ImageError).files
        found += [one for one in inside if one == path or kind_of(one) == "picture"]
    if not found:
        raise HandscopeError(f"no pictures in {', '.join(paths)}")
    return found


def tiles_of(image: Image, hand: Hand) -> dict[str, Image]:
    """What is shown of one hand, by its heading: RGB squares of `TILE` px."""
    meshed, masked = image.copy(), image.copy()
    draw_mesh(meshed, hand, opacity=0.85)
    masked[~hand.mask] //= 4
    painted = {"picture": image, "joints": skeletons(image, [hand]), "mesh": meshed, "mask": masked}
    tiles = {heading: seen(canvas, hand) for heading, canvas in painted.items()}
    return {**tiles, "from its side": turned(hand, SIDEWAYS), "from above": turned(hand, FROM_ABOVE)}


def skeletons(image: Image, hands: Sequence[Hand]) -> Image:
    """A copy of `image` with the skeletons of some hands."""
    canvas = image.copy()
    for hand in hands:
        draw_skeleton(canvas, hand, line_width(hand, image.shape))
    return canvas


def seen(canvas: Image, hand: Hand) -> Image:
    """The square round a hand."""
    extent = max(WIDER * float(longer_side(hand.box)), 8.0)
    crop = crop_around(box_centre(hand.box), extent, np.array([0.0, -1.0]), size=TILE)
    return crop.extract(canvas, border=cv2.BORDER_CONSTANT)


def turned(hand: Hand, turn: NDArray[np.floating]) -> Image:
    """The mesh on paper, seen from elsewhere by a camera of its own."""
    canvas = np.full((TILE, TILE, 3), PAPER, np.uint8)
    centre = hand.vertices.mean(0)
    place = np.array([0.0, 0.0, DISTANCE_M])
    moved = replace(
        hand,
        vertices=(hand.vertices - centre) @ turn.T + place,
        K=intrinsics_of_focal(FOCAL * TILE, TILE, TILE),
        distortion=None,
        cropped_mask=CroppedMask.of(np.zeros((TILE, TILE), np.bool_)),
    )
    draw_mesh(canvas, moved, opacity=1.0)
    return canvas


def _saved(tiles: dict[str, Image], out: Path, name: str) -> dict[str, str]:
    """The names of the tiles' files, by their headings."""
    names = {}
    for number, (heading, tile) in enumerate(tiles.items()):
        ok, data = cv2.imencode(".jpg", tile[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 88])
        assert ok
        names[heading] = f"{name}-{number}.jpg"
        write_file(out / names[heading], data.tobytes())
    return names


def page(rows: Sequence[tuple[Path, int, Hand, dict[str, str]]]) -> str:
    """The page: a row a hand; it asks for nothing but its own pictures."""
    headings = list(rows[0][3]) if rows else []
    lines = [
        '<!doctype html><meta charset="utf-8"><title>handscope gallery</title>',
        "<style>body{font:14px sans-serif;margin:1em}td,th{padding:2px 4px;vertical-align:top}img{display:block}"
        "td:first-child{max-width:14em;overflow-wrap:anywhere}</style>",
        "<table><tr><th></th>" + "".join(f"<th>{html.escape(heading)}</th>" for heading in headings) + "</tr>",
    ]
    for path, number, hand, tiles in rows:
        about = f"{printable(path.name)}, hand {number}<br>{hand.handedness}, {hand.score:.2f}"
        shown = "".join(
            f'<td><img src="{tiles[heading]}" width="{TILE}" height="{TILE}" alt="{html.escape(heading)}"></td>'
            for heading in headings
        )
        told = html.escape(about).replace("&lt;br&gt;", "<br>")
        lines.append(f"<tr><td>{told}</td>{shown}</tr>")
    return "\n".join([*lines, "</table>", ""])
