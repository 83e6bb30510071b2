"""Masks kept as small as the network gave them, and pasted into the picture when somebody asks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from handscope.geometry.boxes import pixel_window
from handscope.geometry.crops import Crop


@dataclass(frozen=True, eq=False)
class CroppedMask:
    """A mask of a picture `height` x `width`, kept as `values` (m, m) in [0, 1] over a crop of it; the picture's pixels
    belong to it where the values, seen in the picture, are above one half. Outside the crop nothing does.
    """

    values: NDArray[np.float32]
    crop: Crop
    height: int
    width: int

    @property
    def shape(self) -> tuple[int, int]:
        """Of the pasted mask: (height, width)."""
        return self.height, self.width

    def pasted(self) -> NDArray[np.bool_]:
        """The mask in its picture, bool (height, width)."""
        full = np.zeros(self.shape, np.bool_)
        x0, y0, x1, y1 = self._window()
        full[y0:y1, x0:x1] = self._in_window(x0, y0, x1, y1)
        return full

    def runs(self) -> NDArray[np.int64]:
        """The mask in its picture as COCO counts it: lengths (n,) of runs down the columns, first of what is outside
        (0 if the mask begins at once), then inside and outside in turn.
        """
        x0, y0, x1, y1 = self._window()
        inside = np.pad(self._in_window(x0, y0, x1, y1), ((1, 1), (0, 0))).T
        edges = np.diff(inside.astype(np.int8), axis=1)
        columns = (x0 + np.arange(inside.shape[0], dtype=np.int64)) * self.height + y0
        begin, end = (columns[x] + y for x, y in (np.nonzero(edges == 1), np.nonzero(edges == -1)))
        apart = begin[1:] != end[:-1]  # a run may go on at the top of the next column
        begin, end = (
            begin[np.concatenate([[True], apart])[: len(begin)]],
            end[np.concatenate([apart, [True]])[: len(end)]],
        )
        places = np.concatenate([[0], np.column_stack([begin, end]).ravel(), [self.height * self.width]])
        lengths = np.diff(places)
        return lengths[:-1] if lengths[-1] == 0 and len(lengths) > 1 else lengths

    def area(self) -> int:
        """How many of the picture's pixels belong to the mask."""
        return int(self._in_window(*self._window()).sum())

    def _window(self) -> tuple[int, int, int, int]:
        """x0, y0, x1, y1 of the part of the picture that the crop covers."""
        size = self.crop.size
        corners = self.crop.invert([(-1, -1), (size, -1), (-1, size), (size, size)])
        return pixel_window(corners, self.height, self.width)

    def _in_window(self, x0: int, y0: int, x1: int, y1: int) -> NDArray[np.bool_]:
        if x1 <= x0 or y1 <= y0:
            return np.zeros((max(y1 - y0, 0), max(x1 - x0, 0)), np.bool_)
        shift = self.crop.matrix[:, :2] @ (x0, y0) + self.crop.matrix[:, 2]
        window = Crop(np.column_stack([self.crop.matrix[:, :2], shift]), self.crop.size)
        return window.paste(self.values.astype(np.float32), y1 - y0, x1 - x0) > 0.5

    @staticmethod
    def of(mask: NDArray[np.bool_]) -> CroppedMask:
        """A mask (H, W) cut to the square that holds it; `pasted` gives it back exactly."""
        height, width = mask.shape
        rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        if not len(rows):
            return CroppedMask(np.zeros((1, 1), np.float32), Crop(np.eye(2, 3), 1), height, width)
        y, x = int(rows[0]), int(columns[0])
        size = 1 + int(max(rows[-1] - y, columns[-1] - x))
        values = np.zeros((size, size), np.float32)
        held = mask[y : y + size, x : x + size]
        values[: held.shape[0], : held.shape[1]] = held
        return CroppedMask(values, Crop(np.array([[1.0, 0, -x], [0, 1, -y]]), size), height, width)
