"""The index of the photographs that may be seen in training, as backgrounds too: without the held-out ones.

    python scripts/train_index.py --photos ../shared/data --labels recipes/labels/photos_pseudo.jsonl.gz \
        --out runs/photos_train_index.jsonl
"""

from __future__ import annotations

import argparse
import gzip
import json
from pathlib import Path

from handscope.files import write_file


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photos", type=Path, required=True, help="folder that holds photos/index.jsonl")
    parser.add_argument("--labels", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    labelled = map(json.loads, gzip.decompress(arguments.labels.read_bytes()).splitlines())
    train = {row["file"] for row in labelled if row["split"] == "train"}
    index = (arguments.photos / "photos" / "index.jsonl").read_text().splitlines()
    rows = [row for row in map(json.loads, index) if row["file"] in train]
    root = arguments.photos.resolve()
    lines = [json.dumps(row | {"file": str(root / row["file"])}) for row in rows]
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    write_file(arguments.out, "\n".join(lines) + "\n")
    print(f"{arguments.out}: {len(rows)} of {len(index)} photographs")


if __name__ == "__main__":
    main()
