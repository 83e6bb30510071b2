"""The hands in frames, one frame after the other; what frames there are and how they are read is `frames`' matter."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from handscope.geometry.camera import Camera, default_intrinsics
from handscope.infer.cameras import TURNED_FROM, CameraLike
from handscope.infer.decoding import Picture
from handscope.infer.frames import CameraReader as CameraReader
from handscope.infer.frames import FrameFolder as FrameFolder
from handscope.infer.frames import VideoReader as VideoReader
from handscope.infer.frames import is_video as is_video
from handscope.infer.frames import open_frames
from handscope.infer.frames import require_av as require_av
from handscope.infer.inputs import prepare
from handscope.infer.models import Models
from handscope.infer.results import Hands
from handscope.infer.tracking import Tracker, TrackingConfig

Image = NDArray[np.uint8]


@dataclass(frozen=True)
class VideoFrame:
    """One frame: its number in the file, its time in seconds (of a file by a player's clock: 0 for the first one, later
    if sound begins earlier), RGB picture (H, W, 3), tracked hands.
    """

    index: int
    time: float
    image: Image
    hands: Hands


def track(
    models: Models,
    source: str | Path | int | VideoReader | FrameFolder | CameraReader | Iterable[Any],
    *,
    K: CameraLike = None,
    config: TrackingConfig | None = None,
    fps: float | None = None,
) -> Iterator[VideoFrame]:
    """The frames of `source` with their hands: a video's path, a camera's number, or pairs (seconds, picture); with
    `fps` a folder of pictures, or any pictures, that are so many a second.

    `K` is the camera as for a picture, of the upright frames unless it has a size. Frames come as they are read: a
    hand's first frames are not looked at again in the light of later ones.
    """
    tracker = Tracker(models, config)
    with open_frames(source, fps) as frames:
        for index, time, picture in frames.pictures():
            given = prepare(picture, _of_pixels(K, frames.pixel_aspect, picture))
            hands = tracker(given, time)
            width, height = given.size
            told = Hands(hands, width=width, height=height, notes=given.notes + tracker.notes + models.notes)
            yield VideoFrame(index, tracker.time, picture.image, told)


def _of_pixels(K: CameraLike, aspect: float, picture: Picture) -> CameraLike:
    """`K`, or for an unknown camera the usual one with pixels `aspect` times as wide as high in the file."""
    if K is not None or aspect == 1:
        return K
    width, height = picture.size
    upright = 1 / aspect if picture.orientation >= TURNED_FROM else aspect
    shown = (round(width * upright), height)
    return Camera(default_intrinsics(*shown), shown).resized(width, height)
