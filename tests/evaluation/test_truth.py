"""Every dataset feeds one evaluation: its own truth, taken for a prediction, is without error under its protocol."""

from dataclasses import replace

import numpy as np
import pytest

from dataset_fixtures import NAMES
from handscope.data.catalog import open_dataset
from handscope.errors import HandscopeError
from handscope.evaluation.masks import mesh_mask
from handscope.evaluation.predict import predict
from handscope.evaluation.predictions import Predictions, load_predictions
from handscope.evaluation.scoring import evaluate
from handscope.evaluation.truth import Dominance, dominance, most_visible_hand, read_truth
from handscope.evaluation.variants import PROTOCOLS, VARIANTS
from handscope.geometry.masks import CroppedMask
from handscope.types import HandLabel
from posed_hands import posed_hand

REFUSED = {"cmu": {"cmu_pckh"}}
"""What may lack a label: nobody's head need be measured."""


@pytest.mark.parametrize("name", NAMES)
def test_the_truth_is_without_error(sets, name) -> None:
    truth = read_truth(open_dataset(name, sets[name][0]), limit=5)
    perfect = Predictions(
        keys=truth.keys,
        found=np.ones(len(truth), bool),
        joints_2d=truth.joints_2d,
        joints_3d=truth.joints_3d,
        vertices=truth.vertices,
        masks=truth.masks,
        mesh_masks=truth.masks,
    )
    variants = [VARIANTS[v] for v in PROTOCOLS.get(name, PROTOCOLS["2d"])]
    results, refused = evaluate(variants, perfect, truth)
    without_camera = {v for v in refused if v.endswith("_mesh") and "no K" in refused[v]}
    assert set(refused) <= REFUSED.get(name, set()) | without_camera, refused
    assert truth.masks.known.any() == (name in ("freihand", "rhd", "hiu"))
    for variant, result in results.items():
        best = 1.0 if result.variant.unit == "share" else 0.0
        allowed = 2**0.5 if result.variant.whole_px else 1e-4
        assert result.figures["mean"] == pytest.approx(best, abs=allowed), variant
        assert 1 <= result.figures["hands"] <= len(truth), variant


def test_rhd_tells_the_dominant_hand(sets) -> None:
    truth = read_truth(open_dataset("rhd", sets["rhd"][0]), limit=5)
    pictures = [key.split("#")[0] for key in truth.keys]
    assert (truth.dominant == Dominance.YES).sum() == len(set(pictures)) and truth.masks.known.all()
    assert not (truth.dominant == Dominance.UNKNOWN).any()
    for picture in set(pictures):
        rows = [i for i, other in enumerate(pictures) if other == picture]
        areas = [truth.masks[i].sum() for i in rows]
        assert truth.dominant[rows[int(np.argmax(areas))]] == Dominance.YES


def test_the_hands_of_a_picture_are_ranked_by_mask_and_by_what_is_visible() -> None:
    def hand(side, area, visible):
        mask = None if area is None else np.where(np.arange(100).reshape(10, 10) < area, 255, 0).astype(np.uint8)
        return HandLabel(handedness=side, mask=mask, visible=np.arange(21) < visible)

    yes, no, unknown = Dominance.YES, Dominance.NO, Dominance.UNKNOWN
    ties = [hand("left", 30, 9), hand("right", 30, 9)]
    assert dominance(ties).tolist() == [no, yes] == dominance(ties[::-1]).tolist()[::-1]
    assert most_visible_hand(ties) == 1 and most_visible_hand(ties[::-1]) == 0
    assert dominance([hand("left", 31, 0), hand("right", 30, 9)]).tolist() == [yes, no]
    assert most_visible_hand([hand("left", 1, 10), hand("right", 99, 9)]) == 0
    assert dominance([hand("left", None, 9), hand("right", 30, 9)]).tolist() == [unknown, unknown]
    assert dominance([hand("left", None, 9)]).tolist() == [yes] and dominance([]).tolist() == []


def test_a_label_takes_the_hand_that_overlaps_it_and_misses_are_kept(sets) -> None:
    dataset = open_dataset("freihand", sets["freihand"][0])
    elsewhere = posed_hand(224, 224, centre=(5.0, 5.0, 0.45))

    def model(image, K, boxes):
        assert boxes is None and K.K.shape == (3, 3)
        return [elsewhere]

    missed = predict(dataset, model, limit=2, masks=True, vertices=True)
    assert not missed.found.any() and len(missed.keys) == len(missed.masks) == 2 and missed.header["limit"] == 2
    results, _ = evaluate([VARIANTS["freihand_xyz"]], missed, read_truth(dataset, limit=2))
    assert results["freihand_xyz"].figures["auc"] == 0 and np.isnan(results["freihand_xyz"].figures["mean"])

    def told(image, K, boxes):
        assert boxes.shape == (1, 4)
        return [elsewhere]

    assert predict(dataset, told, limit=2, oracle_boxes=True).found.all()


def test_answers_from_the_mesh_are_its_joints_projected_and_its_silhouette(sets, tmp_path) -> None:
    """The paper's columns with a dagger, of a hand whose own 2D joints and mask say something else."""
    dataset = open_dataset("freihand", sets["freihand"][0])
    hands = [posed_hand(224, 224, centre=(x, 0.05, 0.5)) for x in (0.0, 0.03)]
    crooked = [
        replace(hand, joints_2d=hand.joints_2d + 40, cropped_mask=CroppedMask.of(np.eye(224, dtype=bool)))
        for hand in hands
    ]
    answers = iter(crooked)
    predict(dataset, lambda *_: [next(answers)], limit=2, oracle_boxes=True, masks=True).save(tmp_path / "p.npz")
    predictions, truth = load_predictions(tmp_path / "p.npz"), read_truth(dataset, limit=2)
    variants = [VARIANTS[v] for v in ("2d_box", "2d_box_mesh", "mask_iou", "mask_iou_mesh")]
    results, _ = evaluate(variants, predictions, truth)
    for row, hand in enumerate(hands):
        side = np.ptp(truth.joints_2d[row], axis=0).max()
        pixels = np.array([[*(hand.K @ joint)[:2] / joint[2]] for joint in hand.joints_3d])
        wanted = np.linalg.norm(pixels - truth.joints_2d[row], axis=1) / side
        np.testing.assert_allclose(results["2d_box_mesh"].values[row], wanted, atol=1e-5)
        drawn, true = mesh_mask(hand, 224, 224), truth.masks[row]
        iou = (drawn & true).sum() / (drawn | true).sum()
        assert results["mask_iou_mesh"].values[row, 0] == pytest.approx(iou)
    assert results["2d_box"].figures["mean"] != pytest.approx(results["2d_box_mesh"].figures["mean"], rel=0.01)
    assert results["mask_iou"].figures["mean"] < results["mask_iou_mesh"].figures["mean"]


@pytest.mark.parametrize("name", ["rhd", "stb"])
def test_a_palm_is_not_moved_again(sets, name) -> None:
    """Variants put the palm themselves, from the wrist: labels that have it already are refused."""
    palms = open_dataset(name, sets[name][0], {"root_joint": "palm"})
    for refused in (lambda: read_truth(palms), lambda: predict(palms, lambda image, camera, boxes: [])):
        with pytest.raises(HandscopeError, match=r"joint 0 of this dataset is the palm .*leave root_joint out"):
            refused()
