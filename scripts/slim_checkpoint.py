"""The averaged weights of a training checkpoint in float16, small enough to keep: something to start another run from.

python scripts/slim_checkpoint.py runs/small/checkpoint.safetensors recipes/weights/small-0.4.0.safetensors
handscope train --config recipes/small.yaml --start.checkpoint recipes/weights/small-0.4.0.safetensors
"""

from __future__ import annotations

import argparse
from pathlib import Path

from handscope.train.checkpoint import load, write


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("out", type=Path)
    args = parser.parse_args()
    kept = load(args.checkpoint)
    average = {
        name: value.half() if value.is_floating_point() else value for name, value in kept.groups["average"].items()
    }
    write(args.out, {"average": average}, kept.header)
    print(f"{args.out}: {args.out.stat().st_size / 1e6:.1f} MB, step {kept.header['step']}")


if __name__ == "__main__":
    main()
