"""The mask of the visible hand (paper, section 3.1)."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional as F

from handscope.tasks.task import MapTarget, MapTask
from handscope.tasks.terms import Term, known_sample
from handscope.types import Batch


def mask_cross_entropy(logits: Float[Tensor, "b m m"], mask: Float[Tensor, "b n n"], known: Bool[Tensor, " b"]) -> Term:
    """L_seg: binary cross-entropy to the coverage, averaged down or up to the logits' size."""
    size = logits.shape[-1]
    if mask.shape[-1] != size:
        mask = F.interpolate(mask[:, None], size=(size, size), mode="area")[:, 0]
    entropy = F.binary_cross_entropy_with_logits(logits, mask, reduction="none").mean((1, 2))
    return known_sample(entropy, known)


def mask_term(logits: Tensor, batch: Batch, _: MapTarget) -> Term:
    """L_seg."""
    return mask_cross_entropy(logits, batch.mask, batch.mask_known)


MASK = MapTask(name="mask", outputs=1, fine=True, term=mask_term, read=torch.sigmoid, exported="mask")
