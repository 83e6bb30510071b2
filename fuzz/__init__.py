"""Fuzzing: pictures, videos, pickles, arrays, cards, shards, recipes and requests of strangers, mutated without end.

`make fuzz SECONDS=60` runs every target; docs/security.md says what came of it.
"""

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1] / part) for part in ("tests", "tests/data", "tests/hand", "tests/train")]
# whose stand-in networks, clips, damaged files and attacks are part of the corpus
