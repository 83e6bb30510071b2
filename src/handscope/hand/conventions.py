"""Whose joints: the 21 joints of data sets and of other tools as weighted sums of the hand model's own.

The names are the same everywhere, the places are not: what is called a knuckle lies up to 17 mm further along the
finger in one data set than in another. A convention is a matrix (21, 21) that makes its joints of ours, the same one
for places in 3D and, as far as a hand's depth is small beside its distance, in pixels. docs/joints.md tells how they
are made (`scripts/build_joint_regressors.py`).
"""

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from handscope.errors import HandscopeError
from handscope.skeleton import JOINT_NAMES
from handscope.types import HandModel, JointConvention, frozen_array

CONVENTIONS: tuple[JointConvention, ...] = get_args(JointConvention)
OWN: dict[HandModel, JointConvention] = {"open": "anatomical", "MANO": "mano"}
"""The convention that the joints of each hand model have by themselves."""
SAME_JOINTS: dict[JointConvention, JointConvention] = {"mano": "freihand"}
"""Conventions whose labels are those of another one: FreiHAND's hands are MANO's."""


def check_convention(name: str) -> JointConvention:
    """`name`, or one sentence on what there is."""
    for known in CONVENTIONS:
        if name == known:
            return known
    raise HandscopeError(f"joint_convention is one of {', '.join(CONVENTIONS)}, got {name!r}")


@cache
def regressor(convention: JointConvention, hand_model: HandModel = "open") -> NDArray[np.float64]:
    """Weights (21, 21): times the joints of a mesh of `hand_model`, they give those of `convention`."""
    of_mesh = _of_anatomical(OWN[hand_model])
    return frozen_array(_of_anatomical(convention) @ np.linalg.inv(of_mesh))


def _of_anatomical(convention: JointConvention) -> NDArray[np.float64]:
    weights = np.eye(len(JOINT_NAMES))
    if convention != "anatomical":
        for joint, row in enumerate(_stored()[SAME_JOINTS.get(convention, convention)]):
            weights[joint] = 0.0
            for other, weight in row.items():
                weights[joint, int(other)] = weight
    return weights


@cache
def _stored() -> dict[str, list[dict[str, float]]]:
    """For each convention and joint, which of ours it is made of, by how much."""
    path = resources.files("handscope.hand") / "data" / "joint_regressors.json"
    return json.loads(path.read_text(encoding="utf-8"))["regressors"]
