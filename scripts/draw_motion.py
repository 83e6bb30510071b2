"""The picture of docs/corpora.md: bends of fingers over time in the two sample clips, gaps left open.

python scripts/draw_motion.py        # looks through samples/clips, writes docs/images/motion.png
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import pyarrow.parquet as parquet

from handscope.apps.corpus import main as corpus

SHOWN = ("index_pip_flexion_deg", "middle_pip_flexion_deg", "thumb_ip_flexion_deg")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        corpus(["samples/clips", "--out", folder])
        table = parquet.read_table(Path(folder) / "corpus.parquet").to_pandas()
    videos = sorted(table["video"].unique())
    figure, axes = plt.subplots(
        len(videos), 2, figsize=(9, 2.3 * len(videos)), sharex="row", sharey=True, squeeze=False
    )
    for row, video in zip(axes, videos, strict=True):
        for axis, side in zip(row, ("left", "right"), strict=True):
            own = table[(table["video"] == video) & (table["handedness"] == side)]
            for name in SHOWN:
                for track, part in own.groupby("track"):
                    label = name.removesuffix("_deg").replace("_", " ") if track == own["track"].min() else None
                    colour = f"C{SHOWN.index(name)}"
                    axis.plot(part["time"], part[name], color=colour, label=label)
            axis.set(title=f"{video}, {side} hand", ylabel="degrees" if side == "left" else None)
        row[0].legend(fontsize=7)
    for axis in axes[-1]:
        axis.set(xlabel="seconds")
    figure.tight_layout()
    figure.savefig("docs/images/motion.png", dpi=110)


if __name__ == "__main__":
    main()
