"""`mp.solutions.hands`: `Hands`, `HandLandmark`, `HAND_CONNECTIONS`.

As with MediaPipe, sides suppose a mirrored picture: in a picture that is not mirrored a right hand is called "Left".
"""

from __future__ import annotations

from types import TracebackType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from handscope.compat.mediapipe.landmarks import HAND_CONNECTIONS as HAND_CONNECTIONS
from handscope.compat.mediapipe.landmarks import (
    Classification,
    ClassificationList,
    LandmarkList,
    NormalizedLandmarkList,
)
from handscope.compat.mediapipe.landmarks import HandLandmark as HandLandmark
from handscope.compat.mediapipe.reading import Reader, in_metres, normalized
from handscope.infer.results import FoundHand

FRAME_S = 1 / 30
"""MediaPipe, too, supposes that frames come at this rate."""
MIRRORED = {"left": (1, "Right"), "right": (0, "Left")}


class SolutionOutputs(NamedTuple):
    """What `Hands.process` answers; None where there is no hand. `hands` is ours: mesh, mask, camera and files."""

    multi_hand_landmarks: list[NormalizedLandmarkList] | None
    multi_hand_world_landmarks: list[LandmarkList] | None
    multi_handedness: list[ClassificationList] | None
    hands: tuple[FoundHand, ...] = ()


class Hands:
    """MediaPipe's settings; `model_complexity` changes nothing: there is one model."""

    def __init__(
        self,
        static_image_mode: bool = False,
        max_num_hands: int = 2,
        model_complexity: int = 1,
        min_detection_confidence: float = 0.5,
        min_tracking_confidence: float = 0.5,
    ) -> None:
        self._moving = not static_image_mode
        self._reader = Reader(most=max_num_hands, confidence=min_detection_confidence, presence=min_tracking_confidence)
        self._frame = 0

    def process(self, image: NDArray[np.uint8]) -> SolutionOutputs:
        """The hands of a picture, RGB uint8 (H, W, 3); ValueError for another."""
        image = np.asarray(image)
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
            raise ValueError(
                f"Input image must contain three channel rgb data (uint8), got {image.dtype} {image.shape}"
            )
        found = self._reader(image, self._frame * FRAME_S if self._moving else None)
        self._frame += 1
        if not found:
            return SolutionOutputs(None, None, None)
        return SolutionOutputs(
            [NormalizedLandmarkList(normalized(hand)) for hand in found],
            [LandmarkList(in_metres(hand)) for hand in found],
            [ClassificationList([_side(hand)]) for hand in found],
            tuple(found),
        )

    def reset(self) -> None:
        """The next picture is the first of another video."""
        self._reader.reset()
        self._frame = 0

    def close(self) -> None:
        """Nothing is held open."""

    def __enter__(self) -> Hands:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _side(hand: FoundHand) -> Classification:
    index, label = MIRRORED[hand.handedness]
    return Classification(index=index, score=float(hand.score), label=label)
