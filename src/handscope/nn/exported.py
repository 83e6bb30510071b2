"""What a network ships as: bytes in, and named outputs that inference reads without knowing the network."""

from __future__ import annotations

from torch import nn


class Exported(nn.Module):
    """Abstract: pictures or crops, uint8 (n, s, s, 3), to one tensor for each of `NAMES`, in order."""

    NAMES: tuple[str, ...]
