"""What names of 0.4.0 and earlier are called now, in recipes and in weights; and the sentence that says so.

Neither is read under its old names: a recipe is mended by hand, weights by scripts/rename_checkpoint.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

KEYS = {
    "network.first": "network.backbone",
    "network.glance": "network.auxiliary",
    "network.handedness": "network.heads",
    "objective.glance": "objective.auxiliary",
    "objective.glance_right": "objective.auxiliary_right",
    "crop.turn_deg": "crop.rotation_deg",
    "crop.any_turn": "crop.any_rotation_prob",
    "crop.shift": "crop.translation",
    "crop.zoom": "crop.scale",
    "crop.wrong_side": "crop.mirror_prob",
    "canvas.turn_deg": "canvas.rotation_deg",
    "canvas.any_turn": "canvas.any_rotation_prob",
    "loop.rate": "loop.lr",
    "loop.slow": "loop.pretrained_lr_scale",
    "loop.warm_up": "loop.warmup_steps",
    "loop.last_rate": "loop.min_lr_ratio",
    "loop.decay": "loop.weight_decay",
    "loop.clip": "loop.max_grad_norm",
    "loop.average": "loop.ema_decay",
    "start.trunk": "start.backbone",
    "start.anew": "start.reinitialise",
    "trunk": "start.backbone",
    "checkpoint": "start.checkpoint",
}
"""Dotted keys of recipes."""

PARTS = {"trunk": "backbone", "glance": "auxiliary"}
"""Parts of the dotted names of weights."""


def new_name(tensor: str) -> str:
    """What the weight `tensor` is called now."""
    return ".".join(PARTS.get(part, part) for part in tensor.split("."))


def dotted(config: Mapping[str, object], prefix: str = "") -> list[str]:
    """The keys of nested mappings, as "loop.lr"; those of the mappings themselves too."""
    keys = []
    for key, value in config.items():
        keys.append(prefix + key)
        if isinstance(value, Mapping):
            keys += dotted(value, f"{prefix}{key}.")
    return keys


def renamed_keys(keys: Iterable[str]) -> str | None:
    """A sentence that names the new key of every old one of `keys`; None if there is no old one."""
    found = [f"{key} is now {KEYS[key]}" for key in keys if key in KEYS]
    return ", ".join(found) or None


def renamed_weight(groups: Mapping[str, Mapping[str, object]]) -> str | None:
    """A sentence that names the new name of the first old one; None if there is no old one."""
    names = (name for group in groups.values() for name in group)
    return next((f"{name} is now {new_name(name)}" for name in names if new_name(name) != name), None)


def renamed_config(config: Mapping[str, object]) -> dict[str, object]:
    """A configuration of 0.4.0 under the new keys, as a new dictionary."""
    out: dict[str, object] = {}
    for key in dotted(config):
        value: object = config
        for part in key.split("."):
            assert isinstance(value, Mapping)
            value = value[part]
        if isinstance(value, Mapping) and value:
            continue
        *sections, last = KEYS.get(key, key).split(".")
        place = out
        for section in sections:
            inner = place.setdefault(section, {})
            assert isinstance(inner, dict)
            place = inner
        place[last] = (["right"] if value else []) if key == "network.handedness" else _renamed_value(value)
    return out


def _renamed_value(value: object) -> object:
    """Names of weights (`start.reinitialise`) and the backbone's file, where a configuration speaks of them."""
    if isinstance(value, list):
        return [_renamed_value(entry) for entry in value]
    if isinstance(value, str):
        return new_name(value.replace("landmark_trunk", "landmark_backbone"))
    return value
