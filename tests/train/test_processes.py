"""torchrun: two processes of one thread learn what one process of twice the batch learns."""

import dataclasses
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import torch

from handscope.train import checkpoint
from handscope.train.loop import train
from line_task import CONFIG, LineTask

SCRIPT = """
    import dataclasses, sys
    from pathlib import Path
    sys.path.insert(0, {folder!r})
    from line_task import CONFIG, LineTask
    from handscope.train.loop import train

    train(LineTask(), dataclasses.replace(CONFIG, steps=6, batch=4), Path({out!r}), {{}})
"""


def test_two_processes_equal_one_of_twice_the_batch(tmp_path):
    script = tmp_path / "two.py"
    script.write_text(textwrap.dedent(SCRIPT.format(folder=str(Path(__file__).parents[1]), out=str(tmp_path / "two"))))
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2", str(script)]
    done = subprocess.run(
        command, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    one = train(LineTask(), dataclasses.replace(CONFIG, steps=6, batch=8), tmp_path / "one", {})
    a = checkpoint.load(one).groups["model"]
    b = checkpoint.load(tmp_path / "two" / checkpoint.NAME).groups["model"]
    for key, value in a.items():
        torch.testing.assert_close(value, b[key], atol=1e-6, rtol=1e-5)
