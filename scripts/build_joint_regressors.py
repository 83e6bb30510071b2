"""The regressors of joint conventions, from published bone lengths and poses of the shipped hand model.

python scripts/build_joint_regressors.py        # writes src/handscope/hand/data/joint_regressors.json

A convention's 21 joints are weighted sums of ours, with seven shares for each convention (`regressor`). They are chosen
by least squares over sampled poses: the two bones with a published figure have it in the median, those of the other
fingers change in proportion, bones without a figure keep their length, no bone's length varies by more than
`MOST_SPREAD` over the poses, and joints, fingertips most of all, move as little as they can (docs/joints.md).
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from handscope.files import write_file
from handscope.hand.assets import HandAsset, load_asset
from handscope.hand.model import pose_joints
from handscope.skeleton import BONES, MCPS, TIPS
from handscope.synth.poses import Skeleton, sample_pose, to_theta

Array = NDArray[np.float64]

FIGURES_MM = {"freihand": (91, 28), "rhd": (95, 37), "stb": (76, 40), "interhand": (84, 43), "mediapipe": (93, 35)}
"""Medians over a data set's labels (MediaPipe: its answers): wrist to middle MCP, and middle MCP to PIP."""
SOURCE = "medians of the labels of each data set, of MediaPipe's answers for its own (issue 24, measured 2026-11)"
POSES, SEED = 600, 24
MOST_SPREAD = 0.0255
"""Standard deviation of a bone's length over poses, of its mean; the tests allow 3 % on poses that are not these."""
LOW = np.array([-0.045, 0.0, 0.0, -0.02, 0.0, 0.0, 0.0])
HIGH = np.array([0.2, 0.15, 0.45, 0.1, 0.1, 0.15, 0.15])
"""Limits of the shares: the wrist stays inside the mesh, whose cut is 5 mm behind it."""
STARTS = ((0.0, 0.0, 0.2, 0.01, 0.01, 0.01, 0.01), (0.1, 0.05, 0.33, 0.04, 0.05, 0.05, 0.05))
"""Shares that the search begins with."""
FIRST, SECOND = (
    [BONES.index(bone) for bone in bones] for bones in ([(0, m) for m in MCPS], [(m, m + 1) for m in MCPS])
)
MIDDLE = 1
"""Which of the four fingers the figures are of."""


def regressor(shares: Array) -> Array:
    """Weights (21, 21) of our joints, each row's sum one.

    `shares` (7,): by how much the wrist moves towards the middle knuckle, of that way, and across the palm, of the way
    from index to little knuckle; knuckles towards the fingertips, of the proximal phalanx, and away from the wrist, of
    that way; PIP, DIP and tip back along their phalanges.
    """
    wrist, across, slide, push, pip, dip, tip = shares
    weights = np.eye(21)

    def move(joint: int, start: int, end: int, share: float) -> None:
        weights[joint, start] -= share
        weights[joint, end] += share

    move(0, 0, MCPS[MIDDLE], wrist)
    move(0, MCPS[0], MCPS[-1], across)
    for knuckle in MCPS:
        move(knuckle, knuckle, knuckle + 1, slide)
        move(knuckle, 0, knuckle, push)
        move(knuckle + 1, knuckle + 1, knuckle, pip)
        move(knuckle + 2, knuckle + 2, knuckle + 1, dip)
        move(knuckle + 3, knuckle + 3, knuckle + 2, tip)
    return weights


def lengths(joints: Array) -> Array:
    """Of the 20 bones (n, 20)."""
    parents, children = zip(*BONES, strict=True)
    return np.linalg.norm(joints[:, list(children)] - joints[:, list(parents)], axis=-1)


def sampled_joints(asset: HandAsset, count: int, seed: int) -> Array:
    """Joints (n, 21, 3) mm of the mean hand in poses that synthesis draws."""
    assert asset.axes is not None
    axes, tips = asset.axes.astype(np.float64), asset.template[asset.tips].astype(np.float64)
    skeleton, rng = Skeleton(axes, asset.joints.astype(np.float64), tips), np.random.default_rng(seed)
    theta = np.array([to_theta(sample_pose(rng, skeleton), axes) for _ in range(count)])
    return 1000 * np.asarray(pose_joints(asset, np.zeros((count, 10)), theta), np.float64)


def fitted(joints: Array, figures: tuple[float, float]) -> Array:
    """The shares (7,) whose bones have the `figures` (mm)."""
    own = np.median(lengths(joints), axis=0)
    goal, weight = own.copy(), np.full(20, 60.0)
    for bones, figure in zip((FIRST, SECOND), figures, strict=True):
        goal[bones] *= figure / own[bones[MIDDLE]]
        weight[bones] = 40.0
        weight[bones[MIDDLE]] = 3000.0
    away_weight = np.full(21, 0.1)
    away_weight[list(TIPS)] = 0.3

    def residuals(shares: Array) -> Array:
        moved = regressor(shares) @ joints
        found = lengths(moved)
        spread = found.std(0) / found.mean(0)
        away = np.linalg.norm(moved - joints, axis=-1).mean(0)
        return np.concatenate(
            [
                weight * (np.median(found, axis=0) / goal - 1),
                10_000 * np.clip(spread - MOST_SPREAD, 0, None),
                away_weight * away,
            ]
        )

    def cost(shares: Array) -> float:
        return float(np.square(residuals(np.clip(shares, LOW, HIGH))).sum())

    settings = {"maxiter": 6000, "maxfev": 6000, "xatol": 1e-5, "fatol": 1e-5, "adaptive": True}
    tried = [minimize(cost, start, method="Nelder-Mead", options=settings) for start in STARTS]
    return np.clip(min(tried, key=lambda one: one.fun).x, LOW, HIGH)


def main() -> None:
    joints = sampled_joints(load_asset(), POSES, SEED)
    rows = {}
    for name, figures in FIGURES_MM.items():
        weights = regressor(fitted(joints, figures)).round(4)
        found = lengths(weights @ joints)
        middle = [np.median(found[:, bones[MIDDLE]]).round(1).item() for bones in (FIRST, SECOND)]
        print(f"{name}: {middle} mm, spread at most {100 * (found.std(0) / found.mean(0)).max():.2f} %")
        print("  medians", np.median(found, axis=0).round(1).tolist())
        print("  moved by mm", np.linalg.norm(weights @ joints - joints, axis=-1).mean(0).round(1).tolist())
        rows[name] = [{str(j): float(row[j]) for j in np.flatnonzero(row)} for row in weights]
    about = {"made_by": "scripts/build_joint_regressors.py", "source": SOURCE, "poses": POSES, "seed": SEED}
    head = json.dumps({**about, "figures_mm": FIGURES_MM}, indent=1)[:-2]
    listed = [
        f"  {json.dumps(name)}: [\n" + ",\n".join(f"   {json.dumps(row)}" for row in weights) + "\n  ]"
        for name, weights in rows.items()
    ]
    path = Path(__file__).parents[1] / "src/handscope/hand/data/joint_regressors.json"
    write_file(path, head + ',\n "regressors": {\n' + ",\n".join(listed) + "\n }\n}\n")


if __name__ == "__main__":
    main()
