"""Every reader, on a tiny dataset in the real format, says what was synthesised; damage gives one clear sentence."""

import hashlib
import json
import pickle
import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from dataset_fixtures import NAMES, cmu, ho3d, interhand, rhd, stb
from handscope.data.catalog import DATASETS, open_dataset
from handscope.data.freihand import FreiHAND
from handscope.data.hiu import HIUData, split_of
from handscope.data.mixture import CropMixture, Source, collate
from handscope.data.transforms import CropConfig, crop_example
from handscope.errors import HandscopeError
from handscope.evaluation.predictions import Predictions
from handscope.evaluation.scoring import evaluate
from handscope.evaluation.truth import Dominance, read_truth
from handscope.evaluation.variants import PROTOCOLS, VARIANTS
from handscope.geometry.camera import project
from handscope.hand.assets import load_asset
from handscope.hand.model import pose_hand
from handscope.skeleton import (
    BONES,
    INTERHAND_TO_CANONICAL,
    JOINT_NAMES,
    RHD_TO_CANONICAL,
    STB_TO_CANONICAL,
    TIPS,
)
from handscope.types import HandLabel, Sample

CROP = CropConfig(size=64, mask_size=32)


def pairs(read: Sample, true: Sample) -> list[tuple[HandLabel, HandLabel]]:
    """Hands that were read, each with the true hand of its side."""
    by_side = {hand.handedness: hand for hand in true.hands}
    return [(hand, by_side[hand.handedness]) for hand in read.hands]


def agree(read: Sample, true: Sample, *, atol_px: float = 1e-3, atol_m: float = 1e-6) -> None:
    """All that is known of the hands of `read` is true."""
    assert read.image.dtype == np.uint8 and read.image.shape == true.image.shape
    assert np.abs(read.image.astype(float) - true.image).mean() < 4  # JPEG
    if read.K is not None:
        np.testing.assert_allclose(read.K, true.K, rtol=1e-6)
    for hand, truth in pairs(read, true):
        if hand.joints_2d is not None:
            known = hand.joints_2d_known
            np.testing.assert_allclose(hand.joints_2d[known], truth.joints_2d[known], atol=atol_px)
            assert (hand.joints_2d[~known] == 0).all()
        if hand.joints_3d is not None:
            known = hand.joints_3d_known
            np.testing.assert_allclose(hand.joints_3d[known], truth.joints_3d[known], atol=atol_m)
            if read.K is not None:
                assert np.abs(project(hand.joints_3d[known], read.K) - hand.joints_2d[known]).max() < 1e-3
        if hand.mask is not None:
            mask, wanted = hand.mask > 127, truth.mask > 127
            assert (mask & wanted).sum() / (mask | wanted).sum() > 0.9


@pytest.mark.parametrize("name", NAMES)
def test_a_reader_says_what_was_synthesised(sets, name: str) -> None:
    root, truth = sets[name]
    dataset = open_dataset(name, root)
    assert len(dataset) >= len(truth) == 5
    assert any(hand.joints_2d is not None for i in range(5) for hand in dataset[i].hands)
    for i, true in enumerate(truth):
        agree(dataset[i], true)


@pytest.mark.parametrize("name", NAMES)
def test_a_reader_feeds_one_training_crop(sets, name: str) -> None:
    root, _ = sets[name]
    dataset = open_dataset(name, root)
    mixture = CropMixture([Source(name=name, samples=dataset, weight=1.0)], CROP, None, seed=1)
    batch = collate([mixture[n] for n in range(4)])
    assert batch.image.shape == (4, 64, 64, 3) and batch.joints_2d_known.any()
    inside = ((batch.joints_2d > -16) & (batch.joints_2d < 80)).all(-1)
    assert inside[batch.joints_2d_known].float().mean() > 0.9  # the crop is around the known joints
    assert batch.joints_3d_known.any() == (name != "cmu")
    assert batch.focal_known.any() == (name not in ("cmu", "hiu"))  # no camera
    assert batch.mask_known.any() == (name in ("freihand", "rhd", "hiu"))


def test_joint_orders_name_every_joint_once() -> None:
    fingers = {"thumb": ("cmc", "mcp", "ip", "tip")} | {
        finger: ("mcp", "pip", "dip", "tip") for finger in ("index", "middle", "ring", "little")
    }
    outward = {finger: [f"{finger}_{part}" for part in parts] for finger, parts in fingers.items()}
    inward = [joint for joints in outward.values() for joint in joints[::-1]]
    stb_order = ["wrist", *(joint for finger in reversed(outward) for joint in outward[finger])]
    for permutation, names in (
        (RHD_TO_CANONICAL, ["wrist", *inward]),
        (INTERHAND_TO_CANONICAL, [*inward, "wrist"]),
        (STB_TO_CANONICAL, stb_order),
    ):
        assert tuple(np.array(names)[permutation]) == JOINT_NAMES


def test_freihand_has_four_backgrounds_of_every_hand(sets) -> None:
    root, truth = sets["freihand"]
    every, automatic = FreiHAND(root), FreiHAND(root, variant="auto")
    assert len(every) == 20 and len(automatic) == 5
    assert automatic[2].key == "training/00000017" == every[17].key
    np.testing.assert_array_equal(every[2].hands[0].joints_3d, automatic[2].hands[0].joints_3d)
    np.testing.assert_array_equal(every[2].hands[0].mask, automatic[2].hands[0].mask)
    assert not np.array_equal(every[2].image, automatic[2].image)
    agree(replace(automatic[2], image=truth[2].image), truth[2])


def test_freihand_parameters_pose_the_model_on_the_joints(sets) -> None:
    root, _ = sets["freihand"]
    hand = FreiHAND(root, mano=root / "MANO_RIGHT.pkl")[1].hands[0]
    posed = pose_hand(load_asset(), hand.beta[None], hand.theta[None], hand.R[None], hand.T[None]).joints[0]
    np.testing.assert_allclose(posed, hand.joints_3d, atol=1e-4)
    assert FreiHAND(root)[1].hands[0].theta is None
    assert FreiHAND(root).vertices.shape == (5, 778, 3)


def test_freihand_evaluates_with_and_without_its_labels(tmp_path, sets) -> None:
    root, truth = sets["freihand"]
    evaluation = FreiHAND(root, split="evaluation")
    assert len(evaluation) == 5 and evaluation[0].hands[0].mask is None
    agree(evaluation[0], truth[0])
    np.testing.assert_allclose(
        evaluation.scale, np.linalg.norm(evaluation.joints[:, 10] - evaluation.joints[:, 9], axis=1)
    )
    for file in ("evaluation", "evaluation_K.json"):
        (tmp_path / file).symlink_to(root / file)
    blind = FreiHAND(tmp_path, split="evaluation")
    assert blind[0].hands[0].joints_3d is None and blind[0].K is not None


def test_rhd_gives_both_hands_the_palm_and_parts(sets) -> None:
    root, truth = sets["rhd"]
    dataset = open_dataset("rhd", root, {"root_joint": "palm", "split": "evaluation"})
    for hand, true in pairs(dataset[0], truth[0]):
        for joints, whole in ((hand.joints_3d, true.joints_3d), (hand.joints_2d, true.joints_2d)):
            np.testing.assert_allclose(joints[0], (whole[0] + whole[9]) / 2, atol=1e-3)
            np.testing.assert_allclose(joints[1:], whole[1:], atol=1e-3)
        np.testing.assert_array_equal(hand.visible[1:], true.visible[1:])
    parts = dataset.parts(0)
    left = next(hand for hand in dataset[0].hands if hand.handedness == "left")
    assert set(np.unique(parts[left.mask > 0])) <= set(range(2, 18)) and (parts == 1).any()


def test_a_mirrored_picture_mirrors_all_labels_and_crops(sets, tmp_path) -> None:
    truth = rhd.write(tmp_path, mirror=True)
    dataset, twin = open_dataset("rhd", sets["rhd"][0]), open_dataset("rhd", tmp_path)
    crop = CropConfig(size=64, mask_size=32, mirror_prob=0)
    for i in range(2):
        agree(twin[i], truth[i])
        for hand in dataset[i].hands:
            other = next(h for h in twin[i].hands if h.handedness != hand.handedness)
            np.testing.assert_allclose(other.joints_2d * [-1, 1] + [319, 0], hand.joints_2d, atol=1e-3)
            assert (other.mask[:, ::-1] != hand.mask).mean() < 2e-3  # where hands touch, the file keeps one
            straight, turned = (
                crop_example(
                    sample,
                    label,
                    np.random.default_rng(4),
                    replace(crop, rotation_deg=0, any_rotation_prob=0, translation=0),
                    None,
                )
                for sample, label in ((dataset[i], hand), (twin[i], other))
            )
            for key in ("joints_2d", "joints_3d", "focal"):
                np.testing.assert_allclose(straight[key], turned[key], atol=1e-3, err_msg=key)
            assert np.abs(straight["mask"] - turned["mask"]).mean() < 0.01


@pytest.mark.parametrize("camera", ["sk", "bb_left"])
def test_stb_labels_fall_on_the_hand_of_either_camera(sets, camera: str) -> None:
    dataset = open_dataset("stb", sets["stb"][0], {"camera": camera, "split": "test"})
    for i, true in enumerate(stb.truth(camera)):
        agree(dataset[i], true)


def test_stb_palm_and_right_picture(sets) -> None:
    root, truth = sets["stb"]
    palm = open_dataset("stb", root, {"root_joint": "palm"})[0].hands[0].joints_3d
    wrist = truth[0].hands[0].joints_3d
    np.testing.assert_allclose(palm[0], (wrist[0] + wrist[13]) / 2)
    right = open_dataset("stb", root, {"camera": "bb_right"})[0].hands[0]
    np.testing.assert_allclose(right.joints_3d, wrist - [0.120054, 0, 0], atol=1e-9)
    assert len(open_dataset("stb", root, {"split": "all"})) == 12 * 5


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_dexter_object_finds_its_axes(tmp_path, sign: float) -> None:
    from dataset_fixtures import dexter_object

    truth = dexter_object.write(tmp_path, sign=sign)
    dataset = open_dataset("dexter_object", tmp_path)
    assert len(dataset) == 30
    for i, true in enumerate(truth):
        agree(dataset[i], true)
        known = np.flatnonzero(dataset[i].hands[0].joints_3d_known)
        assert tuple(known) == (TIPS[1:] if i == 0 else TIPS)  # the first thumb is marked missing


@pytest.mark.parametrize("part", ["manual_test", "synth", "panopticdb"])
def test_cmu_parts(sets, part: str) -> None:
    root, truth = sets["cmu"]
    dataset = open_dataset("cmu", root, {"part": part})
    for i, true in enumerate(cmu.panoptic_truth() if part == "panopticdb" else truth):
        agree(dataset[i], true)
        assert dataset[i].hands[0].joints_2d_known.sum() == (20 if part == "manual_test" else 21)
        assert dataset.labelled(i).head_size == (40.0 + i if part == "manual_test" else None)
    alone = {"manual_test": "hand_labels/manual_test", "synth": "hand_labels_synth", "panopticdb": "hand143_panopticdb"}
    own = open_dataset("cmu", root / alone[part], {"part": part})
    assert len(own) == 5


def test_hiu_knows_only_what_is_there(sets) -> None:
    hands = [open_dataset("hiu", sets["hiu"][0])[i].hands for i in range(5)]
    assert [len(h) for h in hands] == [1] * 5
    assert [h[0].handedness for h in hands] == ["right"] * 3 + ["left"] * 2
    assert [h[0].joints_3d is not None for h in hands] == [True, False, True, True, True]
    assert [h[0].mask is not None for h in hands] == [True, True, False, True, True]
    assert [int(h[0].joints_2d_known.sum()) for h in hands] == [21, 21, 21, 20, 21]


def test_hiu_is_split_by_its_ids_wherever_they_lie(sets, tmp_path) -> None:
    shutil.copytree(sets["hiu"][0], tmp_path / "some")
    numbers = range(12, 72)
    for n in numbers:
        for ending in (".json", ".jpg"):
            shutil.copy(tmp_path / f"some/to_cv_community/7{ending}", tmp_path / f"{n}{ending}")
    ids = {split: {s.key.split("/")[-1] for s in HIUData(tmp_path, split=split)} for split in ("train", "test", "all")}
    assert ids["train"] | ids["test"] == ids["all"] and not ids["train"] & ids["test"] and len(ids["all"]) == 65
    assert ids["test"] == {n for n in ids["all"] if int(hashlib.sha256(n.encode()).hexdigest(), 16) % 10 == 0}
    assert 0.095 < np.mean([split_of(str(n)) == "test" for n in range(33_000)]) < 0.105
    with pytest.raises(HandscopeError, match="none of its 5 pictures is in split 'test'"):
        HIUData(sets["hiu"][0], split="test")


def test_hiu_masks_count_one_by_one(sets, tmp_path) -> None:
    """A picture without a mask, and one of two hands whose mask is of both, refuse nothing else."""
    root = tmp_path / "hiu"
    shutil.copytree(sets["hiu"][0], root)
    row = json.loads((root / "to_cv_community/8.json").read_text())
    points = np.array(row["pts2d_2hand"]).reshape(2, 21, 2)
    row |= {"hand_type": [1, 1], "pts2d_2hand": points[[1, 1]].reshape(42, 2).tolist()}
    (root / "to_cv_community/8.json").write_text(json.dumps(row))
    truth = read_truth(HIUData(root))
    assert truth.masks.known.tolist() == [True, False, False, False, True, True]
    assert truth.dominant.tolist() == [Dominance.YES] + [Dominance.UNKNOWN] * 2 + [Dominance.YES] * 3
    answers = Predictions(
        keys=truth.keys, found=np.ones(6, bool), joints_2d=truth.joints_2d, joints_3d=truth.joints_3d, masks=truth.masks
    )
    results, _ = evaluate([VARIANTS[v] for v in PROTOCOLS["hiu"]], answers, truth)
    assert results["mask_iou"].figures["hands"] == 3 and results["mask_iou"].figures["mean"] == 1
    assert results["mask_iou"].notes == ("3 of 6 hands have no mask in the truth and are left out",)
    assert results["2d_hand3d"].figures["hands"] == 6 and results["2d_hand3d"].notes[0].startswith("2 hands share")


def test_freihands_evaluation_masks_are_what_its_maps_of_parts_cover(sets, tmp_path) -> None:
    root = tmp_path / "freihand"
    shutil.copytree(sets["freihand"][0], root)
    assert FreiHAND(root, split="evaluation")[0].hands[0].mask is None
    (root / "evaluation/segmap").mkdir()
    for n in range(5):
        parts = np.zeros((224, 224), np.uint8)
        parts[10 : 20 + n, 30:40], parts[60:70, 5:9] = 1, 17
        cv2.imwrite(str(root / f"evaluation/segmap/{n:08d}.png"), parts)
    masks = [FreiHAND(root, split="evaluation")[n].hands[0].mask for n in range(5)]
    assert [int((mask == 255).sum()) for mask in masks] == [140 + 10 * n for n in range(5)]
    assert read_truth(FreiHAND(root, split="evaluation")).masks.known.all()


def test_interhand_versions_and_validity(tmp_path, sets) -> None:
    new = open_dataset("interhand", sets["interhand"][0])
    assert [len(new[i].hands) for i in range(5)] == [2, 2, 1, 1, 1]
    assert not new[4].hands[0].joints_3d_known[20] and new[4].hands[0].joints_3d_known.sum() == 20
    truth = interhand.write(tmp_path, version="0.0")
    agree(open_dataset("interhand", tmp_path)[0], truth[0])


def test_ho3d_versions_parameters_and_evaluation(tmp_path, sets) -> None:
    root, truth = sets["ho3d"]
    hand = open_dataset("ho3d", root, {"mano": "yes"})[0].hands[0]
    posed = pose_hand(load_asset(), hand.beta[None], hand.theta[None], hand.R[None], hand.T[None]).joints[0]
    np.testing.assert_allclose(posed, hand.joints_3d, atol=1e-4)
    assert open_dataset("ho3d", root)[4].hands[0].joints_3d is None  # a frame without labels
    blind = open_dataset("ho3d", root, {"split": "evaluation"})[0]
    agree(blind, truth[0])
    assert blind.hands[0].joints_3d_known.sum() == 1 and blind.hands[0].box is not None
    agree(open_dataset("ho3d", root)[1], ho3d.write(tmp_path, version=2)[1])


def test_bones_are_as_long_as_those_of_the_synthesised_hand(sets) -> None:
    parents, children = np.array(BONES).T
    for name in ("freihand", "rhd", "stb", "interhand", "ho3d"):
        root, truth = sets[name]
        for hand, true in pairs(open_dataset(name, root)[0], truth[0]):
            lengths = [
                np.linalg.norm(joints[children] - joints[parents], axis=1)
                for joints in (hand.joints_3d, true.joints_3d)
            ]
            np.testing.assert_allclose(*lengths, atol=1e-6)


def damaged(root: Path, target: Path, file: str, how) -> Path:
    """A copy (by links) of a dataset with one file passed through `how`; None removes it."""
    for path in root.rglob("*"):
        if path.is_file():
            copy = target / path.relative_to(root)
            copy.parent.mkdir(parents=True, exist_ok=True)
            if str(path.relative_to(root)) != file:
                copy.symlink_to(path)
            elif how is not None:
                copy.write_bytes(how(path.read_bytes()))
    return target


def half(data: bytes) -> bytes:
    return data[: len(data) // 2]


def evil(_: bytes) -> bytes:
    return b"cos\nsystem\n(S'touch /tmp/owned'\ntR."


PANOPTIC = "hand143_panopticdb/hands_v143_14817.json"
DAMAGE = [
    ("freihand", "training_K.json", None, {}),
    ("freihand", "training_xyz.json", half, {}),
    ("freihand", "training_xyz.json", lambda data: b"[[1, 2], [3]]", {}),
    ("freihand", "training/rgb/00000000.jpg", half, {}),
    ("freihand", "training/rgb/00000000.jpg", lambda data: b"", {}),
    ("freihand", "training/mask/00000000.jpg", None, {}),
    ("freihand", "MANO_RIGHT.pkl", evil, {"mano": "MANO_RIGHT.pkl"}),
    ("rhd", "training/anno_training.pickle", half, {}),
    ("rhd", "training/anno_training.pickle", evil, {}),
    ("rhd", "training/anno_training.pickle", lambda data: pickle.dumps({0: {"xyz": np.zeros((42, 3))}}), {}),
    ("rhd", "training/color/00000.png", half, {}),
    ("rhd", "training/mask/00000.png", None, {}),
    ("stb", "labels/B2Counting_BB.mat", half, {}),
    ("stb", "labels/B2Counting_BB.mat", None, {}),
    ("stb", "images/B2Counting/BB_left_0.png", None, {}),
    ("dexter_object", "data/Grasp1/annotations/Grasp13D.txt", half, {}),
    ("dexter_object", "data/Pinch/annotations/Pinch2D.txt", None, {}),
    ("dexter_object", "data/Grasp1/color/image_8_rgb.png", None, {}),
    ("cmu", "hand_labels/manual_train/000000000_00.json", half, {}),
    ("cmu", "hand_labels/manual_train/000000000_00.jpg", None, {}),
    ("cmu", PANOPTIC, half, {"part": "panopticdb"}),
    ("cmu", PANOPTIC, lambda data: b'{"root": [{}]}', {"part": "panopticdb"}),
    ("hiu", "to_cv_community/7.json", half, {}),
    ("hiu", "to_cv_community/7.jpg", half, {}),
    ("interhand", "annotations/train/InterHand2.6M_train_data.json", half, {}),
    ("interhand", "annotations/train/InterHand2.6M_train_data.json", lambda data: b'{"images": [{}]}', {}),
    ("interhand", "annotations/train/InterHand2.6M_train_joint_3d.json", lambda data: b'{"0": {}}', {}),
    ("ho3d", "train/ABF10/meta/0000.pkl", half, {}),
    ("ho3d", "train/ABF10/meta/0000.pkl", evil, {}),
    ("ho3d", "train/ABF10/rgb/0000.jpg", None, {}),
    ("ho3d", "train.txt", lambda data: b"", {}),
]


@pytest.mark.parametrize(("name", "file", "how", "options"), DAMAGE)
def test_damage_gives_one_sentence_with_the_path(sets, tmp_path, name: str, file: str, how, options: dict) -> None:
    root = damaged(sets[name][0], tmp_path, file, how)
    options = {key: str(root / value) if key == "mano" else value for key, value in options.items()}
    with pytest.raises(HandscopeError) as caught:
        open_dataset(name, root, options)[0]
    message = str(caught.value)
    blamed = Path(file).stem.removesuffix("_data").split("_rgb")[0]
    if how is None and "Grasp1/color" in file:
        blamed = "Grasp12D"  # a picture is missing: the first list of labels is one too long
    assert blamed in message and "\n" not in message and len(message) < 500
    assert not Path("/tmp/owned").exists()


def test_one_unreadable_picture_is_skipped_and_counted(sets, tmp_path) -> None:
    root = damaged(sets["ho3d"][0], tmp_path, "train/ABF10/rgb/0001.jpg", half)
    mixture = CropMixture([Source(name="ho3d", samples=open_dataset("ho3d", root), weight=1.0)], CROP, None, seed=0)
    with pytest.warns(UserWarning, match="skipped: .*0001"):
        for n in range(12):
            mixture[n]
    assert mixture.skipped > 0


def test_wrong_names_folders_and_options_are_explained(tmp_path) -> None:
    for name, root, options, told in (
        ("freihnd", tmp_path, {}, "freihand"),
        ("rhd", tmp_path / "nowhere", {}, "docs/data/rhd.md"),
        ("stb", tmp_path, {"colour": "sk"}, "camera"),
        ("stb", tmp_path, {"camera": "depth"}, "bb_left"),
        ("cmu", tmp_path, {}, "hand_labels/manual_train"),
        ("hiu", tmp_path, {}, "json"),
        ("shards", tmp_path, {}, "handscope synth"),
    ):
        with pytest.raises(HandscopeError, match=told):
            open_dataset(name, root, options)


def test_every_dataset_has_a_card() -> None:
    repository = Path(__file__).parents[2]
    for entry in DATASETS.values():
        assert (repository / entry.card).is_file(), entry.card
