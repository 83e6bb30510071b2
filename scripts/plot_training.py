"""Curves of training runs for docs/training-log.md.

python scripts/plot_training.py runs/small runs/detector --out docs/images
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

PANELS = {
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
        axis.set(title=title, xlabel="step", ylim=(0, None))
        axis.grid(alpha=0.3)
        if len(names) > 1:
            axis.legend(fontsize=7)
    path = out / f"training-{folder.name}.png"
    figure.savefig(path, dpi=80)
    return path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--out", type=Path, default=Path("docs/images"))
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    for run in args.runs:
        print(plot(run, args.out))


if __name__ == "__main__":
    main()
