"""Hands for SMPL-X and SMPL-H: a body whose hands are MANO's has its joints where the hand's are."""

import io
from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from handscope.errors import HandscopeError
from handscope.hand.assets import load_asset
from handscope.hand.conventions import regressor
from handscope.infer import formats
from handscope.infer.mano import refit
from handscope.infer.results import Hands
from handscope.skeleton import MODEL_PARENTS, MODEL_TO_CANONICAL
from mano_files import open_hand_as_mano, write_mano
from posed_hands import posed_hand


@pytest.fixture(scope="module")
def mano(tmp_path_factory):
    return load_asset(write_mano(tmp_path_factory.mktemp("mano") / "MANO_RIGHT.pkl", open_hand_as_mano(1.05)))


def of_a_body(asset, side, betas, forearm, wrist, fingers, place) -> np.ndarray:
    """The sixteen joints (16, 3) of a hand that hangs on a forearm, by the body's chain of axis-angles."""
    rest = asset.joints.astype(float) + asset.joint_dirs.astype(float) @ betas
    rest = rest * ([-1, 1, 1] if side == "left" else [1, 1, 1])  # a left hand is the mirrored model
    turns = [forearm @ Rotation.from_rotvec(wrist).as_matrix()]
    places = [np.asarray(place)]
    for joint in range(1, 16):
        parent = MODEL_PARENTS[joint]
        places.append(places[parent] + turns[parent] @ (rest[joint] - rest[parent]))
        turns.append(turns[parent] @ Rotation.from_rotvec(fingers[3 * joint - 3 : 3 * joint]).as_matrix())
    return np.stack(places)


@pytest.mark.parametrize("side", ["left", "right"])
def test_a_body_with_these_parameters_has_the_hands_joints(mano, side) -> None:
    found = posed_hand(320, 240, side, curl=0.6, turn=0.8)
    hand = refit(found, mano)
    told = formats.to_smplx(hand)
    forearm = Rotation.from_euler("xyz", [0.3, -0.8, 1.9]).as_matrix()
    wrist = formats.wrist_pose(told[f"{side}_wrist_turn"], forearm)
    where = told[f"{side}_wrist"]
    shown = of_a_body(mano, side, told[f"{side}_betas"], forearm, wrist, told[f"{side}_hand_pose"], where)
    inner = [place for place, joint in enumerate(MODEL_TO_CANONICAL) if joint < 16]
    order = [int(joint) for joint in MODEL_TO_CANONICAL if joint < 16]
    np.testing.assert_allclose(shown[order], hand.joints_3d[inner], atol=1e-5)
    residual = np.linalg.norm(hand.joints_3d - regressor("mano") @ found.joints_3d, axis=1).mean() * 1000
    assert told[f"{side}_residual_mm"] == pytest.approx(residual, abs=1e-3) and residual < 1


def test_the_best_of_each_side_are_told_and_saved(mano) -> None:
    hands = [replace(refit(posed_hand(320, 240, side), mano), score=score)
             for side, score in (("left", 0.4), ("left", 0.9), ("right", 0.7))]  # fmt: skip
    with np.load(io.BytesIO(Hands(hands, width=320, height=240).to_smplx_npz())) as arrays:
        assert arrays["flat_hand_mean"] and arrays["left_hand_pose"].shape == (45,)
        np.testing.assert_array_equal(arrays["left_betas"], hands[1].beta)
        assert arrays["right_wrist_turn"].shape == (3, 3)
    assert not any(name.startswith("right") for name in formats.to_smplx(hands[:2]))


def test_hands_of_another_model_are_refused() -> None:
    with pytest.raises(HandscopeError, match=r"SMPL-X and SMPL-H have MANO's hands: .*--hand-model"):
        formats.to_smplx(posed_hand(320, 240, "left"))
