"""Pages can be read in an editor, and speak of files that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
SOURCES = [path for folder in ("src", "scripts", "benchmarks") for path in sorted((ROOT / folder).rglob("*.py"))]
WIDTH = 120
FOLDERS = "docs|src|scripts|recipes|benchmarks|tests|examples|samples"
NAMED = re.compile(rf"(?<![\w/.:-])(?:{FOLDERS})/[\w./-]+\.(?:py|md|yaml|json|gz|safetensors|ipynb|png|jpg|js)\b")
HISTORY = re.compile(r"git show [\w.]+:\S+|\S*NAME\S*")
"""What is in the history alone, or stands for a name."""
pytestmark = pytest.mark.skipif(not (ROOT / "CONTRIBUTING.md").is_file(), reason="not in a checkout")


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_prose_wraps(path: Path) -> None:
    code, long = False, []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        code ^= line.lstrip().startswith("```")
        free = code or line.lstrip().startswith(("|", "```", "<", "![")) or ("](" in line and " " not in line.strip())
        if len(line) > WIDTH and not free:
            long.append(number)
    assert not long, f"{path.name}: lines {long} are longer than {WIDTH}"


@pytest.mark.parametrize("path", [*PAGES, *SOURCES], ids=lambda path: str(path.relative_to(ROOT)))
def test_every_file_that_is_spoken_of_is_there(path: Path) -> None:
    if path.name in ("CHANGELOG.md", "training-log.md"):
        return  # they tell of what was
    text = HISTORY.sub("", re.sub(r"^```diff\n.*?^```", "", path.read_text(), flags=re.M | re.S))
    missing = {name for name in NAMED.findall(text) if not (ROOT / name).exists() and "runs/" not in name}
    assert not missing, f"{path.name} speaks of {', '.join(sorted(missing))}"
