"""MANO files are not on this machine: a file of the official layout is made from numbers, chumpy classes included."""

import pickle
import sys
import types

import numpy as np
import pytest
import scipy.sparse

from handscope.errors import AssetError
from handscope.hand.assets import load_asset
from handscope.hand.model import pose_hand
from handscope.skeleton import MODEL_PARENTS
from mano_files import write_mano


class Ch:
    """A chumpy look-alike: it pickles under chumpy's name and keeps its values in `x`."""

    def __init__(self, x):
        self.x = x


Ch.__module__, Ch.__qualname__ = "chumpy.ch", "Ch"


@pytest.fixture
def chumpy(monkeypatch):
    module = types.ModuleType("chumpy.ch")
    module.Ch = Ch
    monkeypatch.setitem(sys.modules, "chumpy", types.ModuleType("chumpy"))
    monkeypatch.setitem(sys.modules, "chumpy.ch", module)


def mano_content(left: bool = False, bug: bool = False) -> dict:
    """778 vertices around a hand-like skeleton: fingers -x (right) or +x (left), thumb +z."""
    rng = np.random.default_rng(0)
    joints = np.zeros((16, 3))
    for finger, z in enumerate((0.03, 0.0, -0.04, -0.02, 0.05)):
        for k in range(3):
            x = -0.03 * (k + 1) if finger == 4 else -0.09 - 0.03 * k
            joints[1 + 3 * finger + k] = x, 0.0, z
    owner = np.arange(778) % 16
    template = joints[owner] + rng.normal(0, 0.006, (778, 3))
    regressor = np.zeros((16, 778))
    for j in range(16):
        regressor[j, owner == j] = 1 / (owner == j).sum()
    shapedirs = rng.normal(0, 1e-3, (778, 3, 10))
    shapedirs[..., 0] = 0.1 * (template - regressor[0] @ template)
    posedirs = rng.normal(0, 1e-3, (778, 3, 135))
    faces = rng.integers(0, 778, (1538, 3)).astype(np.uint32)
    if left:
        template = template * [-1, 1, 1]
        posedirs = posedirs * np.array([-1, 1, 1])[:, None]
        posedirs *= np.tile(np.outer([-1, 1, 1], [-1, 1, 1]).ravel(), 15)
        faces = faces[:, ::-1]
        shapedirs = shapedirs * (np.ones(3) if bug else np.array([-1, 1, 1]))[:, None]
    table = np.stack([np.array(MODEL_PARENTS, np.int64), np.arange(16)])
    return dict(
        v_template=template,
        shapedirs=Ch(shapedirs),
        posedirs=posedirs,
        J_regressor=scipy.sparse.csc_matrix(regressor),
        weights=np.eye(16)[owner],
        f=faces,
        kintree_table=table,
        hands_mean=np.zeros(45),
        hands_components=np.eye(45),
    )


def test_a_mano_file_is_read_without_chumpy(tmp_path, chumpy):
    asset = load_asset(write_mano(tmp_path / "MANO_RIGHT.pkl", mano_content()))
    assert asset.name == "MANO" and asset.template.shape == (778, 3)
    np.testing.assert_allclose(asset.joint_regressor.sum(1), 1, atol=1e-6)
    posed = pose_hand(asset, np.zeros((1, 10)), np.zeros((1, 15, 3)))
    assert posed.joints.shape == (1, 21, 3)


@pytest.mark.parametrize("bug", [False, True])
def test_a_left_file_becomes_the_same_right_hand_with_or_without_the_sign_bug(tmp_path, chumpy, bug):
    right = load_asset(write_mano(tmp_path / "MANO_RIGHT.pkl", mano_content()))
    left = load_asset(write_mano(tmp_path / "MANO_LEFT.pkl", mano_content(left=True, bug=bug)))
    rng = np.random.default_rng(1)
    beta, theta = rng.normal(size=(2, 10)), rng.normal(0, 0.4, (2, 15, 3))
    np.testing.assert_allclose(pose_hand(left, beta, theta).vertices, pose_hand(right, beta, theta).vertices, atol=1e-6)


def test_a_pickle_that_runs_code_is_refused(tmp_path):
    class Evil:
        def __reduce__(self):
            return print, ("never",)

    with pytest.raises(AssetError, match="not an official MANO file"):
        load_asset(write_mano(tmp_path / "MANO_RIGHT.pkl", {"v_template": Evil()}))


@pytest.mark.parametrize("content", [b"", b"not a pickle", pickle.dumps({"v_template": np.zeros(3)})])
def test_damaged_files_give_one_sentence(tmp_path, content):
    path = tmp_path / "MANO_RIGHT.pkl"
    path.write_bytes(content)
    with pytest.raises(AssetError, match=r"MANO_RIGHT\.pkl"):
        load_asset(path)


def test_a_missing_file_says_what_to_give(tmp_path):
    with pytest.raises(AssetError, match=r"no such hand model"):
        load_asset(tmp_path / "nothing.pkl")
