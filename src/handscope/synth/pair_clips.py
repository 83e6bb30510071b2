"""Two hands of one person that touch, cross, leave and come back, with everything known: for counting swapped hands.

As `clips`, but the camera stands still and what the hands do is chosen: each clip is one event. `touch`: the palms come
together, rest and part. `cross`: one passes before the other, and back. `leave`: one leaves the picture and comes back.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Literal

import numpy as np

from handscope.geometry.camera import intrinsics_of_focal
from handscope.synth.appearance import TO_LINEAR, expose, sample_lighting, sample_sensor
from handscope.synth.clips import FOCAL, Array, Motion, place_hand, sample_shape_of_hand
from handscope.synth.config import SynthConfig
from handscope.synth.dressing import DressedHand, dress, sample_arm
from handscope.synth.labels import label_hand
from handscope.synth.placement import BACK_VIEW, PALM_VIEW
from handscope.synth.rendering import render
from handscope.synth.scene import sample_shape, world_of
from handscope.types import Sample

Event = Literal["touch", "cross", "leave"]
EVENTS: tuple[Event, ...] = ("touch", "cross", "leave")
APART_M, MET_M, GONE_M = 0.13, 0.035, 0.5
"""Of the wrist from the picture's middle: apart, touching, and out of the picture."""
NEAR_M, FAR_M = 0.5, 0.62
"""Distances of the hand that passes before the other one, and of that."""
KEYS_S = (0.0, 0.6, 1.4, 1.9, 2.7, 3.3)
"""Still, moves there, rests, moves back, still."""


def places_of(event: Event, rng: np.random.Generator) -> tuple[Array, Array]:
    """Places (6, 3) of the right and of the left wrist at `KEYS_S`, the right one's at the picture's left: as of
    somebody who faces the camera.
    """
    y = 0.07 + rng.uniform(-0.02, 0.02, 2)
    far = np.array([-APART_M, APART_M]) * rng.uniform(0.85, 1.1)
    there = {"touch": (-MET_M, MET_M), "cross": (far[1], far[0]), "leave": (far[0], GONE_M)}[event]
    depth = (NEAR_M, FAR_M) if event == "cross" else (0.56, 0.56)
    keys = []
    for side in (0, 1):
        home, away = [far[side], y[side], depth[side]], [there[side], y[side], depth[side]]
        keys.append(np.array([home, home, away, away, home, home]))
    return keys[0], keys[1]


def render_pair_clip(seed: int, event: Event, *, fps: float = 30.0, size: int = 320) -> Iterator[Sample]:
    """Square pictures of `size` px, `fps` a second, of one event; the labelled hands are the right and the left one, in
    this order, also where they are outside the picture. A function of the arguments alone.
    """
    config = SynthConfig(size=size, share_held=0.0)
    world, rng = world_of(config), np.random.default_rng([seed, EVENTS.index(event), 37])
    shapes = [sample_shape_of_hand(rng) for _ in range(4)]
    motions = [
        Motion(
            np.array(KEYS_S),
            np.array([shapes[k], shapes[k], shapes[k + 2], shapes[k + 2], shapes[k], shapes[k]]),
            np.tile(rng.normal(0, 0.15, 3), (len(KEYS_S), 1)),
            places * [(-1 if k else 1), 1, 1],  # a left hand is a right one in the mirror
        )
        for k, places in enumerate(places_of(event, rng))
    ]
    beta, view = sample_shape(rng), PALM_VIEW if rng.random() < 0.5 else BACK_VIEW
    K = intrinsics_of_focal(FOCAL * size, size, size)
    world.backgrounds.choose(rng)
    scenery = TO_LINEAR[world.backgrounds.sample(rng, size, size)[0]]
    lighting = sample_lighting(rng, scenery[::8, ::8].mean((0, 1)))
    sensor, dressing = replace(sample_sensor(rng), motion_px=0.0, shrink=1.0), int(rng.integers(1 << 30))
    still = np.zeros(3)
    first = [place_hand(world, motion, 0.0, beta, view, still) for motion in motions]
    arms = [sample_arm(rng, placed, world.body, K, (size, size)) for placed in first]
    if any(arm is None for arm in arms):
        raise ValueError(f"seed {seed}: an arm hides its hand; take another")
    for frame in range(round(KEYS_S[-1] * fps)):
        hands: list[DressedHand] = []
        for k, motion in enumerate(motions):
            hand = dress(
                np.random.default_rng(dressing), config, world.body, world.backgrounds,
                place_hand(world, motion, frame / fps, beta, view, still), K, (size, size), k,
                left=bool(k), arm=arms[k], like=hands[0] if k else None,
            )  # fmt: skip
            assert hand is not None, "an arm was given"
            hands.append(hand)
        picture, rendered = render(scenery, [hand.part for hand in hands], lighting, K, 2, 0.0)
        image = expose(picture, sensor, np.random.default_rng([seed, frame, 79]))
        labels = tuple(label_hand(hand, k, rendered, K, size, size) for k, hand in enumerate(hands))
        yield Sample(key=f"{event}-{seed:04d}-{frame:05d}", source="synth", image=image, hands=labels, K=K)
