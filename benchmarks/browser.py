"""The browser beside Python: how far apart their answers are, and how long each takes, one thread each.

    python benchmarks/browser.py [--rendered 50] [--json FILE]

The samples and rendered pictures (seed 9027) go through `handscope.load()` here and through the page's own library in
Chromium (web/, `npm ci` done), each picture three times, as PNG, so that both see the same levels; the best time of a
picture counts. Also what a first visit fetches, and frames a second of a webcam that shows one hand, followed with
smoothing. A hand's distance is the mean over its joints. Wants an idle machine, node 20 and Chromium.
"""

from __future__ import annotations

import argparse
import functools
import http.server
import json
import statistics
import subprocess
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import handscope
from handscope.apps.static_page import write_page
from handscope.data.catalog import open_shards
from handscope.infer.images import to_rgb_array
from handscope.synth.generate import generate
from handscope.synth.scene import SynthConfig

ROOT = Path(__file__).parents[1]
REPEATS = 3
SEED, SIZE = 9027, 320
SHOWN = ROOT / "samples" / "rendered" / "open-hand.jpg"
"""What the webcam shows."""
LIMIT = 0.5
"""Px and mm that a hand may be apart."""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rendered", type=int, default=50, help="rendered pictures")
    parser.add_argument("--json", type=Path, help="where the numbers go too")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sets = {"samples": samples(), "rendered": rendered(options.rendered, folder / "shards")}
        write_page(folder / "site")
        found = measure(sets, folder / "site")
    print(table(found))
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


def samples() -> dict[str, Any]:
    """The photographs and renderings of samples/, by name."""
    folder = ROOT / "samples"
    paths = sorted([*folder.glob("*.jpg"), *folder.glob("rendered/*.jpg")])
    return {path.stem: to_rgb_array(path) for path in paths}


def rendered(count: int, folder: Path) -> dict[str, Any]:
    """Freshly rendered pictures, by name."""
    generate(SynthConfig(size=SIZE), count=count, seed=SEED, out=str(folder), split="dev", workers=1)
    return {sample.key: sample.image for sample in open_shards(folder)}


def measure(sets: dict[str, dict[str, Any]], site: Path) -> dict[str, Any]:
    """Both sides' answers and times, set by set."""
    model = handscope.load(threads=1)
    native: dict[str, dict[str, Any]] = {}
    (site / "pictures").mkdir()
    for name, pictures in sets.items():
        native[name] = {}
        for key, image in pictures.items():
            Image.fromarray(image).save(site / "pictures" / f"{name}-{key}.png")
            times = []
            for _ in range(REPEATS):
                begin = time.perf_counter()
                hands = model(image)
                times.append(time.perf_counter() - begin)
            told = [
                {"handedness": h.handedness, "joints_2d": h.joints_2d.tolist(), "joints_3d": h.joints_3d.tolist()}
                for h in hands
            ]
            native[name][key] = {"hands": told, "ms": 1000 * min(times)}
    chosen = [f"{name}-{key}.png" for name, pictures in sets.items() for key in pictures]
    browser = in_chromium(site, chosen)
    out: dict[str, Any] = {"first visit": browser["visit"], "video": browser["video"], "sets": {}}
    for name, pictures in sets.items():
        pairs = [(native[name][key], browser["pictures"][f"{name}-{key}.png"]) for key in pictures]
        out["sets"][name] = compare(pairs)
    return out


def in_chromium(site: Path, pictures: list[str]) -> dict[str, Any]:
    """What web/tests/measure.mjs says, which looks at the page that is served here."""
    served = functools.partial(Quiet, directory=str(site))
    (site / "camera.mjpeg").write_bytes(SHOWN.read_bytes())  # Chromium takes JPEGs one after the other for a webcam
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), served) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}/"
        command = ["node", "tests/measure.mjs", address, str(REPEATS), str(site / "camera.mjpeg"), *pictures]
        run = subprocess.run(command, cwd=ROOT / "web", capture_output=True, text=True, check=False)
        server.shutdown()
    if run.returncode != 0:
        raise SystemExit(run.stderr)
    return json.loads(run.stdout)


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves files without telling of each."""

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""


def compare(pairs: list[tuple[dict[str, Any], dict[str, Any]]]) -> dict[str, Any]:
    """How far apart both are: of hands the mean over joints, of joints the farthest; and the times, ms."""
    px: list[float] = []
    mm: list[float] = []
    worst = [0.0, 0.0]
    other = 0
    for one, two in pairs:
        if [h["handedness"] for h in one["hands"]] != [h["handedness"] for h in two["hands"]]:
            other += 1
            continue
        for mine, theirs in zip(one["hands"], two["hands"], strict=True):
            for which, key, scale, into in ((0, "joints_2d", 1, px), (1, "joints_3d", 1000, mm)):
                apart = scale * np.linalg.norm(np.array(mine[key]) - np.array(theirs[key]), axis=1)
                into.append(float(apart.mean()))
                worst[which] = max(worst[which], float(apart.max()))
    return {
        "pictures": len(pairs),
        "other hands": other,
        "hands": len(px),
        "px": {"median": statistics.median(px), "largest": max(px), "joint": worst[0]},
        "mm": {"median": statistics.median(mm), "largest": max(mm), "joint": worst[1]},
        "beyond": sum(a >= LIMIT or b >= LIMIT for a, b in zip(px, mm, strict=True)),
        "native ms": statistics.median(one["ms"] for one, _ in pairs),
        "browser ms": statistics.median(two["ms"] for _, two in pairs),
    }


def table(found: dict[str, Any]) -> str:
    """The numbers as docs/browser.md has them."""
    lines = [
        "| pictures | hands | px, median | px, largest | mm, median | mm, largest | beyond 0.5 | Python | Chromium |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for name, row in found["sets"].items():
        px, mm = row["px"], row["mm"]
        lines.append(
            f"| {row['pictures']} {name} | {row['hands']} | {px['median']:.5f} | {px['largest']:.4f} | "
            f"{mm['median']:.5f} | {mm['largest']:.4f} | {row['beyond']} | {row['native ms']:.0f} ms | "
            f"{row['browser ms']:.0f} ms |"
        )
        lines.append(
            f"  other hands in {row['other hands']}; farthest joint {px['joint']:.4f} px, {mm['joint']:.4f} mm"
        )
    lines += [f"first visit: {found['first visit']}", f"video: {found['video']}"]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
