"""The paper's six columns of every block of a checkpoint, on rendered hands in shards:

    python benchmarks/columns.py CHECKPOINT SHARDS [--hands 2000] [--read mean argmax half-peak]

The averaged weights are scored, in float32, as `handscope ablate` scores its runs (`evaluation.columns`). With `--read`
the joints of the last block's heat-maps are read in these ways too.
"""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

import numpy as np
import torch
from rich.progress import Progress

from handscope.data.catalog import open_shards
from handscope.evaluation.columns import COLUMNS, CropSet
from handscope.geometry.heatmaps import map_to_crop
from handscope.tasks.heatmap import READ
from handscope.train.checkpoint import load
from handscope.train.estimator import build
from handscope.train.recipe import from_dict
from handscope.types import Batch, Prediction


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("shards")
    parser.add_argument("--hands", type=int, default=2000)
    parser.add_argument("--read", nargs="*", choices=tuple(READ), default=[])
    options = parser.parse_args()
    torch.set_num_threads(1)
    kept = load(options.checkpoint)
    run = from_dict(kept.header["config"])
    network = build(run.network, hand_model=run.hand_model).eval()
    network.load_state_dict(kept.groups["average"])
    crops = CropSet(open_shards(options.shards), run.crop, limit=options.hands)
    with Progress(transient=True) as progress:
        bar = progress.add_task("hands", total=len(crops))

        def answer(batch: Batch) -> Prediction:
            said = network(batch.image)
            progress.update(bar, advance=len(batch.image))
            return with_read_outs(said, options.read, run.network.crop)

        blocks = crops.score(answer, network.hand)
    names = [str(k) for k in range(1, len(blocks) - len(options.read) + 1)] + options.read
    print(f"step {kept.header['step']}, {len(crops)} hands\n")
    print(f"| block | {' | '.join(COLUMNS.values())} |\n|---|{'---|' * len(COLUMNS)}")
    for name, block in zip(names, blocks, strict=True):
        cells = [f"{np.nanmean(block.values[column]):.4f}" for column in COLUMNS]
        print(f"| {name} | {' | '.join(cells)} |")


def with_read_outs(said: Prediction, read: list, crop: int) -> Prediction:
    """The blocks, and the last one again for each way to read its heat-maps."""
    maps = said.last.heatmaps
    again = [
        dataclasses.replace(said.last, joints_2d=map_to_crop(READ[name](maps), crop, maps.shape[-1]))
        for name in read
        if maps is not None
    ]
    return Prediction(blocks=(*said.blocks, *again))


if __name__ == "__main__":
    main()
