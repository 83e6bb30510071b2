"""HO-3D v2 and v3: pickles of Python 2's protocol in an OpenGL camera."""

from __future__ import annotations

import pickle
from pathlib import Path

import cv2
import numpy as np

from dataset_fixtures.truth import canonical_to, hands, save, seen_by
from handscope.data.ho3d import FROM_OPENGL
from handscope.skeleton import MODEL_TO_CANONICAL
from handscope.types import Sample

K = np.array([[614.6, 0, 320.3], [0, 614.2, 241.4], [0, 0, 1]])


def truth() -> list[Sample]:
    return [seen_by(sample, K, 640, 480) for sample in hands("right")]


def write(root: Path, *, version: int = 3) -> list[Sample]:
    """The last training frame has no labels, as some of the real ones."""
    samples = truth()
    order = canonical_to(MODEL_TO_CANONICAL)
    for split, sequence in (("train", "ABF10"), ("evaluation", "AP11")):
        names = []
        for n, sample in enumerate(samples):
            (hand,) = sample.hands
            names.append(f"{sequence}/{n:04d}")
            folder = root / split / sequence
            save(folder / f"rgb/{n:04d}.{'jpg' if version == 3 else 'png'}", sample.image)
            joints = (hand.joints_3d @ FROM_OPENGL)[order]
            meta = {"camMat": sample.K, "objName": "021_bleach_cleanser", "objLabel": 12, "objRot": np.zeros((3, 1))}
            if split == "train":
                turn = cv2.Rodrigues(FROM_OPENGL @ np.asarray(hand.R, np.float64))[0].ravel()
                meta |= {"handPose": np.concatenate([turn, hand.theta.ravel()]), "handBeta": hand.beta}
                meta |= {"handJoints3D": joints, "handTrans": joints[0]}
                if n == len(samples) - 1:
                    meta |= dict.fromkeys(("handPose", "handBeta", "handJoints3D", "handTrans", "objRot"))
            else:
                meta |= {"handJoints3D": joints[0], "handBoundingBox": [int(v) for v in hand.box]}
            (folder / "meta").mkdir(parents=True, exist_ok=True)
            (folder / f"meta/{n:04d}.pkl").write_bytes(pickle.dumps(meta, protocol=2))
        (root / f"{split}.txt").write_text("\n".join(names) + "\n")
    return samples
