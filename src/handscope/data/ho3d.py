"""HO-3D, versions 2 and 3 (Hampali et al., CVPR 2020): a right hand with an object, 640 x 480 px.

train.txt and evaluation.txt list SEQUENCE/NUMBER; pictures are rgb/NUMBER.png (version 2) or .jpg (version 3), labels
the pickles in meta. Their camera looks along -z with y up (OpenGL), so y and z change sign. Joints are MANO's sixteen,
then the tips; the evaluation set knows the wrist and a box only.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from handscope.data.editions import other_count
from handscope.data.files import AGAIN, need, one_of, read_picture
from handscope.data.labels import hand_label
from handscope.errors import AssetError, HandscopeError
from handscope.geometry.rotations import axis_angle_to_matrix
from handscope.skeleton import MODEL_TO_CANONICAL, WRIST
from handscope.types import FloatArray, HandLabel, Sample
from handscope.unpickle import load_arrays

SPLITS = ("train", "evaluation")
FROM_OPENGL = np.diag([1.0, -1.0, -1.0])
FOLDER = "the folder that holds train.txt, train and evaluation (HO-3D)"


class HO3D:
    """Map-style. `mano` ("yes") adds theta, beta, R and T, MANO's: recipes of another hand model refuse them."""

    def __init__(self, root: Path | str, *, split: str = "train", mano: str = "no") -> None:
        self.root, self.split = Path(root), one_of("split", split, SPLITS)
        self.mano = one_of("mano", mano, ("no", "yes")) == "yes"
        need(self.root, split, FOLDER)
        self.list_path = path = need(self.root, f"{split}.txt", FOLDER)
        self.names = [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
        if not self.names or any(name.count("/") != 1 for name in self.names):
            raise HandscopeError(f"{path}: expected lines of SEQUENCE/NUMBER; {AGAIN}")

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, i: int) -> Sample:
        path, picture = self.files(i)
        meta = load_arrays(path, AGAIN)
        if not isinstance(meta, dict) or not {"handJoints3D", "camMat"} <= set(meta):
            raise AssetError(f"{path}: expected handJoints3D and camMat; {AGAIN}")
        K = None if meta["camMat"] is None else np.asarray(meta["camMat"], np.float64).reshape(3, 3)
        return Sample(
            key=f"{self.split}/{self.names[i]}",
            source="ho3d",
            image=read_picture(picture),
            hands=(self._hand(meta, path, K),),
            K=K,
            complete=False,
        )

    def files(self, i: int) -> tuple[Path, Path]:
        """Labels and picture i: version 3 has JPEGs, version 2 PNGs."""
        sequence, number = self.names[i].split("/")
        folder = self.root / self.split / sequence
        picture = folder / f"rgb/{number}.jpg"
        return folder / f"meta/{number}.pkl", picture if picture.exists() else picture.with_suffix(".png")

    def unlike_published(self) -> list[str]:
        """How this copy differs from both published versions, in a sentence each."""
        return other_count("ho3d", self.split, len(self.names), self.list_path)

    def _hand(self, meta: dict[str, Any], path: Path, K: NDArray[np.float64] | None) -> HandLabel:
        joints = _joints(meta["handJoints3D"], path)
        return hand_label(
            handedness="right",
            joints_3d=joints,
            K=K,
            box=meta.get("handBoundingBox"),
            model=self._model(meta, joints),
            hand_model="MANO",
            joint_convention="mano",
        )

    def _model(self, meta: dict[str, Any], joints: NDArray[np.float64] | None) -> dict[str, FloatArray] | None:
        if not self.mano or joints is None or meta.get("handPose") is None or meta.get("handBeta") is None:
            return None
        pose = np.asarray(meta["handPose"], np.float64).reshape(16, 3)
        return {
            "theta": pose[1:],
            "beta": np.asarray(meta["handBeta"], np.float64).reshape(10),
            "R": FROM_OPENGL @ axis_angle_to_matrix(pose[0]),
            "T": joints[WRIST],
        }


def _joints(labelled: Any, path: Path) -> NDArray[np.float64] | None:
    """Canonical joints (21, 3), metres, y down and z forward; NaN for all but the wrist where only that is known."""
    if labelled is None:
        return None
    points = np.asarray(labelled, np.float64)
    joints = np.full((21, 3), np.nan)
    if points.size == 3:
        joints[WRIST] = points.reshape(3)
    elif points.shape == (21, 3):
        joints = points[MODEL_TO_CANONICAL]
    else:
        raise AssetError(f"{path}: handJoints3D is {points.shape}, expected (21, 3) or (3,); {AGAIN}")
    return joints @ FROM_OPENGL
