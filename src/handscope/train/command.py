"""`handscope train`: YAML recipe, dotted overrides, resume unless told otherwise."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from handscope.train.estimator import run
from handscope.train.recipe import from_arguments


def main(arguments: Sequence[str] | None = None) -> None:
    """Train as the command line says; `--restart` ignores a checkpoint in `out`."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    restart = "--restart" in words
    print(run(from_arguments([w for w in words if w != "--restart"]), resume=not restart))


if __name__ == "__main__":
    main()
