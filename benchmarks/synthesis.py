"""Pictures a second a core of `handscope synth`, everything included up to the encoded shard members.

    OMP_NUM_THREADS=1 python benchmarks/synthesis.py --backgrounds ../shared/data/backgrounds

CPU time of this process counts, not the wall's; the first pictures (compilation, decoding backgrounds) are left out.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import cv2

from handscope.data.shards import ShardWriter
from handscope.synth.scene import SynthConfig, render_sample


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--backgrounds", nargs="*", default=[])
    parser.add_argument("--photo_index")
    parser.add_argument("--count", type=int, default=1000)
    args = parser.parse_args()
    cv2.setNumThreads(1)
    config = SynthConfig(backgrounds=tuple(args.backgrounds), photo_index=args.photo_index)
    for index in range(40):
        render_sample(config, 1, index)
    with tempfile.TemporaryDirectory() as folder, ShardWriter(Path(folder) / "x.tar") as writer:
        start = time.process_time()
        for index in range(args.count):
            writer.write(render_sample(config, 0, index))
        spent = time.process_time() - start
    rate = args.count / spent
    print(f"{rate:.1f} pictures of {config.size} px a second a core ({1e3 / rate:.1f} ms each)")


if __name__ == "__main__":
    main()
