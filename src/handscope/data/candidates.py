"""What detectors took for hands in pictures: frames of hands whose joints nobody labelled, and places that are no hand.

scripts/mine_candidates.py writes them, a line a picture: its `key`; `none`, places [x, y, extent, up x, up y, side];
`hands`, the same after the number of the hand that each shows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from handscope.data.files import read_json_lines
from handscope.errors import HandscopeError
from handscope.types import HandFrame, HandLabel, Sample, SampleSource

MAKE = "make it with scripts/mine_candidates.py"


class WithCandidates:
    """The samples of `source`, each with the places that `path` has of it: map-style as the source is.

    Hands without joints get the frame they were found by, so that crops of them are upright; what was taken for a hand
    follows as labels whose `present` is false. Raises HandscopeError for a file that is none.
    """

    def __init__(self, source: SampleSource, path: Path | str) -> None:
        self.source = source
        try:
            self.rows = {row["key"]: row for row in read_json_lines(Path(path), MAKE)}
        except (KeyError, TypeError):
            raise HandscopeError(f"{path}: its lines have no key; {MAKE}") from None

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, i: int) -> Sample:
        sample = self.source[i]
        row = self.rows.get(sample.key)
        if row is None:
            return sample
        hands = list(sample.hands)
        for number, *place in row["hands"]:
            if number < len(hands) and hands[number].joints_2d is None:
                hands[number] = replace(hands[number], frame=frame(place))
        none = [HandLabel(frame=frame(place), present=False) for place in row["none"]]
        return replace(sample, hands=(*hands, *none))


def frame(place: Sequence[Any]) -> HandFrame:
    """Of [x, y, extent, up x, up y, side]."""
    x, y, extent, up_x, up_y, side = place
    return HandFrame(
        centre=np.array([x, y], float), extent=float(extent), up=np.array([up_x, up_y], float), handedness=side
    )
