"""The paper's six columns on crops: what a true answer scores, and a wrong one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch._subclasses import FakeTensorMode

from handscope.data.transforms import CropConfig
from handscope.evaluation import columns
from handscope.evaluation.columns import AT_3D, COLUMNS, CropSet
from handscope.geometry.camera_torch import project_centred
from handscope.hand.assets import load_asset
from handscope.hand.layer import HandLayer
from handscope.nn.network import HandNetwork
from handscope.synth.scene import SynthConfig, render_sample
from handscope.types import BlockPrediction, MeshPrediction, Prediction
from toy_configs import TINY

PLAIN = SynthConfig(size=96, share_sleeve=0, share_band=0, share_held=0, share_before=0, share_second=0)


class Rendered:
    def __len__(self):
        return 3

    def __getitem__(self, i):
        return render_sample(PLAIN, 5, i)


@pytest.fixture(scope="module")
def layer():
    return HandLayer(load_asset())


@pytest.fixture(scope="module")
def crops():
    return CropSet(Rendered(), CropConfig(size=96, mask_size=96), batch=2)


def truth(layer, shift=0.0, scale=1.0):
    """The labels as an answer, `shift` px to the right, the hand `scale` times as large."""

    def answer(batch):
        T = place(batch, layer)
        vertices, joints = layer(batch.beta, batch.theta, batch.R, T)
        mesh = MeshPrediction(
            theta=batch.theta, R=batch.R, beta=batch.beta, T=T, focal=batch.focal, vertices=scale * vertices,
            joints_3d=scale * joints, joints_2d=project_centred(joints, batch.focal * 96, 96) + shift,
        )  # fmt: skip
        flat = batch.joints_2d + torch.tensor([shift, 0.0])
        block = BlockPrediction(mesh=mesh, joints_2d=flat, mask=batch.mask * 20 - 10)
        return Prediction(blocks=(replace(block, mesh=None), block))

    return answer


def place(batch, layer):
    """Where the wrist must be for the projected joints to lie on the labelled ones: least squares."""
    _, joints = layer(batch.beta, batch.theta, batch.R)
    rows = []
    for j, uv, f in zip(joints.double(), batch.joints_2d.double(), batch.focal.double() * 96, strict=True):
        rays = (uv - 47.5) / f
        a = torch.cat([torch.stack([torch.tensor([1.0, 0, -x]), torch.tensor([0, 1.0, -y])]) for x, y in rays.tolist()])
        b = (rays * j[:, 2:] - j[:, :2]).reshape(-1, 1)
        rows.append(torch.linalg.lstsq(a.double(), b).solution[:, 0])
    return torch.stack(rows).float()


def test_the_truth_scores_all(crops, layer):
    first, last = crops.score(truth(layer), layer)
    for name in ("joints_2d", "joints_2d_mesh", "joints_3d", "mesh"):
        assert np.nanmin(last.values[name]) > 0.98, name
    assert np.nanmin(last.values["mask"]) > 0.98 and np.nanmin(last.values["mask_mesh"]) > 0.85
    assert all(np.isnan(first.values[name]).all() for name in ("joints_2d_mesh", "mask_mesh", "joints_3d", "mesh"))
    assert len(crops) == len(crops.keys) == len(last.values["mask"])


def test_a_shift_costs_2d_by_its_share_of_the_box_and_size_costs_nothing_in_3d(crops, layer):
    (_, true), (_, moved) = (crops.score(truth(layer, *how), layer) for how in ((), (4.0, 1.1)))
    for i, example in enumerate(crops.examples):
        side = np.ptp(example["joints_2d"], axis=0).max()
        assert true.values["joints_2d"][i] - moved.values["joints_2d"][i] == pytest.approx(4 / side / 0.2, abs=0.02)
    np.testing.assert_allclose(moved.values["joints_3d"], true.values["joints_3d"], atol=1e-3)


def test_curves_have_the_values_as_their_areas(crops, layer):
    torch.manual_seed(0)
    network = HandNetwork(replace(TINY, crop=96), layer).eval()
    for block in crops.score(lambda batch: network(batch.image), layer):
        assert set(block.values) == set(COLUMNS)
        assert block.curves["joints_3d"] @ AT_3D.weights == pytest.approx(block.values["joints_3d"].mean(), abs=1e-9)
        assert block.curves["mask"].mean() == pytest.approx(block.values["mask"].mean(), abs=0.02)


def test_answers_of_a_graphics_card_are_scored_beside_the_labels(crops, layer, monkeypatch):
    """Torch's fake tensors stand for a CUDA device that is not there."""
    shapes = {"theta": (15, 3, 3), "beta": (10,), "R": (3, 3), "T": (3,), "focal": (), "vertices": (7, 3),
              "joints_3d": (21, 3), "joints_2d": (21, 2)}  # fmt: skip
    seen: set[str] = set()

    def spy(block, batch, hand):
        tensors = [block.mask, block.heads["right"], *vars(block.mesh).values(), hand.template, batch.mask]
        seen.update(value.device.type for value in tensors)
        return {name: np.zeros((len(batch.image), 1)) for name in COLUMNS}

    with FakeTensorMode():
        far = {name: torch.zeros(2, *shape, device="cuda") for name, shape in shapes.items()}
        mask, right = torch.zeros(2, 8, 8, device="cuda"), torch.zeros(2, 1, device="cuda")
    block = BlockPrediction(mask=mask, heads={"right": right}, mesh=MeshPrediction(**far))
    monkeypatch.setattr(columns, "_errors", spy)
    crops.score(lambda _: Prediction(blocks=(block,)), layer)
    assert seen == {"cpu"}
