"""MediaPipe's `Image`: an array with the name of its format."""

from __future__ import annotations

from enum import IntEnum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from handscope.errors import ImageError
from handscope.infer.images import read_picture


class ImageFormat(IntEnum):
    """Formats of 8-bit pictures, by MediaPipe's numbers."""

    SRGB = 1
    SRGBA = 2
    GRAY8 = 3


CHANNELS = {ImageFormat.SRGB: 3, ImageFormat.SRGBA: 4, ImageFormat.GRAY8: 1}


class Image:
    """A picture: `Image(image_format=ImageFormat.SRGB, data=array)`, or `Image.create_from_file(path)`."""

    def __init__(self, image_format: ImageFormat | None = None, data: NDArray[np.uint8] | None = None) -> None:
        if image_format is None or data is None:
            raise ValueError("Please provide 'image_format' with 'data'.")
        data = np.asarray(data)
        wanted = CHANNELS[ImageFormat(image_format)]
        found = data.shape[2] if data.ndim == 3 else 1
        if data.dtype != np.uint8 or data.ndim not in (2, 3) or found != wanted:
            raise ValueError(
                f"{ImageFormat(image_format).name} is uint8 with {wanted} channel(s), got {data.dtype} {data.shape}"
            )
        self.image_format = ImageFormat(image_format)
        self._data = data.view()
        self._data.flags.writeable = False

    @classmethod
    def create_from_file(cls, file_name: str | Path) -> Image:
        """The picture of a file, turned upright as its EXIF says; RuntimeError if it cannot be read."""
        try:
            return cls(ImageFormat.SRGB, read_picture(file_name).image)
        except ImageError as error:
            raise RuntimeError(str(error)) from error

    def numpy_view(self) -> NDArray[np.uint8]:
        """Its pixels, read-only."""
        return self._data

    @property
    def height(self) -> int:
        """In px."""
        return self._data.shape[0]

    @property
    def width(self) -> int:
        """In px."""
        return self._data.shape[1]

    @property
    def channels(self) -> int:
        """3, 4 or 1."""
        return CHANNELS[self.image_format]
