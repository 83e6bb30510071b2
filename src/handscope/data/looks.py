"""What was taken for hands, with what lies round it, and whether it is one: the examples of the context network.

scripts/mine_looks.py writes them: an .npz of JPEGs, `LARGER` than the network's crops, so that training may turn, move
and resize them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Dataset

from handscope.data.transforms import Example
from handscope.errors import HandscopeError
from handscope.files import NewFile
from handscope.npz import BROKEN, read_npz

LARGER = 9 / 7
"""Times the side of the network's crop, in px and in what is seen."""
QUALITY = 92
"""Of the JPEGs."""
MAKE = "make it with scripts/mine_looks.py"


class Look(NamedTuple):
    """A square crop RGB uint8, whether a hand is in its middle, and its picture's source."""

    crop: NDArray[np.uint8]
    hand: bool
    source: str


def write_looks(path: Path, looks: Sequence[Look]) -> None:
    """Keep looks as a file."""
    codes = [
        cv2.imencode(".jpg", cv2.cvtColor(look.crop, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1]
        for look in looks
    ]
    with NewFile(path) as beside, open(beside, "wb") as file:
        np.savez(
            file,
            codes=np.concatenate(codes),
            ends=np.cumsum([len(code) for code in codes]),
            hand=np.array([look.hand for look in looks]),
            source=np.array([look.source for look in looks]),
        )


@dataclass(frozen=True, kw_only=True)
class LookNoise:
    """What training does to a look: standard deviations of its turn (degrees), of its shift (crop sides) and of the log
    of its size; shares that are mirrored and that lose resolution, to `coarsest` of it at least; standard deviations of
    contrast (log), brightness and colour (levels).
    """

    rotation_deg: float = 12.0
    translation: float = 0.015
    scale: float = 0.12
    mirror_prob: float = 0.5
    low_resolution: float = 0.2
    coarsest: float = 0.27
    contrast: float = 0.15
    brightness: float = 15.0
    colour: float = 6.0


class LooksDataset(Dataset[Example]):
    """Map-style: the n-th example of an endless stream, `crop` (size, size, 3) uint8 and `hand` float32. `shares` are
    the kinds of sources (what stands before their names' slash) and how often one of theirs is chosen; without them
    every look is as likely. `whole(i)` is the i-th look as it is. Raises HandscopeError for a file that is none.
    """

    def __init__(
        self,
        path: Path | str,
        size: int,
        noise: LookNoise | None = None,
        seed: int = 0,
        shares: Mapping[str, float] | None = None,
    ) -> None:
        self.path, self.size, self.noise, self.seed = path, size, noise or LookNoise(), seed
        try:
            arrays = read_npz(Path(path), MAKE)
            self.codes, self.ends = arrays["codes"], arrays["ends"]
            self.hand = arrays["hand"]
            kinds = np.array([str(source).split("/")[0] for source in arrays["source"]])
        except BROKEN as problem:
            raise HandscopeError(f"{path}: no looks ({problem}); {MAKE}") from problem
        if shares is not None and not set(kinds) & set(shares):
            raise HandscopeError(f"{path}: has looks of {', '.join(sorted(set(kinds)))}, none of {', '.join(shares)}")
        weights = np.ones(len(kinds))
        if shares is not None:
            weights = np.array([shares.get(kind, 0.0) / (kinds == kind).sum() for kind in kinds])
        self._upto = np.cumsum(weights / weights.sum())

    def __len__(self) -> int:
        return len(self.ends)

    def __getitem__(self, n: int) -> Example:
        rng = np.random.default_rng([self.seed, n])
        i = min(int(np.searchsorted(self._upto, rng.random(), side="right")), len(self) - 1)
        return {"crop": self._noisy(self._decoded(i), rng), "hand": np.array(self.hand[i], np.float32)}

    def whole(self, i: int) -> tuple[NDArray[np.uint8], bool]:
        """The crop as the network sees it, and whether it shows a hand."""
        return _placed(self._decoded(i), self.size, np.eye(2), np.zeros(2)), bool(self.hand[i])

    def _decoded(self, i: int) -> NDArray[np.uint8]:
        crop = cv2.imdecode(self.codes[self.ends[i - 1] if i else 0 : self.ends[i]], cv2.IMREAD_COLOR)
        if crop is None:
            raise HandscopeError(f"{self.path}: look {i} is no JPEG; {MAKE}")
        return cv2.cvtColor(crop, cv2.COLOR_BGR2RGB).astype(np.uint8)

    def _noisy(self, crop: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
        noise = self.noise
        angle = np.deg2rad(noise.rotation_deg * rng.standard_normal())
        scale = min(np.exp(noise.scale * rng.standard_normal()), LARGER)
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) / scale
        if rng.random() < noise.mirror_prob:
            turn[:, 0] = -turn[:, 0]
        shift = noise.translation * self.size * rng.standard_normal(2)
        seen = _placed(crop, self.size, turn, shift).astype(np.float32)
        seen = (seen - 128) * np.exp(noise.contrast * rng.standard_normal()) + 128
        seen += noise.brightness * rng.standard_normal() + noise.colour * rng.standard_normal(3)
        if rng.random() < noise.low_resolution:
            side = int(self.size * rng.uniform(noise.coarsest, 0.7))
            small = cv2.resize(seen, (side, side), interpolation=cv2.INTER_AREA)
            seen = cv2.resize(small, (self.size, self.size))
        return np.clip(seen, 0, 255).astype(np.uint8)


def _placed(
    crop: NDArray[np.uint8], size: int, turn: NDArray[np.floating], shift: NDArray[np.floating]
) -> NDArray[np.uint8]:
    """The middle of a crop, `size` px, turned and shifted; beyond is black."""
    middle = (len(crop) - 1) / 2
    offset = (size - 1) / 2 + shift - turn @ np.full(2, middle)
    matrix = np.column_stack([turn, offset])
    return cv2.warpAffine(crop, matrix, (size, size), borderMode=cv2.BORDER_CONSTANT).astype(np.uint8)
