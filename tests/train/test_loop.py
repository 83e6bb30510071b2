"""The loop on a task small enough to reason about, and on the real one to overfit a batch."""

import dataclasses
import json
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from torch import nn

from handscope.errors import AssetError, HandscopeError
from handscope.train import checkpoint
from handscope.train.loop import LoopConfig, lr_at, train, update_average
from line_task import CONFIG, LineTask

TESTS = str(Path(__file__).parents[1])


def tensors(path):
    with safe_open(path, framework="pt") as file:
        return {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118


def test_an_interrupted_run_ends_as_an_uninterrupted_one(tmp_path):
    """Same examples, same optimiser state, same averaged weights, bit for bit."""
    whole = train(LineTask(), CONFIG, tmp_path / "whole", {})
    with pytest.raises(KeyboardInterrupt):
        train(LineTask(stop_at=170), CONFIG, tmp_path / "parts", {})
    second = LineTask()
    parts = train(second, CONFIG, tmp_path / "parts", {})
    assert min(second.seen) == 168  # twenty-one whole steps of eight had been done
    a, b = tensors(whole), tensors(parts)
    assert a.keys() == b.keys()
    assert all(torch.equal(a[key], b[key]) for key in a)


SCRIPT = """
    import sys, time
    from pathlib import Path
    sys.path.insert(0, {folder!r})
    from line_task import CONFIG, LineTask
    from handscope.train.loop import train

    class Slow(LineTask):
        def __getitem__(self, index):
            time.sleep(0.004)
            return super().__getitem__(index)

    train(Slow(), CONFIG, Path({out!r}), {{}})
"""


def test_a_killed_run_leaves_a_whole_checkpoint_and_goes_on_exactly(tmp_path):
    """kill -9 in the middle, twice; then the end is the same as without."""
    whole = train(LineTask(), CONFIG, tmp_path / "whole", {})
    out = tmp_path / "killed"
    script = textwrap.dedent(SCRIPT.format(folder=TESTS, out=str(out)))
    path = out / checkpoint.NAME
    for _ in range(2):
        before = checkpoint.load(path).header["step"] if path.exists() else -1
        process = subprocess.Popen([sys.executable, "-W", "ignore", "-c", script], stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            if path.exists() and checkpoint.load(path).header["step"] > before:
                break
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert checkpoint.load(path).header["step"] < CONFIG.steps
    resumed = train(LineTask(), CONFIG, out, {})
    a, b = tensors(whole), tensors(resumed)
    assert all(torch.equal(a[key], b[key]) for key in a)


def test_the_log_holds_terms_learning_rate_and_validation(tmp_path):
    train(LineTask(), CONFIG, tmp_path, {"recipe": "line"})
    rows = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert {"loss", "error", "lr", "pictures_per_second"} <= set(rows[0])
    assert "validation/at_one" in rows[-1]
    assert checkpoint.load(tmp_path / checkpoint.NAME).header["config"] == {"recipe": "line"}


def test_the_learning_rate_warms_up_and_falls_as_a_cosine():
    config = LoopConfig(steps=1000, warmup_steps=100, lr=1.0, min_lr_ratio=0.1)
    assert lr_at(0, config) == pytest.approx(0.01)
    assert lr_at(99, config) == pytest.approx(1.0)
    assert lr_at(550, config) == pytest.approx(0.55)
    assert lr_at(1000, config) == pytest.approx(0.1)


def test_the_average_is_the_average():
    model, average = nn.Linear(1, 1), nn.Linear(1, 1)
    with torch.no_grad():
        model.weight.fill_(1.0)
        average.weight.fill_(0.0)
    update_average(average, model, 0.9)
    assert average.weight.item() == pytest.approx(0.1)


@pytest.mark.parametrize("content", [b"", b"nothing of the kind"])
def test_a_damaged_checkpoint_gives_one_sentence(tmp_path, content):
    path = tmp_path / checkpoint.NAME
    path.write_bytes(content)
    with pytest.raises(AssetError, match="not a training checkpoint"):
        checkpoint.load(path)


def test_a_loss_that_is_not_finite_ends_the_run_and_leaves_the_last_checkpoint(tmp_path):
    class Bursting(LineTask):
        def loss(self, model, batch, step):
            total, terms = super().loss(model, batch, step)
            return (total * float("nan"), {"error": total * float("nan")}) if step == 7 else (total, terms)

    with pytest.raises(HandscopeError, match=r"step 7 is nan \(error\)"):
        train(Bursting(), CONFIG, tmp_path, {})
    assert checkpoint.load(tmp_path / checkpoint.NAME).header["step"] == 7


@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_is_told_to_stop_keeps_its_last_step(tmp_path, kind):
    class Stopped(LineTask):
        def loss(self, model, batch, step):
            if step == 7:
                signal.raise_signal(kind)
            return super().loss(model, batch, step)

    seldom = dataclasses.replace(CONFIG, checkpoint_minutes=60.0)
    handlers = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt, match="after step 8"):
        train(Stopped(), seldom, tmp_path / "stopped", {})
    assert checkpoint.load(tmp_path / "stopped" / checkpoint.NAME).header["step"] == 8
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == handlers
    train(LineTask(), seldom, tmp_path / "stopped", {})
    train(LineTask(), seldom, tmp_path / "whole", {})
    stopped, whole = (tensors(tmp_path / name / checkpoint.NAME) for name in ("stopped", "whole"))
    assert all(torch.equal(stopped[name], whole[name]) for name in whole)


class Graded(LineTask):
    """Whose validation gives the merits in turn."""

    def __init__(self, merits):
        super().__init__()
        self.merits = iter(merits)

    def validate(self, model):
        return {"merit": next(self.merits)}


def test_the_best_validation_is_kept_beside_the_last_step_whoever_resumes(tmp_path):
    often = dataclasses.replace(CONFIG, steps=3, validate_minutes=0.0)
    train(Graded([0.2, 0.7, 0.4, 0.4]), often, tmp_path, {})
    kept = checkpoint.load(tmp_path / checkpoint.BEST)
    assert kept.header["merit"] == 0.7 and kept.header["step"] == 1
    assert kept.groups["average"].keys() == checkpoint.load(tmp_path / checkpoint.NAME).groups["average"].keys()
    longer = dataclasses.replace(often, steps=5)
    train(Graded([0.6, 0.65, 0.6]), longer, tmp_path, {})
    assert checkpoint.load(tmp_path / checkpoint.BEST).header["merit"] == 0.7
    train(Graded([0.1, 0.2, 0.3, 0.1]), often, tmp_path, {}, resume=False)
    assert checkpoint.load(tmp_path / checkpoint.BEST).header["merit"] == 0.3


def test_a_changed_configuration_is_not_gone_on_with(tmp_path):
    described = {"network": {"stacks": 2, "heads": ("right",)}, "loop": {"lr": 0.1, "steps": 40}, "out": "a"}
    train(LineTask(), CONFIG, tmp_path, described)
    free = {"network": {"stacks": 2, "heads": ["right"]}, "loop": {"lr": 0.1, "steps": 80, "new": 1}, "out": "b"}
    train(LineTask(), dataclasses.replace(CONFIG, steps=41), tmp_path, free)
    for changed in ({"network": {"stacks": 3}}, {"network": {"heads": []}}, {"loop": {"lr": 0.2}}):
        with pytest.raises(HandscopeError, match=r"another configuration \((network|loop)\.\w+ was .*give --restart"):
            train(LineTask(), CONFIG, tmp_path, changed)
    train(LineTask(), CONFIG, tmp_path, {"loop": {"lr": 0.2}}, resume=False)
