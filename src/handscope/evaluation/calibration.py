"""Is a joint score of 0.8 correct 8 times in 10? Reliability of joint scores, and the logistic that mends it.

A joint is correct if it lies within `CORRECT` of the longer side of the true joints' box (PCK@0.1). Joints
of hands that were found (protocols.py) count, where the truth is known. "ECE", the expected calibration error, is the
mean distance between score and share of correct joints over ten equal bins of the score, weighted by their joints.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from handscope.errors import HandscopeError
from handscope.evaluation import metrics
from handscope.evaluation.matching import FOUND_IOU
from handscope.evaluation.protocols import best_match
from handscope.files import NewFile
from handscope.geometry.boxes import longer_side, tight_box
from handscope.types import Hand, Sample

CORRECT = 0.1
BINS = 10
LEAST_KNOWN = 11
"""A hand with fewer known joints has no box to measure by."""


@dataclass(frozen=True)
class Judged:
    """Joints' `scores` (n,) and whether each is `correct` (n,)."""

    scores: NDArray[np.float64]
    correct: NDArray[np.bool_]


def judge(
    samples: Iterable[Sample],
    model: Callable[[NDArray[np.uint8]], Sequence[Hand]],
    progress: Callable[[int], None] | None = None,
) -> Judged:
    """Every known joint of every labelled hand of `samples` that `model` finds."""
    scores: list[NDArray[np.floating]] = [np.zeros(0)]
    correct: list[NDArray[np.bool_]] = [np.zeros(0, bool)]
    for done, sample in enumerate(samples):
        hands = model(sample.image)
        for label in sample.hands:
            if label.joints_2d is None:
                continue
            known = np.ones(21, bool) if label.joints_2d_known is None else label.joints_2d_known
            if known.sum() < LEAST_KNOWN:
                continue
            true = np.asarray(label.joints_2d[known], np.float64)
            hand = best_match(hands, tight_box(true), iou=FOUND_IOU)
            if hand is not None:
                errors = metrics.joint_errors(hand.joints_2d[known], true)
                scores.append(hand.joint_scores[known])
                correct.append(errors <= CORRECT * longer_side(tight_box(true)))
        if progress is not None:
            progress(done + 1)
    return Judged(np.concatenate(scores).astype(np.float64), np.concatenate(correct))


def fit_logistic(features: Sequence[NDArray[np.floating]], correct: Sequence[NDArray[np.bool_]]) -> tuple[float, float]:
    """Offset and slope by maximum likelihood of sigmoid(offset + slope feature); every set of joints counts alike.

    Newton's method, which converges for this convex problem; a whisper of ridge keeps it finite where the sets can be
    told apart perfectly.
    """
    if not sum(len(f) for f in features):
        raise HandscopeError("no labelled hand was found: there are no joint scores to calibrate; give more pictures")
    x = np.concatenate([np.column_stack([np.ones(len(f)), f]) for f in features])
    y = np.concatenate(list(correct)).astype(np.float64)
    weight = np.concatenate([np.full(len(f), 1 / len(f)) for f in features if len(f)])
    unknown = np.array([0.0, 1.0])
    for _ in range(50):
        p = 1 / (1 + np.exp(-np.clip(x @ unknown, -30, 30)))
        curvature = (x * (weight * p * (1 - p))[:, None]).T @ x + 1e-4 * np.eye(2)
        step = np.linalg.solve(curvature, x.T @ (weight * (y - p)) - 1e-4 * (unknown - [0, 1]))
        unknown = unknown + step
        if np.abs(step).max() < 1e-9:
            break
    return float(unknown[0]), float(unknown[1])


def reliability(judged: Judged) -> list[tuple[float, float, int]]:
    """(mean score, share correct, joints) of each of ten equal bins of the score that holds joints."""
    bins = np.minimum((judged.scores * BINS).astype(int), BINS - 1)
    return [
        (float(judged.scores[inside].mean()), float(judged.correct[inside].mean()), int(inside.sum()))
        for i in range(BINS)
        if (inside := bins == i).any()
    ]


def calibration_error(judged: Judged) -> float:
    """ECE in [0, 1]."""
    total = max(len(judged.scores), 1)
    return sum(count / total * abs(score - share) for score, share, count in reliability(judged))


def report(before: Mapping[str, Judged], after: Mapping[str, Judged]) -> str:
    """Markdown: ECE before and after by set, then the share of correct joints for each bin of the new score."""
    lines = ["| set | joints | correct | ECE before | ECE after |", "|---|---|---|---|---|"]
    for name, judged in after.items():
        errors = f"{calibration_error(before[name]):.3f} | {calibration_error(judged):.3f}"
        share = f"{100 * judged.correct.mean():.1f} %" if len(judged.correct) else "-"
        lines.append(f"| {name} | {len(judged.scores)} | {share} | {errors} |")
    lines += [
        "",
        "| score | " + " | ".join(f"{name}: correct" for name in after) + " |",
        "|---" * (len(after) + 1) + "|",
    ]
    bins = {name: {min(int(s * BINS), BINS - 1): (r, n) for s, r, n in reliability(one)} for name, one in after.items()}
    for i in range(BINS):
        cells = [f"{100 * bins[name][i][0]:.0f} % of {bins[name][i][1]}" if i in bins[name] else "-" for name in after]
        lines.append(f"| {i / BINS:.1f}-{(i + 1) / BINS:.1f} | {' | '.join(cells)} |")
    return "\n".join(lines)


def plot(before: Mapping[str, Judged], after: Mapping[str, Judged], path: Path) -> None:
    """Reliability diagrams, raw and calibrated side by side; bins of fewer than 20 joints are left out."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 4.4), layout="constrained")
    for axes, title, sets in zip(
        figure.subplots(1, 2, sharey=True), ("as the network says", "calibrated"), (before, after), strict=True
    ):
        axes.plot([0, 1], [0, 1], color="0.7", linewidth=1)
        for name, judged in sets.items():
            points = np.array([(score, share) for score, share, count in reliability(judged) if count >= 20])
            label = f"{name}, ECE {calibration_error(judged):.3f}"
            axes.plot(*points.reshape(-1, 2).T, marker="o", label=label)
        axes.set(title=title, xlabel="joint score", xlim=(0, 1), ylim=(0, 1))
        axes.legend(loc="lower right", fontsize=8)
    figure.axes[0].set_ylabel(f"share within {CORRECT} of the box side")
    path.parent.mkdir(parents=True, exist_ok=True)
    with NewFile(path) as beside:
        figure.savefig(beside, dpi=110, format=path.suffix.lstrip(".") or "png")
