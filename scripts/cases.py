"""What people bring: every row of ../shared/cases/README.md run on this checkout, and one table of what came out.

    python scripts/cases.py [number ...] [--logs DIR]

The cases are scripts that were written against 0.4.0 and look for a checkout in /tmp/handscope. Here they run on copies
that look into a folder of their own; where one uses a name that is gone since, `ADAPTED` says what stands for it. Each
row is judged by what the script printed or wrote, not by its exit code. Exit code 1 if a row came out wrong. Case 30
wants the environment of `make test-oldest`; without ../shared there is nothing to run, which is said.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
CASES = ROOT.parent / "shared/cases"
OLDEST = ROOT / ".venv-oldest"
LIMIT_S = 300.0
ADAPTED = {
    "11": [("handscope.apps.analyse import make_writable", "handscope.files import writable_folder as make_writable")],
    "19": [
        ("f = h.faces; f += offset", "f = h.faces.copy(); f += offset"),
        ("model.faces)", "model.models.assembler.told_in.faces)"),
    ],
}


def lay_out(folder: Path) -> None:
    """The checkout and the cases as their scripts expect them, in `folder` instead of /tmp."""
    checkout = folder / "checkout"
    checkout.mkdir()
    for name in ("samples", "src", "tests", "recipes"):
        (checkout / name).symlink_to(ROOT / name)
    (checkout / ".venv-test").symlink_to(sys.prefix)
    work = folder / "work"
    shutil.copytree(CASES, work / "cases", copy_function=shutil.copyfile)
    for path in [work / "cases", *(work / "cases").rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)
    for path in (work / "cases").rglob("*"):
        if path.suffix in (".py", ".sh"):
            text = path.read_text(encoding="utf-8")
            text = text.replace("/tmp/handscope-cases", str(work)).replace("/tmp/handscope", str(checkout))
            for before, after in ADAPTED.get(path.parent.name[:2], ()):
                text = text.replace(before, after)
            path.write_text(text, encoding="utf-8")
    if OLDEST.is_dir():
        (work / "oldest").symlink_to(OLDEST)


@dataclass(frozen=True)
class Run:
    """What came of a case: everything it printed, and the folder it ran in."""

    text: str
    folder: Path

    def holds(self, *words: str) -> bool:
        """Whether all of these were printed."""
        return all(word in self.text for word in words)

    def count(self, pattern: str) -> int:
        """How often a pattern was printed, line by line."""
        return len(re.findall(pattern, self.text, re.MULTILINE))

    def line(self, pattern: str) -> str:
        """The first line in which a pattern is found."""
        return next((line.strip() for line in self.text.splitlines() if re.search(pattern, line)), "nothing printed")


@dataclass(frozen=True)
class Case:
    """A row of the table: its number, what should come out, how that is told from the run; `found` is a pattern of the
    line that is shown. `after` is shell words for cases whose script only writes the input.
    """

    number: str
    right: str
    judge: Callable[[Run], bool]
    found: str
    after: str = ""


def _times_are_a_players(run: Run) -> bool:
    early = [abs(float(number)) for number in re.findall(r"all times (-?[\d.]+) s early", run.text)]
    return len(early) == 3 and max(early) < 0.05


def _levels_are_kept(run: Run) -> bool:
    """Ranges that can be told are read as bright as they are; what is guessed is said; channels first are refused."""
    lines = {line[:34].strip(): line for line in run.text.splitlines() if "mean level" in line}
    told = {name: abs(float(re.findall(r"level +([\d.]+)", line)[0]) - 143.5) for name, line in lines.items()}
    guessed = ("float [-1, 1]", "12 bits in uint16", "10 bits in uint16", "float32 in [0, 1.4] (HDR linear)")
    dark = [name for name, off in told.items() if off > 1 and "HDR" not in name]
    return len(told) >= 12 and not dark and all(lines[name].rstrip()[-2:] != "()" for name in guessed)


def _odd_pictures_are_read(run: Run) -> bool:
    read = re.findall(r"^(\S+.*?) +\(512, 640, 3\) mean +([\d.]+)", run.text, re.MULTILINE)
    dark = [name for name, level in read if abs(float(level) - 143.5) > 2]
    return len(read) >= 28 and not dark and run.holds("left without a word: []")


def _skew_is_used(run: Run) -> bool:
    """Joints in space are seen where they were seen, to 5 % of the box, whatever K's fx, fy and skew."""
    off = [float(number) for number in re.findall(r"= +([\d.]+) % of the box", run.text)]
    squeezed = [float(number) for number in re.findall(r"about the wrist ([\d.]+) mm", run.text)]
    return len(off) == 20 and max(off) < 5 and len(squeezed) == 5 and max(squeezed) < 2


def _only_the_hole_is_missing(run: Run) -> bool:
    rows = {int(row): answers for row, answers in re.findall(r"row (\d) is the answer for picture \[(\d?)\]", run.text)}
    return rows == {0: "0", 1: "", 2: "2", 3: "3", 4: "4"} and run.holds("1 unreadable pictures\nrc 1")


HANDSCOPE = "../../../checkout/.venv-test/bin/handscope"
PYTHON = "../../../checkout/.venv-test/bin/python"
TABLE = (
    Case("01", "new clip, new tracks: 448; 0 of 60 frames", lambda r: r.count(r"\(39, .* 44[78]\.\d, ") == 2 and
         r.count(r"second clip: 0 of 60") == 2, "anew: True frames"),
    Case("19", "results own their arrays", lambda r: r.count("faces', 0, '..', 1608") == 6 and r.holds(
         "next save_glb fine", "the caller's own: False") and r.count(r"told (\[.*?\]) used \1") == 3,
         "the caller's own"),
    Case("26", "turned and scaled with its size; one sentence where it fits no picture", lambda r: r.holds(
         "c-quarter-size.jpg: K's principal point", "lies outside this picture of 256 x 192 px", "@WxH") and r.count(
         "^sized .* True$") == 3, "quarter-size.jpg: K's",
         f"{HANDSCOPE} ../../w26/pics --json --out sized --K 900,900,511.5,383.5@1024x768; {PYTHON} -c \"import "
         "json, pathlib; [print('sized', p.parent.name, abs(json.loads(p.read_text())['hands'][0]['T'][2] - .57) < .02)"
         " for p in pathlib.Path('sized').rglob('*.json')]\""),
    Case("27", "the row that is missing stands empty, the others stay; exit 1", _only_the_hole_is_missing,
         "hole.npz: 4"),
    Case("06", "refused, or stretched with a note; the same for arrays and files", _levels_are_kept, "12 bits in"),
    Case("07", "the picture, not its thumbnail", lambda r: r.holds("1920x1440"), "1920x1440",
         f"{HANDSCOPE} photo.dng --json --out o; {PYTHON} -c \"import json; i = json.load(open('o/photo/result.json'))"
         "['image']; print(str(i['width']) + 'x' + str(i['height']), i['notes'])\""),
    Case("04", "the film", lambda r: r.count("read: 20 frames of 320 px") == 4 and r.count("^film 20 320$") == 3,
         "small-preview", f"{PYTHON} -c \"import glob; from handscope.infer.video import VideoReader; [print('film', "
         "len(rows), rows[0][2].shape[1]) for rows in (list(VideoReader(p)) for p in glob.glob('cover-*.m*'))]\""),
    Case("16", "used as given", _skew_is_used, "skew 200 +as is +left"),
    Case("03", "paths are paths", lambda r: r.count("8 frames, 1 hand; files in run:1/") == 4 and "Trace" not in r.text,
         "files in run:1", f"for v in *:*.mp4; do {HANDSCOPE} \"$v\" --json --out run:1; done"),
    Case("09", "every file answered, names as surrogateescape has them", lambda r: r.count("1 hand in 1 picture") == 5
         and r.holds("2 hands in 2 pictures", r"caf\\udce9.jpg", "valid"), "2 hands in 2"),
    Case("34", "a C locale will do", lambda r: r.count("^rc 0 ") == 7 and r.holds("1 of 5 pictures could not be read")
         and "Trace" not in r.text, "hand in 1 picture"),
    Case("08", "one sentence for that entry", lambda r: "Trace" not in r.text and r.count("^0$") == 3 and r.holds(
         "1 hand in 1 picture, 1 could not be read", "Permission denied") and r.count("^rc 2$") == 2,
         "could not be read"),
    Case("13", "runs without a cache", lambda r: r.count("^rc 0$") == 5, "picture"),
    Case("29", "help does not live in docstrings", lambda r: r.holds("--out DIR", "--threads") and "Error" not in
         r.text, "--out DIR"),
    Case("30", "bounds that are run", lambda r: r.count("^rc 0 ") == 8, "rc"),
    Case("33", "portable reading, safe names, encoding given", lambda r: r.holds("Windows: []") and
         r.count(r"^ +(?!data/catalog|infer/frames)\S+:\d+ ") == 0 and "without os.pread" not in r.text, "Windows: "),
    Case("11", "no shared probe file", lambda r: r.holds("failures of 1200: 0") and r.count(
         "^ +48 /none: no such folder of weights") == 1, "failures"),
    Case("17", "identity comparison; the asset is not in the pickle", lambda r: r.count(r"one hand, MB +0\.0\d+") == 1
         and "ValueError: The truth" not in r.text and r.holds("True, True)") and r.count(r"^set of hands +2$") == 1,
         "one hand, MB"),
    Case("15", "whatever can be read is read", lambda r: r.count("rc 0") == r.count("is_video=") >= 15 and
         r.count("reader: [1-9]") == r.count("is_video="), "mxf"),
    Case("21", "whatever is left out is said", _odd_pictures_are_read, "in a folder"),
    Case("14", "--frames DIR --fps 30, natural order", lambda r: r.holds("frame9.jpg', 'frame10.jpg'") and r.count(
         "6 frames, 1 hand; files in framed/") == 1 and r.count("^rc 0$") == 2, "6 frames",
         f"{HANDSCOPE} --frames ../../w14/frames --fps 30 --json --out framed"),
    Case("24", "offset kept in the result", _times_are_a_players, "late.mkv"),
    Case("25", "the home folder", lambda r: r.holds("./home/results/photo/result.json", "made here:\nhome/\n"),
         "results/photo/result"),
)  # fmt: skip


def run_case(case: Case, folder: Path) -> Run:
    """Every script of a case, each in the place it expects, and what is to be done after."""
    (place,) = (folder / "work/cases").glob(f"{case.number}-*")
    surroundings = os.environ | {"PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1"}
    scripts = sorted([*place.glob("*.sh"), *place.glob("*.py")], key=lambda path: path.name != "make.py")
    commands = [["bash" if path.suffix == ".sh" else sys.executable, str(path)] for path in scripts]
    printed = []
    for command in commands + ([["bash", "-c", case.after]] if case.after else []):
        try:
            done = subprocess.run(
                command, cwd=place, env=surroundings, capture_output=True, timeout=LIMIT_S, check=False
            )
            printed.append((done.stdout + done.stderr).decode("utf-8", "replace"))
        except subprocess.TimeoutExpired:
            printed.append(f"stopped after {LIMIT_S:g} s")
    return Run("\n".join(printed), place)


def main(arguments: list[str] | None = None) -> int:
    """Run the cases asked for, all by default; the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("numbers", nargs="*", help="cases to run, all by default")
    parser.add_argument("--logs", type=Path, help="folder for what each case printed")
    options = parser.parse_args(arguments)
    if not (CASES / "README.md").is_file():
        print(f"{CASES}: the cases are not here, so none is run; they lie in the shared folder beside the checkout")
        return 0
    chosen = [case for case in TABLE if not options.numbers or case.number in options.numbers]
    wrong = 0
    print("| case | found | right value | verdict |\n|---|---|---|---|")
    with tempfile.TemporaryDirectory(prefix="cases-") as made:
        lay_out(Path(made))
        for case in chosen:
            if case.number == "30" and not OLDEST.is_dir():
                print(f"| {case.number} | not run: `make test-oldest` makes its environment | {case.right} | open |")
                continue
            run = run_case(case, Path(made))
            right = case.judge(run)
            wrong += not right
            found = run.line(case.found).replace("|", "/")[:90]
            print(f"| {case.number} | {found} | {case.right} | {'right' if right else 'WRONG'} |", flush=True)
            if options.logs is not None:
                options.logs.mkdir(parents=True, exist_ok=True)
                (options.logs / f"{case.number}.log").write_text(run.text, encoding="utf-8", errors="replace")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
