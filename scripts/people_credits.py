"""Who made the people photographs that train: docs/data/people-credits.txt, a line for each that has its own credit.

python scripts/people_credits.py --data ../shared/data
"""

from __future__ import annotations

import argparse
from pathlib import Path

from handscope.data.files import read_json_lines
from handscope.data.people import FOLDER, PeopleDataset
from handscope.files import write_file

ROOT = Path(__file__).resolve().parents[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder that holds people")
    root = parser.parse_args().data
    trained = {file for file, *_ in PeopleDataset(root).pictures}
    rows = [
        row
        for row in read_json_lines(root / "people" / "index.jsonl", FOLDER)
        if row["file"] in trained and row["credit"]
    ]
    credit = lambda row: str(row["credit"]).removeprefix("credit:").strip(" |").rstrip(")").strip()  # noqa: E731
    lines = sorted(f"{row['file']}: {' '.join(credit(row).split())} ({row['licence']})" for row in rows)
    out = ROOT / "docs" / "data" / "people-credits.txt"
    write_file(out, "\n".join(lines) + "\n")
    print(f"{out}: {len(lines)} of {len(trained)} pictures have a credit of their own")


if __name__ == "__main__":
    main()
