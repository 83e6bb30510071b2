"""How far a network's tasks contradict each other, on photographs held out from every training:

    python benchmarks/inconsistency.py DATA CHECKPOINT... [--labels recipes/labels/photos_pseudo.jsonl.gz]

Of each block's answers on upright crops: the distance of the mesh's projected joints from those of the heat-maps (as a
share of the crop's side), and one minus the IoU of the mesh's outline and the mask, which self-supervision is to lower;
and how far the heat-maps' joints are from the teacher's of the photographs, and the mask's area as a share of the crop,
which it must not change. Means with 95 % intervals of the mean (normal).
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from rich.progress import track

from handscope.data.mixture import collate
from handscope.data.photos import PhotoDataset
from handscope.data.transforms import CropConfig, crop_example, usable
from handscope.hand.assets import load_asset
from handscope.hand.layer import HandLayer
from handscope.losses.objective import ObjectiveConfig, rendered_outline
from handscope.nn.network import HandNetwork
from handscope.train.checkpoint import load
from handscope.train.recipe import from_dict
from handscope.types import Batch

BATCH = 16
COLUMNS = ("mesh from heat-maps, % of the crop", "1 - IoU of outline and mask", "heat-maps from teacher, %", "mask, %")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("checkpoints", type=Path, nargs="+")
    parser.add_argument("--labels", type=Path, default=Path("recipes/labels/photos_pseudo.jsonl.gz"))
    options = parser.parse_args()
    photos = PhotoDataset(options.data, options.labels, split="held-out")
    print(f"| checkpoint | block | {' | '.join(COLUMNS)} |\n|---|---|{'---:|' * len(COLUMNS)}")
    for path in options.checkpoints:
        kept = load(path)
        network = HandNetwork(from_dict(kept.header["config"]).network, HandLayer(load_asset())).eval()
        network.load_state_dict(kept.groups["average"])
        rows = [measured(network, batch) for batch in track(list(batches(photos, network.config.crop)), path.name)]
        answers = np.concatenate(rows, 1)
        for block, values in enumerate(answers, start=1):
            half = 1.96 * values.std(0, ddof=1) / len(values) ** 0.5
            cells = [f"{mean:.3f} ± {width:.3f}" for mean, width in zip(values.mean(0), half, strict=True)]
            print(f"| {path.parent.name}/{path.stem} | {block} | {' | '.join(cells)} |")
    print(f"{answers.shape[1]} hands of {len(photos)} held-out photographs")


def batches(photos: PhotoDataset, size: int) -> Iterator[Batch]:
    """Crops as the labels would have them, without chance."""
    config = CropConfig(size=size, mask_size=size // 4, rotation_deg=0, any_rotation_prob=0, translation=0, scale=0,
                        mirror_prob=0)  # fmt: skip
    rng, held = np.random.default_rng(0), []
    for number in range(len(photos)):
        sample = photos[number]
        for hand in sample.hands:
            if usable(hand) and hand.handedness is not None and hand.joints_2d is not None:
                held.append(crop_example(sample, hand, rng, config, None))
            if len(held) == BATCH:
                yield collate(held)
                held = []
    if held:
        yield collate(held)


@torch.no_grad()
def measured(network: HandNetwork, batch: Batch) -> np.ndarray:
    """(blocks, hands, columns)."""
    size, config = network.config.crop, ObjectiveConfig(silhouette_px=56)
    blocks = []
    for block in network(batch.image).blocks:
        mask = block.mask.sigmoid()
        outline = rendered_outline(block.mesh, network.hand.silhouette_faces, size, config)
        both = (outline * mask).sum((1, 2))
        apart = (block.mesh.joints_2d - block.joints_2d).norm(dim=-1).mean(1) / size * 100
        known = batch.joints_2d_known
        off = ((block.joints_2d - batch.joints_2d).norm(dim=-1) * known).sum(1) / known.sum(1) / size * 100
        iou = both / (outline + mask - outline * mask).sum((1, 2)).clamp(min=1e-6)
        blocks.append(torch.stack([apart, 1 - iou, off, mask.mean((1, 2)) * 100], 1))
    return torch.stack(blocks).numpy()


if __name__ == "__main__":
    main()
