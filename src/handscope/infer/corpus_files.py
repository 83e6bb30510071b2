"""Videos as other communities keep them: `.pose` of sign-language research (pose-format), columns as LeRobot's.

Both have a row for each frame and a place for one left and one right hand: the surest of each side.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from handscope.errors import VideoError, missing_extra
from handscope.files import NewFile
from handscope.hand.angles import ANGLE_NAMES
from handscope.infer.formats import joint_angles
from handscope.infer.frames import Lost
from handscope.infer.parquet_files import ParquetFile
from handscope.infer.video import VideoFrame
from handscope.skeleton import BONES, FINGERS, JOINT_NAMES, finger_of
from handscope.types import Hand, Handedness
from handscope.viz import FINGER_COLOURS

SIDES: tuple[Handedness, Handedness] = ("left", "right")
POSE_VERSION = 0.2


def surest(frame: VideoFrame, side: Handedness) -> Hand | None:
    """The hand of this side with the greatest score."""
    return max((hand for hand in frame.hands if hand.handedness == side), key=lambda hand: hand.score, default=None)


class PoseWriter:
    """hands.pose: components LEFT_HAND_LANDMARKS and RIGHT_HAND_LANDMARKS with MediaPipe's names of points, x and y in
    px, z in px of the picture at the wrist's distance, smaller nearer to the camera, zero at the wrist; confidence is a
    joint's score, 0 where there is no hand. Frame numbers are the video's, so a lost frame is one without hands.
    """

    def __init__(self, path: Path, *, rate: float) -> None:
        try:
            import pose_format  # noqa: F401
        except ImportError as error:
            raise VideoError(missing_extra("hands.pose", error.name, "pose")) from error
        self._file, self._rate = NewFile(path), rate
        self._rows: dict[int, NDArray[np.float32]] = {}
        """Of every frame x, y, z, confidence (42, 4) of the left and the right hand's joints."""
        self._size = (0, 0)

    def write(self, frame: VideoFrame, painted: NDArray[np.uint8]) -> None:
        """Keep the frame's hands."""
        self._size = (frame.image.shape[1], frame.image.shape[0])
        self._rows[frame.index] = np.concatenate([pose_points(surest(frame, side)) for side in SIDES])

    def skip(self, lost: Lost) -> None:
        """A frame without hands."""

    def close(self) -> None:
        """Write the file."""
        if not self._rows:
            return
        body = np.zeros((max(self._rows) + 1, 1, 2 * len(JOINT_NAMES), 4), np.float32)
        for index, points in self._rows.items():
            body[index, 0] = points
        try:
            with self._file.path.open("wb") as file:
                _pose(body, self._rate, self._size).write(file)
        except BaseException:
            self._file.discard()
            raise
        self._file.finish()


def pose_points(hand: Hand | None) -> NDArray[np.float32]:
    """x, y, z (px) and confidence (21, 4) of a hand's joints; zeros without one."""
    if hand is None:
        return np.zeros((len(JOINT_NAMES), 4), np.float32)
    away = np.maximum(hand.joints_3d[:1, 2:], 1e-3)
    depths = (hand.joints_3d[:, 2:] - hand.joints_3d[:1, 2:]) * hand.K[0, 0] / away
    return np.concatenate([hand.joints_2d, depths, hand.joint_scores[:, None]], 1).astype(np.float32)


def mediapipe_name(joint: str) -> str:
    """What MediaPipe calls a joint of `skeleton.JOINT_NAMES`, such as INDEX_FINGER_MCP."""
    finger, _, part = joint.partition("_")
    called = {"index": "index_finger", "middle": "middle_finger", "ring": "ring_finger", "little": "pinky"}
    return "_".join(filter(None, (called.get(finger, finger), part))).upper()


def _pose(body: NDArray[np.float32], rate: float, size: tuple[int, int]) -> Any:
    from pose_format import Pose
    from pose_format.numpy import NumPyPoseBody
    from pose_format.pose_header import PoseHeader, PoseHeaderComponent, PoseHeaderDimensions

    names = [mediapipe_name(name) for name in JOINT_NAMES]
    colours = [FINGER_COLOURS[finger_of(child) or FINGERS[0]] for _, child in BONES]
    components = [
        PoseHeaderComponent(f"{side.upper()}_HAND_LANDMARKS", names, list(BONES), colours, "XYZC") for side in SIDES
    ]
    header = PoseHeader(POSE_VERSION, PoseHeaderDimensions(*size, 0), components)
    places, confidence = body[..., :3], body[..., 3]
    missing = np.broadcast_to(confidence[..., None] == 0, places.shape)
    return Pose(header, NumPyPoseBody(rate, np.ma.masked_array(places, mask=missing), confidence))


class LeRobotWriter:
    """lerobot.parquet: a row a frame with LeRobot's `timestamp`, `frame_index`, `episode_index`, `index` and
    `task_index`, and of either hand `observation.hand.SIDE.seen`, `.score`, `.joints` (63, metres in the camera frame)
    and `.angles` (48, degrees, in the order of `hand.angles.ANGLE_NAMES`); NaN where it is not seen.
    """

    def __init__(self, path: Path) -> None:
        self._file: ParquetFile[dict[str, Any]] = ParquetFile(path, lerobot_schema, _lerobot_table)
        self._count = 0

    def write(self, frame: VideoFrame, painted: NDArray[np.uint8]) -> None:
        """Keep the frame's hands."""
        row: dict[str, Any] = {"timestamp": frame.time, "frame_index": self._count, "index": self._count}
        row |= {"episode_index": 0, "task_index": 0}
        for side in SIDES:
            hand, name = surest(frame, side), f"observation.hand.{side}"
            joints = np.full(63, np.nan) if hand is None else hand.joints_3d.ravel()
            angles = np.full(len(ANGLE_NAMES), np.nan) if hand is None else list(joint_angles(hand).values())
            row |= {f"{name}.seen": hand is not None, f"{name}.score": 0.0 if hand is None else hand.score}
            row |= {f"{name}.joints": joints, f"{name}.angles": angles}
        self._file.add([row])
        self._count += 1

    def skip(self, lost: Lost) -> None:
        """LeRobot's frames are those that there are."""

    def close(self) -> None:
        """Write the rows that remain and the footer."""
        self._file.close()


def _lerobot_table(pa: Any, schema: Any, rows: Sequence[dict[str, Any]]) -> Any:
    return pa.Table.from_pylist(list(rows), schema=schema)


def lerobot_schema(pa: Any) -> Any:
    """Of lerobot.parquet."""
    numbers = ("frame_index", "episode_index", "index", "task_index")
    fields = [("timestamp", pa.float32()), *[(name, pa.int64()) for name in numbers]]
    for side in SIDES:
        name = f"observation.hand.{side}"
        fields += [(f"{name}.seen", pa.bool_()), (f"{name}.score", pa.float32())]
        fields += [(f"{name}.joints", pa.list_(pa.float32(), 63))]
        fields += [(f"{name}.angles", pa.list_(pa.float32(), len(ANGLE_NAMES)))]
    units = "joints: metres, camera frame (x right, y down, z forward); angles: degrees"
    about = {"handscope": units, "angles": ",".join(ANGLE_NAMES)}
    return pa.schema(fields, metadata=about)
