"""Studies: what the shipped ones hold, what runs they share, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from test_ablate import write_study

from handscope.ablation.study import RUN, jobs_of, read_study
from handscope.errors import HandscopeError
from handscope.nn.network import multiply_accumulates
from handscope.train.estimator import EstimatorRun, build
from handscope.train.recipe import from_dict

STUDIES = Path(__file__).parents[2] / "recipes" / "ablations"
RUNS = {"table1": 6, "table2": 19, "table3": 2, "table4": 14, "figure10": 18}
STEPS = {"figure10": (1875, 938)}


@pytest.mark.parametrize("name", RUNS)
@pytest.mark.parametrize("scale", [None, "full", "sets"])
def test_the_shipped_studies_can_be_run(name, scale):
    study = read_study(STUDIES / f"{name}.yaml", scale)
    jobs = jobs_of(study)
    assert len({job.name for job in jobs}) == len(jobs)
    if scale is None:
        assert len(jobs) == RUNS[name] and {job.steps for job in jobs} <= set(STEPS.get(name, (1875,)))
        assert all(job.steps * 16 in (30000, 15008) for job in jobs)
    else:
        assert {job.seed for job in jobs} == {0, 1, 2, 3} or name == "table2"
        assert all(job.recipe["crop"]["size"] == job.recipe["network"]["crop"] == 128 for job in jobs)


def test_stacks_are_compared_at_equal_cost():
    """GMAC a picture, within 4 %: those of the tables with the task attention module."""
    cost = {}
    for table in ("table2", "table3"):
        for job in jobs_of(read_study(STUDIES / f"{table}.yaml")):
            run = from_dict(job.recipe)
            assert isinstance(run, EstimatorRun)
            if job.seed == 0 and run.network.aggregate == "tam":
                cost[job.cell] = multiply_accumulates(build(run.network), 96) / 1e9
    assert len(cost) == 4 and max(cost.values()) / min(cost.values()) < 1.04 and max(cost.values()) < 0.149


def test_only_the_papers_terms_are_taught():
    run = from_dict(jobs_of(read_study(STUDIES / "table2.yaml"))[0].recipe)
    assert isinstance(run, EstimatorRun)
    ours = ("theta", "orientation", "beta", "focal", "joints_3d", "right", "auxiliary", "auxiliary_right")
    assert all(run.objective.weight(name) == 0 for name in ours)
    assert run.objective.earlier_blocks == 1 and run.objective.silhouette > 0 and run.objective.consistency == 0


def test_studies_share_equal_runs():
    first, second = (jobs_of(read_study(STUDIES / f"{name}.yaml")) for name in ("table1", "table2"))
    shared = {job.name for job in first} & {job.name for job in second}
    assert len(shared) == 2  # the two-stack cascade, both seeds
    fourth = {job.name for job in jobs_of(read_study(STUDIES / "table4.yaml"))}
    assert len(fourth) == 14 and fourth & {job.name for job in second} == shared  # all tasks are that cascade too


def test_runs_that_start_from_another_wait_for_it():
    jobs = jobs_of(read_study(STUDIES / "figure10.yaml"))
    starts = {job.seed: job.name for job in jobs if job.cell is None}
    for job in jobs:
        if job.cell is not None:
            assert job.after == starts[job.seed] and job.recipe["start"]["checkpoint"] == f"{RUN}{job.after}"


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"primary": ["photos"]}, r"primary names some of evaluate's \(rendered\), got photos"),
        ({"claims": [{"claim": "a", "better": "two", "worse": "three", "columns": []}]}, "speak of three"),
        ({"claims": [{"claim": "a", "better": "two", "worse": "one", "columns": ["depth"]}]}, "got depth"),
        ({"seeds": "many"}, "not a study"),
        ({"colour": "red"}, "not a study"),
        ({"recipe": {"network": {"stacks": 0}}}, "stacks must be at least 1"),
    ],
)
def test_what_is_wrong_with_a_study_is_one_sentence(tmp_path, change, sentence):
    path = write_study(tmp_path, **change)
    with pytest.raises(HandscopeError, match=sentence):
        jobs_of(read_study(path))


def test_an_unknown_scale_is_refused_with_those_there_are():
    with pytest.raises(HandscopeError, match="no scale 'huge'; it has full"):
        read_study(STUDIES / "table2.yaml", "huge")


def test_a_study_is_what_differs_from_its_base(tmp_path):
    path = write_study(tmp_path)
    other = tmp_path / "other.yaml"
    changes = {"title": "other", "seeds": [7], "cells": {"one": None}, "claims": []}
    other.write_text(yaml.safe_dump({"base": path.name, **changes}))
    study = read_study(other)
    assert study.title == "other" and [(job.cell, job.seed) for job in jobs_of(study)] == [("two", 7)]
