"""The whole method on one batch: network, hand model, silhouette, every loss. It must learn the batch by heart."""

import dataclasses

import numpy as np
import pytest
import torch

from handscope.data.mixture import collate
from handscope.data.transforms import CropConfig, crop_example
from handscope.hand.assets import load_asset
from handscope.hand.layer import HandLayer
from handscope.losses.objective import ObjectiveConfig, objective
from handscope.nn.network import HandNetwork
from handscope.synth.config import SynthConfig
from handscope.synth.scene import render_sample
from toy_configs import LEARNER


@pytest.fixture(scope="module")
def batch():
    crop = CropConfig(size=64, mask_size=32, mirror_prob=0, any_rotation_prob=0)
    samples = [render_sample(SynthConfig(), 5, i) for i in range(6)]
    rng = np.random.default_rng(0)
    return collate([crop_example(s, s.hands[0], rng, crop, None) for s in samples])


def test_one_batch_is_learnt_by_heart(batch):
    torch.manual_seed(0)
    network = HandNetwork(LEARNER, HandLayer(load_asset())).train()
    config = dataclasses.replace(ObjectiveConfig(), consistency=0.1, silhouette_px=32)
    optimiser = torch.optim.AdamW(network.parameters(), lr=3e-3)
    first: dict[str, torch.Tensor] = {}
    for step in range(190):
        for group in optimiser.param_groups:
            group["lr"] = 3e-3 * (1 - step / 200)
        total, terms = objective(network(batch.image), batch, network.hand.silhouette_faces, config, step)
        first = first or terms
        optimiser.zero_grad()
        total.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimiser.step()
    for name in ("coordinates", "pof", "mask", "bones", "joints_3d", "joints_2d", "orientation"):
        assert terms[name] < 0.5 * first[name], f"{name}: {first[name]:.3f} -> {terms[name]:.3f}"
    with torch.no_grad():
        last = network(batch.image).last
    inside = ((batch.joints_2d > 0) & (batch.joints_2d < 63)).all(-1)
    error = (last.joints_2d - batch.joints_2d).norm(dim=-1)[inside]
    assert error.mean() < 3  # px of 64
    seen, true = last.mask > 0, batch.mask > 0.5
    assert (seen & true).sum() / (seen | true).sum() > 0.65
