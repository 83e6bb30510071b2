"""The path from picture to hands, around stand-in networks that find a toy hand (see `toy_networks`)."""

import dataclasses
import hashlib
import json

import numpy as np
import pytest

from handscope.errors import AssetError, HandscopeError
from handscope.geometry.camera import default_intrinsics
from handscope.geometry.crops import crop_around, upright_crop
from handscope.infer import detection
from handscope.infer.aligner import Aligner
from handscope.infer.assembly import BOX_MARGIN, blended, box_of, without_specks
from handscope.infer.crop_estimates import CropEstimate
from handscope.infer.crop_policy import Tolerance, other_side
from handscope.infer.detector import Detection, merged
from handscope.infer.duplicates import distinct, drop_repeated
from handscope.infer.inputs import prepare
from handscope.infer.pipeline import load, read
from handscope.infer.refinement import refine
from handscope.infer.weights import SEALS, SHIPPED, open_network, seal
from handscope.skeleton import TIPS
from stand_ins import stand_in
from toy_networks import blobs, paint, save_detector, toy_joints

ANGLES = np.arange(0, 360, 40)


@pytest.fixture(scope="module")
def model(toy_weights):
    return load(toy_weights, threads=1)


@pytest.mark.parametrize("handedness", ["left", "right"])
@pytest.mark.parametrize("degrees", ANGLES)
def test_a_hand_is_found_at_any_angle_on_either_side(model, degrees, handedness):
    points = blobs((210, 150), 90, np.radians(degrees), handedness)
    (hand,) = model(paint(400, 300, [points]))
    assert hand.handedness == handedness
    np.testing.assert_allclose(hand.joints_2d, toy_joints(*points), atol=1.0)
    assert hand.extras["right"] > 0.5 if handedness == "right" else hand.extras["right"] < 0.5


@pytest.mark.parametrize("handedness", ["left", "right"])
@pytest.mark.parametrize("degrees", ANGLES)
def test_a_box_alone_is_enough(model, degrees, handedness):
    points = blobs((210, 150), 90, np.radians(degrees), handedness)
    joints = toy_joints(*points)
    (hand,) = model(paint(400, 300, [points]), boxes=[*joints.min(0), *joints.max(0)])
    assert hand.handedness == handedness
    np.testing.assert_allclose(hand.joints_2d, joints, atol=1.0)


@pytest.mark.parametrize("handedness", ["left", "right"])
def test_what_a_hand_carries(model, handedness):
    points = blobs((250, 140), 80, 0.4, handedness)
    (hand,) = model(paint(400, 300, [points]))
    joints = toy_joints(*points)
    assert hand.mask.shape == (300, 400) and hand.mask.dtype == np.bool_
    for x, y in np.round(points).astype(int):
        assert hand.mask[y, x]
    assert not hand.mask[:20].any()
    rows, columns = np.nonzero(hand.mask)
    low = np.minimum(joints.min(0), [columns.min(), rows.min()])
    high = np.maximum(joints.max(0), [columns.max(), rows.max()])
    margin = BOX_MARGIN * (high - low).max()
    np.testing.assert_allclose(hand.box, [*(low - margin), *(high + margin)], atol=2.0)
    np.testing.assert_array_equal(hand.K, default_intrinsics(400, 300))
    assert 0 < hand.score <= 1 and hand.joint_scores.shape == (21,)
    assert hand.vertices.shape[1] == 3 and hand.faces.max() < len(hand.vertices)
    # T is the wrist, mirrored for a left hand (that the mesh follows the joints is tested on real hands:
    # the toy's are no places a hand could bend to)
    np.testing.assert_allclose(hand.joints_3d[0], hand.T * [-1 if handedness == "left" else 1, 1, 1], atol=1e-6)


def test_faces_look_outwards_for_both_hands(model):
    for handedness in ("left", "right"):
        (hand,) = model(paint(400, 300, [blobs((200, 150), 80, 0.0, handedness)]))
        a, b, c = (hand.vertices[hand.faces[:, i]] - hand.vertices.mean(0) for i in range(3))
        assert np.einsum("fi,fi->f", a, np.cross(b, c)).sum() > 0  # signed volume


def test_intrinsics_of_the_user_set_the_distance(model):
    image = paint(400, 300, [blobs((200, 150), 80, 0.0, "right")])
    near, far = (model(image, K=[[f, 0, 199.5], [0, f, 149.5], [0, 0, 1]])[0] for f in (600, 1200))
    depth, further = (hand.joints_3d[:, 2].mean() for hand in (near, far))
    assert further == pytest.approx(2 * depth, rel=0.03)


def test_sure_joints_are_the_heat_maps_and_unsure_ones_the_meshs(model):
    points = blobs((200, 150), 80, 0.0, "right")
    picture = paint(400, 300, [points])
    ((estimate, _),) = read(model.models, [prepare(picture)])[0]
    mesh = estimate.hand
    projected = mesh.joints_3d[:, :2] / mesh.joints_3d[:, 2:] * estimate.focal + (estimate.crop.size - 1) / 2
    with_scores = lambda value: dataclasses.replace(estimate, joint_scores=np.full(21, value))  # noqa: E731
    np.testing.assert_allclose(blended(with_scores(1.0), mesh), estimate.joints)
    inner = np.delete(np.arange(21), TIPS)  # fingertips are the heat-maps' anyhow
    np.testing.assert_allclose(blended(with_scores(0.0), mesh)[inner], projected[inner])
    np.testing.assert_allclose(blended(with_scores(0.0), mesh)[list(TIPS)], estimate.joints[list(TIPS)])


def test_a_hand_that_the_aligner_loses_is_seen_where_the_detector_saw_it(model):
    points = blobs((210, 150), 90, 0.3, "right")
    empty = crop_around(np.array([40.0, 260.0]), 60.0, np.array([0.0, -1.0]), size=128)
    lost = CropEstimate(crop=empty, joints=empty.apply(toy_joints(*blobs((40, 260), 30, 0.0, "right"))), right=0.9)
    astray = stand_in(Aligner, align=lambda views, size: [lost for _ in views])
    models = dataclasses.replace(model.models, aligner=astray)
    ((candidate,),) = detection.search(models, [paint(400, 300, [points])])
    np.testing.assert_allclose(candidate.first.joints_2d, toy_joints(*points), atol=2.0)


def test_an_empty_picture_has_no_hand(model):
    assert model(np.zeros((100, 200, 3), np.uint8)) == []
    assert model(np.zeros((1, 1, 3), np.uint8)) == []
    assert model(np.zeros((3000, 2, 3), np.uint8)) == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"K": np.eye(2)}, "K must be"),
        ({"K": -np.eye(3)}, "K must be"),
        ({"boxes": [[10, 10, 5, 50]]}, "x1 > x0"),
        ({"boxes": [[500, 10, 600, 50]]}, "outside the picture of 400 x 300"),
        ({"boxes": [1, 2, 3]}, "boxes must be"),
        ({"boxes": [[0, 0, np.nan, 9]]}, "boxes must be"),
    ],
)
def test_wrong_arguments_give_one_sentence(model, arguments, words):
    with pytest.raises(HandscopeError, match=words):
        model(np.zeros((300, 400, 3), np.uint8), **arguments)


def test_two_hands_on_one_are_merged(model):
    (hand,) = model(paint(400, 300, [blobs((200, 150), 80, 0.0, "right")]))
    again = dataclasses.replace(hand, score=hand.score / 2, joints_2d=hand.joints_2d + 2)
    away = dataclasses.replace(hand, joints_2d=hand.joints_2d + 100, box=hand.box + 100)
    kept = drop_repeated([again, hand, away])
    assert len(kept) == 2 and kept[0] is hand and kept[1] is away


def test_only_a_score_above_the_least_counts(toy_weights, model):
    image = paint(400, 300, [blobs((200, 150), 80, 0.0, "right")])
    (hand,) = model(image)
    assert load(toy_weights, threads=1, min_score=hand.score + 1e-3)(image) == []
    assert len(load(toy_weights, threads=1, min_score=0.05)(image)) == 1


def test_a_crop_as_it_should_be_gets_no_further_pass(model):
    points = blobs((200, 150), 80, 0.3, "right")
    image = paint(400, 300, [points])
    crop = upright_crop(toy_joints(*points), size=128)
    (first,) = model.models.estimator(image, [crop])
    assert refine(model.models.estimator, [image], [first])[0] is first


@pytest.mark.parametrize("handedness", ["left", "right"])
def test_further_passes_mend_side_turn_place_and_size(model, handedness):
    points = blobs((200, 150), 80, 0.3, handedness)
    image = paint(400, 300, [points])
    wrong = crop_around((215, 140), 190, (1.0, -0.5), size=128, mirrored=handedness == "right")
    (first,) = model.models.estimator(image, [wrong])
    (best,) = refine(model.models.estimator, [image], [first])
    assert best.crop.mirrored == (handedness == "left") and best.right > 0.5 and best.uprightness > 0.99
    np.testing.assert_allclose(best.joints_2d, toy_joints(*points), atol=1.0)


def test_a_mask_at_the_top_or_the_sides_is_of_a_hand_cut_off(model):
    """At the bottom the forearm goes on."""
    picture = paint(400, 300, [blobs((200, 150), 80, 0.0, "right")])
    ((estimate, _),) = read(model.models, [prepare(picture)])[0]
    for edge, cut in ((np.s_[:1], True), (np.s_[:, :1], True), (np.s_[:, -1:], True), (np.s_[-1:, 20:40], False)):
        mask = np.zeros((64, 64), np.float32)
        mask[edge] = 0.9
        assert dataclasses.replace(estimate, mask=mask).is_truncated == cut
        assert not dataclasses.replace(estimate, mask=mask / 2).is_truncated


def test_a_crop_may_be_off_by_the_noise_of_training_crops():
    told = Tolerance.of({"crop": {"translation": 0.1, "rotation_deg": 10.0}})
    assert told.translation == pytest.approx(0.15) and told.rotation_deg == pytest.approx(15)
    assert told.scale == Tolerance().scale  # the card says nothing of it
    shipped = Tolerance.of(json.loads((SHIPPED / "estimator.json").read_text()))
    np.testing.assert_allclose(dataclasses.astuple(shipped), dataclasses.astuple(Tolerance()))


def test_the_other_side_is_the_same_crop_mirrored():
    crop = crop_around((40.0, 70.0), 90.0, (0.6, -0.8), size=128)
    other = other_side(crop)
    middle, top = [63.5, 63.5], [63.5, 0.0]
    assert other.mirrored and other.scale == pytest.approx(crop.scale)
    np.testing.assert_allclose(other.invert([middle, top]), crop.invert([middle, top]), atol=1e-9)
    np.testing.assert_allclose(other_side(other).matrix, crop.matrix, atol=1e-9)


def test_distinct_keeps_the_best_of_each_place_and_only_those():
    joints = np.random.default_rng(0).uniform(0, 100, (21, 2))
    assert distinct([joints, joints + 3, joints + 200], [0.5, 0.9, 0.1]) == [1, 2]
    assert distinct([joints, joints[::-1] + 2], [0.9, 0.5]) == [0]  # other joints in the same box
    assert distinct([], []) == []


def test_specks_go_and_large_pieces_stay():
    mask = np.zeros((64, 64), np.float32)
    mask[10:20, 5:30], mask[40:50, 5:15], mask[50, 50] = 0.9, 0.8, 1
    cleaned = without_specks(mask)
    assert cleaned[50, 50] == 0
    mask[50, 50] = 0
    np.testing.assert_array_equal(cleaned, mask)
    np.testing.assert_array_equal(without_specks(mask * 0), mask * 0)


def test_a_box_bounds_joints_and_mask():
    crop = crop_around((63.5, 63.5), 128, (0, -1), size=128)
    mask = np.zeros((64, 64))
    mask[10:20, 5:30] = 1  # crop px 20..39 down, 10..59 across
    joints = np.full((21, 2), (30.0, 70.0))
    margin = BOX_MARGIN * 50.5
    expected = np.array([9.5, 19.5, 59.5, 70.0]) + margin * np.array([-1, -1, 1, 1])
    np.testing.assert_allclose(box_of(joints, mask, crop), expected, atol=1e-6)
    np.testing.assert_allclose(box_of(joints, mask * 0, crop), [30, 70, 30, 70])


def test_what_a_pipeline_works_with_does_not_change(model):
    for part, name in ((model.models.detector, "threshold"), (model.models, "min_score")):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(part, name, 0.0)
    with pytest.raises(AttributeError):
        model.models = None
    with pytest.raises(dataclasses.FrozenInstanceError):
        model.models.assembler.calibration = None


def test_tiles_find_what_is_too_small_for_one_look(toy_weights):
    points = blobs((300, 220), 60, 0.0, "right")
    image = paint(2400, 1800, [points])
    (hand,) = load(toy_weights, threads=1, tiles=3)(image)
    np.testing.assert_allclose(hand.joints_2d, toy_joints(*points), atol=1.5)


def detected(x, y, score, size=10.0):
    box = np.array([x, y, x + size, y + size])
    return Detection(
        box=box, up=np.array([0, -1.0]), centre=box[:2] + size / 2, extent=size / 0.65, right=1.0, score=score
    )


def test_the_best_of_each_place_is_kept():
    found = [detected(0, 0, 0.5), detected(1, 1, 0.9), detected(30, 0, 0.4), detected(6, 0, 0.8)]
    assert [d.score for d in merged(found, [])] == pytest.approx([0.9, 0.8, 0.4])
    assert merged([], []) == []


def test_a_hand_that_both_kinds_of_answers_show_is_surer():
    own, palms = [detected(0, 0, 0.5), detected(40, 0, 0.7)], [detected(1, 1, 0.8), detected(90, 0, 0.3)]
    found = merged(own, palms)
    assert [d.score for d in found] == pytest.approx([0.9, 0.7, 0.3])
    assert found[0].box[0] == 1


@pytest.mark.parametrize(("given", "used"), [(None, 1), (1, 1), (3, 3)])
def test_a_network_has_one_thread_unless_told(toy_weights, given, used):
    session = open_network("detector", toy_weights, given).session
    assert session.get_session_options().intra_op_num_threads == used


CARDS = {
    "a number that is none": '{"threshold": NaN}',
    "a threshold beyond one": '{"threshold": 3}',
    "words for numbers": '{"calibration": {"offset": "x"}}',
    "a list for numbers": '{"crop": [1, 2]}',
    "a number for a digest": '{"sha256": 7}',
    "numbers without end": '{"crop": {"scale": 1e999}}',
    "deep": "[" * 100_000,
    "no text": b"\xff\xfe{",
    "too many digits": '{"threshold": ' + "9" * 5000 + "}",
}


@pytest.mark.parametrize("name", CARDS)
def test_a_damaged_card_is_one_sentence(toy_weights, tmp_path, name):
    for file in toy_weights.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    content = CARDS[name]
    (tmp_path / "detector.json").write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(AssetError, match=r"detector\.json: .*export it again") as told:
        load(tmp_path)
    assert "\n" not in str(told.value) and len(str(told.value)) < 500


def test_the_shipped_networks_and_cards_are_those_of_the_code(tmp_path, monkeypatch):
    """Who swaps both, so that they fit each other, is found."""
    for name in SEALS:
        path = SHIPPED / f"{name}.onnx"
        assert seal(path.read_bytes(), json.loads(path.with_suffix(".json").read_bytes())) == SEALS[name]
    monkeypatch.setattr("handscope.infer.weights.SHIPPED", tmp_path)
    for file in SHIPPED.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    load()
    card = json.loads((tmp_path / "detector.json").read_text())
    (tmp_path / "detector.json").write_text(json.dumps(card | {"threshold": 0.01}))
    with pytest.raises(AssetError, match=r"detector\.onnx: neither this file nor its card may differ"):
        load()
    (tmp_path / "detector.json").write_text(json.dumps(card, indent=7))  # laid out otherwise it says the same
    load()
    save_detector(tmp_path / "detector.onnx")
    sha256 = hashlib.sha256((tmp_path / "detector.onnx").read_bytes()).hexdigest()
    (tmp_path / "detector.json").write_text(json.dumps(card | {"sha256": sha256}))
    with pytest.raises(AssetError, match=r"detector\.onnx: neither"):
        load()


def test_results_say_when_networks_are_of_two_sets(toy_weights, tmp_path):
    assert load().models.notes == load(toy_weights).models.notes == ()
    (tmp_path / "presence.onnx").write_bytes((toy_weights / "presence.onnx").read_bytes())
    mixed = load(tmp_path)
    (note,) = mixed(np.zeros((64, 64, 3), np.uint8)).notes
    assert (
        note == mixed.models.notes[0]
        and f"presence {mixed.models.networks['presence'].sha256[:12]} ({tmp_path})" in note
    )
    assert f"estimator {SEALS['estimator'][0][:12]}," in note
    (frame,) = mixed.video([np.zeros((64, 64, 3), np.uint8)], fps=30)
    assert note in frame.hands.notes


def test_damaged_weights_are_found(toy_weights, tmp_path):
    for file in toy_weights.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    estimator = tmp_path / "estimator.onnx"
    estimator.write_bytes(estimator.read_bytes()[:-100])
    with pytest.raises(AssetError, match="sha256"):
        load(tmp_path)
    (tmp_path / "estimator.json").unlink()
    with pytest.raises(AssetError, match="ONNX Runtime cannot open"):
        load(tmp_path)
    (tmp_path / "estimator.onnx").write_bytes((toy_weights / "detector.onnx").read_bytes())
    with pytest.raises(AssetError, match="lacks the outputs"):
        load(tmp_path)
    (tmp_path / "estimator.json").write_text("[1")
    with pytest.raises(AssetError, match="not valid JSON"):
        load(tmp_path)
    (tmp_path / "estimator.json").write_text(json.dumps([1]))
    with pytest.raises(AssetError, match="JSON object"):
        load(tmp_path)
    estimator.unlink()
    assert load(tmp_path).models.estimator.network.path == SHIPPED / "estimator.onnx"  # one of them is enough
    for name in ("aligner", "detector", "presence", "context"):
        (tmp_path / f"{name}.onnx").unlink()
    with pytest.raises(AssetError, match="not found"):
        load(tmp_path)
    with pytest.raises(AssetError, match="no such folder"):
        load(tmp_path / "none")
