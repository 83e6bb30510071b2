"""The detector's terms: one value per sample, (b,), zero where nothing of the kind is known.

Each hand spreads a Gaussian over the cells around its crop's centre. The score learns that Gaussian (quality
focal loss, Li 2020); the geometry is learned by the cells where it is high, and measured in shares of the
crop's extent, so that small hands count as much as large ones.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional as F

SPREAD = 0.09
"""Standard deviation of the Gaussian in crop extents ..."""
SMALLEST_SPREAD_PX = 6.0
"""... and at least this, lest no cell be near the centre of a small hand."""
NEAR = 0.3
"""Cells where the Gaussian is above this learn geometry."""


class HandTable(NamedTuple):
    """Up to m hands a picture, in picture px; rows neither `present` nor `ignored` are zeros."""

    present: Bool[Tensor, "b m"]
    ignored: Bool[Tensor, "b m"]
    """A box in which hands may be that nobody labelled, or too little of one to ask for: its cells are not asked."""
    boxes: Float[Tensor, "b m 4"]
    up: Float[Tensor, "b m 2"]
    crops: Float[Tensor, "b m 3"]
    right: Float[Tensor, "b m"]
    box_known: Bool[Tensor, "b m"]
    frame_known: Bool[Tensor, "b m"]
    """Whether `up` and the extent in `crops` are more than guesses (the centre is always known)."""
    right_known: Bool[Tensor, "b m"]


def gaussians(cells: Float[Tensor, "g 2"], hands: HandTable) -> Float[Tensor, "b m g"]:
    """Every row's Gaussian at every cell."""
    sigma = (SPREAD * hands.crops[..., 2]).clamp(min=SMALLEST_SPREAD_PX)
    away = ((cells - hands.crops[:, :, None, :2]) ** 2).sum(-1)  # (b, m, g) px^2
    return torch.exp(-away / (2 * sigma[..., None] ** 2))


def within(
    cells: Float[Tensor, "g 2"], boxes: Float[Tensor, "b m 4"], rows: Bool[Tensor, "b m"]
) -> Bool[Tensor, "b g"]:
    """Which cells lie in one of the boxes of these rows, or within `SMALLEST_SPREAD_PX` of it."""
    low, high = boxes[:, :, None, :2] - SMALLEST_SPREAD_PX, boxes[:, :, None, 2:] + SMALLEST_SPREAD_PX
    inside = ((cells >= low) & (cells <= high)).all(-1)
    return (inside & rows[..., None]).any(1)


def score_term(
    logits: Float[Tensor, "b g"], heat: Float[Tensor, "b g"], asked: Float[Tensor, "b g"], count: Tensor
) -> Float[Tensor, " b"]:
    """Quality focal loss over the cells asked: cross-entropy to a soft target times the squared distance."""
    distance = (logits.sigmoid() - heat).abs()
    entropy = F.binary_cross_entropy_with_logits(logits, heat, reduction="none")
    return (distance.square() * entropy * asked).sum(1) / (1 + count)


def weighted_mean(values: Float[Tensor, "b g"], weights: Float[Tensor, "b g"]) -> Float[Tensor, " b"]:
    """Mean of the values under the weights; zero where all are."""
    return (values * weights).sum(1) / weights.sum(1).clamp(min=1e-6)


def detection_terms(
    score: Float[Tensor, "b g"],
    boxes: Float[Tensor, "b g 4"],
    up: Float[Tensor, "b g 2"],
    crops: Float[Tensor, "b g 3"],
    right: Float[Tensor, "b g"],
    cells: Float[Tensor, "g 2"],
    hands: HandTable,
) -> dict[str, Float[Tensor, " b"]]:
    """Terms "score", "box", "crop", "up" and "right"; `score` and `right` are logits, the rest picture px."""
    near = gaussians(cells, hands)
    heat, owner = (near * hands.present[..., None]).max(1)  # (b, g); the hand that each cell is nearest to
    asked = ~within(cells, hands.boxes, hands.ignored) | (heat > NEAR)
    weight = torch.where(heat > NEAR, heat, 0.0)

    def owned(values: Tensor) -> Tensor:
        index = owner.view(*owner.shape, *[1] * (values.dim() - 2)).expand(*owner.shape, *values.shape[2:])
        return values.gather(1, index)

    true_crops, true_right = owned(hands.crops), owned(hands.right)
    extent = true_crops[..., 2].clamp(min=1.0)
    crop = huber((crops[..., :2] - true_crops[..., :2]) / extent[..., None]).sum(-1)
    log_extent = huber(torch.log(crops[..., 2].clamp(min=1e-3) / extent))
    box = huber((boxes - owned(hands.boxes)) / extent[..., None]).sum(-1)
    turn = (up - owned(hands.up)).square().sum(-1)
    wrong_hand = F.binary_cross_entropy_with_logits(right, true_right, reduction="none")
    frame = weight * owned(hands.frame_known)
    return {
        "score": score_term(score, heat, asked.float(), hands.present.sum(1)),
        "box": weighted_mean(box, weight * owned(hands.box_known)),
        "crop": weighted_mean(crop, weight) + weighted_mean(log_extent, frame),
        "up": weighted_mean(turn, frame),
        "right": weighted_mean(wrong_hand, weight * owned(hands.right_known)),
    }


def huber(x: Tensor) -> Tensor:
    """Absolute value, rounded off below 0.02."""
    return F.smooth_l1_loss(x, torch.zeros_like(x), beta=0.02, reduction="none")
