"""A checkpoint of handscope 0.4.0 or earlier under the present names; values and types stay as they are.

git show 1a21012:recipes/weights/small-0.3.0.safetensors > runs/init/old.safetensors
python scripts/rename_checkpoint.py runs/init/old.safetensors runs/init/small-0.3.0.safetensors
"""

from __future__ import annotations

import argparse
from pathlib import Path

from handscope.train.checkpoint import read, write
from handscope.train.renames import new_name, renamed_config

SECTIONS = {"objective": "estimator", "terms": "detector"}
"""What tells a configuration's kind, which those of 0.4.0 do not say; the others are of aligners."""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    arguments = parser.parse_args()
    kept = read(arguments.old)
    groups = {
        group: {new_name(name): value for name, value in tensors.items()} for group, tensors in kept.groups.items()
    }
    config = kept.header.get("config", {})
    kind = next((kind for section, kind in SECTIONS.items() if section in config), "aligner")
    write(arguments.new, groups, {**kept.header, "config": {"kind": kind, **renamed_config(config)}})
    print(f"{arguments.new}: {sum(map(len, groups.values()))} tensors")


if __name__ == "__main__":
    main()
