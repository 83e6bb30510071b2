"""Curves of training runs for docs/training-log.md and docs/reproduction.md.

python scripts/plot_training.py runs/small runs/detector --out docs/images [--table docs/curves]

`--table` writes what validation said, step by step, as CSV beside.
"""

from __future__ import annotations

import argparse
import csv
import json
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

PANELS = {
    "paper": {
        "loss": ["loss"],
        "heat-maps (an empty map: 50)": ["heatmap"],
        "2D pose, of heat-maps and mesh": ["validation/joints_2d", "validation/joints_2d_mesh"],
        "masks, of decoder and mesh": ["validation/mask", "validation/mask_mesh"],
        "3D pose and mesh": ["validation/joints_3d", "validation/mesh"],
    },
    "small": {
        "loss": ["loss"],
        "last block's terms": ["coordinates", "joints_2d", "bones", "mask", "right"],
        "joints-dev, true crop, px of 256": [
            "validation/error_px256",
            "validation/error_px256_median",
            "validation/mesh_error_px256",
        ],
        "joints-dev, PA mm": ["validation/pa_mm"],
    },
    "aligner": {
        "loss": ["loss"],
        "terms": ["auxiliary", "auxiliary_right"],
        "turn's error, degrees (median)": ["validation/joints-dev/turn_deg", "validation/photos/turn_deg"],
        "share of right sides": ["validation/joints-dev/handedness", "validation/photos/handedness"],
    },
    "detector": {
        "loss": ["loss"],
        "terms": ["score", "box", "crop", "up", "right"],
        "joints-dev and held-out photographs": ["validation/joints-dev/found", "validation/photos/found"],
    },
}


def read(folder: Path) -> list[dict[str, float]]:
    """The rows of a run's log; a resumed run repeats steps, the later ones count."""
    rows = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    kept: list[dict[str, float]] = []
    for row in rows:
        while kept and kept[-1]["step"] > row["step"]:
            kept.pop()
        kept.append(row)
    return kept


def plot(folder: Path, out: Path) -> Path:
    """One picture a run."""
    rows, panels = read(folder), PANELS[folder.name.split("-")[0]]
    figure, axes = plt.subplots(1, len(panels), figsize=(4.2 * len(panels), 3.2), layout="constrained")
    for axis, (title, names) in zip(axes, panels.items(), strict=True):
        for name in names:
            points = [(row["step"], row[name]) for row in rows if name in row]
            if points:
                marker = "." if len(points) < 40 else ""
                axis.plot(*zip(*points, strict=True), label=name.removeprefix("validation/"), marker=marker)
        axis.set(title=title, xlabel="step", ylim=(0, 1.04 * axis.dataLim.y1))
        axis.grid(alpha=0.3)
        if len(names) > 1:
            axis.legend(fontsize=7)
    path = out / f"training-{folder.name}.png"
    figure.savefig(path, dpi=80)
    return path


def write_table(folder: Path, out: Path) -> Path:
    """What validation said, a row a step."""
    rows = [row for row in read(folder) if any(name.startswith("validation/") for name in row)]
    names = [name for name in rows[0] if name.startswith("validation/")]
    path = out / f"{folder.name}.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["step", *(name.removeprefix("validation/") for name in names)])
        writer.writerows([row["step"], *(row.get(name, "") for name in names)] for row in rows)
    return path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--out", type=Path, default=Path("docs/images"))
    parser.add_argument("--table", type=Path, metavar="DIR")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    for run in args.runs:
        print(plot(run, args.out))
        if args.table is not None:
            args.table.mkdir(parents=True, exist_ok=True)
            print(write_table(run, args.table))


if __name__ == "__main__":
    main()
