"""Each label is read in its own joints: a true hand has no loss, whoever labelled it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from handscope.data.mixture import collate
from handscope.data.transforms import CropConfig, crop_example
from handscope.geometry.camera import project
from handscope.geometry.camera_torch import project_centred
from handscope.hand.conventions import regressor
from handscope.losses.objective import ObjectiveConfig, auxiliary_terms, block_terms, mesh_terms
from handscope.tasks.conventions import as_modelled
from handscope.types import AuxiliaryPrediction, BlockPrediction, HandLabel, MeshPrediction, Sample
from posed_hands import posed_hand

OTHERS = ("freihand", "rhd", "stb", "interhand", "mediapipe", "mano")
MIXED = ("anatomical", "freihand", "rhd", "stb")
CROP = 64


def labelled(name: str, known: np.ndarray | None = None, side: str = "right") -> tuple[Sample, HandLabel]:
    """A rendered hand, labelled as `name` does."""
    hand = posed_hand(320, 240, side, curl=0.5, turn=0.2)
    joints = regressor(name) @ hand.joints_3d
    known = np.ones(21, bool) if known is None else known
    label = HandLabel(
        handedness=side,
        joints_2d=project(joints, hand.K),
        joints_2d_known=known,
        joints_3d=joints,
        joints_3d_known=known,
        joint_convention=name,
    )
    image = np.zeros((240, 320, 3), np.uint8)
    return Sample(key="a", source="a", image=image, hands=(label,), K=hand.K), label


def batch_of(*names: str, known: np.ndarray | None = None, hand_model="open"):
    plain = CropConfig(size=CROP, rotation_deg=0, any_rotation_prob=0, translation=0, scale=0, mirror_prob=0)
    examples = [
        crop_example(*labelled(name, known), np.random.default_rng(0), plain, None, hand_model) for name in names
    ]
    return collate(examples)


def true_mesh(batch) -> MeshPrediction:
    """The very hand that the batch shows, without its vertices: joints before the crop's camera."""
    anatomical = torch.linalg.inv(batch.regressor.double()) @ batch.joints_3d.double()
    focal, place = batch.focal.double(), torch.tensor([0.0, 0.02, 0.5], dtype=torch.float64)
    joints = anatomical - anatomical[:, :1] + place
    n, eye = len(joints), torch.eye(3, dtype=torch.float64)
    return MeshPrediction(
        theta=eye.expand(n, 15, 3, 3), R=eye.expand(n, 3, 3), beta=torch.zeros(n, 10), T=place.expand(n, 3),
        focal=focal, vertices=joints, joints_3d=joints, joints_2d=project_centred(joints, focal * CROP, CROP),
    )  # fmt: skip


def terms_of(mesh: MeshPrediction, batch):
    """Of a block that answers with this mesh, and with the heat-map joints that the labels ask for."""
    block = BlockPrediction(mesh=mesh, joints_2d=as_modelled(batch).joints_2d)
    return block_terms(block, batch, torch.zeros(0, 3, dtype=torch.int64), ObjectiveConfig(silhouette=0.0))


def in_doubles(batch):
    return replace(
        batch,
        regressor=batch.regressor.double(),
        joints_2d=batch.joints_2d.double(),
        joints_3d=batch.joints_3d.double(),
    )


def test_a_true_hand_has_no_loss_in_a_batch_of_all_conventions():
    batch = in_doubles(batch_of(*MIXED))
    mesh = true_mesh(batch)
    projected = project_centred(batch.regressor @ mesh.joints_3d, mesh.focal * CROP, CROP)
    batch = replace(batch, joints_2d=projected)  # labels of the picture that this mesh would give
    terms = terms_of(mesh, batch)
    for name in ("bones", "joints_3d", "joints_2d", "coordinates"):
        assert terms[name].known.all() and terms[name].value.abs().max() < 2e-4, name


@pytest.mark.parametrize("name", OTHERS)
def test_the_same_hand_read_in_other_joints_has_a_loss(name):
    """What training did before labels said whose they are."""
    batch = in_doubles(batch_of(name))
    mesh = true_mesh(batch)
    ignored, read = mesh_terms(mesh, batch, batch.as_right), terms_of(mesh, batch)
    assert ignored["joints_3d"].value > 10 * read["joints_3d"].value + 0.005
    assert ignored["bones"].value > 10 * read["bones"].value + 1e-5


def test_heatmaps_and_auxiliary_head_learn_the_models_joints_from_any_label():
    """As far as the crop's perspective allows: a hundredth of the crop."""
    batch = batch_of(*MIXED)
    modelled = as_modelled(batch)
    assert (batch.joints_2d[1:] - batch.joints_2d[:1]).abs().max() > 0.05 * CROP
    assert (modelled.joints_2d[1] - modelled.joints_2d[0]).abs().max() > 0  # the crops follow the labels' joints
    plain = batch_of("anatomical").joints_2d[0]
    for one in modelled.joints_2d:
        torch.testing.assert_close(aligned(one), aligned(plain), atol=0.01 * CROP, rtol=0)
    told = AuxiliaryPrediction(joints_2d=modelled.joints_2d, right=torch.zeros(4))
    assert auxiliary_terms(told, batch)["auxiliary"].value.max() < 1e-6
    apart = torch.cdist(modelled.joints_3d, modelled.joints_3d)  # the crops are turned against each other
    torch.testing.assert_close(apart[1:], apart[:1].expand(3, 21, 21), atol=1e-5, rtol=0)


def aligned(points):
    """Points (21, 2) by the places of thumb, index and little fingertip, which no crop changes but in scale."""
    origin, far = points[4], points[20]
    along = far - origin
    turn = torch.stack([along, torch.stack([-along[1], along[0]])]) / along.square().sum()
    return (points - origin) @ turn.T * 32


def test_a_joint_made_of_an_unknown_one_is_unknown():
    known = np.ones(21, bool)
    known[10] = False  # the middle PIP, of which its knuckle is made, of which the wrist is, of which all knuckles are
    modelled = as_modelled(batch_of("freihand", "anatomical", known=known))
    assert not modelled.joints_2d_known[0, [0, 5, 9, 10]].any() and modelled.joints_2d_known[0, [1, 4, 7, 11, 12]].all()
    assert modelled.joints_2d_known[1].tolist() == known.tolist()


def test_a_mano_network_reads_freihand_as_it_is():
    batch = batch_of("freihand", "mano", hand_model="MANO")
    torch.testing.assert_close(batch.regressor, torch.eye(21).expand(2, 21, 21))
