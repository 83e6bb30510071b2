"""Overlays: mesh, mask outline, skeleton and box painted over the picture, with numpy and OpenCV only.

Fingers have the colours most tools give them (thumb red, index amber, middle green, ring blue, little
purple); boxes, outlines and labels are orange for right hands and blue for left ones. The mesh is shaded
and painted back to front; no OpenGL.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont, ImageOps

from handscope.errors import HandscopeError, ImageError
from handscope.geometry.boxes import longer_side, pixel_window
from handscope.geometry.camera import Camera
from handscope.geometry.masks import CroppedMask
from handscope.geometry.meshes import vertex_normals
from handscope.skeleton import BONES, JOINT_NAMES, finger_of
from handscope.types import Hand

FINGER_COLOURS = {
    None: (245, 245, 245),
    "thumb": (235, 64, 52),
    "index": (255, 176, 0),
    "middle": (64, 192, 87),
    "ring": (34, 139, 255),
    "little": (190, 75, 219),
}
"""RGB of each finger; None is the wrist."""
SIDE_COLOURS = {"right": (255, 132, 40), "left": (60, 170, 255)}
SKIN = np.array([228.0, 196.0, 178.0])
DARK = (25, 25, 28)

_SHIFT = 4  # OpenCV draws with 1/16 px
_LIGHT = np.array([-0.35, -0.55, -0.76])  # towards the light, camera frame: from the upper left, before the hand


def draw(
    image: NDArray[np.generic] | Image.Image,
    hands: Sequence[Hand],
    *,
    mesh: bool = True,
    outline: bool = True,
    skeleton: bool = True,
    box: bool = True,
    min_side: int = 0,
) -> NDArray[np.uint8]:
    """`image` with its `hands` painted over, as RGB (H, W, 3); far hands first.

    Takes levels uint8 (H, W) grey, (H, W, 3) RGB or (H, W, 4) RGBA, or a PIL image, turned as its EXIF says. A picture
    whose longer side is under `min_side` px is enlarged by a whole number first, to make lines legible. Raises
    ImageError for a picture of another size than the one that the hands were found in.
    """
    shown = _as_rgb(image)
    if not isinstance(hands, Sequence) or not all(isinstance(hand, Hand) for hand in hands):
        raise HandscopeError(f"hands to draw must be a list of Hand, got a {type(hands).__name__}")
    for hand in hands:
        _check_picture(hand, *shown.shape[:2])
    enlarge = max(1, round(min_side / max(shown.shape[:2])))
    large = cv2.resize(shown, None, fx=enlarge, fy=enlarge, interpolation=cv2.INTER_CUBIC)
    canvas = np.array(large, np.uint8)  # a copy: the caller's picture stays as it is
    for hand in sorted((enlarged(hand, enlarge) for hand in hands), key=lambda h: -float(h.T[2])):
        width = line_width(hand, canvas.shape)
        if mesh:
            draw_mesh(canvas, hand)
        if outline:
            draw_outline(canvas, hand, width)
        if skeleton:
            draw_skeleton(canvas, hand, width)
        if box:
            draw_box(canvas, hand, width)
    return canvas


def _as_rgb(image: NDArray[np.generic] | Image.Image) -> NDArray[np.uint8]:
    """RGB uint8 (H, W, 3) of what `draw` takes; transparent parts are white."""
    if isinstance(image, Image.Image):
        upright = ImageOps.exif_transpose(image)
        image = np.asarray(upright.convert("RGBA" if "A" in upright.mode or "transparency" in upright.info else "RGB"))
    given = np.asarray(image)
    if given.ndim == 3 and given.shape[2] == 1:
        given = given[..., 0]
    if given.dtype != np.uint8 or not (given.ndim == 2 or (given.ndim == 3 and given.shape[2] in (3, 4))):
        raise ImageError(
            f"a picture to draw into must be uint8, (H, W), (H, W, 3) or (H, W, 4), got {given.dtype} {given.shape}; "
            "handscope.infer.images.to_rgb_array makes one of others"
        )
    array: NDArray[np.uint8] = given.astype(np.uint8, copy=False)
    if array.ndim == 2:
        return np.repeat(array[..., None], 3, axis=2)
    if array.shape[2] == 3:
        return array
    share = array[..., 3:] / 255
    return (array[..., :3] * share + 255 * (1 - share) + 0.5).astype(np.uint8)


def _check_picture(hand: Hand, height: int, width: int) -> None:
    """ImageError if the hand was found in a picture of another size."""
    if hand.cropped_mask.shape == (height, width):
        return
    own = hand.cropped_mask.shape
    turned = "; it is that picture turned: draw into the upright one" if own == (width, height) else ""
    raise ImageError(
        f"the hands were found in a picture of {own[1]} x {own[0]} px, this one has {width} x {height}: "
        f"draw into the one that was analysed{turned}"
    )


def enlarged(hand: Hand, factor: int) -> Hand:
    """The same hand in the picture enlarged `factor` times (pixel centres at integers)."""
    if factor == 1:
        return hand
    grow = np.array([[factor, 0, (factor - 1) / 2], [0, factor, (factor - 1) / 2], [0, 0, 1.0]])
    return replace(
        hand,
        K=grow @ hand.K,
        joints_2d=hand.joints_2d * factor + (factor - 1) / 2,
        box=hand.box * factor + (factor - 1) / 2,
        cropped_mask=CroppedMask.of(np.kron(hand.mask, np.ones((factor, factor), np.bool_))),
    )


def line_width(hand: Hand, shape: tuple[int, ...]) -> int:
    """Width in px that suits the picture's size and the hand's."""
    side = float(longer_side(hand.box))
    return max(1, round(min(0.003 * max(shape[:2]) + 0.5, 0.012 * side)))


def draw_mesh(canvas: NDArray[np.uint8], hand: Hand, *, opacity: float = 0.7) -> None:
    """Blend the shaded mesh into `canvas`, in place."""
    if hand.vertices[:, 2].min() <= 1e-3:
        return  # reaches behind the camera: nothing sensible to show
    camera = Camera(hand.K, distortion=hand.distortion)
    pixels = camera.project(hand.vertices)
    height, width = canvas.shape[:2]
    x0, y0, x1, y1 = pixel_window(pixels, height, width, margin=1)
    low, high = np.array([x0, y0]), np.array([x1, y1])
    if (high <= low).any():
        return
    fine = 2 if (high - low).max() < 1200 else 1  # painted twice as large, then averaged: smooth edges
    width, height = ((high - low) * fine).tolist()
    layer = np.zeros((height, width, 4), np.uint8)
    corners, colours = _shaded_triangles(hand)
    points = (camera.project(corners) - low + 0.5) * fine - 0.5
    for corner, colour in zip(np.round(points * (1 << _SHIFT)).astype(np.int32), colours.tolist(), strict=True):
        cv2.fillConvexPoly(layer, corner, (*colour, 255), cv2.LINE_8, _SHIFT)
    layer = cv2.resize(layer, (width // fine, height // fine), interpolation=cv2.INTER_AREA).astype(np.float32)
    share = layer[..., 3:] / 255  # by which the colours are already weighted
    region = canvas[low[1] : high[1], low[0] : high[0]]
    region[:] = (region * (1 - opacity * share) + opacity * layer[..., :3] + 0.5).clip(0, 255).astype(np.uint8)


def _shaded_triangles(hand: Hand) -> tuple[NDArray[np.floating], NDArray[np.integer]]:
    """Corners (n, 3, 3) in metres of triangles that face the camera, far ones first, and their RGB (n, 3)."""
    corners = hand.vertices[hand.faces]
    flat = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals = vertex_normals(hand.vertices, hand.faces)
    front = np.flatnonzero(np.einsum("fi,fi->f", flat, corners.mean(1)) < 0)
    corners, bent = _quartered(corners[front]), _quartered(normals[hand.faces[front]]).mean(1)
    middle = corners.mean(1)
    view = -middle / np.linalg.norm(middle, axis=1, keepdims=True)
    light = (bent @ _LIGHT / np.linalg.norm(_LIGHT)).clip(0)
    gloss = np.einsum("fi,fi->f", bent, view).clip(0) ** 16
    colours = (SKIN * (0.35 + 0.65 * light + 0.12 * gloss)[:, None]).clip(0, 255).astype(int)
    order = np.argsort(-middle[:, 2])
    return corners[order], colours[order]


def _quartered(corners: NDArray[np.floating]) -> NDArray[np.floating]:
    """Every triangle (n, 3, 3) cut into four at the middles of its sides: (4 n, 3, 3)."""
    a, b, c = corners[:, 0], corners[:, 1], corners[:, 2]
    ab, bc, ca = (a + b) / 2, (b + c) / 2, (c + a) / 2
    parts = ((a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca))
    return np.concatenate([np.stack(part, 1) for part in parts])


def draw_outline(canvas: NDArray[np.uint8], hand: Hand, width: int) -> None:
    """The mask's border, in place."""
    contours, _ = cv2.findContours(hand.mask.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(canvas, contours, -1, DARK, width + 2, cv2.LINE_AA)
    cv2.drawContours(canvas, contours, -1, SIDE_COLOURS[hand.handedness], width, cv2.LINE_AA)


def draw_skeleton(canvas: NDArray[np.uint8], hand: Hand, width: int) -> None:
    """Bones and joints, in place; joints the network is unsure of are smaller."""
    points = np.round(hand.joints_2d * (1 << _SHIFT)).astype(int).tolist()
    for extra, dark in ((2, True), (0, False)):
        for parent, child in BONES:
            colour = DARK if dark else FINGER_COLOURS[finger_of(child)]
            thickness = max(1, round(1.4 * width)) + extra
            cv2.line(canvas, points[parent], points[child], colour, thickness, cv2.LINE_AA, _SHIFT)
    for joint, point in enumerate(points):
        radius = width * (1.1 + 1.1 * float(np.clip(hand.joint_scores[joint], 0, 1)))
        for grown, colour in ((radius + 1, DARK), (radius, FINGER_COLOURS[finger_of(joint)])):
            cv2.circle(canvas, point, round(grown * (1 << _SHIFT)), colour, cv2.FILLED, cv2.LINE_AA, _SHIFT)


def draw_box(canvas: NDArray[np.uint8], hand: Hand, width: int) -> None:
    """The box of the joints, with side, score and (in videos) the track above it, in place."""
    height, length = canvas.shape[:2]
    thin, pad = max(1, round(0.6 * width)), 3 * width
    limits = np.array([length - 1, height - 1])
    x0, y0 = np.round(hand.box[:2] - pad).astype(int).clip(0, limits).tolist()
    x1, y1 = np.round(hand.box[2:] + pad).astype(int).clip(0, limits).tolist()
    colour = SIDE_COLOURS[hand.handedness]
    cv2.rectangle(canvas, (x0, y0), (x1, y1), DARK, thin + 2, cv2.LINE_AA)
    cv2.rectangle(canvas, (x0, y0), (x1, y1), colour, thin, cv2.LINE_AA)
    number = "" if hand.track is None else f" #{hand.track}"
    tag = _tag(f"{hand.handedness} {hand.score:.2f}{number}", max(11, 6 * width), colour)
    tag = tag[:height, :length]
    top = y0 - tag.shape[0] if y0 >= tag.shape[0] else min(y0, height - tag.shape[0])
    left = min(x0, length - tag.shape[1])
    canvas[top : top + tag.shape[0], left : left + tag.shape[1]] = tag


def _tag(text: str, size: int, colour: tuple[int, int, int]) -> NDArray[np.uint8]:
    """A small picture of dark `text` of `size` px on `colour`."""
    font = ImageFont.load_default(size)
    left, top, right, bottom = font.getbbox(text)
    margin = max(2, size // 4)
    picture = Image.new("RGB", (int(right - left) + 2 * margin, int(bottom - top) + 2 * margin), colour)
    ImageDraw.Draw(picture).text((margin - left, margin - top), text, fill=DARK, font=font)
    return np.asarray(picture)


def colours_by_finger(
    vertices: NDArray[np.floating], joints: NDArray[np.floating], *, tint: float = 0.35
) -> NDArray[np.uint8]:
    """RGB (V, 3) of `vertices` (V, 3): skin, tinted with the colour of the finger whose joint (21, 3) is nearest."""
    apart = np.linalg.norm(vertices[:, None] - joints[None], axis=-1)  # (V, 21)
    palette = np.array([FINGER_COLOURS[finger_of(j)] for j in range(len(JOINT_NAMES))], np.float64)
    return ((1 - tint) * SKIN + tint * palette[apart.argmin(1)]).round().astype(np.uint8)
