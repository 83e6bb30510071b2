"""Render the pictures of samples/rendered (ours, so free to ship): python scripts/render_samples.py [FOLDER].

Staged by hand, unlike what `handscope synth` samples: named poses, chosen views, a calm room behind.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from handscope.geometry.camera import intrinsics_of_focal
from handscope.geometry.rotations import axis_angle_to_matrix
from handscope.hand.model import pose_hand
from handscope.synth.appearance import TO_LINEAR, TONES_SRGB, Lighting, Sensor, even_directions, expose
from handscope.synth.config import SynthConfig
from handscope.synth.dressing import DressedHand, Placed
from handscope.synth.placement import BACK_VIEW, PALM_VIEW
from handscope.synth.poses import ANCHORS, to_theta
from handscope.synth.rendering import Surface, render
from handscope.synth.scene import World

SENSOR = Sensor(
    blur_px=0.7, motion_px=0, motion_angle=0, shrink=1, gains=(1.02, 1, 0.97), exposure=1.0, contrast=1.05,
    saturation=1.05, gamma=1, noise=0.006, shot_noise=0.006, noise_blur_px=0.6, jpeg=98, grey=False, sharpen=0.25,
    vignette=0.2,
)  # fmt: skip


@dataclass(frozen=True)
class Hand:
    """One hand on stage: pose, view (turned by degrees about x, y, z), place (m) and skin tone 0 (light) to 10."""

    pose: str
    palm: bool
    turn: tuple[float, float, float]
    at: tuple[float, float, float]
    tone: float
    left: bool = False
    sleeve: float = 1.0
    seed: int = 0


PICTURES: dict[str, tuple[tuple[int, int], int, list[Hand]]] = {
    "open-hand": ((640, 640), 1, [Hand("five", True, (8, -16, 6), (0.0, 0.075, 0.47), 3.2)]),
    "pinch": ((640, 512), 2, [Hand("ok", True, (-10, -38, -8), (0.02, 0.07, 0.50), 7.2, left=True, seed=3)]),
    "victory": ((512, 640), 3, [Hand("victory", True, (6, 20, -10), (0.0, 0.08, 0.48), 5.0, sleeve=0.0, seed=5)]),
    "thumb": ((640, 512), 4, [Hand("thumbs_up", True, (0, 12, -82), (0.06, 0.03, 0.48), 1.6, left=True, seed=7)]),
    "point": ((640, 512), 5, [Hand("point", True, (-20, -62, -30), (-0.02, 0.05, 0.45), 8.8, seed=2)]),
    "two-hands": (
        (640, 480),
        6,
        [
            Hand("spread", True, (5, 10, 14), (0.115, 0.085, 0.56), 4.2, left=True, seed=4),
            Hand("relaxed", True, (-8, -24, 12), (0.115, 0.085, 0.54), 4.2, seed=4),
        ],
    ),
}


def room(width: int, height: int, seed: int) -> np.ndarray:
    """A wall with window light and blurred things far off, over a table's edge (height, width, 3) sRGB."""
    rng = np.random.default_rng([seed, 17])
    y, x = np.mgrid[0:height, 0:width].astype(np.float32) / height
    wall, light = np.array([0.50, 0.56, 0.60]) + rng.normal(0, 0.06, 3), np.array([0.93, 0.89, 0.82])
    glow = np.exp(-(((x - rng.uniform(0, 1)) / 0.6) ** 2) - ((y - 0.15) / 0.7) ** 2)[..., None]
    image = wall + (light - wall) * 0.8 * glow
    for _ in range(7):  # books, plants, lamps out of focus
        shape = np.zeros((height, width), np.float32)
        place = (rng.uniform([0, 0.2], [width / height, 0.8]) * height).astype(int)
        if rng.random() < 0.5:
            cv2.circle(shape, place.tolist(), int(height * rng.uniform(0.03, 0.1)), 1.0, -1)
        else:
            corner = place + (height * rng.uniform([0.03, 0.1], [0.12, 0.35])).astype(int)
            cv2.rectangle(shape, place.tolist(), corner.tolist(), 1.0, -1)
        shape = cv2.GaussianBlur(shape, (0, 0), height * 0.018)[..., None]
        colour = rng.uniform(0.15, 0.85) * np.array([1.0, 0.93, 0.85]) + rng.normal(0, 0.07, 3)
        image = image * (1 - 0.75 * shape) + 0.75 * shape * colour
    table = 1 / (1 + np.exp(-(y - 0.86) * 70))[..., None]
    grain = 0.02 * np.sin(160 * y + 2 * np.sin(5 * x))[..., None]
    image = image * (1 - table) + (np.array([0.45, 0.31, 0.21]) + grain) * table
    return (np.clip(image, 0, 1) * 255).astype(np.uint8)


def lighting(seed: int) -> Lighting:
    """A large window to one side, a bright ceiling, a lamp from the front."""
    side = 1.0 if seed % 2 else -1.0
    directions = even_directions(48)
    window = np.exp(4 * (directions @ (np.array([side * 0.8, -0.35, -0.45]) / 0.99) - 1))[:, None]
    radiance = 0.35 + 0.3 * (0.5 - 0.5 * directions[:, 1:2]) + 1.5 * window * np.array([1.0, 0.98, 0.94])
    lamp = np.array([[-side * 0.35, -0.55, -0.75]])
    as32 = lambda a: np.ascontiguousarray(a, np.float32)  # noqa: E731
    lamps = as32(lamp / np.linalg.norm(lamp))
    return Lighting(as32(directions), as32(radiance), lamps, as32([[0.55, 0.52, 0.48]]), 0.008)


def dressed(world: World, hand: Hand, K: np.ndarray, picture: tuple[int, int], index: int) -> DressedHand:
    """The hand of a stage direction, dressed by lot but with the wanted skin and sleeve."""
    R = axis_angle_to_matrix(np.array([0, 0, np.deg2rad(hand.turn[2])]))
    R = R @ axis_angle_to_matrix(np.array([np.deg2rad(hand.turn[0]), 0, 0]))
    R = R @ axis_angle_to_matrix(np.array([0, np.deg2rad(hand.turn[1]), 0])) @ (PALM_VIEW if hand.palm else BACK_VIEW)
    theta = to_theta(ANCHORS[hand.pose], world.skeleton.axes).astype(np.float32)
    beta = np.zeros(10, np.float32)
    posed = pose_hand(world.body.asset, beta[None], theta[None])
    placed = Placed(
        vertices=posed.vertices[0], rest_joints=posed.joints[0].astype(float), beta=beta, theta=theta, R=R,
        T=np.zeros(3),
    )  # fmt: skip
    world.config = replace(world.config, share_sleeve=hand.sleeve)
    rng, result = np.random.default_rng([hand.seed, 5]), None
    while result is None:
        result = world.dress(rng, placed, np.array(hand.at), K, picture, index, left=hand.left)
    surfaces = [_with_tone(s, hand.tone) if s.kind < 2 else s for s in result.part.surfaces]
    result.part.surfaces[:] = surfaces
    return result


def _with_tone(surface: Surface, tone: float) -> Surface:
    """A skin surface in a chosen tone, with moderate marks and little shine."""
    material = surface.material.copy()
    steps = np.arange(len(TONES_SRGB))
    srgb = np.array([np.interp(tone, steps, TONES_SRGB[:, c]) for c in range(3)])
    palm = srgb * 0.6 + np.array([0.89, 0.70, 0.60]) * 0.4 * (1 - 0.03 * tone)
    material[:9] = np.concatenate([srgb, palm, 0.5 * srgb + 0.5 * palm + [0.04, 0, 0]]) ** 2.2
    material[9:17] = 0.8, 0.5, 0.3, 0.2, 0.0004, 0.22, 14, 0.5
    return replace(surface, material=material)


def main(folder: Path) -> None:
    """Write NAME.jpg for every entry above."""
    folder.mkdir(parents=True, exist_ok=True)
    world = World(SynthConfig(share_band=0.0, share_held=0.0))
    for name, (picture, seed, hands) in PICTURES.items():
        width, height = picture
        focal = 1.2 * max(picture)
        K = intrinsics_of_focal(focal, width, height)
        stage = [dressed(world, hand, K, picture, i) for i, hand in enumerate(hands)]
        behind = TO_LINEAR[room(width, height, seed)]
        picture, _ = render(behind, [h.part for h in stage], lighting(seed), K, len(stage), 0.0)
        image = expose(picture, SENSOR, np.random.default_rng(seed))
        cv2.imwrite(str(folder / f"{name}.jpg"), cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 92])


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[1] / "samples/rendered")
