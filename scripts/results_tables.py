"""Result tables of README, card and docs, all from one file: docs/results.json.

    handscope bench real --data ../shared/data --peer mediapipe --out runs/bench
    python scripts/results_tables.py take real runs/bench/report.md --command "handscope bench real ..."
    python scripts/results_tables.py write

`take` keeps the Markdown table that a benchmark wrote, under a name, with the command that makes it again. `write` puts
the tables between the marks of every page:

    <!-- results: real; less: time a picture, ms -->
    <!-- end of results -->

`less` leaves out the rows with these measures (several with |). A test fails if a page says anything else.
"""

from __future__ import annotations

import argparse
import json
import re
from datetime import date
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
KEPT = ROOT / "docs/results.json"
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
REGION = re.compile(r"(<!-- results: (\w+)(?:; less: ([^>]*?))? -->\n)(.*?)(<!-- end of results -->)", re.DOTALL)


def read_table(text: str) -> dict[str, list[str] | list[list[str]]]:
    """Heading and rows of the first Markdown table in `text`."""
    rows = [
        [cell.strip() for cell in line.strip().strip("|").split("|")]
        for line in text.splitlines()
        if line.strip().startswith("|")
    ]
    if len(rows) < 3 or any(len(row) != len(rows[0]) for row in rows):
        raise SystemExit("no Markdown table with equal rows in this file; give what a benchmark wrote")
    return {"heading": rows[0], "rows": rows[2:]}


def as_markdown(table: dict, less: frozenset[str] = frozenset()) -> str:
    """The table, without the rows whose second cell is in `less`; the first cell says a group once."""
    lines, group, told = [_line(table["heading"]), "|" + "---|" * len(table["heading"])], "", None
    for first, *rest in table["rows"]:
        group = first or group
        if rest[0] in less:
            continue
        lines.append(_line(["" if group == told else group, *rest]))
        told = group
    return "\n".join(lines) + "\n"


def _line(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def filled(page: str, kept: dict) -> str:
    """`page` with its tables as `kept` has them."""

    def table(found: re.Match[str]) -> str:
        opening, name, less, _, closing = found.groups()
        if name not in kept:
            raise SystemExit(f"{KEPT.name} has no table {name!r}; it has {', '.join(sorted(kept))}")
        left_out = frozenset(measure.strip() for measure in (less or "").split("|"))
        return f"{opening}\n{as_markdown(kept[name], left_out)}\n{closing}"

    return REGION.sub(table, page)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    take = commands.add_parser("take", help="keep a table under a name")
    take.add_argument("name")
    take.add_argument("file", type=Path)
    take.add_argument("--command", dest="made_by", required=True, help="what makes the table again")
    commands.add_parser("write", help="put the tables into the pages")
    arguments = parser.parse_args()
    kept = json.loads(KEPT.read_text()) if KEPT.is_file() else {}
    if arguments.command == "take":
        about = {"made_by": arguments.made_by, "date": date.today().isoformat()}
        kept[arguments.name] = about | read_table(arguments.file.read_text())
        KEPT.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n")
        return
    for path in PAGES:
        path.write_text(filled(path.read_text(), kept))


if __name__ == "__main__":
    main()
