"""How much one picture may cost to decode. Files are untrusted: a few hundred kilobytes can unfold to gigabytes, or to
minutes of work.

Pixels, bytes and scans are checked wherever pictures are decoded, before they unfold. Seconds and memory are what a
process for decoding is held to (`decoding_pool`). Each has a default, and a variable of the environment to change it.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from handscope.errors import HandscopeError

MEGA, MIB = 1e6, 2.0**20
VARIABLES = {
    "max_pixels": ("HANDSCOPE_MAX_MEGAPIXELS", MEGA),
    "max_bytes": ("HANDSCOPE_MAX_MIB", MIB),
    "max_scans": ("HANDSCOPE_MAX_SCANS", 1.0),
    "seconds": ("HANDSCOPE_DECODE_SECONDS", 1.0),
    "memory": ("HANDSCOPE_DECODE_MIB", MIB),
}
"""What the environment calls each limit, and its unit there."""


@dataclass(frozen=True, kw_only=True)
class DecodingLimits:
    """Of one picture: pixels, bytes of its file, scans of a JPEG (a progressive one usually has ten); and of a process
    that decodes it, seconds of CPU and bytes of memory beyond what the process needs to live.
    """

    max_pixels: int = 100_000_000
    max_bytes: int = 512 * 2**20
    max_scans: int = 100
    seconds: float = 30.0
    memory: int = 2 * 2**30

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not value > 0:
                raise HandscopeError(f"the limit {name} of decoding must be positive, got {value}")


def default_limits(max_megapixels: float | None = None, max_mib: float | None = None) -> DecodingLimits:
    """The limits with what the environment says of them, and over it what is given; HandscopeError if the environment
    says no positive number.
    """
    told: dict[str, float] = {}
    for name, (variable, unit) in VARIABLES.items():
        text = os.environ.get(variable)
        if not text:
            continue
        try:
            value = float(text) * unit
        except ValueError:
            value = 0.0
        if not 0 < value < float("inf"):
            raise HandscopeError(f"{variable} must be a positive number, got {text!r}")
        told[name] = value if name == "seconds" else max(round(value), 1)
    given = (("max_pixels", max_megapixels, MEGA), ("max_bytes", max_mib, MIB))
    told |= {name: max(round(value * unit), 1) for name, value, unit in given if value is not None}
    return DecodingLimits(**told)  # type: ignore[arg-type]
