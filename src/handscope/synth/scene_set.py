"""The rendered scenes of `handscope bench scenes`: what photographs lack, in stated shares, the same for everyone.

Backgrounds are patterns, so no folder is needed. A set is (count, seed); its kinds take turns, so that a small set has
all of them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from handscope.synth.config import SynthConfig
from handscope.synth.scene import render_sample
from handscope.types import Sample

SEED = 19001
LONGEST_PX = 640
PLAIN = SynthConfig(scenes=True, scene_size=LONGEST_PX, hand_share=(0.03, 0.7), share_empty=0.0, share_held=0.0)
KINDS: dict[str, SynthConfig] = {
    "touching": replace(PLAIN, share_pair=1.0),
    "held things": replace(PLAIN, share_held=1.0),
    "gloves": replace(PLAIN, share_glove=1.0),
    "plain": PLAIN,
    "no hand": replace(PLAIN, share_empty=1.0),
}
"""What each kind is made from."""
TURNS = (
    "touching", "held things", "no hand", "touching", "plain", "held things", "touching", "gloves", "held things",
    "touching", "no hand", "plain", "held things", "touching", "no hand", "plain", "held things", "gloves", "touching",
    "plain",
)  # fmt: skip
"""Of twenty pictures six show touching hands, five held things, four neither, three no hand, two gloves."""


def scene_set(count: int, seed: int = SEED) -> Iterator[tuple[str, Sample]]:
    """`count` scenes with their kinds; number n is the same in every set of this seed."""
    for n in range(count):
        kind = TURNS[n % len(TURNS)]
        yield kind, render_sample(KINDS[kind], seed, n)


def fingerprint(samples: Iterator[Sample]) -> str:
    """SHA-256 of the pictures and of their hands' joints, rounded to a hundredth of a pixel."""
    digest = hashlib.sha256()
    for sample in samples:
        digest.update(sample.image.tobytes())
        for hand in sample.hands:
            digest.update(np.round(100 * np.asarray(hand.joints_2d)).astype(np.int32).tobytes())
    return digest.hexdigest()
