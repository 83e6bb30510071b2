"""The list of faults that the tests must see (tests/mutations.yaml) fits the code; `make mutations` runs it."""

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT / "scripts"))
mutate = pytest.importorskip("mutate", reason="scripts/ is not in an installed package")


@pytest.mark.parametrize("mutation", mutate.mutations(), ids=lambda mutation: mutation.name)
def test_each_fault_can_still_be_made(mutation):
    before = (ROOT / "src" / "handscope" / mutation.file).read_text()
    assert mutation.applied(before) != before
    assert all((ROOT / "tests" / path).exists() for path in mutation.tests.split())
