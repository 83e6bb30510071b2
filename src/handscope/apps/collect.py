"""`handscope collect URL --coco FILE`: the parts that `handscope batch` made as one file."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from handscope.batch.collecting import WRITERS, Results
from handscope.batch.store import open_store
from handscope.errors import HandscopeError, printable
from handscope.hand.assets import load_asset
from handscope.paths import as_path


def parser() -> argparse.ArgumentParser:
    """Where the parts are, and what to make of them."""
    out = argparse.ArgumentParser(
        prog="handscope collect",
        description="One file of the parts that `handscope batch` made (docs/batch.md); a part in memory at a time.",
    )
    out.add_argument("url", metavar="URL", help="the --out of `handscope batch`")
    for name, (_, about) in WRITERS.items():
        out.add_argument(f"--{name}", metavar="FILE", help=about)
    out.add_argument("--partial", action="store_true", help="take what is there, though the run has not ended")
    out.add_argument("--hand-model", metavar="FILE", help="MANO_RIGHT.pkl, for joint angles of hands told in MANO")
    return out


def main(arguments: Sequence[str]) -> int:
    """Do what the command line asks; the exit code."""
    options = parser().parse_args(arguments)
    wanted = [(write, as_path(file)) for name, (write, _) in WRITERS.items() if (file := getattr(options, name))]
    if not wanted:
        raise HandscopeError(f"say what to write: {', '.join(f'--{name} FILE' for name in WRITERS)}")
    asset = None if options.hand_model is None else load_asset(options.hand_model)
    results = Results(open_store(options.url, to_read=True), partial=options.partial)
    for write, path in wanted:
        write(path, results, asset)
        print(printable(str(path)))
    return 0
