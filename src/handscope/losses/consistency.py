"""Self-supervision (paper, section 3.3): the mesh's outline is the estimated mask, its projected joints are
those of the heat-maps.

Prediction against prediction: no label is asked for. Heat-maps and mask are the teacher: no gradient flows into
them, and they count as much as they are sure.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from handscope.geometry.heatmaps import gaussian_maps
from handscope.losses.supervised import silhouette_iou


def projection_consistency(
    projected: Float[Tensor, "b 21 2"], read: Float[Tensor, "b 21 2"], confidence: Float[Tensor, "b 21"], crop: int
) -> Float[Tensor, " b"]:
    """Distance in crop widths between projected joints and those read from the heat-maps, weighted by
    confidence.
    """
    confidence = confidence.detach()
    distance = (projected - read.detach()).abs().sum(-1) / crop
    return (distance * confidence).sum(1) / confidence.sum(1).clamp(min=1e-6)


def outline_consistency(silhouette: Float[Tensor, "b s s"], mask_logits: Float[Tensor, "b s s"]) -> Float[Tensor, " b"]:
    """One minus the soft IoU of rendered and estimated mask; samples with an unsure mask count less."""
    probability = mask_logits.detach().sigmoid()
    sure = ((probability - 0.5).abs() * 2).mean((1, 2))
    everything = probability.new_ones(len(probability), dtype=torch.bool)
    return silhouette_iou(silhouette, probability, everything) * sure


def heatmap_confidence(
    heatmaps: Float[Tensor, "b j h w"], read_px: Float[Tensor, "b j 2"], sigma: float
) -> Float[Tensor, "b j"]:
    """Share of a heat-map's mass within about two sigmas of the place read from it; `read_px` in map pixels."""
    probability = heatmaps.flatten(2).softmax(-1)
    near = gaussian_maps(read_px, heatmaps.shape[-1], 2 * sigma).flatten(2)
    return (probability * near).sum(-1)
