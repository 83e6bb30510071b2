"""Recipes: the configuration as YAML or as the dictionary that a checkpoint carries."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, TypeVar

import jsonargparse

from handscope.train.estimator import EstimatorConfig

Run = TypeVar("Run")


def parser(kind: type[Any], prog: str, network: str, recipe: str) -> jsonargparse.ArgumentParser:
    """`--config recipe.yaml` and any field of the dataclass `kind` as `--loop.steps 100`."""
    out = jsonargparse.ArgumentParser(prog=prog, description=f"Train the {network}.")
    out.add_argument("--config", action="config", help=f"a recipe, such as {recipe}")
    out.add_class_arguments(kind, as_group=False)
    return out


def read_run(kind: type[Run], network: str, arguments: Sequence[str] | None) -> Run:
    """The `kind` that the command line of `python -m handscope.train.NETWORK` asks for."""
    reader = parser(kind, f"handscope.train.{network}", network, f"recipes/{network}.yaml")
    return _instantiate(kind, reader, reader.parse_args(arguments))


def from_arguments(arguments: list[str] | None) -> EstimatorConfig:
    """The configuration that a command line asks for."""
    reader = _estimators()
    return _instantiate(EstimatorConfig, reader, reader.parse_args(arguments))


def from_dict(config: dict[str, Any]) -> EstimatorConfig:
    """The configuration that a checkpoint carries."""
    reader = _estimators()
    parsed = reader.parse_object(copy.deepcopy(config))  # it writes into what it is given
    return _instantiate(EstimatorConfig, reader, parsed)


def _estimators() -> jsonargparse.ArgumentParser:
    return parser(EstimatorConfig, "handscope train", "hand network", "recipes/small.yaml")


def _instantiate(kind: type[Run], reader: jsonargparse.ArgumentParser, parsed: jsonargparse.Namespace) -> Run:
    parsed.pop("config", None)
    return kind(**vars(reader.instantiate(parsed)))
