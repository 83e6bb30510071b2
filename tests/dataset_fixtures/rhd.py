"""RHD_published_v2: pickled labels of both hands, part masks."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np

from dataset_fixtures.truth import canonical_to, hands, mirrored, save, seen_by
from handscope.skeleton import RHD_TO_CANONICAL
from handscope.types import Sample

SIZE = 320


def truth() -> list[Sample]:
    return [seen_by(s, np.diag([2.0, 2, 1]) @ s.K, SIZE, SIZE) for s in hands("both")]


def write(root: Path, *, mirror: bool = False) -> list[Sample]:
    samples = [mirrored(sample) for sample in truth()] if mirror else truth()
    order = canonical_to(RHD_TO_CANONICAL)
    for split in ("training", "evaluation"):
        rows = {}
        for n, sample in enumerate(samples):
            by_side = {hand.handedness: hand for hand in sample.hands}
            xyz, uv, parts = np.zeros((42, 3)), np.zeros((42, 3)), np.zeros((SIZE, SIZE), np.uint8)
            parts[100:140, 5:40] = 1  # the person
            for at, side, first in ((0, "left", 2), (21, "right", 18)):
                hand = by_side[side]
                xyz[at : at + 21] = hand.joints_3d[order]
                uv[at : at + 21] = np.column_stack([hand.joints_2d, hand.visible])[order]
                columns = np.arange(SIZE) // 20 % 16
                parts = np.where(hand.mask > 127, (first + columns)[None].astype(np.uint8), parts)
            rows[n] = {"xyz": xyz.astype(np.float32), "uv_vis": uv.astype(np.float32), "K": sample.K.astype(np.float32)}
            save(root / split / f"color/{n:05d}.png", sample.image)
            save(root / split / f"mask/{n:05d}.png", parts)
        (root / split / f"anno_{split}.pickle").write_bytes(pickle.dumps(rows, protocol=2))
    return samples
