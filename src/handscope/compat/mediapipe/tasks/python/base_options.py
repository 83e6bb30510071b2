"""`BaseOptions`: where MediaPipe's model lies, which is not needed here."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from enum import IntEnum


class Delegate(IntEnum):
    """Where MediaPipe would compute."""

    CPU = 0
    GPU = 1


@dataclass
class BaseOptions:
    """Taken as they are and not looked at: handscope's own weights are used, on the CPU."""

    model_asset_path: str | None = None
    model_asset_buffer: bytes | None = None
    delegate: Delegate | None = None

    def __post_init__(self) -> None:
        if self.model_asset_path is not None or self.model_asset_buffer is not None:
            warnings.warn(
                f"{self.model_asset_path or 'the model given'} is not read: handscope has its own weights", stacklevel=3
            )


BaseOptions.Delegate = Delegate  # type: ignore[attr-defined]
