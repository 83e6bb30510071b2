"""`mp.tasks.vision`: `HandLandmarker` in its three running modes.

Sides are the person's own in a picture that is not mirrored, as MediaPipe 0.10.21's tasks tell them (and not its
solutions); its numbers are 0 for "Right" and 1 for "Left".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from queue import Queue
from threading import Thread
from types import TracebackType
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from handscope.compat.mediapipe.absent import hands_only
from handscope.compat.mediapipe.images import Image, ImageFormat
from handscope.compat.mediapipe.landmarks import FINGERS, PALM, Category, Landmark, NormalizedLandmark
from handscope.compat.mediapipe.landmarks import HandLandmark as HandLandmark
from handscope.compat.mediapipe.reading import Reader, in_metres, normalized
from handscope.compat.mediapipe.solutions import drawing_styles as drawing_styles
from handscope.compat.mediapipe.solutions import drawing_utils as drawing_utils
from handscope.compat.mediapipe.tasks.python.base_options import BaseOptions
from handscope.infer.results import FoundHand

SIDES = {"right": (0, "Right"), "left": (1, "Left")}


class RunningMode(Enum):
    """Single pictures, the frames of a video, or of a camera, answered to a callback."""

    IMAGE = "IMAGE"
    VIDEO = "VIDEO"
    LIVE_STREAM = "LIVE_STREAM"


@dataclass
class ImageProcessingOptions:
    """Taken and not used: hands are found whichever way they are turned."""

    region_of_interest: object | None = None
    rotation_degrees: int = 0


@dataclass
class HandLandmarkerResult:
    """Of each hand its side, and 21 landmarks in the picture and in metres. `hands`, left out of comparison and print,
    is ours: mesh, mask, camera and files.
    """

    handedness: list[list[Category]]
    hand_landmarks: list[list[NormalizedLandmark]]
    hand_world_landmarks: list[list[Landmark]]
    hands: tuple[FoundHand, ...] = field(default=(), repr=False, compare=False)


Callback = Callable[[HandLandmarkerResult, Image, int], None]


@dataclass
class HandLandmarkerOptions:
    """MediaPipe's settings. Of the confidences detection's and presence's count."""

    base_options: BaseOptions
    running_mode: RunningMode = RunningMode.IMAGE
    num_hands: int = 1
    min_hand_detection_confidence: float = 0.5
    min_hand_presence_confidence: float = 0.5
    min_tracking_confidence: float = 0.5
    result_callback: Callback | None = None


@dataclass
class Connection:
    """From one landmark to another."""

    start: int
    end: int


class HandLandmarksConnections:
    """Pairs of landmarks by finger, and all of them."""

    Connection = Connection
    HAND_PALM_CONNECTIONS: ClassVar = [Connection(*pair) for pair in PALM]
    HAND_THUMB_CONNECTIONS: ClassVar = [Connection(*pair) for pair in FINGERS["THUMB"]]
    HAND_INDEX_FINGER_CONNECTIONS: ClassVar = [Connection(*pair) for pair in FINGERS["INDEX_FINGER"]]
    HAND_MIDDLE_FINGER_CONNECTIONS: ClassVar = [Connection(*pair) for pair in FINGERS["MIDDLE_FINGER"]]
    HAND_RING_FINGER_CONNECTIONS: ClassVar = [Connection(*pair) for pair in FINGERS["RING_FINGER"]]
    HAND_PINKY_FINGER_CONNECTIONS: ClassVar = [Connection(*pair) for pair in FINGERS["PINKY"]]
    HAND_CONNECTIONS: ClassVar = [
        Connection(*pair) for pair in (*PALM, *(p for pairs in FINGERS.values() for p in pairs))
    ]


class HandLandmarker:
    """Made by `create_from_options` or `create_from_model_path`; ended by `close` or the end of a `with`."""

    def __init__(self, options: HandLandmarkerOptions) -> None:
        live = options.running_mode is RunningMode.LIVE_STREAM
        if live and options.result_callback is None:
            raise ValueError("The vision task is in live stream mode, a user-defined result callback must be provided.")
        if not live and options.result_callback is not None:
            raise ValueError(
                "The vision task is in image or video mode, a user-defined result callback should not be provided."
            )
        self._options, self._last_ms = options, -1
        self._reader = Reader(
            most=options.num_hands,
            confidence=options.min_hand_detection_confidence,
            presence=options.min_hand_presence_confidence,
        )
        self._waiting: Queue[tuple[Image, int] | None] = Queue()
        self._worker = Thread(target=self._answer_live, daemon=True) if live else None
        if self._worker is not None:
            self._worker.start()

    @classmethod
    def create_from_options(cls, options: HandLandmarkerOptions) -> HandLandmarker:
        """With these settings."""
        return cls(options)

    @classmethod
    def create_from_model_path(cls, model_path: str) -> HandLandmarker:
        """For single pictures of one hand; the path is not looked at."""
        return cls(HandLandmarkerOptions(base_options=BaseOptions(model_asset_path=model_path)))

    def detect(
        self, image: Image, image_processing_options: ImageProcessingOptions | None = None
    ) -> HandLandmarkerResult:
        """The hands of a picture (image mode)."""
        self._need(RunningMode.IMAGE, "image")
        return self._read(image, None)

    def detect_for_video(
        self, image: Image, timestamp_ms: int, image_processing_options: ImageProcessingOptions | None = None
    ) -> HandLandmarkerResult:
        """The hands of a frame (video mode); times must grow."""
        self._need(RunningMode.VIDEO, "video")
        self._grow(timestamp_ms)
        return self._read(image, timestamp_ms)

    def detect_async(
        self, image: Image, timestamp_ms: int, image_processing_options: ImageProcessingOptions | None = None
    ) -> None:
        """Have a frame answered to the callback (live stream mode), unless one is being answered already; times must
        grow.
        """
        self._need(RunningMode.LIVE_STREAM, "live stream")
        self._grow(timestamp_ms)
        if self._waiting.unfinished_tasks == 0:
            self._waiting.put((image, timestamp_ms))

    def close(self) -> None:
        """Answer what is being answered, and no more."""
        if self._worker is not None:
            self._waiting.put(None)
            self._worker.join()
            self._worker = None

    def _answer_live(self) -> None:
        while (given := self._waiting.get()) is not None:
            try:
                assert self._options.result_callback is not None
                self._options.result_callback(self._read(*given), *given)
            finally:
                self._waiting.task_done()

    def _need(self, mode: RunningMode, name: str) -> None:
        if self._options.running_mode is not mode:
            now = self._options.running_mode.name
            raise ValueError(f"Task is not initialized with the {name} mode. Current running mode:{now}")

    def _grow(self, timestamp_ms: int) -> None:
        if timestamp_ms <= self._last_ms:
            raise ValueError("Input timestamp must be monotonically increasing.")
        self._last_ms = timestamp_ms

    def _read(self, image: Image, timestamp_ms: int | None) -> HandLandmarkerResult:
        found = self._reader(_rgb(image), None if timestamp_ms is None else timestamp_ms / 1000)
        return HandLandmarkerResult(
            handedness=[[_side(hand)] for hand in found],
            hand_landmarks=[normalized(hand, unset=0.0) for hand in found],
            hand_world_landmarks=[in_metres(hand, unset=0.0) for hand in found],
            hands=tuple(found),
        )

    def __enter__(self) -> HandLandmarker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _rgb(image: Image) -> NDArray[np.uint8]:
    pixels = image.numpy_view()
    if image.image_format is ImageFormat.GRAY8:
        return np.repeat(pixels.reshape(image.height, image.width, 1), 3, 2)
    return np.ascontiguousarray(pixels[..., :3])


def _side(hand: FoundHand) -> Category:
    index, name = SIDES[hand.handedness]
    return Category(index=index, score=float(hand.score), display_name=name, category_name=name)


__getattr__ = hands_only("tasks.vision", ("HandLandmarker", "HandLandmarkerOptions", "RunningMode", "drawing_utils"))
