"""Named variants on hands whose errors are known, and what is refused."""

from dataclasses import replace

import numpy as np
import pytest

from handscope.errors import HandscopeError
from handscope.evaluation.predictions import PackedMasks, Predictions
from handscope.evaluation.scoring import evaluate, match, score_joints_3d
from handscope.evaluation.truth import Dominance, Truth
from handscope.evaluation.units import hand3d_crop_side
from handscope.evaluation.variants import MASKS, PROTOCOLS, VARIANTS
from handscope.skeleton import TIPS

COUNT = 6


@pytest.fixture
def truth() -> Truth:
    rng = np.random.default_rng(5)
    joints = rng.normal((0, 0, 0.6), 0.04, (COUNT, 21, 3))
    known = np.ones((COUNT, 21), bool)
    flat = 500 * joints[..., :2] / joints[..., 2:] + 128
    return Truth(
        keys=np.array([f"h{n}#0" for n in range(COUNT)]),
        joints_2d=flat,
        known_2d=known,
        joints_3d=joints,
        known_3d=known,
        visible=known,
        head=np.array([50.0] * 5 + [np.nan]),
        box=np.concatenate([flat.min(1), flat.max(1)], 1),
        size=np.full((COUNT, 2), 256.0),
        dominant=np.full(COUNT, Dominance.YES, np.int8),
        most_visible=np.ones(COUNT, bool),
        vertices=rng.normal((0, 0, 0.6), 0.04, (COUNT, 778, 3)),
        masks=PackedMasks.pack([rng.random((7, 5)) < 0.5 for _ in range(COUNT)]),
    )


def predicted(truth: Truth, **changes) -> Predictions:
    values = {
        "keys": truth.keys,
        "found": np.ones(COUNT, bool),
        "joints_2d": truth.joints_2d,
        "joints_3d": truth.joints_3d,
        "vertices": truth.vertices,
        "masks": truth.masks,
        "K": np.tile([[500.0, 0, 128], [0, 500, 128], [0, 0, 1]], (COUNT, 1, 1)),
        "mesh_masks": truth.masks,
    }
    return Predictions(**(values | changes))


def test_the_truth_is_without_error_under_every_variant(truth) -> None:
    results, refused = evaluate(list(VARIANTS.values()), predicted(truth), truth)
    assert not refused and set(results) == set(VARIANTS)
    for name, result in results.items():
        best = 1.0 if result.variant.unit == "share" else 0.0
        if result.variant.whole_px:  # a label cut to whole pixels is up to 2 ** 0.5 px from itself
            assert result.figures["mean"] < 2**0.5
            continue
        assert result.figures["mean"] == pytest.approx(best, abs=1e-5), name
        strict = result.variant.at is not None and not result.variant.at.inclusive  # nothing is below threshold 0
        assert result.figures.get("auc", 1) >= (0.66 if strict else 0.97), name
        assert result.curve is None or result.variant.quantity == "mask" or (np.diff(result.curve) >= 0).all()


@pytest.mark.parametrize("name", [n for n, v in VARIANTS.items() if v.quantity == "joints_3d" and "scale" in v.aligned])
def test_scale_and_place_are_forgiven_where_the_variant_says_so(truth, name) -> None:
    grown = score_joints_3d(VARIANTS[name], 3 * truth.joints_3d + 1, truth.joints_3d, truth.known_3d)
    assert grown.figures["mean"] == pytest.approx(0, abs=1e-9)


def test_root_only_keeps_the_scale(truth) -> None:
    result = score_joints_3d(VARIANTS["rhd_1mm_root"], 2 * truth.joints_3d, truth.joints_3d, truth.known_3d)
    palm = truth.joints_3d[:, [0, 9]].mean(1, keepdims=True)
    others = 1000 * np.linalg.norm(truth.joints_3d - palm, axis=-1)[:, 1:]
    np.testing.assert_allclose(result.values[:, 1:], others)
    np.testing.assert_allclose(result.values[:, 0], 0, atol=1e-9)


def test_dexter_object_scores_known_fingertips_only(truth) -> None:
    known = np.zeros((COUNT, 21), bool)
    known[:, list(TIPS)] = True
    known[0, 4] = False
    known[1, [4, 8, 12, 16]] = False  # one tip left: too few for a scale
    by_scale = score_joints_3d(VARIANTS["dexter_object_minimal_hand"], truth.joints_3d + 1, truth.joints_3d, known)
    assert by_scale.values.shape == (COUNT, 5)
    assert np.isnan(by_scale.values[0, 0]) and np.isnan(by_scale.values[1]).all()
    assert by_scale.figures["hands"] == COUNT - 1
    by_place = score_joints_3d(VARIANTS["dexter_object_1mm"], truth.joints_3d + 1, truth.joints_3d, known)
    assert by_place.figures["hands"] == COUNT and by_place.figures["mean"] == pytest.approx(0, abs=1e-9)


def test_cmu_units_by_hand(truth) -> None:
    shifted = predicted(truth, joints_2d=truth.joints_2d + np.array([7.0, 0]))
    results, _ = evaluate([VARIANTS[n] for n in (*PROTOCOLS["cmu"], "cmu_px_v0")], shifted, truth)
    assert results["cmu_px_v0"].figures["mean"] == pytest.approx(7)
    assert results["cmu_pckh"].figures["mean"] == pytest.approx(0.2) and results["cmu_pckh"].figures["hands"] == 5
    sides = np.ptp(truth.joints_2d, axis=1).max(1)
    assert results["cmu_nsrm"].figures["mean"] == pytest.approx((7 / sides).mean())
    assert results["cmu_hint"].figures["pck@0.05"] == pytest.approx((7 / sides <= 0.05).mean())
    assert results["cmu_nsrm"].figures["auc"] == pytest.approx(
        np.mean([(7 / sides < t).mean() for t in (0.04, 0.06, 0.08, 0.10, 0.12)])
    )
    assert results["cmu_mmpose_auc"].figures["auc"] == pytest.approx(np.mean([i / 20 > 7 / 30 for i in range(20)]))


def test_hand3ds_crop_reaches_twice_as_far_as_the_farthest_joint() -> None:
    joints = np.full((3, 21, 2), 100.0)
    joints[0, 8] = (160, 100)
    joints[1, 8] = (110, 100)
    joints[2, 8] = (100, 900)  # outside the picture: clipped to its edge
    side = hand3d_crop_side(joints, np.ones((3, 21), bool), np.full((3, 2), 320.0))
    assert side.tolist() == [120, 50, 440]


def test_a_hand_not_found_is_wrong_at_every_threshold(truth) -> None:
    found = np.arange(COUNT) > 2
    results, _ = evaluate([VARIANTS["freihand_xyz"], VARIANTS["freihand_f5"]], predicted(truth, found=found), truth)
    figures = results["freihand_xyz"].figures
    assert (figures["found"], figures["mean"], figures["auc"]) == (0.5, 0, 0.5)
    assert results["freihand_f5"].figures["mean"] == 0.5


def test_what_has_no_meaning_is_refused_with_the_reason(truth) -> None:
    other = predicted(truth, vertices=np.zeros((COUNT, 1609, 3)), masks=None, mesh_masks=None, K=None)
    results, refused = evaluate(list(VARIANTS.values()), other, truth)
    assert "do not correspond" in refused["freihand_mesh"] and "MPVPE" in refused["freihand_f5_al"]
    assert "no masks;" in refused["mask_iou"] and "no masks of meshes;" in refused["mask_iou_mesh"]
    assert all("--masks" in refused[name] for name in MASKS) and "no K" in refused["2d_box_mesh"]
    assert {"freihand_f5", "freihand_surface_pa"} <= set(results)


def test_rows_are_matched_by_key(truth) -> None:
    turned = predicted(truth, keys=truth.keys[::-1], joints_3d=truth.joints_3d[::-1])
    results, _ = evaluate([VARIANTS["freihand_xyz"]], turned, truth)
    assert results["freihand_xyz"].figures["mean"] == 0
    with pytest.raises(HandscopeError, match="nor for 0 more of 6"):
        match(predicted(truth, keys=np.array([*truth.keys[:-1], "x#0"])), truth)


def test_packed_masks_come_back() -> None:
    rng = np.random.default_rng(0)
    masks = [rng.random(shape) < 0.5 for shape in ((3, 3), (16, 5), (1, 1))]
    packed = PackedMasks.pack([masks[0], None, *masks[1:]])
    assert packed.known.tolist() == [True, False, True, True] and packed[1].shape == (0, 0)
    assert all(np.array_equal(packed[i], mask) for i, mask in zip((0, 2, 3), masks, strict=True))


def test_masks_are_scored_where_the_truth_has_them(truth) -> None:
    rows = np.array([4, 1])  # as after a prediction of some rows only
    lacking = [None if n in (1, 3) else truth.masks[n] for n in range(COUNT)]
    patchy = replace(truth, masks=PackedMasks.pack(lacking))
    results, _ = evaluate([VARIANTS["mask_iou"]], predicted(truth), patchy)
    result = results["mask_iou"]
    assert np.isnan(result.values[:, 0]).tolist() == [n in (1, 3) for n in range(COUNT)]
    assert (result.figures["hands"], result.figures["mean"]) == (4, 1)
    assert result.notes == ("2 of 6 hands have no mask in the truth and are left out",)
    assert patchy.rows(rows).masks.known.tolist() == [True, False]
    assert np.array_equal(patchy.rows(rows).masks[0], truth.masks[4])
    _, refused = evaluate([VARIANTS["mask_iou"]], predicted(truth), replace(truth, masks=PackedMasks.pack([None] * 6)))
    assert refused["mask_iou"] == "the truth has no masks"
