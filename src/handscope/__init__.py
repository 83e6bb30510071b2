"""Hands in pictures: 2D joints, mask, 3D joints, mesh, camera, side and confidence from one RGB image.

    import handscope

    model = handscope.load()
    for hand in model("photo.jpg"):
        print(hand.handedness, hand.score, hand.joints_3d)

Importing the package costs nothing; a name imports what it needs when it is first used, and never torch.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from handscope import errors as errors
    from handscope import skeleton as skeleton
    from handscope.errors import AssetError as AssetError
    from handscope.errors import HandscopeError as HandscopeError
    from handscope.errors import ImageError as ImageError
    from handscope.errors import VideoError as VideoError
    from handscope.geometry.camera import Camera as Camera
    from handscope.infer import formats as formats
    from handscope.infer.pipeline import Pipeline as Pipeline
    from handscope.infer.pipeline import load as load
    from handscope.infer.results import FoundHand as FoundHand
    from handscope.infer.results import Hands as Hands
    from handscope.infer.smoothing import SmoothingConfig as SmoothingConfig
    from handscope.infer.streaming import Failure as Failure
    from handscope.infer.tracking import TrackingConfig as TrackingConfig
    from handscope.infer.video import VideoFrame as VideoFrame
    from handscope.types import Hand as Hand
    from handscope.viz import draw as draw

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
# Nothing leaves the machine: ONNX Runtime reads this when it is first imported, and every module of ours is imported
# after this one.

__version__ = "0.7.0"

_MODULES = {"errors": "handscope.errors", "formats": "handscope.infer.formats", "skeleton": "handscope.skeleton"}
_HOMES = {
    "AssetError": "handscope.errors",
    "Camera": "handscope.geometry.camera",
    "Failure": "handscope.infer.streaming",
    "FoundHand": "handscope.infer.results",
    "Hand": "handscope.types",
    "Hands": "handscope.infer.results",
    "HandscopeError": "handscope.errors",
    "ImageError": "handscope.errors",
    "Pipeline": "handscope.infer.pipeline",
    "SmoothingConfig": "handscope.infer.smoothing",
    "TrackingConfig": "handscope.infer.tracking",
    "VideoError": "handscope.errors",
    "VideoFrame": "handscope.infer.video",
    "draw": "handscope.viz",
    "load": "handscope.infer.pipeline",
}

__all__ = [
    "AssetError",
    "Camera",
    "Failure",
    "FoundHand",
    "Hand",
    "Hands",
    "HandscopeError",
    "ImageError",
    "Pipeline",
    "SmoothingConfig",
    "TrackingConfig",
    "VideoError",
    "VideoFrame",
    "__version__",
    "draw",
    "errors",
    "formats",
    "load",
    "skeleton",
]


def __getattr__(name: str) -> object:
    if name in _MODULES:
        return import_module(_MODULES[name])
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'handscope' has no attribute {name!r}; it has {', '.join(__all__)}")


def __dir__() -> list[str]:
    return list(__all__)
