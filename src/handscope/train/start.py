"""What the weights of a run start from: a backbone's file, or the averaged weights of an earlier run."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class StartConfig:
    """`backbone` is a file of scripts/convert_*_backbone.py, `checkpoint` one of `handscope train`; where both have a
    weight, the checkpoint's counts.
    """

    backbone: str | None = None
    checkpoint: str | None = None
