"""Files of MANO's official layout, made from numbers: MANO itself is not on this machine."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import scipy.sparse

from handscope.hand.assets import MANO_TIPS, load_asset
from handscope.hand.conventions import regressor as regressor_of
from handscope.skeleton import MODEL_PARENTS, MODEL_TO_CANONICAL
from handscope.types import JointConvention


def write_mano(path: Path, content: dict) -> Path:
    path.write_bytes(pickle.dumps(content, protocol=2))
    return path


def thinned() -> np.ndarray:
    """Which of the shipped hand's vertices the 778 are."""
    asset = load_asset()
    others = np.setdiff1d(np.arange(len(asset.template)), asset.tips)
    chosen = others[np.linspace(0, len(others) - 1, 778).astype(int)]
    chosen[list(MANO_TIPS)] = asset.tips
    return chosen


def open_hand_as_mano(scale: float = 1.0, joints: JointConvention = "mano") -> dict:
    """The shipped hand thinned to 778 vertices, `scale` times as large, as the content of a MANO_RIGHT.pkl.

    It turns about joints where those of the convention lie, MANO's own unless told; tips and shape directions are the
    shipped hand's; faces are a few triangles only.
    """
    asset = load_asset()
    chosen = thinned()
    template = asset.template[chosen].astype(np.float64)
    shapedirs = asset.shapedirs[chosen].astype(np.float64)
    # the least regressor that gives the same joints for every shape
    known = np.column_stack([template, shapedirs.reshape(778, -1)])
    tips = np.column_stack([asset.template[asset.tips], asset.shapedirs[asset.tips].reshape(5, -1)])
    own = np.concatenate([np.column_stack([asset.joints, asset.joint_dirs.reshape(16, -1)]), tips])
    to_model = np.argsort(MODEL_TO_CANONICAL)[:16]
    wanted = (regressor_of(joints) @ own[MODEL_TO_CANONICAL])[to_model]
    regressor = wanted @ np.linalg.pinv(known)
    rng = np.random.default_rng(0)
    return dict(
        v_template=template * scale,
        shapedirs=shapedirs * scale,
        posedirs=asset.posedirs[chosen].astype(np.float64) * scale,
        J_regressor=scipy.sparse.csc_matrix(regressor),
        weights=asset.weights[chosen].astype(np.float64),
        f=rng.integers(0, 778, (1538, 3)).astype(np.uint32),
        kintree_table=np.stack([np.array(MODEL_PARENTS, np.int64), np.arange(16)]),
        hands_mean=np.zeros(45),
        hands_components=np.eye(45),
    )
