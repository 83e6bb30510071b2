"""Write into `handscope.infer.weights` which networks and cards ship: to be run when one of them changes.

python scripts/seal_weights.py
"""

from __future__ import annotations

import json
import re

from handscope.files import write_file
from handscope.infer import weights


def main() -> None:
    lines = ["SEALS = {"]
    names = [*weights.NAMES, *(f"{name}-8bit" for name in weights.EIGHT_BIT)]
    for name in names:
        path = weights.SHIPPED / f"{name}.onnx"
        network, card = weights.seal(path.read_bytes(), json.loads(path.with_suffix(".json").read_bytes()))
        lines += [f'    "{name}": (', f'        "{network}",', f'        "{card}",', "    ),"]
    source = weights.__file__
    with open(source, encoding="utf-8") as file:
        text = file.read()
    write_file(source, re.sub(r"^SEALS = \{.*?^\}", "\n".join([*lines, "}"]), text, flags=re.MULTILINE | re.DOTALL))
    print(f"{source}: {len(names)} networks sealed")


if __name__ == "__main__":
    main()
