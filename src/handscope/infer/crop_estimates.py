"""What one pass of a network over a crop gives at least, and how crops go through a network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from handscope.geometry.crops import Crop
from handscope.skeleton import MIDDLE_MCP, WRIST

View = tuple[NDArray[np.uint8], Crop]
"""A picture RGB uint8 (H, W, 3) and a crop of it."""
Item = TypeVar("Item")


@dataclass(frozen=True, kw_only=True, eq=False)
class CropEstimate:
    """`joints` (21, 2) crop px, the probability `right` that the crop, as shown, holds a right hand, and `presence`,
    that it holds one at all (None from networks without that head).
    """

    crop: Crop
    joints: NDArray[np.floating]
    right: float
    presence: float | None = None

    @property
    def joints_2d(self) -> NDArray[np.float64]:
        """Joints (21, 2) in picture px."""
        return self.crop.invert(self.joints)

    @property
    def uprightness(self) -> float:
        """Cosine between wrist to middle knuckle and the crop's up."""
        x, y = self.joints[MIDDLE_MCP] - self.joints[WRIST]
        return float(-y / max(np.hypot(x, y), 1e-6))

    @property
    def fitness(self) -> float:
        """In [0, 1]: how well the crop was chosen (right hand shown, upright)."""
        return self.right * (1 + self.uprightness) / 2

    @property
    def shows_left(self) -> bool:
        """Whether the crop, as shown, rather holds a left hand."""
        return self.right < 0.5


def batches(items: Sequence[Item], most: int) -> list[Sequence[Item]]:
    """In order, at most `most` at once."""
    return [items[start : start + most] for start in range(0, len(items), most)]


def extract_crops(views: Sequence[View]) -> NDArray[np.uint8]:
    """The crops of their pictures (n, S, S, 3)."""
    return np.stack([crop.extract(image) for image, crop in views])
