"""Recipes: the configuration as YAML or as the dictionary that a checkpoint carries."""

from __future__ import annotations

import copy
from typing import Any

import jsonargparse

from handscope.train.estimator import EstimatorConfig


def parser() -> jsonargparse.ArgumentParser:
    """`--config recipe.yaml` and any field as `--loop.steps 100`."""
    out = jsonargparse.ArgumentParser(prog="handscope train", description="Train the hand network.")
    out.add_argument("--config", action="config", help="a recipe, such as recipes/small.yaml")
    out.add_class_arguments(EstimatorConfig, as_group=False)
    return out


def from_arguments(arguments: list[str] | None) -> EstimatorConfig:
    """The configuration that a command line asks for."""
    reader = parser()
    return _instantiate(reader, reader.parse_args(arguments))


def from_dict(config: dict[str, Any]) -> EstimatorConfig:
    """The configuration that a checkpoint carries."""
    reader = parser()
    return _instantiate(reader, reader.parse_object(copy.deepcopy(config)))  # it writes into what it is given


def _instantiate(reader: jsonargparse.ArgumentParser, parsed: jsonargparse.Namespace) -> EstimatorConfig:
    parsed.pop("config", None)
    return EstimatorConfig(**vars(reader.instantiate(parsed)))
