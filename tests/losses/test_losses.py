import dataclasses
import math

import pytest
import torch

from handscope.geometry.heatmaps import crop_to_map, gaussian_maps, orientation_fields
from handscope.hand.assets import load_asset
from handscope.hand.layer import HandLayer
from handscope.losses import consistency, supervised
from handscope.losses.objective import ObjectiveConfig, auxiliary_terms, block_terms, objective
from handscope.nn.network import HandNetwork
from handscope.tasks import heatmap, mask, pof
from handscope.tasks.table import HEADS
from handscope.types import AuxiliaryPrediction, Batch, BlockPrediction, MeshPrediction, Prediction
from toy_configs import TINY

CROP, MAP = 64, 32
ALL, NONE = torch.ones(2, 21, dtype=torch.bool), torch.zeros(2, 21, dtype=torch.bool)
YES, NO = torch.ones(2, dtype=torch.bool), torch.zeros(2, dtype=torch.bool)


@pytest.fixture
def joints():
    generator = torch.Generator().manual_seed(0)
    return torch.rand(2, 21, 2, generator=generator) * 50 + 6, torch.randn(2, 21, 3, generator=generator) * 0.05


def test_heatmap_losses_are_least_at_the_truth(joints):
    flat, _ = joints
    truth = gaussian_maps(crop_to_map(flat, CROP, MAP), MAP, 1.5)
    assert heatmap.heatmap_squared_error(truth, flat, ALL, CROP, 1.5).value.abs().max() == 0
    logits = truth.clamp(min=1e-20).log()
    best = heatmap.heatmap_cross_entropy(logits, flat, ALL, CROP, 1.5).value
    worse = heatmap.heatmap_cross_entropy(logits.roll(3, -1), flat, ALL, CROP, 1.5).value
    entropy = math.log(2 * math.pi * math.e * 1.5**2)  # of a Gaussian in two dimensions
    torch.testing.assert_close(best, torch.full((2,), entropy), atol=0.05, rtol=0)
    assert (worse > best + 1).all()


def test_joint_l1_by_hand():
    found = torch.zeros(2, 21, 2)
    found[:, 0] = torch.tensor([3.0, 4.0])
    known = NONE.clone()
    known[0, :2] = True
    term = supervised.joint_l1(found, torch.zeros(2, 21, 2), known, 100)
    torch.testing.assert_close(term.value, torch.tensor([7 / 100 / 2, 0.0]))
    assert term.known.tolist() == [True, False]


def test_samples_with_2d_labels_train_two_of_three_channels(joints):
    """Eq. 2: without 3D, the z channel may be anything."""
    flat, solid = joints
    truth, _ = orientation_fields(crop_to_map(flat, CROP, MAP), solid, MAP)
    other = truth.clone()
    other[:, :, 2] += 5.0
    assert pof.pof_l1(other, flat, ALL, solid, NONE, CROP).value.abs().max() < 1e-6
    assert pof.pof_l1(other, flat, ALL, solid, ALL, CROP).value.min() > 1
    other = truth.clone()
    other[:, :, 0] += 5.0
    assert pof.pof_l1(other, flat, ALL, solid, NONE, CROP).value.min() > 1


def test_a_field_beside_the_bones_costs_a_tenth(joints):
    """Eq. 2: it is zero there."""
    flat, solid = joints
    truth, on_bone = orientation_fields(crop_to_map(flat, CROP, MAP), solid, MAP)
    other = torch.where(on_bone[:, :, None], truth, truth + 2.0)
    beside = (~on_bone).double().mean((1, 2, 3)).to(truth)
    torch.testing.assert_close(pof.pof_l1(other, flat, ALL, solid, ALL, CROP).value, 0.1 * 2.0 * beside)


def test_bone_cosine_is_free_of_size_and_place_and_two_for_the_opposite(joints):
    _, solid = joints
    assert supervised.bone_cosine(solid * 3 + 0.2, solid, ALL).value.abs().max() < 1e-5
    torch.testing.assert_close(supervised.bone_cosine(-solid, solid, ALL).value, torch.full((2,), 2.0))


def test_joint_distance_by_hand(joints):
    _, solid = joints
    moved = solid.clone()
    moved[:, 5] += torch.tensor([0.0, 0.03, 0.04])
    value = supervised.joint_distance(moved + 1.0, solid, ALL).value
    torch.testing.assert_close(value, torch.full((2,), 0.05 / 21 * 10), atol=2e-4, rtol=0)


def test_silhouette_iou_by_hand():
    a, b = torch.zeros(2, 4, 4), torch.zeros(2, 4, 4)
    a[:, :2], b[:, :, :2] = 1, 1
    torch.testing.assert_close(supervised.silhouette_iou(a, b, YES).value, torch.full((2,), 1 - 4 / 12))
    assert supervised.silhouette_iou(a, a, YES).value.abs().max() < 1e-6


@pytest.mark.parametrize("term", ["heatmap", "joint", "pof", "mask", "bones", "distance", "silhouette"])
def test_a_sample_of_which_nothing_is_known_costs_nothing(joints, term):
    flat, solid = joints
    maps, pictures = torch.randn(2, 21, MAP, MAP), torch.rand(2, MAP, MAP)
    value, known = {
        "heatmap": lambda: heatmap.heatmap_cross_entropy(maps, flat, NONE, CROP, 1.5),
        "joint": lambda: supervised.joint_l1(flat + 1, flat, NONE, CROP),
        "pof": lambda: pof.pof_l1(torch.randn(2, 20, 3, 16, 16), flat, NONE, solid, NONE, CROP),
        "mask": lambda: mask.mask_cross_entropy(pictures, pictures, NO),
        "bones": lambda: supervised.bone_cosine(solid, -solid, NONE),
        "distance": lambda: supervised.joint_distance(solid, -solid, NONE),
        "silhouette": lambda: supervised.silhouette_iou(pictures, 1 - pictures, NO),
    }[term]()
    assert value.abs().max() == 0 and not known.any()


def test_consistency_teaches_the_mesh_and_not_the_maps():
    projected = torch.rand(2, 21, 2, requires_grad=True)
    read = torch.rand(2, 21, 2, requires_grad=True)
    outline = torch.rand(2, 8, 8, requires_grad=True)
    logits = torch.randn(2, 8, 8, requires_grad=True)
    confidence = torch.rand(2, 21)
    loss = consistency.projection_consistency(projected, read, confidence, CROP, YES).mean()
    (loss + consistency.outline_consistency(outline, logits, YES).mean()).backward()
    assert projected.grad.abs().sum() > 0 and outline.grad.abs().sum() > 0
    assert read.grad is None and logits.grad is None


def test_unsure_joints_do_not_pull():
    confidence = torch.ones(1, 21)
    confidence[0, 3] = 0
    far = torch.zeros(1, 21, 2)
    far[0, 3] = 1000
    assert consistency.projection_consistency(far, torch.zeros(1, 21, 2), confidence, CROP, YES[:1]).mean() == 0


def test_samples_count_as_much_as_they_are_sure():
    """A thousandth of the confidence is a thousandth of the pull, beside other samples and alone."""
    off, zero = torch.full((2, 21, 2), 3.0), torch.zeros(2, 21, 2)
    confidence = torch.tensor([[0.9], [0.0009]]).expand(2, 21)
    value = consistency.projection_consistency(off, zero, confidence, CROP, YES).value
    torch.testing.assert_close(value[0], 1000 * value[1])


def test_confidence_is_one_for_a_sharp_map_and_small_for_a_flat_one():
    place = torch.tensor([[[10.0, 12.0]]])
    sharp = torch.full((1, 1, 32, 32), -30.0)
    sharp[0, 0, 12, 10] = 30
    assert heatmap.heatmap_confidence(sharp, place, 1.5).item() > 0.999
    assert heatmap.heatmap_confidence(torch.zeros(1, 1, 32, 32), place, 1.5).item() < 0.1


def example_batch(joints) -> Batch:
    flat, solid = joints
    return Batch(
        image=torch.zeros(2, CROP, CROP, 3, dtype=torch.uint8),
        joints_2d=flat,
        joints_2d_known=ALL,
        joints_3d=solid,
        joints_3d_known=ALL,
        mask=torch.rand(2, MAP, MAP).round(),
        mask_known=YES,
        theta=torch.eye(3).expand(2, 15, 3, 3),
        beta=torch.zeros(2, 10),
        R=torch.eye(3).expand(2, 3, 3),
        model_known=YES,
        focal=torch.full((2,), 2.0),
        focal_known=YES,
        right=torch.tensor([1.0, 0.0]),
        right_known=YES,
        as_right=torch.tensor([True, False]),
        present=torch.ones(2),
        present_known=YES,
    )


def example_prediction(vertices: int = 3) -> Prediction:
    leaf = lambda *shape: torch.randn(*shape).requires_grad_()  # noqa: E731
    mesh = MeshPrediction(
        theta=leaf(2, 15, 3, 3),
        beta=leaf(2, 10),
        R=leaf(2, 3, 3),
        T=leaf(2, 3),
        focal=torch.full((2,), 2.5).requires_grad_(),
        vertices=(torch.rand(2, vertices, 3) * 0.1 + torch.tensor([0, 0, 0.5])).requires_grad_(),
        joints_3d=leaf(2, 21, 3),
        joints_2d=leaf(2, 21, 2),
    )
    block = BlockPrediction(
        heatmaps=leaf(2, 21, MAP, MAP),
        mask=leaf(2, MAP, MAP),
        pof=leaf(2, 20, 3, 16, 16),
        joints_2d=leaf(2, 21, 2),
        mesh=mesh,
        heads={"right": leaf(2, 1)},
    )
    return Prediction(blocks=(block,))


FACES = torch.tensor([[0, 1, 2]])


def test_every_weight_names_a_term_and_every_term_reaches_the_total(joints):
    prediction, batch = example_prediction(), example_batch(joints)
    config = ObjectiveConfig(consistency=1.0, ramp=1)
    full, terms = objective(prediction, batch, FACES, config, 10)
    assert all(torch.isfinite(v) for v in terms.values())
    for name in terms:
        without, _ = objective(prediction, batch, FACES, dataclasses.replace(config, **{name: 0.0}), 10)
        torch.testing.assert_close(full - without, config.weight(name) * terms[name], atol=1e-4, rtol=1e-4)


def test_the_consistency_ramps_up(joints):
    prediction, batch = example_prediction(), example_batch(joints)
    config = ObjectiveConfig(consistency=1.0, ramp=100)
    at = [objective(prediction, batch, FACES, config, step)[0] for step in (0, 50, 100, 500)]
    torch.testing.assert_close(at[2] - at[1], at[1] - at[0], atol=1e-3, rtol=0)
    torch.testing.assert_close(at[3], at[2])
    assert at[0] < at[1] < at[2]


def test_a_hand_shown_the_wrong_way_round_trains_no_mesh(joints):
    """Sample 1 shows a left hand: its heat-maps, mask and side learn, its mesh does not."""
    batch = dataclasses.replace(example_batch(joints), joints_3d_known=NONE, model_known=NO, focal_known=NO)
    prediction = example_prediction()
    total, _ = objective(prediction, batch, FACES, ObjectiveConfig(consistency=1.0, ramp=1, beta_prior=0.0), 10)
    total.backward()
    mesh, block = prediction.last.mesh, prediction.last
    assert mesh.joints_2d.grad[0].abs().sum() > 0 and mesh.joints_2d.grad[1].abs().sum() == 0
    assert mesh.vertices.grad[1].abs().sum() == 0
    assert block.heatmaps.grad[1].abs().sum() > 0 and block.mask.grad[1].abs().sum() > 0
    assert block.heads["right"].grad[1].abs() > 0


def test_the_auxiliary_head_learns_from_known_labels_alone(joints):
    auxiliary = AuxiliaryPrediction(joints_2d=torch.zeros(2, 21, 2), right=torch.zeros(2), present=torch.zeros(2))
    known = NONE.clone()
    known[1, 3] = True
    batch = dataclasses.replace(
        example_batch(joints),
        image=torch.zeros(2, 100, 100, 3, dtype=torch.uint8),
        joints_2d=torch.full((2, 21, 2), 10.0),
        joints_2d_known=known,
        right=torch.ones(2),
        right_known=torch.tensor([True, False]),
    )
    terms = auxiliary_terms(auxiliary, batch)
    assert terms["auxiliary"].value.tolist() == pytest.approx([0.0, 0.2])  # a tenth of the crop across and down
    assert terms["auxiliary_right"].value.tolist() == pytest.approx([math.log(2), 0.0])
    assert terms["auxiliary_right"].known.tolist() == [True, False]
    assert terms["present"].value.tolist() == pytest.approx([math.log(2)] * 2)


def test_means_are_over_what_is_known(joints):
    """Four samples of 32 with opposite bones cost what 32 would."""
    _, solid = joints
    many, known = solid[:1].expand(32, 21, 3), torch.zeros(32, 21, dtype=torch.bool)
    known[:4] = True
    assert supervised.bone_cosine(-many, many, known).mean().item() == pytest.approx(2.0)
    assert supervised.bone_cosine(-many, many, torch.zeros_like(known)).mean() == 0


def test_one_unknown_joint_leaves_the_others(joints):
    """Whatever stands where a joint is not known, the loss and its gradient are the same and finite."""
    _, solid = joints
    known = ALL.clone()
    known[:, 7] = False
    for wrist_known in (True, False):
        known[:, 0] = wrist_known
        values = []
        for odd in (0.0, 1e6):
            labels = torch.where(known[..., None], solid, torch.full_like(solid, odd))
            found = (solid * 1.5 + torch.linspace(0, 0.1, 21)[:, None]).requires_grad_()
            terms = [term(found, labels, known) for term in (supervised.bone_cosine, supervised.joint_distance)]
            total = terms[0].mean() + terms[1].mean()
            total.backward()
            assert total > 0 and torch.isfinite(found.grad).all() and found.grad[:, 7].abs().sum() == 0
            values.append(total.item())
        assert values[0] == pytest.approx(values[1])


def test_a_hand_of_unknown_side_trains_no_mesh_unless_the_head_takes_it_for_right(joints):
    unknown = dataclasses.replace(
        example_batch(joints), right=torch.ones(2), right_known=NO, as_right=NO, model_known=NO, focal_known=NO,
        joints_3d_known=NONE,
    )  # fmt: skip
    prediction = example_prediction()
    prediction.last.heads["right"].data.copy_(torch.tensor([[3.0], [-3.0]]))
    terms = block_terms(prediction.last, unknown, FACES, ObjectiveConfig(consistency=1.0))
    for name in ("joints_2d", "silhouette", "consistency_joints", "consistency_mask"):
        assert terms[name].known.tolist() == [True, False], name
    assert not terms["right"].known.any() and terms["heatmap"].known.all()


def test_what_is_no_hand_teaches_presence_alone(joints):
    """Even where the network takes it for a right hand."""
    nothing = dict.fromkeys(("joints_2d_known", "joints_3d_known"), NONE)
    nothing |= dict.fromkeys(("mask_known", "model_known", "focal_known", "right_known", "as_right"), NO)
    batch = dataclasses.replace(example_batch(joints), present=torch.zeros(2), **nothing)
    prediction = example_prediction()
    prediction.last.heads["right"].data.fill_(9.0)
    prediction.last.heads["present"] = torch.tensor([[0.0], [5.0]])
    terms = block_terms(prediction.last, batch, FACES, ObjectiveConfig(consistency=1.0))
    assert {name for name, term in terms.items() if term.known.any()} == {"present"}
    assert terms["present"].value.tolist() == pytest.approx([math.log(2), math.log1p(math.exp(5.0))])
    unsure = dataclasses.replace(batch, present_known=torch.tensor([True, False]))
    assert block_terms(prediction.last, unsure, FACES, ObjectiveConfig())["present"].known.tolist() == [True, False]


def test_parameters_that_are_not_known_do_not_teach(joints):
    half = dataclasses.replace(example_batch(joints), model_known=torch.tensor([True, False]), mask_known=NO)
    prediction = example_prediction()
    terms = block_terms(prediction.last, half, FACES, ObjectiveConfig())
    for name in ("theta", "orientation", "beta"):
        assert terms[name].known.tolist() == [True, False] and terms[name].value[1] == 0, name
    assert not terms["mask"].known.any() and not terms["silhouette"].known.any()


def test_visibility_by_hand(joints):
    known = NONE.clone()
    known[0, :2] = True
    labels = {"visible": torch.ones(2, 21), "visible_known": known}
    batch = dataclasses.replace(example_batch(joints), labels=labels)
    logits = torch.zeros(2, 21)
    logits[0, 1] = 100.0
    term = HEADS["visible"].term(logits, batch)
    assert term.value.tolist() == pytest.approx([math.log(2) / 2, 0.0])
    assert term.known.tolist() == [True, False]


def test_earlier_blocks_learn_as_the_recipe_says(joints):
    batch = example_batch(joints)
    blocks = (example_prediction().last, example_prediction().last)
    total = lambda share: objective(  # noqa: E731
        Prediction(blocks=blocks), batch, FACES, ObjectiveConfig(earlier_blocks=share), 10
    )[0]
    alone, _ = objective(Prediction(blocks=blocks[:1]), batch, FACES, ObjectiveConfig(), 10)
    torch.testing.assert_close(total(1.0) - total(0.0), alone, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("reach", ["heads", "tam", "everything"])
def test_the_consistency_s_gradient_stops_where_the_recipe_says(joints, reach):
    torch.manual_seed(0)
    network = HandNetwork(TINY, HandLayer(load_asset())).train()
    for layer in (network.heads.theta, network.heads.camera, network.blocks[0].heatmap.head[0]):
        torch.nn.init.normal_(layer.weight, std=0.3)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.ones_(module.weight)
    blind = dataclasses.replace(example_batch(joints), as_right=YES)
    prediction = network(blind.image + torch.randint(0, 200, blind.image.shape, dtype=torch.uint8), reach)
    config = ObjectiveConfig(consistency=1.0, consistency_reach=reach)
    terms = [
        value.mean()
        for block in prediction.blocks
        for name, value in block_terms(block, blind, network.hand.silhouette_faces, config).items()
        if name.startswith("consistency")
    ]
    assert len(terms) == 2 * TINY.stacks
    torch.stack(terms).sum().backward()
    moved = lambda part: any(p.grad is not None and p.grad.abs().sum() > 0 for p in part.parameters())  # noqa: E731
    assert moved(network.heads)
    assert moved(network.blocks[0].aggregate) == (reach != "heads")
    assert moved(network.stem) == moved(network.blocks[0].encoder) == (reach == "everything")


@pytest.mark.parametrize("tasks", [("heatmap",), ("mask",), ("pof",), ("heatmap", "pof"), ("heatmap", "mask", "pof")])
@pytest.mark.parametrize("mesh", [True, False])
def test_any_subset_of_tasks_trains(joints, tasks, mesh):
    config = dataclasses.replace(TINY, tasks=tasks, mesh=mesh, heads=("right", "visible"))
    network = HandNetwork(config, HandLayer(load_asset())).train()
    seen = {"visible": torch.ones(2, 21), "visible_known": ALL}
    batch = dataclasses.replace(example_batch(joints), labels=seen)
    total, terms = objective(
        network(batch.image), batch, network.hand.silhouette_faces, ObjectiveConfig(consistency=1.0, ramp=1), 1
    )
    total.backward()
    assert torch.isfinite(total) and set(tasks) | {"right", "visible"} <= set(terms)
    assert ("bones" in terms) == mesh and ("coordinates" in terms) == ("heatmap" in tasks)
    assert all(p.grad is not None for p in network.blocks[-1].parameters())
