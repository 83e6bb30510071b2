"""STB: .mat labels in millimetres about the palm, of a left hand, for the stereo and the colour camera."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
from scipy.io import savemat

from dataset_fixtures.truth import canonical_to, hands, save, seen_by, whole
from handscope.data import stb
from handscope.skeleton import STB_TO_CANONICAL
from handscope.types import Sample


def truth(camera: str = "bb_left") -> list[Sample]:
    K = stb.K_SK if camera == "sk" else stb.K_BB
    seen = [seen_by(sample, K, 640, 480) for sample in hands("left", 24)]
    return [sample for sample in seen if whole(sample, (640, 480), 0.2)][:5]


def write(root: Path) -> list[Sample]:
    """Every sequence holds the same five pictures; returns those of the left stereo camera."""
    order = canonical_to(STB_TO_CANONICAL)
    stereo, colour = truth("bb_left"), truth("sk")
    for sequence in stb.SEQUENCES:
        folder = root / "images" / sequence
        if sequence != stb.SEQUENCES[0]:
            shutil.copytree(root / "images" / stb.SEQUENCES[0], folder, copy_function=os.link)
        for n, (left, sk) in enumerate(zip(stereo, colour, strict=True) if not folder.exists() else ()):
            save(folder / f"BB_left_{n}.png", left.image)
            save(folder / f"BB_right_{n}.png", left.image)
            save(folder / f"SK_color_{n}.png", sk.image)
        for kind, samples in (("BB", stereo), ("SK", colour)):
            joints = np.stack([sample.hands[0].joints_3d for sample in samples])
            joints[:, 0] = (joints[:, 0] + joints[:, 13]) / 2  # the palm
            if kind == "SK":
                joints = joints @ stb.SK_ROTATION.T + stb.SK_SHIFT_M
            (root / "labels").mkdir(parents=True, exist_ok=True)
            content = {"handPara": joints[:, order].transpose(2, 1, 0) * 1e3}
            savemat(root / "labels" / f"{sequence}_{kind}.mat", content)
    return stereo
