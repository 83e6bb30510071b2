"""A source of which a share of pictures keeps its labels: the others say where the hand is and which side, no more."""

from __future__ import annotations

import hashlib
from dataclasses import replace

from handscope.data.transforms import frame_of
from handscope.errors import HandscopeError
from handscope.geometry.crops import FILL
from handscope.types import HandFrame, HandLabel, Sample, SampleSource


class PartlyLabelled:
    """Map-style. Which pictures keep their labels depends on their keys alone: those of a smaller share are among those
    of a larger one, whatever the order and the seed.
    """

    def __init__(self, samples: SampleSource, share: float) -> None:
        if not 0 <= share <= 1:
            raise HandscopeError(f"labelled is a share from 0 to 1, got {share}")
        self.samples, self.share = samples, share

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, i: int) -> Sample:
        sample = self.samples[i]
        if place_of(sample.key) < self.share:
            return sample
        return replace(sample, hands=tuple(without_labels(hand) for hand in sample.hands))


def place_of(key: str) -> float:
    """Where a key lies in [0, 1), evenly spread."""
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big") / 2**64


def without_labels(hand: HandLabel) -> HandLabel:
    """The frame of the crop, which any detector gives, and the side; the hand is not usable if nothing tells it."""
    frame = frame_of(hand, FILL)
    if frame is None:
        return HandLabel(handedness=hand.handedness)
    centre, extent, up = frame
    told = HandFrame(centre=centre, extent=extent, up=up, handedness=hand.handedness)
    return HandLabel(handedness=hand.handedness, frame=told, present=None)
