"""Several processes of one thread, on one machine or two, learn what one process of a larger batch learns."""

import dataclasses
import os
import socket
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import torch

from handscope.errors import HandscopeError
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


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """The checkpoint of a run of two processes of this machine."""
    folder = tmp_path_factory.mktemp("two")
    script = folder / "two.py"
    script.write_text(textwrap.dedent(SCRIPT.format(folder=str(Path(__file__).parents[1]), out=str(folder / "two"))))
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2", str(script)]
    done = subprocess.run(
        command, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return checkpoint.load(folder / "two" / checkpoint.NAME)


def test_two_processes_equal_one_of_twice_the_batch(two, tmp_path):
    one = train(LineTask(), dataclasses.replace(CONFIG, steps=6, batch=8), tmp_path / "one", {})
    for key, value in checkpoint.load(one).groups["model"].items():
        torch.testing.assert_close(value, two.groups["model"][key], atol=1e-6, rtol=1e-5)


HOSTS = """
    import dataclasses, sys
    from pathlib import Path
    sys.path.insert(0, {folder!r})
    from line_task import CONFIG, LineTask
    from handscope.errors import HandscopeError
    from handscope.train.loop import train

    config = dataclasses.replace(CONFIG, steps=6, batch=4)
    if Path("first").exists():
        Path("broken").mkdir()
        Path("broken/checkpoint.safetensors").write_bytes(b"no checkpoint")
    try:
        train(LineTask(), config, Path("broken"), {{}})
    except HandscopeError as problem:
        print(problem)
    try:
        train(LineTask(stop_at=24), config, Path("run"), {{}})  # the fourth step's examples
    except KeyboardInterrupt:
        print("cut short")
    train(LineTask(), config, Path("run"), {{}})
"""


def as_host(rank: int, port: int) -> dict[str, str]:
    """What torchrun tells the one process of machine `rank` of two."""
    told = {
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "WORLD_SIZE": "2",
        "RANK": str(rank),
        "GROUP_RANK": str(rank),
        "GROUP_WORLD_SIZE": "2",
        "LOCAL_RANK": "0",
        "LOCAL_WORLD_SIZE": "1",
        "HOSTNAME": f"host-{rank}",
    }
    return {**os.environ, **told, "GLOO_SOCKET_IFNAME": "lo", "OMP_NUM_THREADS": "1"}


def test_machines_that_share_no_folder_go_on_exactly(two, tmp_path):
    """Each has a folder of its own; the first one's holds the run."""
    script = tmp_path / "hosts.py"
    script.write_text(textwrap.dedent(HOSTS.format(folder=str(Path(__file__).parents[1]))))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folders = [tmp_path / f"host-{rank}" for rank in range(2)]
    for folder in folders:
        folder.mkdir()
    (folders[0] / "first").touch()
    hosts = [
        subprocess.Popen(
            [sys.executable, str(script)],
            cwd=folder,
            env=as_host(rank, port),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank, folder in enumerate(folders)
    ]
    told = [host.communicate(timeout=240) for host in hosts]
    for host, (out, error) in zip(hosts, told, strict=True):
        assert host.returncode == 0, error[-2000:]
        assert "cut short" in out and "broken/checkpoint.safetensors: not a training checkpoint" in out
    assert not any(folders[1].iterdir())
    kept = checkpoint.load(folders[0] / "run" / checkpoint.NAME)
    assert kept.header["processes"] == 2
    for group, tensors in two.groups.items():
        for key, value in tensors.items():
            assert torch.equal(value, kept.groups[group][key]), key


def test_another_number_of_processes_is_refused(tmp_path):
    config = dataclasses.replace(CONFIG, steps=2)
    path = train(LineTask(), config, tmp_path, {})
    kept = checkpoint.load(path)
    checkpoint.write(path, kept.groups, {**kept.header, "processes": 4})
    with pytest.raises(HandscopeError, match=r"kept by a run of 4 processes, and there is 1 now.*start 4 in all"):
        train(LineTask(), dataclasses.replace(config, steps=4), tmp_path, {})
    checkpoint.write(path, kept.groups, {name: value for name, value in kept.header.items() if name != "processes"})
    train(LineTask(), dataclasses.replace(config, steps=4), tmp_path, {})
    assert checkpoint.load(path).header == {**kept.header, "step": 4}
