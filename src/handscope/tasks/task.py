"""What a task is: how many outputs it has, what it is taught by, how its answer is read, and what it ships as.

A `MapTask` is a decoder's: maps over the crop, whose features the TAM weighs (paper, section 3.1). A `HeadTask` is a
few numbers from the regressor heads' features (ours).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from numpy.typing import NDArray
from torch import Tensor

from handscope.tasks.terms import Term
from handscope.types import Batch, HandLabel

Labels = dict[str, NDArray[Any]]
"""Of one crop, by name; each with its `_known`."""
MapForm = Literal["softmax", "mean"]


@dataclass(frozen=True, kw_only=True)
class MapTarget:
    """How heat-maps are taught: `form` "softmax" (cross-entropy to a normalised Gaussian) or "mean" (the paper's
    squared error to a Gaussian of height one); `sigma_px` of the Gaussian in map px; `peak` is how much more its peak
    counts in the squared error than empty places do.
    """

    form: MapForm = "softmax"
    sigma_px: float = 1.5
    peak: float = 0.0


@dataclass(frozen=True, kw_only=True)
class MapTask:
    """Maps (b, `outputs`, h, w) over the crop; `fine` ones are as large as the decoders' sub-pixel convolutions make
    them, the others as large as the features. `term` is what teaches them, `read` what they say.
    """

    name: str
    outputs: int
    fine: bool
    term: Callable[[Tensor, Batch, MapTarget], Term]
    read: Callable[..., Tensor]
    exported: str


@dataclass(frozen=True, kw_only=True)
class HeadTask:
    """Numbers (b, `outputs`) beside those of hand model and camera. `labels` are a crop's, of its hand; `term` teaches,
    with `weight` unless the recipe has another; `read` makes of the numbers what ships under the name `exported`. With
    `pooled` it reads a pretrained backbone's pooled features too, where there is one.
    """

    name: str
    outputs: int
    labels: Callable[[HandLabel], Labels]
    term: Callable[[Tensor, Batch], Term]
    weight: float
    read: Callable[[Tensor], Tensor]
    exported: str
    pooled: bool = False
