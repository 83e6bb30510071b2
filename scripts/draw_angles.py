"""The picture of docs/angles.md: which way each angle goes, from the shipped hand model.

python scripts/draw_angles.py        # writes docs/images/joint_angles.jpg
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from draw_conventions import FACING, PAPER, hand_before_camera, text
from numpy.typing import NDArray

from handscope.hand.angles import ANGLE_NAMES, CAMERA_ANGLES, pose_of_angles, turn_of_camera_angles
from handscope.hand.assets import load_asset
from handscope.viz import draw_mesh, draw_skeleton

SIZE = 300
SHOWN = (
    ({"wrist_roll": 0}, {"wrist_roll": 30}, {"wrist_pitch": 45}, {"wrist_yaw": 60}),
    ({"index_mcp_flexion": 60}, {"index_pip_flexion": 60}, {"index_dip_flexion": 60}, {"index_mcp_abduction": 15}),
    ({"thumb_cmc_flexion": 30}, {"thumb_cmc_abduction": 30}, {"thumb_cmc_twist": 40}, {"thumb_ip_flexion": 60}),
)
VIEW = {"wrist_roll": -10.0, "wrist_pitch": 0.0, "wrist_yaw": 55.0}
"""Of the rows that show fingers."""


def picture(shown: dict[str, float]) -> NDArray[np.uint8]:
    """One right hand, flat but for what is `shown` (degrees), with the flat one behind it."""
    asset = load_asset()
    canvas = np.full((SIZE, SIZE, 3), PAPER, np.uint8)
    view = {} if next(iter(shown)).startswith("wrist") else VIEW
    for angles, opacity in (({}, 0.15), (shown, 0.6)):
        values = np.array([(view | angles).get(name, 0.0) for name in ANGLE_NAMES])
        turn = turn_of_camera_angles(values[: len(CAMERA_ANGLES)], asset, "right")
        theta = pose_of_angles(values[len(CAMERA_ANGLES) :].reshape(15, 3), asset)
        hand = hand_before_camera(SIZE, turn @ FACING.T, (0.0, 0.07, 0.38), theta)
        draw_mesh(canvas, hand, opacity=opacity)
        if angles:
            draw_skeleton(canvas, hand, 2)
    (name, degrees), *_ = shown.items()
    text(canvas, f"{name} {degrees:+d}" if degrees else "all zero", np.array([10, SIZE - 12]), scale=0.5)
    return canvas


def main() -> None:
    sheet = np.vstack([np.hstack([picture(shown) for shown in row]) for row in SHOWN])
    cv2.imwrite(str(Path("docs/images/joint_angles.jpg")), sheet[..., ::-1])


if __name__ == "__main__":
    main()
