"""What a term of the loss is: a value for each sample, and for which samples it is known."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional as F


class Term(NamedTuple):
    """`value` (b,) is zero where nothing is `known` (b,)."""

    value: Tensor
    known: Tensor

    def mean(self) -> Float[Tensor, ""]:
        """Over the samples where it is known; zero if there is none."""
        return self.value.sum() / self.known.sum().clamp(min=1)

    def where(self, also: Bool[Tensor, " b"]) -> Term:
        """The same, known in those samples alone."""
        return Term(self.value * also, self.known & also)


def known_mean(values: Float[Tensor, "b n"], known: Bool[Tensor, "b n"]) -> Term:
    """Mean over the known entries of each sample, which need not be finite elsewhere."""
    total = torch.where(known, values, torch.zeros_like(values)).sum(1)
    return Term(total / known.sum(1).clamp(min=1), known.any(1))


def known_sample(values: Float[Tensor, " b"], known: Bool[Tensor, " b"]) -> Term:
    """Values that are known as a whole or not at all."""
    return Term(torch.where(known, values, torch.zeros_like(values)), known)


def known_cross_entropy(logit: Float[Tensor, "b 1"], yes: Float[Tensor, " b"], known: Bool[Tensor, " b"]) -> Term:
    """Of a yes or no for each sample, where it is known."""
    return known_sample(F.binary_cross_entropy_with_logits(logit[:, 0], yes, reduction="none"), known)
