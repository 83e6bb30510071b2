"""How long FreiHAND's joint metrics take: 100,000 predictions of 21 joints, one core.

    python benchmarks/freihand_metrics.py

prints seconds and peak memory; the limits are a minute and 2 GB.
"""

import os

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

import argparse
import resource
import time

import numpy as np

from handscope.evaluation.scoring import score_joints_3d
from handscope.evaluation.variants import PROTOCOLS, VARIANTS


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--count", type=int, default=100_000)
    count = options.parse_args().count
    rng = np.random.default_rng(0)
    true = rng.normal((0, 0, 0.6), 0.05, (count, 21, 3))
    predicted = true + rng.normal(0, 0.01, true.shape)
    known = np.ones((count, 21), bool)
    start, worked = time.perf_counter(), time.process_time()
    for name in PROTOCOLS["freihand"]:
        if VARIANTS[name].quantity == "joints_3d":
            result = score_joints_3d(VARIANTS[name], predicted, true, known)
            print({key: value for key, value in result.figures.items() if key != "curve"}, name)
    seconds, worked = time.perf_counter() - start, time.process_time() - worked
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(f"{count} hands: {worked:.1f} s of one core ({seconds:.1f} s by the clock), peak memory {peak:.2f} GB")


if __name__ == "__main__":
    main()
