"""A Ray cluster of this machine, a head and two workers in processes of their own: `python ray_run.py JSON`.

Does a run by Daft on it, kills one of the workers when the first shard is done, and does what is left of it with the
other; then asks Ray Data for the hands of three pictures. A process of its own, as Daft has but one runner a process.
"""

import json
import sys
from pathlib import Path

import psutil
import ray
from batch_runs import begin
from ray.cluster_utils import Cluster
from slow import SlowSettings

from handscope.batch.annotator import Settings
from handscope.batch.daft_engine import work_with_daft
from handscope.batch.ray_data import WithHands
from handscope.batch.run import Watch

NODE = {"object_store_memory": 100 * 2**20, "num_cpus": 1}


def main(told: dict) -> dict:
    settings = SlowSettings(weights=told["weights"], batch=8)
    cluster = Cluster(initialize_head=True, head_node_args={**NODE, "num_cpus": 0, "include_dashboard": False})
    workers = [cluster.add_node(**NODE) for _ in range(2)]
    victim = workers[0].all_processes["raylet"][0].process.pid
    run, rows = begin(told["out"], told["pictures"], settings, rows=3), []

    def kill(counts):
        rows.append(counts["rows"])
        if len(rows) == 1:
            cluster.remove_node(workers[0], allow_graceful=False)  # SIGKILL

    work_with_daft(run, run.works(), Watch(on_rows=kill), ray=cluster.address)
    folder = Path(told["pictures"])
    names = [*map(str, sorted(folder.glob("p1*.png"))[:3]), str(folder / "text.png")]
    table = ray.data.from_items([{"bytes": Path(name).read_bytes()} for name in names])
    hands = table.map_batches(
        WithHands,
        fn_constructor_kwargs={"settings": Settings(weights=told["weights"]), "column": "bytes"},
        batch_format="pyarrow",
        compute=ray.data.ActorPoolStrategy(size=1),
    ).take_all()
    counts = [None if row["hands"] is None else len(row["hands"]) for row in hands]
    ray.shutdown()
    cluster.shutdown()
    return {
        "complete": run.is_complete,
        "rows": rows,
        "is_dead": not psutil.pid_exists(victim),
        "names": names,
        "hands": counts,
    }


if __name__ == "__main__":
    print("TOLD " + json.dumps(main(json.loads(sys.argv[1]))), flush=True)
