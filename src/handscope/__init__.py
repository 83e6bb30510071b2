"""Hands in pictures: 2D joints, mask, 3D joints, mesh, camera, side and confidence from one RGB image.

    import handscope

    model = handscope.load()
    for hand in model("photo.jpg"):
        print(hand.handedness, hand.score, hand.joints_3d)

Importing the package costs nothing; `load` imports what it needs, and never torch.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from handscope.infer.pipeline import load as load
    from handscope.infer.results import Hands as Hands
    from handscope.types import Hand as Hand

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
# Nothing leaves the machine: ONNX Runtime reads this when it is first imported, and every module of ours is imported
# after this one.

__version__ = "0.4.0"
__all__ = ["Hand", "Hands", "__version__", "load"]

_LAZY = {"load": "handscope.infer.pipeline", "Hand": "handscope.types", "Hands": "handscope.infer.results"}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'handscope' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_LAZY[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
