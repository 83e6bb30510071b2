"""`handscope ablate` from a file to a report: killed in the middle and gone on with, it says the same."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from rich.console import Console

from handscope.ablation import report
from handscope.ablation.runner import work
from handscope.ablation.study import Cell, jobs_of, read_study, scores_name
from handscope.apps import ablate
from handscope.errors import HandscopeError
from handscope.train import checkpoint
from handscope.train.recipe import merged

RECIPES = Path(__file__).parents[2] / "recipes" / "ablations"
RECIPE = {
    "kind": "estimator",
    "network": {
        "crop": 64, "stacks": 2, "stem": [8, 8], "channels": 8, "backbone": "pyramid",
        "pyramid": {"channels": [8, 8, 8, 8], "blocks": [1, 1, 1, 1]},
        "regressor": [8, 8], "regressor_hidden": 16, "heads": [],
    },
    "crop": {"size": 64, "mask_size": 32, "mirror_prob": 0.0},
    "objective": {"silhouette_px": 16},
    "loop": {"steps": 6, "batch": 2, "warmup_steps": 1, "log_every": 1, "checkpoint_minutes": 0.0},
}  # fmt: skip


def write_study(folder: Path, **changes) -> Path:
    """Two cells, two seeds, eight rendered pictures to train on and six to score on."""
    shards = {"size": 64, "share_second": 0.0}
    study = {
        "title": "tiny",
        "train": "recipe.yaml",
        "recipe": {"sources": [{"kind": "shards", "path": str(folder / "train")}]},
        "data": [
            {"out": str(folder / "train"), "count": 8, "seed": 1, "options": shards},
            {"out": str(folder / "test"), "count": 6, "seed": 2, "options": shards},
        ],
        "evaluate": {"rendered": {"kind": "shards", "path": str(folder / "test")}},
        "primary": ["rendered"],
        "seeds": [0, 1],
        "cells": {
            "two": {"printed": {"mask": 0.9}},
            "one": {"recipe": {"network": {"stacks": 1}}, "printed": {"mask": 0.8}},
        },
        "claims": [{"claim": "two beat one", "better": "two", "worse": "one", "columns": ["mask", "joints_3d"]}],
    }
    (folder / "recipe.yaml").write_text(yaml.safe_dump(RECIPE))
    path = folder / "tiny.yaml"
    path.write_text(yaml.safe_dump(study | changes))
    return path


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A study whose runs are all done, and the folder of the runs."""
    folder = tmp_path_factory.mktemp("study")
    path = write_study(folder)
    assert ablate.main([str(path), "--out", str(folder / "runs")]) == 0
    return path, folder / "runs"


def test_a_killed_grid_goes_on_and_ends_with_the_same_table(whole, tmp_path):
    """kill -9 of the whole command while a run learns; another command then finishes it."""
    path, runs = whole
    again = tmp_path / "runs"
    shutil.copytree(runs, again)
    lost = next(job for job in jobs_of(read_study(path)) if job.cell == "two" and job.seed == 1)
    shutil.rmtree(again / lost.name)
    shutil.rmtree(again / "tiny")
    command = [sys.executable, "-W", "ignore", "-m", "handscope.apps.cli", "ablate", str(path), "--out", str(again)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    kept, deadline = again / lost.name / checkpoint.NAME, time.monotonic() + 300
    while not kept.exists() and time.monotonic() < deadline:
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert kept.exists() and not (again / "tiny").exists()
    assert ablate.main([str(path), "--out", str(again)]) == 0
    steps = [json.loads(line).get("step") for line in (again / lost.name / "log.jsonl").read_text().splitlines()]
    assert steps.count(0) == 1 and max(steps) == 5  # gone on with, not begun anew
    for name in ("table.json", "table.csv", "report.md"):
        assert (again / "tiny" / name).read_bytes() == (runs / "tiny" / name).read_bytes()


def test_the_report_has_every_row_claim_and_printed_number(whole):
    path, runs = whole
    content = json.loads((runs / "tiny" / "table.json").read_text())
    assert set(content["tables"]["rendered"]) == {"two", "one"}
    assert set(content["tables"]["rendered"]["one"]) >= {"joints_2d", "joints_2d_mesh", "mask", "mask_mesh", "mesh"}
    assert [claim["column"] for claim in content["claims"]] == ["mask", "joints_3d"]
    mask = content["claims"][0]
    assert mask["printed"] == 0.1 and mask["interval"][0] < mask["difference"] < mask["interval"][1]
    assert mask["verdict"] in ("confirmed", "refuted", "undecided")
    text = (runs / "tiny" / "report.md").read_text()
    assert "| two | 2 |" in text and "(0.900)" in text and "two beat one" in text
    assert (runs / "tiny" / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert all((runs / job.name / scores_name(read_study(path))).exists() for job in jobs_of(read_study(path)))


def test_two_sets_can_decide(whole):
    """What a set decides stands without brackets, of the first the curves without its name."""
    path, runs = whole
    study = yaml.safe_load(path.read_text())
    sets = {name: study["evaluate"]["rendered"] for name in ("rendered", "beside", "again")}
    series = {"line": {"0.0": "one", "1.0": "two"}}
    other = path.with_name("deciding.yaml")
    content = study | {"evaluate": sets, "primary": ["again", "rendered"], "seeds": [0], "series": series}
    other.write_text(yaml.safe_dump(content, sort_keys=False))
    assert ablate.main([str(other), "--out", str(runs)]) == 0
    text = (runs / "deciding" / "report.md").read_text()
    told = {
        line.split(" | ")[1]: line.rstrip(" |").split(" | ")[-1] for line in text.splitlines() if "two beat" in line
    }
    assert told == {"again": "undecided", "rendered": "undecided", "beside": "(undecided)"}
    assert [line for line in text.splitlines() if line.startswith("## ")][:3] == [
        f"## {name} ({role}); in brackets the paper's numbers"
        for name, role in (("again", "primary"), ("rendered", "primary"), ("beside", "secondary"))
    ]
    drawn = {file.name for file in (runs / "deciding").glob("*.png")}
    assert drawn == {"curves.png", "curves-rendered.png", "curves-beside.png", "series.png"}


def test_the_cost_is_said_beforehand_and_nothing_is_begun(tmp_path, capsys):
    path = write_study(tmp_path)
    assert ablate.main([str(path), "--out", str(tmp_path / "runs"), "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert "4 runs" in said and "hours of one core left" in said and "14 pictures to render" in said
    assert not (tmp_path / "runs").exists() and not (tmp_path / "train").exists()


def test_a_run_that_fails_is_named_and_the_others_are_done(whole):
    """In the folder of runs that are done, whose cells need not run again."""
    path, runs = whole
    study = yaml.safe_load(path.read_text())
    nowhere = str(path.parent / "nowhere")
    study["cells"] = {"bad": {"recipe": {"sources": [{"kind": "shards", "path": nowhere}]}}, **study["cells"]}
    other = path.with_name("failing.yaml")
    other.write_text(yaml.safe_dump(study | {"seeds": [0]}, sort_keys=False))
    with pytest.raises(HandscopeError, match=r"bad, seed 0 failed \(handscope: .*nowhere"):
        ablate.main([str(other), "--out", str(runs)])
    bad = next(job for job in jobs_of(read_study(other)) if job.cell == "bad")
    assert not (runs / bad.name / checkpoint.NAME).exists()
    assert ablate.main([str(other), "--out", str(runs), "--report-only"]) == 0
    assert "2 of 3 runs are done" in (runs / "failing" / "report.md").read_text()


def test_the_papers_own_sets_are_trained_and_scored_on(sets, tmp_path):
    """The shipped study at its scale `sets`, a tiny network and every set's fixture: a table and curves of each."""
    study = read_study(RECIPES / "table2.yaml", "sets")
    places = {str(root.get("name")): root for root in study.evaluate.values()}
    assert set(places) == {"freihand", "hiu", "rhd", "stb", "dexter_object", "cmu"}
    there = {name: here(places[name], sets) for name in places}
    recipe = merged(
        RECIPE, {"sources": [here(source, sets) for source in study.recipe["sources"]], "loop": {"steps": 2}}
    )
    small = dataclasses.replace(
        study,
        recipe=recipe,
        cells={"1 stack": Cell(recipe={"network": {"stacks": 1}})},
        seeds=[0],
        hands=3,
        claims=[],
        evaluate={name: there[options["name"]] for name, options in study.evaluate.items()},
    )
    jobs = jobs_of(small)
    work(small, jobs, tmp_path, side_by_side=1, device="cpu", console=Console(quiet=True))
    text = report.write(small, jobs, tmp_path, tmp_path / "said").read_text()
    content = json.loads((tmp_path / "said" / "table.json").read_text())["tables"]
    assert set(content) == set(study.evaluate) and all("1 stack" in rows for rows in content.values())
    assert {"joints_2d", "joints_2d_mesh", "joints_3d"} <= set(content["freihand"]["1 stack"])
    assert {"joints_2d", "mask", "mask_mesh"} <= set(content["hiu"]["1 stack"])
    assert all((tmp_path / "said" / name).exists() for name in ("curves.png", "curves-hiu.png", "curves-stb.png"))
    assert "## freihand (primary)" in text and "curves-rhd.png" in text


def here(source: dict, sets: dict) -> dict:
    """A data set's options with its fixture's place, and what the fixture lacks of the set."""
    lacks = {
        "freihand": {"variant": "gs"},
        "hiu": {"split": "all"},
        "dexter_object": {"partial": "yes"},
        "stb": {"partial": "yes"},
    }
    name = source["name"]
    return source | {"path": str(sets[name][0]), "options": source.get("options", {}) | lacks.get(name, {})}
