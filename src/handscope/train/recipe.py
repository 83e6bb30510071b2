"""Recipes: what to train (`kind`) and how, as YAML, or as the dictionary that a checkpoint carries.

A recipe may name another, beside it, as its `base` and say only what differs: mappings are merged key by key, lists
and values replaced. Any field can be set on the command line, as `--loop.steps 100`.
"""

from __future__ import annotations

import argparse
import copy
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

import jsonargparse
import yaml

from handscope.errors import HandscopeError
from handscope.paths import read_bytes
from handscope.train.aligner import AlignerRun
from handscope.train.context import ContextRun
from handscope.train.detector import DetectorRun
from handscope.train.estimator import EstimatorRun
from handscope.train.renames import dotted, renamed_keys
from handscope.train.segmenter import SegmenterRun

Run: TypeAlias = EstimatorRun | AlignerRun | DetectorRun | ContextRun | SegmenterRun
Recipe: TypeAlias = dict[str, object]

RUNS: dict[str, type[Run]] = {
    "estimator": EstimatorRun,
    "aligner": AlignerRun,
    "detector": DetectorRun,
    "context": ContextRun,
    "segmenter": SegmenterRun,
}
"""What can be trained, by the recipe's `kind`."""

MOST_BYTES, MOST_NODES, DEEPEST = 2**18, 100_000, 50
"""Of a recipe: its text, its values with every alias written out, and how deep they lie."""
BROKEN = (yaml.YAMLError, AttributeError, IndexError, KeyError, OverflowError, RecursionError, TypeError, ValueError)
"""What reading a damaged or strange recipe may raise."""
USUAL = "estimator"
"""The kind that is meant where none is said."""


def from_arguments(arguments: Sequence[str]) -> Run:
    """The run that a command line asks for: a recipe (`--config`) and whatever it sets besides.

    Raises HandscopeError for a recipe that cannot be read and for keys of 0.4.0.
    """
    before = argparse.ArgumentParser(prog="handscope train", add_help=False, allow_abbrev=False)
    before.add_argument("--config", type=Path)
    before.add_argument("--kind")
    given, words = before.parse_known_args(arguments)
    _refuse_old((word[2:].partition("=")[0] for word in words if word.startswith("--")), "the command line")
    recipe = read_recipe(given.config) if given.config else {}
    if given.kind:
        recipe["kind"] = given.kind
    reader = _parser(recipe, str(given.config or "the command line"))
    parsed = reader.parse_args([f"--config={json.dumps(recipe)}", *words])
    return _instantiated(reader, parsed)


def from_dict(config: Mapping[str, object], kind: str = USUAL) -> Run:
    """The run that a checkpoint carries; `kind` where it says none."""
    recipe: Recipe = {"kind": kind, **copy.deepcopy(dict(config))}  # jsonargparse writes into what it is given
    _refuse_old(dotted(recipe), "the checkpoint's configuration")
    reader = _parser(recipe, "the checkpoint's configuration")
    return _instantiated(reader, reader.parse_object(recipe))


def read_recipe(path: Path, above: tuple[Path, ...] = ()) -> Recipe:
    """The recipe at `path` over its bases; `above` are the recipes that have it as theirs."""
    path = path.resolve()
    if path in above:
        chain = " -> ".join(p.name for p in (*above[above.index(path) :], path))
        raise HandscopeError(f"{path}: a recipe cannot be its own base ({chain})")
    whose = f", the base of {above[-1].name}" if above else ""
    content = read_bytes(path, lambda sentence: HandscopeError(f"{sentence} (a recipe{whose})"))
    if len(content) > MOST_BYTES:
        raise HandscopeError(f"{path}: {len(content)} bytes, more than the {MOST_BYTES} that a recipe has")
    try:
        text = content.decode()
        _refuse_bomb(text)
        recipe = jsonargparse.get_loader("yaml")(text)
    except BROKEN as problem:
        raise HandscopeError(f"{path}: not a YAML file ({' '.join(str(problem).split())[:300]})") from problem
    if not isinstance(recipe, dict):
        raise HandscopeError(f"{path}: a recipe is keys with values, found {type(recipe).__name__}")
    _refuse_old(dotted(recipe), str(path))
    base = recipe.pop("base", None)
    return recipe if base is None else merged(read_recipe(path.parent / str(base), (*above, path)), recipe)


def _refuse_bomb(text: str) -> None:
    """ValueError for a text whose aliases unfold to more than `MOST_NODES` values, or to themselves, or that nests
    deeper than `DEEPEST`: the loader's time grows with depth times length.
    """
    sizes: dict[int, int] = {}

    def size(node: yaml.Node, depth: int) -> int:
        if depth > DEEPEST:
            raise ValueError(f"it nests deeper than {DEEPEST} levels")
        if id(node) not in sizes:
            sizes[id(node)] = MOST_NODES  # met again before it is whole, it holds itself
            pairs = node.value if isinstance(node.value, list) else []
            inside = [part for pair in pairs for part in (pair if isinstance(pair, tuple) else (pair,))]
            sizes[id(node)] = 1 + sum(size(part, depth + 1) for part in inside)
        return min(sizes[id(node)], MOST_NODES)

    root = yaml.compose(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    if root is not None and size(root, 0) >= MOST_NODES:
        raise ValueError(f"its aliases unfold to more than {MOST_NODES} values")


def merged(base: Mapping[str, object], over: Mapping[str, object]) -> Recipe:
    """`base` with what `over` says: mappings are merged, everything else is replaced."""
    out = dict(base)
    for key, value in over.items():
        before = out.get(key)
        if isinstance(before, Mapping) and isinstance(value, Mapping):
            value = merged(before, value)
        out[key] = value
    return out


def _refuse_old(keys: Iterable[str], where: str) -> None:
    if renamed := renamed_keys(keys):
        raise HandscopeError(f"{where}: written for handscope 0.4.0 or earlier: {renamed}")


def _parser(recipe: Recipe, where: str) -> jsonargparse.ArgumentParser:
    """`--config recipe.yaml` and any field of the recipe's kind of run."""
    kind = str(recipe.setdefault("kind", USUAL))
    if kind not in RUNS:
        raise HandscopeError(f"{where}: kind must be one of {', '.join(RUNS)}, got {kind}")
    about = f"Train the {kind} (another network: --kind or the recipe's `kind`, one of {', '.join(RUNS)})."
    out = jsonargparse.ArgumentParser(prog="handscope train", description=about)
    out.add_argument("--config", action="config", help="a recipe, such as recipes/small.yaml")
    out.add_class_arguments(RUNS[kind], as_group=False)
    return out


def _instantiated(reader: jsonargparse.ArgumentParser, parsed: jsonargparse.Namespace) -> Run:
    parsed.pop("config", None)
    try:
        fields = vars(reader.instantiate(parsed))
        return RUNS[fields["kind"]](**fields)
    except ValueError as problem:
        raise HandscopeError(str(problem)) from problem
