"""FreiHAND (Zimmermann et al., ICCV 2019): right hands, 224 x 224 px, 3D joints, masks, MANO parameters.

Training pictures come in four backgrounds of the same 32,560 hands: picture id + 32,560 k. Masks are there for
the first only, and hold for all. The evaluation set has joints and masks only if its later labels were fetched.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from handscope.data.editions import other_count
from handscope.data.files import AGAIN, need, one_of, read_array, read_map, read_picture
from handscope.data.labels import hand_label
from handscope.errors import AssetError
from handscope.geometry.rotations import axis_angle_to_matrix
from handscope.hand.assets import load_mano_mean_pose
from handscope.types import FloatArray, Sample

SPLITS = ("training", "evaluation")
VARIANTS = ("gs", "hom", "sample", "auto")
"""Backgrounds in the order of picture ids: green screen, and three ways to replace and blend it."""
FOLDER = "the folder that holds training_K.json, training/rgb and so on (FreiHAND_pub_v2)"


class FreiHAND:
    """Map-style: `len(freihand)`, `freihand[i]` -> Sample.

    `variant` is one of `VARIANTS` or "all" (training only). `mano`, the path of MANO_RIGHT.pkl, adds theta, beta, R
    and T; they are MANO's: a recipe whose hand model is another refuses them.
    """

    def __init__(
        self, root: Path | str, *, split: str = "training", variant: str = "all", mano: Path | str | None = None
    ) -> None:
        self.root, self.split = Path(root), one_of("split", split, SPLITS)
        one_of("variant", variant, (*VARIANTS, "all"))
        need(self.root, f"{split}/rgb", FOLDER)
        self.K = read_array(need(self.root, f"{split}_K.json", FOLDER), 3, 3)
        self.joints = self._labels("xyz", 21, 3)
        self.parameters = self._labels("mano", 61)
        self.mean_pose = None if mano is None else load_mano_mean_pose(mano)
        if split == "evaluation":
            self.variants: tuple[int, ...] = (0,)
        else:
            self.variants = tuple(range(4)) if variant == "all" else (VARIANTS.index(variant),)

    def _labels(self, name: str, *shape: int) -> NDArray[np.float64] | None:
        """Labels (n, *shape) of `split`_`name`.json; None for an evaluation set that came without."""
        path = self.root / f"{self.split}_{name}.json"
        if self.split == "evaluation" and not path.exists():
            return None
        labels = read_array(path, *shape)
        if len(labels) != len(self.K):
            raise AssetError(f"{path}: found {len(labels)} entries, expected {len(self.K)} as in K; {AGAIN}")
        return labels

    def __len__(self) -> int:
        return len(self.variants) * len(self.K)

    def __getitem__(self, i: int) -> Sample:
        nth, hand = divmod(i, len(self.K))
        number = self.variants[nth] * len(self.K) + hand
        label = hand_label(
            handedness="right",
            joints_3d=None if self.joints is None else self.joints[hand],
            K=self.K[hand],
            mask=self._mask(hand),
            model=self.model(hand),
            hand_model="MANO",
            joint_convention="freihand",
        )
        return Sample(
            key=f"{self.split}/{number:08d}",
            source="freihand",
            image=read_picture(self._picture(number)),
            hands=(label,),
            K=self.K[hand],
            complete=False,  # a second hand or a bystander is not labelled
        )

    def files(self, i: int) -> tuple[Path, ...]:
        """The files that picture i is read from."""
        nth, hand = divmod(i, len(self.K))
        mask = self._mask_path(hand)
        return (self._picture(self.variants[nth] * len(self.K) + hand), *([] if mask is None else [mask]))

    def unlike_published(self) -> list[str]:
        """How this copy differs from FreiHAND_pub_v2, in a sentence each: another number of hands, no scale."""
        found = other_count("freihand", self.split, len(self.K), self.root / f"{self.split}_K.json")
        scale = self.root / f"{self.split}_scale.json"
        return found if scale.exists() else [*found, f"{scale}: FreiHAND_pub_v2 has it; this is another version"]

    def _picture(self, number: int) -> Path:
        return self.root / f"{self.split}/rgb/{number:08d}.jpg"

    def _mask_path(self, hand: int) -> Path | None:
        if self.split == "training":
            return self.root / f"training/mask/{hand:08d}.jpg"
        folder = self.root / "evaluation/segmap"
        return folder / f"{hand:08d}.png" if folder.is_dir() else None

    def _mask(self, hand: int) -> NDArray[np.uint8] | None:
        """A training mask is a JPEG, cut at half; an evaluation set may have maps of parts, 0 beside the hand."""
        path = self._mask_path(hand)
        if path is None:
            return None
        return np.where(read_map(path) > (127 if self.split == "training" else 0), 255, 0).astype(np.uint8)

    def model(self, hand: int) -> dict[str, FloatArray] | None:
        """theta, beta, R, T of MANO for hand `hand`; None unless MANO's mean pose and the labels are known.

        The stored pose is 16 axis-angle vectors without PCA, to which MANO's mean pose is added; the hand turns about
        the wrist, so T is the labelled wrist.
        """
        if self.mean_pose is None or self.parameters is None or self.joints is None:
            return None
        pose = self.parameters[hand, :48].reshape(16, 3)
        return {
            "theta": pose[1:] + self.mean_pose,
            "beta": self.parameters[hand, 48:58],
            "R": axis_angle_to_matrix(pose[0]),
            "T": self.joints[hand, 0],
        }

    @cached_property
    def vertices(self) -> NDArray[np.float64]:
        """MANO's vertices (n, 778, 3), metres in the camera frame; a file of over a gigabyte, read when asked for."""
        return read_array(self.root / f"{self.split}_verts.json", 778, 3)

    @cached_property
    def scale(self) -> NDArray[np.float64]:
        """Length of the middle finger's first bone (n,), metres: what the official protocol tells a method."""
        return read_array(self.root / f"{self.split}_scale.json")
