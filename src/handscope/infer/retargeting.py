"""A robot hand's joint angles from a hand, by dex-retargeting (extra [robots]; its authors' configurations and URDF
files come from it and from its users).
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from handscope.errors import HandscopeError, missing_extra
from handscope.infer.formats.robots import OPERATOR_TO_MANO, palm_frame, to_retargeting
from handscope.paths import reason
from handscope.skeleton import WRIST
from handscope.types import Hand, Handedness

WRIST_AXES = "x out of the palm, y to the thumb's side of a right hand, z to the middle knuckle"


class WristPose(NamedTuple):
    """Where the wrist is in the camera frame (3,) metres, and its axes as columns (3, 3) there: dex-retargeting's MANO
    frame, in which joints are retargeted (`WRIST_AXES`; of a left hand y is to the little finger's side).
    """

    place: NDArray[np.float64]
    axes: NDArray[np.float64]


def wrist_pose(hand: Hand) -> WristPose:
    """The pose of a hand's wrist."""
    joints = np.asarray(hand.joints_3d, np.float64)
    return WristPose(joints[WRIST], palm_frame(joints - joints[WRIST]) @ OPERATOR_TO_MANO[hand.handedness])


class Retargeter:
    """Call it with a hand of the robot's side for the angles (n,) of the robot's joints `names`, radians or metres.

    `robot` is a YAML of dex-retargeting, or the name of one that it brings (`allegro_hand_right`); `urdf_dir` the
    folder of the URDF files that it names. `side` is the robot's, as its file names say; None fits either. One
    retargeter follows one hand: each answer begins at the last one. Raises HandscopeError for what cannot be built,
    and for a hand of the other side.
    """

    def __init__(self, robot: str | Path, urdf_dir: str | Path | None = None) -> None:
        try:
            from dex_retargeting import retargeting_config  # pyright: ignore[reportMissingImports]
        except ImportError as error:
            raise HandscopeError(missing_extra("a robot's joint angles", error.name, "robots")) from error
        path = config_of(robot, Path(retargeting_config.__file__).parent / "configs")
        if urdf_dir is not None:
            if not Path(urdf_dir).is_dir():
                raise HandscopeError(f"{urdf_dir}: no such folder of URDF files")
            retargeting_config.RetargetingConfig.set_default_urdf_dir(str(urdf_dir))
        try:
            config = retargeting_config.RetargetingConfig.load_from_file(path)
            self._retargeting: Any = config.build()
        except Exception as problem:  # whatever YAML, URDF and optimiser find wrong
            raise HandscopeError(f"{path}: dex-retargeting cannot build this robot ({reason(problem)})") from problem
        self.side = side_of(f"{path.stem} {config.urdf_path}")
        self.names: list[str] = list(self._retargeting.joint_names)

    def __call__(self, hand: Hand) -> NDArray[np.float64]:
        """The robot's joints."""
        if self.side is not None and hand.handedness != self.side:
            raise HandscopeError(f"this robot is a {self.side} hand and the hand a {hand.handedness} one")
        joints, optimizer = to_retargeting(hand), self._retargeting.optimizer
        indices = optimizer.target_link_human_indices
        if optimizer.retargeting_type == "POSITION":
            wanted = joints[indices]
        else:
            origin, task = indices
            wanted = joints[task] - joints[origin]
        return np.asarray(self._retargeting.retarget(wanted), np.float64)


def config_of(robot: str | Path, shipped: Path) -> Path:
    """The YAML that is meant."""
    path = Path(robot)
    if path.is_file():
        return path
    found = sorted(shipped.rglob("*.yml"))
    named = [one for one in found if one.stem == str(robot)]
    if not named:
        names = ", ".join(sorted({one.stem for one in found if "dexpilot" not in one.stem}))
        raise HandscopeError(f"{robot}: no such file, and none of dex-retargeting's robots: {names}")
    return next((one for one in named if one.parent.name == "teleop"), named[0])


def side_of(names: str) -> Handedness | None:
    """The side that a robot's file names tell, None if they tell none or both."""
    found = set(re.findall(r"(?<![a-z])(left|right)(?![a-z])", names.lower()))
    return found.pop() if len(found) == 1 else None  # type: ignore[return-value]
