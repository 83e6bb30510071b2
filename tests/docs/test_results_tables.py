"""Every result table of README, card and docs is what docs/results.json says."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.skipif(not (ROOT / "scripts").is_dir(), reason="not in a checkout")


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("results_tables", ROOT / "scripts/results_tables.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_pages_have_the_tables_of_the_one_file(script) -> None:
    kept, used = json.loads(script.KEPT.read_text()), set()
    for path in script.PAGES:
        page = path.read_text()
        used |= {found.group(2) for found in script.REGION.finditer(page)}
        assert script.filled(page, kept) == page, f"{path.name}: run `python scripts/results_tables.py write`"
    assert used == set(kept)


def test_a_table_comes_back_as_it_was_written(script) -> None:
    text = "words\n| set | measure | a |\n|---|---|---|\n| one | x | 1 |\n|  | y | 2 |\n| two | x | 3 |\n"
    table = script.read_table(text)
    assert script.as_markdown(table) == text.partition("\n")[2].replace("|  |", "|  |")
    assert script.as_markdown(table, frozenset({"x"})).splitlines()[2:] == ["| one | y | 2 |"]
