"""Gestures that a user taught: a linear classifier over a hand's angles and directions, kept as JSON.

It is learnt by scikit-learn (`handscope gestures learn`); telling needs numpy alone.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from handscope.errors import HandscopeError
from handscope.files import write_file
from handscope.hand.angles import ANGLE_NAMES, CAMERA_ANGLES, MODEL_JOINT_NAMES
from handscope.infer.formats import joint_angles
from handscope.skeleton import FINGERS, JOINT_NAMES, MIDDLE_MCP, TIPS, WRIST
from handscope.types import Hand

FORMAT, VERSION = "handscope-gestures", 1
LEARN = "make it with `handscope gestures learn`"
BENDS = tuple(f"{joint}_flexion" for joint in MODEL_JOINT_NAMES)
SPREADS = tuple(name for name in ANGLE_NAMES if name.endswith(("mcp_abduction", "cmc_abduction")))
TURNS = tuple(f"wrist_{name}" for name in CAMERA_ANGLES)
AXES = ("side", "up", "out")


def feature_names(turned: bool) -> tuple[str, ...]:
    """Flexions and abductions (degrees / 90); where the fingertips are from the wrist, in palms, in the palm's axes
    (to the thumb's side, along the palm, out of its back); with `turned` sine and cosine of roll, pitch and yaw.
    """
    tips = tuple(f"{finger}_tip_{axis}" for finger in FINGERS for axis in AXES)
    turns = tuple(f"{part}_{name}" for name in TURNS for part in ("sin", "cos")) if turned else ()
    return (*BENDS, *SPREADS, *tips, *turns)


def features(hand: Hand, turned: bool = False) -> NDArray[np.float64]:
    """The numbers of `feature_names`; a left hand's are those of its mirror image."""
    angles = joint_angles(hand)
    bends = [angles[name] / 90 for name in (*BENDS, *SPREADS)]
    joints = np.asarray(hand.joints_3d, np.float64) * ([-1, 1, 1] if hand.handedness == "left" else [1, 1, 1])
    up = joints[MIDDLE_MCP] - joints[WRIST]
    palm = max(float(np.linalg.norm(up)), 1e-6)
    across = joints[JOINT_NAMES.index("index_mcp")] - joints[JOINT_NAMES.index("little_mcp")]
    out = np.cross(across, up)
    axes = np.stack([np.cross(up, out), up, out])
    axes /= np.maximum(np.linalg.norm(axes, axis=1, keepdims=True), 1e-12)
    tips = (joints[list(TIPS)] - joints[WRIST]) @ axes.T / palm
    turns = [part(np.radians(angles[name])) for name in TURNS for part in (np.sin, np.cos)] if turned else []
    return np.array([*bends, *tips.ravel(), *turns])


@dataclass(frozen=True, kw_only=True, eq=False)
class GestureModel:
    """Call it with a hand for its gesture and the probability of that; None under `least`.

    `classes` (n); `coefficients` (n, f) and `intercepts` (n,) of standardised features, of which `mean` (f,) and
    `scale` (f,) are; `turned` whether how the hand is turned counts; `about` says what it was learnt from.
    """

    classes: list[str]
    mean: list[float]
    scale: list[float]
    coefficients: list[list[float]]
    intercepts: list[float]
    turned: bool
    least: float
    about: dict[str, Any]

    def shares(self, samples: NDArray[np.floating]) -> NDArray[np.float64]:
        """Probabilities (m, n) of the classes of features (m, f)."""
        logits = (samples - np.asarray(self.mean)) / self.scale @ np.asarray(self.coefficients).T + self.intercepts
        shares = np.exp(logits - logits.max(1, keepdims=True))
        return shares / shares.sum(1, keepdims=True)

    def probabilities(self, hand: Hand) -> dict[str, float]:
        """Of each class."""
        return dict(zip(self.classes, self.shares(features(hand, self.turned)[None])[0].tolist(), strict=True))

    def __call__(self, hand: Hand) -> tuple[str | None, float]:
        """The likeliest class, or None, and its probability."""
        shares = self.probabilities(hand)
        best = max(shares, key=lambda name: shares[name])
        return (best if shares[best] >= self.least else None), shares[best]

    def save(self, path: str | Path) -> Path:
        """As JSON."""
        content = {"format": FORMAT, "version": VERSION, "features": feature_names(self.turned), **asdict(self)}
        return write_file(path, json.dumps(content, allow_nan=False) + "\n")


def load_gestures(path: str | Path) -> GestureModel:
    """A model from its file. HandscopeError for a file that is missing, or none."""
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
        kind, version, names = content.pop("format"), content.pop("version"), content.pop("features")
        if (kind, version) != (FORMAT, VERSION) or tuple(names) != feature_names(bool(content["turned"])):
            raise ValueError(f"format {kind!r}, version {version!r}, {len(names)} features")
        model = GestureModel(**content)
        if np.shape(model.coefficients) != (len(model.classes), len(names)) or len(model.classes) < 2:
            raise ValueError(f"coefficients of shape {np.shape(model.coefficients)}")
        numbers = [model.mean, model.scale, model.intercepts, *model.coefficients]
        if not all(np.isfinite(row).all() for row in numbers) or min(model.scale) <= 0:
            raise ValueError("numbers that are none")
        return model
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as problem:
        told = problem.strerror if isinstance(problem, OSError) else problem
        raise HandscopeError(f"{path}: not a gesture model of this version ({told}); {LEARN}") from problem


def learn(samples: NDArray[np.floating], labels: list[str], *, turned: bool, least: float = 0.5) -> GestureModel:
    """A model of features (n, f) with their classes, by scikit-learn: standardised, logistic regression, classes of
    equal weight. HandscopeError for fewer than two classes.
    """
    from sklearn.linear_model import LogisticRegression

    counts = {name: labels.count(name) for name in sorted(set(labels))}
    if len(counts) < 2:
        raise HandscopeError(f"gestures are told from each other: give two classes at least, got {len(counts)}")
    mean, scale = samples.mean(0), np.maximum(samples.std(0), 1e-6)
    fitted = LogisticRegression(C=0.3, class_weight="balanced", max_iter=2000).fit((samples - mean) / scale, labels)
    coefficients, intercepts = fitted.coef_, fitted.intercept_
    if len(counts) == 2:  # scikit-learn tells the second class alone
        coefficients, intercepts = np.vstack([-coefficients, coefficients]) / 2, np.r_[-intercepts, intercepts] / 2
    return GestureModel(
        classes=[str(name) for name in fitted.classes_],
        mean=mean.tolist(),
        scale=scale.tolist(),
        coefficients=coefficients.tolist(),
        intercepts=intercepts.tolist(),
        turned=turned,
        least=least,
        about={"examples": counts},
    )
