"""`handscope bench rendered`: whole rendered pictures in, where everything is known; scores by skin, view and so on.

    rows, alarms = measure_all(samples, model, load_asset())
    print(report(rows, pictures=1000, alarms=alarms))

A hand is found, and errors are taken, as in protocols.py. Groups:

- skin tone: nine equal parts of the renderer's scale of ten, 1 the lightest (the colour of the back of the hand
  before any light falls on it);
- view: the angle between the back of the hand (the model's +y) and the direction from wrist to camera; "back" and
  "palm" within 60 degrees of facing it, "edge" the rest;
- hidden joints: those that are behind the hand itself, behind something else or outside the picture;
- size: the larger side of the joints' box in px of a picture whose longer side is 256 (what the detector sees).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from handscope.evaluation import metrics
from handscope.evaluation.matching import FOUND_IOU
from handscope.evaluation.protocols import FALSE_IOU, REFERENCE_PX, best_match, self_iou
from handscope.geometry.boxes import box_iou, longer_side, tight_box
from handscope.geometry.camera import project
from handscope.hand.assets import HandAsset
from handscope.hand.model import pose_hand
from handscope.types import Hand, HandLabel, Sample

Model = Callable[[NDArray[np.uint8]], Sequence[Hand]]

TONES = 9
DARKEST = 10.0
VIEW_COSINE = 0.5
HIDDEN = ((0, 2), (3, 6), (7, 10), (11, 21))
SIZES_PX256 = (0, 24, 48, 96, 1000)


@dataclass(frozen=True, kw_only=True)
class Row:
    """One labelled hand: its groups, and the errors of the hand found for it (None if none was).

    `error`, `mesh_error` (projected 3D joints) and `pck` are of 2D joints as shares of the box side; `pa_mm` and
    `mesh_pa_mm` of joints and vertices after the best similarity; `mask_iou` against the true mask, `self_iou` of
    rendered mesh and estimated mask. `covered` (21,) are the joints that are not seen, `told_covered` (21,) in [0, 1]
    how surely the hand says so.
    """

    side: str
    tone: int | None
    view: str | None
    hidden: int
    size: float
    error: float | None = None
    pck: float = 0.0
    mesh_error: float | None = None
    pa_mm: float | None = None
    mesh_pa_mm: float | None = None
    mask_iou: float | None = None
    self_iou: float | None = None
    handedness_correct: bool | None = None
    covered: NDArray[np.bool_] | None = None
    told_covered: NDArray[np.floating] | None = None


def measure_all(
    samples: Iterable[Sample], model: Model, asset: HandAsset, progress: Callable[[int], None] | None = None
) -> tuple[list[Row], int]:
    """A row for every labelled hand, and the number of hands seen where none is (IoU under 0.1 with all)."""
    rows: list[Row] = []
    alarms = 0
    for done, sample in enumerate(samples):
        hands = model(sample.image)
        rows += [measure(label, sample, hands, asset) for label in sample.hands]
        boxes = [tight_box(label.joints_2d) for label in sample.hands if label.joints_2d is not None]
        alarms += sum(all(box_iou(tight_box(hand.joints_2d), box) < FALSE_IOU for box in boxes) for hand in hands)
        if progress is not None:
            progress(done + 1)
    return rows, alarms


def measure(label: HandLabel, sample: Sample, hands: Sequence[Hand], asset: HandAsset) -> Row:
    """The row of one completely labelled hand of `sample`."""
    assert label.joints_2d is not None and label.joints_3d is not None and label.mask is not None
    assert label.visible is not None and label.handedness is not None
    side = float(longer_side(tight_box(np.asarray(label.joints_2d, np.float64))))
    row = Row(
        side=label.handedness,
        tone=None if label.tone is None else 1 + min(int(label.tone / DARKEST * TONES), TONES - 1),
        view=view_of(label),
        hidden=int((~label.visible).sum()),
        size=side * REFERENCE_PX / max(sample.image.shape[:2]),
    )
    hand = best_match(hands, tight_box(label.joints_2d), iou=FOUND_IOU)
    if hand is None:
        return row
    errors = metrics.joint_errors(hand.joints_2d, label.joints_2d) / side
    seen = project(hand.joints_3d, hand.K)
    vertices = true_vertices(label, asset)
    found = {
        "error": float(errors.mean()),
        "pck": float((errors <= 0.1).mean()),
        "mesh_error": float(metrics.joint_errors(seen, label.joints_2d).mean()) / side,
        "pa_mm": 1000 * metrics.pa_mpjpe(hand.joints_3d, label.joints_3d),
        "mesh_pa_mm": None if vertices is None else 1000 * metrics.pa_mpjpe(hand.vertices, vertices),
        "mask_iou": metrics.mask_iou(hand.mask, label.mask > 127),
        "self_iou": self_iou(hand),
        "handedness_correct": hand.handedness == label.handedness,
        "covered": ~label.visible,
        "told_covered": None if hand.joint_visibility is None else 1 - hand.joint_visibility,
    }
    return Row(**{**vars(row), **found})


def true_vertices(label: HandLabel, asset: HandAsset) -> NDArray[np.float64] | None:
    """The labelled mesh (V, 3) in the camera frame; None without parameters."""
    if label.theta is None or label.beta is None or label.R is None or label.T is None:
        return None
    one = [np.asarray(value, np.float32)[None] for value in (label.beta, label.theta, label.R, label.T)]
    vertices = pose_hand(asset, *one).vertices[0].astype(np.float64)
    return vertices * [-1, 1, 1] if label.handedness == "left" else vertices


def view_of(label: HandLabel) -> str | None:
    """ "back", "palm" or "edge"; None without R and T."""
    if label.R is None or label.T is None:
        return None
    towards_camera = -label.T / np.linalg.norm(label.T)
    facing = float(label.R[:, 1] @ towards_camera)
    return "back" if facing >= VIEW_COSINE else "palm" if facing <= -VIEW_COSINE else "edge"


def groups(rows: Sequence[Row]) -> dict[str, dict[str, list[Row]]]:
    """The rows by every way of grouping; groups without a hand are left out."""
    hidden = {(f"{low}-{high} of 21"): (low, high) for low, high in HIDDEN}
    sizes = {f"{low}-{high}" if high < 1000 else f"{low} and more": (low, high) for low, high in pairwise(SIZES_PX256)}
    ways = {
        "all": {"all": list(rows)},
        "side": {name: [r for r in rows if r.side == name] for name in ("left", "right")},
        "skin tone": {str(tone): [r for r in rows if r.tone == tone] for tone in range(1, TONES + 1)},
        "view": {name: [r for r in rows if r.view == name] for name in ("palm", "back", "edge")},
        "hidden joints": {name: [r for r in rows if a <= r.hidden <= b] for name, (a, b) in hidden.items()},
        "size, px of 256": {name: [r for r in rows if a <= r.size < b] for name, (a, b) in sizes.items()},
    }
    return {way: {name: some for name, some in parts.items() if some} for way, parts in ways.items()}


def scores(rows: Sequence[Row]) -> dict[str, float]:
    """Figures of a group of hands: PCK counts the joints of a hand not found as wrong, errors are of those found."""
    found = [row for row in rows if row.error is not None]
    out = {
        "hands": float(len(rows)),
        "found": len(found) / max(len(rows), 1),
        "pck_0.1": float(np.mean([row.pck for row in rows])) if rows else 0.0,
    }
    names = ("error", "mesh_error", "pa_mm", "mesh_pa_mm", "mask_iou", "self_iou", "handedness_correct")
    for name in names:
        values = [value for row in found if (value := getattr(row, name)) is not None]
        if values:
            out[name] = float(np.mean(values))
    told = [row.told_covered for row in found if row.told_covered is not None]
    covered = [row.covered for row in found if row.told_covered is not None and row.covered is not None]
    if covered and (total := int(np.sum(covered))):
        out["covered_ap"] = metrics.average_precision(np.ravel(told), np.ravel(covered), total)
    return out


HEADINGS = {
    "hands": ("hands", "{:.0f}", 1),
    "found": ("found", "{:.1f} %", 100),
    "error": ("2D error, % of box side", "{:.2f}", 100),
    "pck_0.1": ("PCK@0.1", "{:.1f} %", 100),
    "mesh_error": ("2D error of the mesh's joints, %", "{:.2f}", 100),
    "pa_mm": ("PA joints, mm", "{:.1f}", 1),
    "mesh_pa_mm": ("PA mesh, mm", "{:.1f}", 1),
    "mask_iou": ("mask IoU", "{:.3f}", 1),
    "self_iou": ("IoU mesh/mask", "{:.3f}", 1),
    "handedness_correct": ("left or right", "{:.1f} %", 100),
    "covered_ap": ("hidden joints told, AP", "{:.3f}", 1),
}


def summary(rows: Sequence[Row], *, pictures: int, alarms: int) -> dict[str, object]:
    """Everything for scores.json: scores by way of grouping and group."""
    by = {way: {name: scores(some) for name, some in parts.items()} for way, parts in groups(rows).items()}
    return {"pictures": pictures, "false_alarms_per_picture": alarms / max(pictures, 1), "scores": by}


def report(rows: Sequence[Row], *, pictures: int, alarms: int) -> str:
    """Markdown: a line for each group."""
    lines = [
        f"{pictures} rendered pictures, {len(rows)} hands, {alarms / max(pictures, 1):.3f} false alarms a picture.",
        "",
        "| by | group | " + " | ".join(heading for heading, _, _ in HEADINGS.values()) + " |",
        "|---|---" + "|---" * len(HEADINGS) + "|",
    ]
    for way, parts in groups(rows).items():
        for i, (name, some) in enumerate(parts.items()):
            found = scores(some)
            cells = [
                form.format(factor * found[key]) if key in found else "-" for key, (_, form, factor) in HEADINGS.items()
            ]
            lines.append(f"| {'' if i else way} | {name} | {' | '.join(cells)} |")
    return "\n".join(lines)
