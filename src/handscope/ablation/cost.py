"""What a study's runs will cost, said before they begin: by their own speed where a run has a log, else by a few timed
steps of each network on an empty crop.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from handscope.ablation.runner import is_done, steps_done
from handscope.ablation.study import Job, Study
from handscope.data.mixture import collate
from handscope.data.transforms import crop_example
from handscope.hand.assets import load_asset
from handscope.losses.objective import objective
from handscope.nn.network import HandNetwork
from handscope.nn.segmenters import Segmenter
from handscope.tasks.mask import mask_cross_entropy
from handscope.train.estimator import EstimatorRun, build
from handscope.train.recipe import Run, from_dict
from handscope.train.segmenter import SegmenterRun
from handscope.types import Batch, HandLabel, Sample

TIMED = 3
MOST_PICTURES = 4
"""So many pictures, at most, are in a timed batch: a picture costs about as much in a larger one."""


def estimated(study: Study, jobs: Sequence[Job], out: Path, device: str) -> list[tuple[Job, float]]:
    """Seconds that each run has still to go, one at a time."""
    known: dict[str, float] = {}
    rows = []
    for job in jobs:
        left = 0 if is_done(job, out, study) else job.steps - steps_done(job, out)
        network = json.dumps([job.recipe.get(key) for key in ("kind", "network", "objective", "crop")], sort_keys=True)
        if left and network not in known:
            known[network] = logged(job, out) or timed(from_dict(job.recipe), device)
        batch = int(job.recipe["loop"].get("batch", 32))  # type: ignore[union-attr,attr-defined]
        rows.append((job, left * batch * known.get(network, 0.0)))
    return rows


def logged(job: Job, out: Path) -> float | None:
    """Seconds a picture by the run's log; None without one."""
    try:
        lines = (out / job.name / "log.jsonl").read_text(encoding="utf-8").splitlines()
        speeds = [row["pictures_per_second"] for row in map(json.loads, lines) if "pictures_per_second" in row]
    except (OSError, ValueError):
        return None
    return 1 / float(np.median(speeds)) if speeds else None


def timed(run: Run, device: str) -> float:
    """Seconds a picture of forward, losses and backward of an untrained network."""
    torch.set_num_threads(1)
    assert isinstance(run, EstimatorRun | SegmenterRun)
    network = build(run.network) if isinstance(run, EstimatorRun) else Segmenter(run.network)
    network = network.to(device).train()
    batch = _example(run).to(torch.device(device))
    spent = []
    for _ in range(TIMED):
        begun = time.perf_counter()
        _loss(run, network, batch).backward()
        if device == "cuda":
            torch.cuda.synchronize()
        spent.append(time.perf_counter() - begun)
    return min(spent) / len(batch.image)


def _loss(run: Run, network: nn.Module, batch: Batch) -> Tensor:
    said = network(batch.image)
    if isinstance(run, EstimatorRun):
        assert isinstance(network, HandNetwork)
        return objective(said, batch, network.hand.silhouette_faces, run.objective, run.objective.ramp)[0]
    return mask_cross_entropy(said.last.mask, batch.mask, batch.mask_known).mean()


def _example(run: EstimatorRun | SegmenterRun) -> Batch:
    """The mean hand, fully labelled, before nothing."""
    joints = np.asarray(load_asset().joints, np.float64)
    points = np.zeros((21, 2))
    points[: len(joints)] = 300 + 1000 * joints[:, [2, 0]]
    points[len(joints) :] = points[:5] + 20
    hand = HandLabel(
        handedness="right",
        joints_2d=points,
        joints_2d_known=np.ones(21, bool),
        joints_3d=np.column_stack([points / 1000, np.full(21, 0.5)]),
        joints_3d_known=np.ones(21, bool),
        mask=np.full((600, 600), 255, np.uint8),
    )
    sample = Sample(key="cost", source="cost", image=np.zeros((600, 600, 3), np.uint8), hands=(hand,))
    rng = np.random.default_rng(0)
    count = min(run.loop.batch, MOST_PICTURES)
    return collate([crop_example(sample, hand, rng, run.crop, run.photometric) for _ in range(count)])
