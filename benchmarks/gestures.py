"""How well gestures are told (docs/gestures.md): the ten built in on rendered hands of unseen seeds; learnt counts of
fingers, 0 to 5, in photographs of three sources, each told by what the two others taught.

    python benchmarks/gestures.py rendered [--each 40] [--seed 7001]
    python benchmarks/gestures.py counts ../shared/data [--keep runs/gestures.npz]
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from rich.progress import track

import handscope
from handscope.data.files import read_json_lines
from handscope.evaluation.gestures import cases_of, leave_one_source_out, summary
from handscope.infer.gestures import gesture_of
from handscope.infer.learned_gestures import features, learn
from handscope.synth.gesture_set import render_gestures

COUNTS = {
    "sign-digits": {0: 0, 1: 1, 2: 2, 3: 3, 4: 4, 5: 5},
    "dwivedi": {2: 1, 4: 2, 3: 3, 1: 4},  # 0 is any other hand there
    "subhih": {f"{n}-hand": n for n in range(6)},
}
"""By source, what its classes count."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    kinds = parser.add_subparsers(dest="kind", required=True)
    rendered = kinds.add_parser("rendered")
    rendered.add_argument("--each", type=int, default=40)
    rendered.add_argument("--seed", type=int, default=7001)
    counts = kinds.add_parser("counts")
    counts.add_argument("data", type=Path)
    counts.add_argument("--keep", type=Path, help="features, to be used again")
    options = parser.parse_args()
    if options.kind == "rendered":
        print_rendered(options.each, options.seed)
    else:
        print_counts(options.data, options.keep)


def print_rendered(each: int, seed: int) -> None:
    tell = lambda hand: gesture_of(hand)[0]  # noqa: E731
    rows = summary(list(cases_of(track(render_gestures(each, seed), "rendered hands"), handscope.load(), tell)))
    print("| gesture | hands | found | of those told rightly | told of other hands |")
    print("|---|---|---|---|---|")
    for row in rows:
        print(f"| {row.gesture} | {row.count} | {row.found:.1%} | {row.recall:.1%} | {row.false_rate:.1%} |")


def print_counts(data: Path, keep: Path | None) -> None:
    if keep is not None and keep.exists():
        with np.load(keep) as file:
            stored = {name: file[name] for name in file.files}
        sources = {name: (stored[name], stored[f"{name}/labels"].tolist()) for name in COUNTS}
        asked = {name: int(stored[f"{name}/asked"]) for name in COUNTS}
    else:
        found = list(hands(data))
        asked = {name: sum(source == name for source, *_ in found) for name in COUNTS}
        seen = [row for row in found if row[2] is not None]
        sources = {
            name: (np.array([f for s, _, f in seen if s == name]), [label for s, label, _ in seen if s == name])
            for name in COUNTS
        }
        if keep is not None:
            stored = {name: given for name, (given, _) in sources.items()}
            stored |= {f"{name}/labels": np.array(labels) for name, (_, labels) in sources.items()}
            np.savez_compressed(keep, **stored, **{f"{name}/asked": np.array(n) for name, n in asked.items()})
    print("| told | pictures | hand found | of those told rightly | commonest mistakes |")
    print("|---|---|---|---|---|")
    for row in leave_one_source_out(sources, learner):
        count = asked[row.source]
        print(f"| {row.source} | {count} | {row.count / count:.1%} | {row.right:.1%} | {row.mistakes} |")


def learner(samples: np.ndarray, labels: list[str]) -> Callable[[np.ndarray], list[str]]:
    """What `handscope gestures learn` makes of examples."""
    model = learn(samples, labels, turned=False)
    return lambda others: [model.classes[k] for k in model.shares(others).argmax(1)]


def hands(data: Path) -> Iterator[tuple[str, str, np.ndarray | None]]:
    """Source, count and features of the best hand of every picture that counts; None where none was found."""
    model = handscope.load()
    rows = read_json_lines(data / "photos" / "index.jsonl")
    for row in track(rows, "photographs"):
        count = COUNTS.get(row["source"], {}).get((row.get("classes") or [None])[0])
        if count is not None and len(row["classes"]) == 1:
            found = model(data / row["file"])
            yield row["source"], str(count), features(found[0]) if found else None


if __name__ == "__main__":
    main()
