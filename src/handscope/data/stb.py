"""Stereo Tracking Benchmark (Zhang et al., 2017): a left hand, twelve sequences of 1,500 pictures, 640 x 480 px.

The stereo camera (Bumblebee, "BB") is labelled in its left picture's frame; its right picture is one base line to the
right. The other labels ("SK") are in the frame of the depth camera; the colour camera stands beside it. Joint 0 is the
palm's centre; the wrist is as far beyond it as it is from the ring finger's knuckle (hand3d).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from handscope.data.editions import other_count
from handscope.data.files import AGAIN, one_of, read_picture, whole_sequences
from handscope.data.labels import hand_label
from handscope.errors import AssetError
from handscope.geometry.rotations import axis_angle_to_matrix
from handscope.skeleton import STB_TO_CANONICAL, WRIST
from handscope.types import Sample

SEQUENCES = tuple(f"B{n}{kind}" for n in range(1, 7) for kind in ("Counting", "Random"))
SPLITS = {"test": SEQUENCES[:2], "train": SEQUENCES[2:], "all": SEQUENCES}
"""The field's split: the first pair of sequences tests."""
CAMERAS = ("bb_left", "bb_right", "sk")
ROOTS = ("wrist", "palm")
RING_MCP = 13
K_BB = np.array([[822.79041, 0, 318.47345], [0, 822.79041, 250.31296], [0, 0, 1]])
K_SK = np.array([[607.92271, 0, 314.78337], [0, 607.88192, 236.42484], [0, 0, 1]])
BASE_LINE_M = 0.120054
SK_ROTATION = axis_angle_to_matrix(np.array([0.00531, -0.01196, 0.00301]))
SK_SHIFT_M = np.array([-24.0381, -0.4563, -1.2326]) * 1e-3
"""From the colour to the depth camera: x_depth = SK_ROTATION x_colour + SK_SHIFT_M (the dataset's readme)."""
FOLDER = "the folder that holds images and labels (STB)"


class STB:
    """Map-style. `camera` is one of `CAMERAS`; `root_joint` "palm" leaves joint 0 as it is labelled. Sequences that
    are not there are left out only if `partial` is "yes"."""

    def __init__(
        self,
        root: Path | str,
        *,
        split: str = "train",
        camera: str = "bb_left",
        root_joint: str = "wrist",
        partial: str = "no",
    ) -> None:
        self.root, self.camera = Path(root), one_of("camera", camera, CAMERAS)
        self.root_joint = one_of("root_joint", root_joint, ROOTS)
        self.K = K_SK if camera == "sk" else K_BB
        self.pictures: list[Path] = []
        joints = []
        name = {"bb_left": "BB_left", "bb_right": "BB_right", "sk": "SK_color"}[camera]
        self._unlike: list[str] = []
        sequences = SPLITS[one_of("split", split, tuple(SPLITS))]
        needed = {s: (f"labels/{s}_{'SK' if camera == 'sk' else 'BB'}.mat", f"images/{s}") for s in sequences}
        for sequence in whole_sequences(self.root, needed, partial, FOLDER):
            labelled, folder = (self.root / below for below in needed[sequence])
            labels = read_joints(labelled)
            self._unlike += other_count("stb", "a sequence", len(labels), labelled)
            self.pictures += [folder / f"{name}_{n}.png" for n in range(len(labels))]
            joints.append(labels)
        self.joints = self._in_camera(np.concatenate(joints)[:, STB_TO_CANONICAL])

    def _in_camera(self, joints: NDArray[np.floating]) -> NDArray[np.floating]:
        """Labelled joints (n, 21, 3) in the frame of the chosen camera."""
        if self.camera == "sk":
            joints = (joints - SK_SHIFT_M) @ SK_ROTATION  # the inverse of colour to depth
        elif self.camera == "bb_right":
            joints = joints - [BASE_LINE_M, 0, 0]
        return joints if self.root_joint == "palm" else palm_to_wrist(joints)

    def __len__(self) -> int:
        return len(self.pictures)

    def files(self, i: int) -> tuple[Path, ...]:
        """The file that picture i is read from."""
        return (self.pictures[i],)

    def unlike_published(self) -> list[str]:
        """How this copy differs from the published set, in a sentence each."""
        return list(self._unlike)

    def __getitem__(self, i: int) -> Sample:
        path = self.pictures[i]
        return Sample(
            key=f"{path.parent.name}/{path.stem}",
            source="stb",
            image=read_picture(path),
            hands=(hand_label(handedness="left", joints_3d=self.joints[i], K=self.K, joint_convention="stb"),),
            K=self.K,
            complete=False,
        )


def read_joints(path: Path) -> NDArray[np.float64]:
    """Joints (n, 21, 3) in metres, STB's order, of a label file: `handPara`, 3 x 21 x n, millimetres."""
    from scipy.io import loadmat

    try:
        content: Any = loadmat(path)["handPara"]
        joints = np.asarray(content, np.float64)
        if joints.ndim != 3 or joints.shape[:2] != (3, 21):
            raise ValueError(f"handPara is {joints.shape}, expected (3, 21, n)")
    except Exception as problem:  # scipy raises whatever its parser meets in a damaged file
        raise AssetError(f"{path}: not an STB label file ({problem}); {AGAIN}") from problem
    return joints.transpose(2, 1, 0) * 1e-3


def palm_to_wrist(joints: NDArray[np.floating]) -> NDArray[np.floating]:
    """Joints (n, 21, 3) whose joint 0 is the wrist: twice as far from the ring finger's knuckle as the palm."""
    moved = joints.copy()
    knuckle = joints[:, RING_MCP]
    moved[:, WRIST] = knuckle + 2 * (joints[:, WRIST] - knuckle)
    return moved
