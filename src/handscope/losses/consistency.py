"""Self-supervision (paper, section 3.3): the mesh's outline is the estimated mask, its projected joints are
those of the heat-maps.

Prediction against prediction: no label is asked for. Heat-maps and mask are the teacher: no gradient flows into them
from here. They count as much as they are sure: a joint, and a sample beside others, by its confidence. How far the
mesh's own gradient flows, and with it whether the teacher's features move too, is the recipe's choice
(`objective.consistency_reach`).
"""

from __future__ import annotations

from jaxtyping import Bool, Float
from torch import Tensor

from handscope.losses.supervised import silhouette_iou
from handscope.tasks.terms import Term, known_sample


def projection_consistency(
    projected: Float[Tensor, "b 21 2"],
    read: Float[Tensor, "b 21 2"],
    confidence: Float[Tensor, "b 21"],
    crop: int,
    known: Bool[Tensor, " b"],
) -> Term:
    """Distance in crop widths between projected joints and those read from the heat-maps, times the confidence, as a
    mean over all joints: unsure samples pull less.
    """
    distance = (projected - read.detach()).abs().sum(-1) / crop
    return known_sample((distance * confidence.detach()).mean(1), known)


def outline_consistency(
    silhouette: Float[Tensor, "b s s"], mask_logits: Float[Tensor, "b s s"], known: Bool[Tensor, " b"]
) -> Term:
    """One minus the soft IoU of rendered and estimated mask; samples with an unsure mask count less."""
    probability = mask_logits.detach().sigmoid()
    sure = ((probability - 0.5).abs() * 2).mean((1, 2))
    iou = silhouette_iou(silhouette, probability, known)
    return Term(iou.value * sure, iou.known)
