"""`python -m fuzz.attacks [--source SRC] [--only WORDS]`: the attacks that brought 0.4.0 down; prints which held.

`--source` is the `src` of another checkout, to see them fail there. Most are commands given a file. Such an attack is
held if the command ends by itself within `SECONDS` and `CPU_SECONDS`, with an exit code of its own and no traceback, in
`MEMORY`, and did nothing that it must not. The rest are scenes (fuzz/scenes.py).
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from shutil import copyfile

from fuzz import scenes, seeds

SECONDS, CPU_SECONDS, MEMORY = 30.0, 6.0, 1536
"""Of one command: until it is taken for one that never ends, of a core, and MiB."""
SOURCE = [seeds.ROOT / "src"]
PHOTO = str(seeds.ROOT / "samples" / "rendered" / "pinch.jpg")
Attack = Callable[[Path], tuple[list[str], Callable[[], str]]]
"""In a folder, the words of a command of `handscope`, and what says afterwards what it did wrong ("" for nothing)."""


def unharmed() -> str:
    return ""


def given(content: bytes, name: str, *words: str) -> Attack:
    """A file, of which `{}` in the words stands for the path."""

    def make(folder: Path) -> tuple[list[str], Callable[[], str]]:
        path = folder / name
        path.write_bytes(content)
        return [word.replace("{}", str(path)) for word in words or ("{}",)], unharmed

    return make


def said(*words: str) -> Attack:
    return lambda folder: (list(words), unharmed)


def pipe(folder: Path) -> tuple[list[str], Callable[[], str]]:
    os.mkfifo(folder / "pipe.jpg")
    return [str(folder / "pipe.jpg")], unharmed


def sparse(folder: Path) -> tuple[list[str], Callable[[], str]]:
    with (folder / "sparse.jpg").open("wb") as file:
        file.truncate(30 * 2**30)
    return [str(folder / "sparse.jpg")], unharmed


def dots(folder: Path) -> tuple[list[str], Callable[[], str]]:
    path = folder / "...jpg"
    path.write_bytes(Path(PHOTO).read_bytes())
    return [str(path)], lambda: "" if not list(folder.glob("*.json")) else "results beside --out"


def formula(folder: Path) -> tuple[list[str], Callable[[], str]]:
    path = folder / "=cmd.jpg"
    path.write_bytes(Path(PHOTO).read_bytes())

    def check() -> str:
        tables = [table.read_text() for table in folder.rglob("*.csv")]
        return "a formula in a table" if not tables or "\n=" in tables[0] else ""

    return ["=cmd.jpg", "--csv"], check


def disk(folder: Path) -> tuple[list[str], Callable[[], str]]:
    import clips

    clips.write_video(folder / "clip.mp4", clips.toy_frames(20))
    return ["LIMITED", str(folder / "clip.mp4")], lambda: ", ".join(p.name for p in folder.glob("out/clip/*.tmp"))


def card(entry: bytes) -> Attack:
    """The shipped detector with a card that says no more than `entry`."""

    def make(folder: Path) -> tuple[list[str], Callable[[], str]]:
        copyfile(SOURCE[0] / "handscope/infer/weights/detector.onnx", folder / "detector.onnx")
        (folder / "detector.json").write_bytes(entry)
        return [PHOTO, "--weights", str(folder)], unharmed

    return make


def shard(content: bytes) -> Attack:
    def make(folder: Path) -> tuple[list[str], Callable[[], str]]:
        (folder / "train-000000.tar").write_bytes(content)
        return ["data", "check", "shards", str(folder)], unharmed

    return make


def attacks() -> dict[str, Attack]:
    """By name."""
    pictures, videos, pickles, arrays = seeds.pictures(), seeds.videos(), seeds.pickles(), seeds.arrays()
    cards, shards, recipes = seeds.cards(), seeds.shards(), seeds.recipes()
    found: dict[str, Attack] = {
        f"pickle: {name}": given(pickles[name], "a.pkl", PHOTO, "--hand-model", "{}")
        for name in ("a type of objects by its state", "fields", "tuples in tuples as a key")
    }
    found |= {
        f"picture: {name}": given(pictures[name], f"a{Path(name).suffix}")
        for name in ("400 scans.jpeg", "2000 scans.jpeg")
    }
    found |= {
        f"hand model: {name.removeprefix('hand: ')}": given(arrays[name], "a.npz", PHOTO, "--hand-model", "{}")
        for name in ("hand: a column less", "hand: a vertex less", "hand: a vertex too many", "hand: text",
                     "hand: not a number", "hand: another tree", "half")
    }  # fmt: skip
    found |= {f"card: {name}": card(cards[name]) for name in ("not a number", "words", "deep")}
    found |= {
        f"shard: {name}": shard(shards[name])
        for name in ("no label", "wrong array", "deep", "promise", "size below zero")
    }
    found |= {
        f"recipe: {name}": given(recipes[name], "a.yaml", "train", "--config", "{}")
        for name in ("bomb 0", "bomb 2", "bomb 3", "bomb 9")
    }
    return found | {
        "picture: 60000 directories.tiff": given(seeds.many_directories(60_000), "a.tiff"),
        "picture: 177 million pixels.png": given(seeds.png(13_300, 13_300, bytes(13_300 * 39_901)), "a.png"),
        "video: no text.mp4": given(videos["no text.mp4"], "a.mp4"),
        "video: codec of nobody.mp4": given(videos["codec of nobody.mp4"], "a.mp4", "{}", "--threads", "1"),
        "video: 2 px wide.mov": given(seeds.thin_video(), "a.mov"),
        "a far box": said(PHOTO, "--box=-1e7,-1e7,1e7,1e7"),
        "a focal length of 1e300": said(PHOTO, "--focal", "1e300"),
        "a pipe": pipe,
        "30 GB of nothing": sparse,
        "a name of dots": dots,
        "a name that is a formula": formula,
        "a full disk during a video": disk,
    }


LIMITED = (
    "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (2_000,) * 2); "
    "from handscope.apps.cli import main; sys.exit(main(sys.argv[1:]))"
)


NEVER_SOUND = ("card:", "hand model:", "pickle:", "recipe:", "shard:")
"""Attacks whose file must be refused: to take it for sound is to fall."""


def outcome(name: str, attack: Attack, source: Path) -> str:
    """The word held, or what went wrong."""
    with tempfile.TemporaryDirectory(prefix="attack-") as held:
        folder = Path(held)
        words, check = attack(folder)
        start = [sys.executable, "-m", "handscope.apps.cli"]
        if words[0] == "LIMITED":
            start, words = [sys.executable, "-c", LIMITED], words[1:]
        if words[0] not in ("train", "data"):
            words += ["--out", str(folder / "out")]
        surroundings = os.environ | {"PYTHONPATH": str(source), "OMP_NUM_THREADS": "1"}
        with (folder / "said").open("w+b") as errors:
            before = time.monotonic()
            process = subprocess.Popen(
                [*start, *words], cwd=folder, env=surroundings, stdout=subprocess.DEVNULL, stderr=errors,
                stdin=subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip
            timer = threading.Timer(SECONDS, lambda: os.killpg(process.pid, signal.SIGKILL))
            timer.start()
            _, status, usage = os.wait4(process.pid, 0)
            timer.cancel()
            process.returncode = code = os.waitstatus_to_exitcode(status)
            spent, cpu = time.monotonic() - before, usage.ru_utime + usage.ru_stime
            memory = usage.ru_maxrss // 1024
            errors.seek(0)
            text = errors.read().decode("utf-8", "replace")
        wrong = [f"no end after {SECONDS:g} s"] if spent >= SECONDS else []
        wrong += [f"{cpu:.1f} s of a core"] if cpu > CPU_SECONDS and not wrong else []
        wrong += [f"killed by signal {-code}"] if code < 0 and not wrong else []
        wrong += [f"a traceback ({text.strip().splitlines()[-1][:80]})"] if "Traceback" in text else []
        wrong += [f"{memory} MiB"] if memory > MEMORY else []
        wrong += [told] if (told := check()) else []
        wrong += ["taken for sound"] if code == 0 and name.startswith(NEVER_SOUND) else []
        texts = [path.read_text() for path in folder.glob("out/*/result.json")]
        wrong += ["NaN in result.json"] if any("NaN" in text or "Infinity" in text for text in texts) else []
        return "; ".join(wrong) or f"held (exit code {code}, {cpu:.1f} s of a core, {memory} MiB)"


def staged(scene: scenes.Scene, source: Path) -> str:
    """The word held, or what went wrong."""
    with tempfile.TemporaryDirectory(prefix="attack-") as folder:
        return scene(source, Path(folder)) or "held"


def main() -> int:
    out = argparse.ArgumentParser(prog="python -m fuzz.attacks", description=__doc__)
    out.add_argument("--source", type=Path, default=seeds.ROOT / "src")
    out.add_argument("--only", default="", help="those whose names hold these words")
    options = out.parse_args()
    SOURCE[0] = source = options.source.resolve()
    found = {name: partial(outcome, name, attack, source) for name, attack in attacks().items()}
    found |= {name: partial(staged, scene, source) for name, scene in scenes.SCENES.items()}
    chosen = {name: attempt for name, attempt in found.items() if options.only in name}
    fell = 0
    for name, attempt in chosen.items():
        told = attempt()
        fell += not told.startswith("held")
        print(f"{name}: {told}", flush=True)
    print(f"{len(chosen) - fell} of {len(chosen)} held")
    return 1 if fell else 0


if __name__ == "__main__":
    sys.exit(main())
