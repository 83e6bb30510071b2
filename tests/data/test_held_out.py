"""The held-out list is the one the shipped labels were made with."""

import gzip
import json
from pathlib import Path

import pytest

from handscope.data.held_out import is_held_out, ranges

LABELS = Path(__file__).parents[2] / "recipes" / "labels" / "photos_pseudo.jsonl.gz"


def test_a_range_includes_its_ends() -> None:
    first, last = ranges()["ti1k"]
    assert is_held_out("ti1k", f"photos/ti1k/TI1K_IMAGE_{first:04d}.jpg")
    assert is_held_out("ti1k", f"photos/ti1k/TI1K_IMAGE_{last:04d}.jpg")
    assert not is_held_out("ti1k", f"photos/ti1k/TI1K_IMAGE_{last + 1:04d}.jpg")
    assert not is_held_out("elsewhere", f"{first}.jpg") and not is_held_out("ti1k", "unnumbered.jpg")


@pytest.mark.skipif(not LABELS.is_file(), reason="the labels are not in this checkout")
def test_every_photograph_is_where_its_labels_say() -> None:
    rows = [json.loads(line) for line in gzip.decompress(LABELS.read_bytes()).splitlines()]
    assert len(rows) > 4000
    wrong = [row["file"] for row in rows if is_held_out(row["source"], row["file"]) != (row["split"] == "held-out")]
    assert not wrong
