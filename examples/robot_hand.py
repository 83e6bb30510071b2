"""A picture to what dex-retargeting takes: python examples/robot_hand.py samples/writing.jpg

Prints the 21 x 3 joints of the best hand and the vectors from wrist to finger tips that a `vector` config asks for.
With dex-retargeting installed and a config of a robot hand, the last lines of `main` go on to its joint angles:

    python examples/robot_hand.py samples/writing.jpg --config configs/teleop/allegro_hand_right.yml \\
        --urdf-dir assets/robots/hands

A right robot follows a right hand, a left one a left hand: of the picture's hands the best of the robot's side is
taken, and where there is none it is said. (This file must not be called dex_retargeting.py: Python would take it for
the package.)
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import numpy as np

import handscope


def main() -> None:
    """Read the options, look, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("picture")
    parser.add_argument("--config", help="a YAML of dex-retargeting")
    parser.add_argument("--urdf-dir", help="where its robots' URDF files are")
    options = parser.parse_args()
    hands = handscope.load()(options.picture)
    if not hands:
        raise SystemExit(f"{options.picture}: no hand found")
    side = side_of(options.config) if options.config else None
    hand = next((hand for hand in hands if side in (None, hand.handedness)), None)
    if hand is None:
        raise SystemExit(
            f"{options.config}: this robot is a {side} hand, but {options.picture} shows {hands[0].handedness} hands "
            f"only; take the config of the {hands[0].handedness} robot, or another picture"
        )
    joints = hand.to_retargeting()  # (21, 3) metres
    np.set_printoptions(precision=4, suppress=True)
    print(f"{hand.handedness} hand, joints about the wrist in metres:\n{joints}")
    print(f"wrist to tips of thumb, index, middle, ring, little finger:\n{joints[[4, 8, 12, 16, 20]]}")
    if options.config:
        print(robot_angles(joints, options.config, options.urdf_dir))


def side_of(config: str) -> str | None:
    """ "left" or "right", as a config's name or its robot's file says; None if neither does."""
    path = Path(config)
    if not path.is_file():
        raise SystemExit(f"{config}: no such file; give a YAML of dex-retargeting")
    urdf = re.search(r"urdf_path:\s*(\S+)", path.read_text(encoding="utf-8"))
    sides = re.findall(r"left|right", (urdf[1] if urdf else "").lower()) or re.findall(r"left|right", path.stem.lower())
    return sides[-1] if sides else None


def robot_angles(joints: np.ndarray, config: str, urdf_dir: str | None) -> np.ndarray:
    """Joint angles of the robot of `config`, as dex-retargeting's example takes them from `joints` (21, 3)."""
    from dex_retargeting.retargeting_config import RetargetingConfig

    if urdf_dir:
        RetargetingConfig.set_default_urdf_dir(urdf_dir)
    retargeting = RetargetingConfig.load_from_file(config).build()
    indices = retargeting.optimizer.target_link_human_indices
    if retargeting.optimizer.retargeting_type == "POSITION":
        return retargeting.retarget(joints[indices])
    origin, task = indices
    return retargeting.retarget(joints[task] - joints[origin])


if __name__ == "__main__":
    main()
