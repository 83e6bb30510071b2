"""Results as files: CSV, JSON, a Markdown table, PCK plots as the paper's Figures 7 and 8, and the values themselves.

`values.npz` keeps every hand's errors, from which `handscope compare` takes its bootstrap.
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from handscope.evaluation.scoring import Result
from handscope.evaluation.variants import Variant
from handscope.files import NewFile, write_file
from handscope.types import JsonValue

FIGURES = ("hands", "found", "mean", "median", "auc")
INK = ("#d62728", "#1f77b4", "#2ca02c", "#9467bd", "#ff7f0e", "#17becf", "#8c564b", "#e377c2")
SAME, DASH = 0.003, 4.0
"""Lines no further apart than this share lie over each other; they are then drawn in dashes of so many line widths."""
LABELS = {"mm": "Error threshold (mm)", "px": "Error threshold (px)", "share": "IoU threshold"}
Y_LABELS = {"joints_3d": "3D PCK", "joints_2d": "2D PCK", "vertices": "3D PCK of vertices", "mask": "IoU PCK"}

Curve = tuple[str, Sequence[float], Sequence[float], float]
"""Label, thresholds, shares and AUC of one line in a plot."""


def write_report(
    folder: Path, results: Mapping[str, Result], refused: Mapping[str, str], header: Mapping[str, JsonValue]
) -> None:
    """scores.csv, scores.json, scores.md, values.npz and pck.png in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    write_file(folder / "scores.csv", as_csv(results))
    content = as_json(results, refused, header)
    write_file(folder / "scores.json", json.dumps(content, indent=1) + "\n")
    write_file(folder / "scores.md", as_markdown(results, refused))
    values: dict[str, Any] = {name: result.values.astype(np.float32) for name, result in results.items()}
    for name, result in results.items():
        values |= {f"{name}/keys": result.keys, f"{name}/found": result.found}
    with NewFile(folder / "values.npz") as path, path.open("wb") as file:
        np.savez_compressed(file, **values)
    curves = {
        name: (result.variant, [_line(str(header.get("name") or "Handscope"), result)])
        for name, result in results.items()
        if result.curve is not None
    }
    if curves:
        plot(curves, folder / "pck.png")


def as_csv(results: Mapping[str, Result]) -> str:
    """One line a variant and figure: variant, figure, value, unit and how it was measured."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["variant", "figure", "value", "unit", "root", "aligned", "thresholds", "origin"])
    for name, result in results.items():
        v = result.variant
        for figure, value in result.figures.items():
            unit = v.unit if figure in ("mean", "median") else "share"
            writer.writerow([name, figure, f"{value:.6g}", unit, v.root, v.aligned, v.at or "", v.origin])
    return text.getvalue()


def as_json(
    results: Mapping[str, Result], refused: Mapping[str, str], header: Mapping[str, JsonValue]
) -> dict[str, JsonValue]:
    """Everything but the values of single hands."""
    return {
        "predictions": dict(header),
        "variants": {name: describe(result.variant) | _numbers(result) for name, result in results.items()},
        "refused": dict(refused),
    }


def describe(v: Variant) -> dict[str, JsonValue]:
    """What a variant measures, in words and numbers."""
    return {
        "quantity": v.quantity,
        "unit": v.unit,
        "root": v.root,
        "aligned": v.aligned,
        "joint_0": v.zeroth,
        "joints": list(v.joints),
        "visible_only": v.visible_only,
        "hands": v.hands,
        "from_mesh": v.from_mesh,
        "thresholds": None if v.at is None else str(v.at),
        "origin": v.origin,
    }


def _numbers(result: Result) -> dict[str, JsonValue]:
    figures = {k: value if math.isfinite(value) else None for k, value in result.figures.items()}
    told: dict[str, JsonValue] = {"figures": figures}
    if result.notes:
        told["notes"] = result.notes
    if result.curve is None or result.variant.at is None:
        return told
    return told | {"thresholds_at": result.variant.at.values.tolist(), "curve": result.curve.tolist()}


def as_markdown(results: Mapping[str, Result], refused: Mapping[str, str]) -> str:
    """One row a variant, then what has to be said of some, and the reasons of refusals."""
    lines = ["| variant | hands | found | mean | median | AUC | unit | aligned by | AUC over |", "|---|" + "---|" * 8]
    for name, result in results.items():
        v, cells = result.variant, [_cell(result.figures.get(figure)) for figure in FIGURES]
        lines.append(f"| {name} | {' | '.join(cells)} | {v.unit} | {v.aligned} | {v.at or ''} |")
    extras = [
        f"- {name}: " + ", ".join(f"{k} {value:.4g}" for k, value in result.figures.items() if k not in FIGURES)
        for name, result in results.items()
        if set(result.figures) - set(FIGURES)
    ]
    notes = [(name, note) for name, result in results.items() for note in result.notes]
    below = [*extras, *_by_reason("note", notes), *_by_reason("not scored", list(refused.items()))]
    return "\n".join([*lines, *([""] if below else []), *below]) + "\n"


def _by_reason(what: str, reasons: Sequence[tuple[str, str]]) -> list[str]:
    """One line a reason, with all variants that share it."""
    together = {reason: [name for name, why in reasons if why == reason] for _, reason in reasons}
    return [f"- {what}: {', '.join(names)}: {reason}" for reason, names in together.items()]


def _cell(value: float | None) -> str:
    return "" if value is None or not math.isfinite(value) else f"{value:.4g}"


def _line(label: str, result: Result) -> Curve:
    assert result.curve is not None and result.variant.at is not None
    return label, result.variant.at.values.tolist(), result.curve.tolist(), result.figures["auc"]


def dashes(lines: Sequence[Curve]) -> list[Any]:
    """Line styles: whole ones, but lines that are the same to the eye as an earlier one share it, dash by dash."""
    groups: list[list[int]] = []
    for number, (_, at, shares, _) in enumerate(lines):
        for group in groups:
            _, other, values, _ = lines[group[0]]
            if len(at) == len(other) and np.allclose(at, other) and np.allclose(shares, values, atol=SAME, rtol=0):
                group.append(number)
                break
        else:
            groups.append([number])
    styles: list[Any] = ["-"] * len(lines)
    for group in groups:
        for place, number in enumerate(group[1:], 1):
            styles[number] = (DASH * place, (DASH, DASH * (len(group) - 1)))
    return styles


def plot(panels: Mapping[str, tuple[Variant, Sequence[Curve]]], path: Path) -> None:
    """One panel a variant, four a row, as in Figures 7 and 8: share of correct keypoints, AUC in the legend."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    columns = min(4, len(panels))
    rows = -(-len(panels) // columns)
    figure = Figure(figsize=(3.6 * columns, 3.1 * rows), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for axis, (name, (variant, lines)) in zip(axes, panels.items(), strict=False):
        styles = dashes(lines)
        for number, (label, at, shares, area) in enumerate(lines):
            style = {"color": INK[number % len(INK)], "linewidth": 1.6, "linestyle": styles[number]}
            axis.plot(at, shares, label=f"{label} (AUC={area:.3f})", **style)
        axis.set_title(name, fontsize=9)
        axis.set_xlabel(LABELS.get(variant.unit, f"Error threshold ({variant.unit})"), fontsize=8)
        axis.set_ylabel(Y_LABELS[variant.quantity], fontsize=8)
        axis.set_xlim(lines[0][1][0], lines[0][1][-1])
        axis.set_ylim(0, 1.01)
        axis.grid(alpha=0.35, linestyle="--")
        axis.tick_params(labelsize=7)
        axis.legend(fontsize=7, loc="lower left" if variant.quantity == "mask" else "lower right")
    for axis in axes[len(panels) :]:
        axis.set_visible(False)
    with NewFile(path) as beside:
        figure.savefig(beside, dpi=110, format="png")
